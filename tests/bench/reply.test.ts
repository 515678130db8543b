import { describe, expect, test } from 'bun:test';
import { readReply, ReplyError } from './reply.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const whole: readonly [string, { status: number; bodyBytes: number; closes: boolean }][] = [
  [`${OK}Content-Length: 5\r\n\r\nhello`, { status: 200, bodyBytes: 5, closes: false }],
  [`${OK}content-length:0\r\n\r\n`, { status: 200, bodyBytes: 0, closes: false }],
  [
    'HTTP/1.1 503 \r\nX: y\r\nCONTENT-LENGTH: 2 \r\nConnection: close\r\n\r\nno',
    { status: 503, bodyBytes: 2, closes: true },
  ],
  [`${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, { status: 200, bodyBytes: 5, closes: false }],
  [
    `${CHUNKED}1\r\n\r\r\nA;x=y\r\n0\r\n\r\n67890\r\n0\r\nTrailer: 1\r\n\r\n`,
    { status: 200, bodyBytes: 11, closes: false },
  ],
];

describe.each(whole)('%j', (text, { status, bodyBytes, closes }) => {
  test('is whole with its last byte and not before', () => {
    for (let bytes = 0; bytes < text.length; bytes++) expect(readReply(text.slice(0, bytes))).toBeUndefined();
    expect(readReply(text)).toEqual({ status, bodyBytes, closes, bytes: text.length });
  });

  test('ends where the next one begins', () => {
    expect(readReply(text + text)?.bytes).toBe(text.length);
  });
});

test.each([
  'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n',
  `${OK}X: y\r\n\r\n`,
  `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello`,
  `${OK}Content-Length: five\r\n\r\nhello`,
  `${CHUNKED}five\r\nhello\r\n0\r\n\r\n`,
  `${CHUNKED}4\r\nhello\r\n0\r\n\r\n`,
])('%j is no reply whose end is known', (text) => {
  expect(() => readReply(text)).toThrow(ReplyError);
});
