import { expect } from 'bun:test';
import type { Seen } from './fair-requests.ts';
import type { Exchange } from './recording-upstream.ts';

/** What the relay adds or has to rebuild; its own tests look at it. */
const REBUILT =
  /^(?:host|content-length|transfer-encoding|connection|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|expect)$/i;

/** Holds what a replica saw against what it must see. */
export function expectSeen(exchange: Exchange | undefined, expected: Seen): void {
  expect(exchange?.complete).toBe(true);
  if (exchange === undefined) return;
  const { method, target, head, body } = exchange;
  const [host] = exchange.values('host');
  expect(head.line).toBe(`${method} ${target} HTTP/1.1`);
  const seen: Seen = {
    method,
    target,
    host: expected.host === undefined ? undefined : host,
    fields: head.fields.filter(([name]) => !REBUILT.test(name)),
    framing: body.framing,
    body: body.text,
    trailers: body.trailers,
  };
  // A length of nothing may be said or left out where the method makes no difference of it.
  const framing = seen.framing === 'none' && expected.framing === 'length' && expected.body === '';
  expect(framing ? { ...seen, framing: 'length' } : seen).toEqual(expected);
}
