import * as fc from 'fast-check';
import type { HeadFields } from '../../../src/traffic/http1/head.ts';
import type { ReplyHead } from '../../../src/traffic/http1/reply-head.ts';
import type { RequestHead } from '../../../src/traffic/http1/request-head.ts';

export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** All that a head says, as plain values, so that two of them can be compared. */
function shownFields(fields: HeadFields) {
  const { count, end, hosts, hasDate, length, chunked, close, keepAlive, connectionUpgrade, named } = fields;
  const { host, upgrade, expect, requestId } = fields;
  const lines = Array.from({ length: count }, (_, i) => [fields.name(i), fields.value(i), fields.code(i)]);
  const flags = { hosts, hasDate, length, chunked, close, keepAlive, connectionUpgrade, named: [...named] };
  return { count, end, lines, ...flags, host, upgrade, expect, requestId };
}

export function shownRequest(head: RequestHead) {
  const { fields, method, minor, persistent, framing, length, continues, end } = head;
  const protocols = [...head.protocols];
  const text = (from: number, to: number) => Buffer.from(fields.bytes.subarray(from, to)).toString('latin1');
  const target = text(head.targetStart, head.targetEnd);
  const host = text(head.hostStart, head.hostEnd);
  const own = { method, target, host, minor, persistent, framing, length, protocols, continues, end };
  return { ...own, fields: shownFields(fields) };
}

export function shownReply(head: ReplyHead) {
  const { fields, status, persistent, framing, length, end } = head;
  const reason = Buffer.from(fields.bytes.subarray(head.reasonStart, head.reasonEnd)).toString('latin1');
  return { status, reason, persistent, framing, length, end, fields: shownFields(fields) };
}

/** What is put into heads to make them ambiguous. */
const SNIPPETS = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ',',
  ':',
  '0',
  '\0',
  '\x7f',
  '\xff',
  '#',
  '%',
  '_',
  '[',
  '@',
  'close',
  'chunked',
  ', chunked',
  'HTTP/1.0',
  'http://b.example',
  'Host: b\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  'Expect: 100-continue\r\n',
  'X: \r\n\r\n',
] as const;

/** Heads of `bases`, changed in up to three places: bytes put in, taken out, repeated. */
export function mutated(bases: readonly string[]): fc.Arbitrary<string> {
  const snippet = fc.oneof(
    fc.constantFrom(...SNIPPETS),
    fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  );
  const change = fc.record({ at: fc.nat(10_000), gone: fc.nat(3), put: snippet, repeats: fc.nat(20) });
  return fc.tuple(fc.constantFrom(...bases), fc.array(change, { maxLength: 3 })).map(([base, changes]) =>
    changes.reduce((text, { at, gone, put, repeats }) => {
      const i = at % (text.length + 1);
      const again = repeats < 4 ? text.slice(i, i + 12 * repeats) : put;
      return text.slice(0, i) + again + text.slice(i + gone);
    }, base),
  );
}

export const REQUESTS = [
  'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n',
  'GET /home?id=42 HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n',
  'POST /a/b%20c HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nContent-Length: 12\r\nConnection: keep-alive, x-a\r\nX-A: 1\r\n\r\n',
  'PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: 192.0.2.7\r\nTrailer: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET http://b.example:81/p?q HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\n\r\n',
  'HEAD HTTP://[::1]?q HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nEmpty:\r\n\r\n',
  'GET / HTTP/1.0\r\n\r\n',
  'GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\nExpect: x\r\n\r\n',
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n',
] as const;

export const REPLIES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 204\r\nX-Request-Id: 5\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nEtag: "a"\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  'HTTP/1.0 200 \r\nServer: old\r\n\r\n',
] as const;
