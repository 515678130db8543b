import { raw } from '../raw.ts';

/** What a change needs beside its body. */
export const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** A whole request with a body, after which the connection ends; `fields` are lines of its head. */
export function requestWith(line: string, fields: readonly string[], body: string): string {
  const all = [...fields, `Content-Length: ${body.length}`, 'Connection: close'];
  return `${line} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body}`;
}

/** The status of what `raw` gave; 0 where the connection was cut without a word. */
export function statusOf(reply: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(reply)?.[1] ?? 0);
}

/** All that a refused call may not change: who is in, and who owns which of some ids. */
export async function stateOf(url: string): Promise<string> {
  const IDS = 50;
  const asked = Array.from({ length: IDS }, (_, id) => `/map_request?id=${id}`);
  const replies = await Promise.all(['/rep', ...asked].map(async (path) => (await fetch(url + path)).text()));
  return replies.join('\n');
}

/** How many replicas there are. */
export async function countOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/rep`)).json()) as { N: number }).N;
}

/** A change as an honest client sends it; gives its status. */
export async function change(url: string, n: number, fields: Record<string, string> = {}): Promise<number> {
  const reply = await fetch(url + (n > 0 ? '/add' : '/rm'), {
    method: n > 0 ? 'POST' : 'DELETE',
    headers: { ...JSON_TYPE, ...fields },
    body: JSON.stringify({ n: Math.abs(n) }),
  });
  await reply.text();
  return reply.status;
}

/** Sends raw bytes and gives status and text of the reply. */
export async function rawCall(
  url: string,
  ...pieces: readonly string[]
): Promise<{ status: number; head: string; body: string }> {
  const reply = await raw(url, ...pieces);
  const end = reply.indexOf('\r\n\r\n');
  return { status: statusOf(reply), head: reply.slice(0, end), body: reply.slice(end + 4) };
}
