/** Requests that must be refused, as bytes in Latin-1, and how. */

export interface Refusal {
  readonly name: string;
  readonly bytes: string;
  readonly statuses: readonly number[];
  /** What is wrong comes after the head: a replica may have seen the start of it, but never a whole request. */
  readonly begun: boolean;
}

/** Without a status: 400. */
export type Row = readonly [name: string, bytes: string, ...statuses: number[]];

/** With fields that are whole lines. */
export const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
export const post = (fields: string, body = ''): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;

/** With another request line. */
export const line = (text: string): string => `${text}\r\nHost: a\r\n\r\n`;

/** Makes a table of them; `begun` as in Refusal. */
export function refusals(group: string, rows: readonly Row[], begun = false): Refusal[] {
  return rows.map(([name, bytes, ...statuses]) => ({
    name: `${group}: ${name}`,
    bytes,
    statuses: statuses.length === 0 ? [400] : statuses,
    begun,
  }));
}
