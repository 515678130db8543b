import { STATUS_CODES } from 'node:http';
import type { Explanation } from '../../fleet/explain.ts';
import { explainedFields } from '../explained.ts';

/** Seconds after which it is worth asking again; sent with 503. */
const RETRY_AFTER_S = 1;
const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

interface RefusalFrame {
  /** Whether it is to a HEAD. */
  readonly head: boolean;
  readonly close: boolean;
  readonly date: string;
  readonly explained?: Explanation | undefined;
}

/** A reply of the relay's own, in the shape that every error has here. Without a body for HEAD. */
export function refusal(
  status: number,
  message: string,
  { head, close, date, explained }: RefusalFrame,
): Uint8Array {
  const body = JSON.stringify({ message: `<Error> ${message}`, status: 'failure' });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Date: ${date}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...(status === 503 ? [`Retry-After: ${RETRY_AFTER_S}`] : []),
    ...(status === 405 ? [ALLOW] : []),
    ...(close ? ['Connection: close'] : []),
    ...(explained === undefined ? [] : explainedFields(explained).map((field) => field.join(': '))),
  ];
  return new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n${head ? '' : body}`);
}

/** The reply to an OPTIONS that is for the relay itself. */
export function optionsReply(date: string, close: boolean): Uint8Array {
  const lines = [
    'HTTP/1.1 200 OK',
    `Date: ${date}`,
    ALLOW,
    'Content-Length: 0',
    ...(close ? ['Connection: close'] : []),
  ];
  return new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n`);
}
