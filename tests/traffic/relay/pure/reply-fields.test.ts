import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { ReplyHead } from '../../../../src/traffic/http1/reply-head.ts';
import { writeReplyHead, type ReplyFrame } from '../../../../src/traffic/relay/reply-fields.ts';
import { KeptId } from '../../../../src/traffic/relay/request-id.ts';
import { ascii, Scratch } from '../../../../src/traffic/relay/scratch.ts';
import { replyOf, valuesOf } from '../../http1/grammar.ts';
import { bytesOf, mutated, REPLIES, shownReply } from '../../http1/heads.ts';

const SEED = 20260413;
const LIMITS = { headBytesMax: 16_384, headFieldsMax: 100 };
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
const FRAME: ReplyFrame = {
  replica: 'server-2',
  requestId: new KeptId('made-1'),
  date: ascii(`Date: ${DATE}\r\n`),
  chunked: false,
  connection: 'none',
};

/** Used for all: what one head leaves behind must not show in the next. */
const head = new ReplyHead(LIMITS);
const scratch = new Scratch();

function read(text: string, method = 'GET'): boolean {
  const bytes = bytesOf(`before${text}after`);
  return head.read(bytes, 6, bytes.length, method) === true;
}

function passed(text: string, frame: Partial<ReplyFrame> = {}, method = 'GET'): string {
  if (!read(text, method)) throw new Error(`Refused: ${text}`);
  scratch.reset();
  writeReplyHead(scratch, head, { ...FRAME, ...frame });
  return scratch.bytes.toString('latin1', 0, scratch.length);
}

const VIA = ['Via: 1.1 ringmaster', 'x-served-by: server-2'];

/** Status line and fields, of a reply with those. */
function lines(status: string, fields: readonly string[], frame: Partial<ReplyFrame> = {}): string[] {
  const text = `HTTP/1.1 ${status}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
  const written = passed(text, frame);
  expect(written.endsWith('\r\n\r\n')).toBe(true);
  return written.slice(0, -4).split('\r\n');
}

test('a reply is passed on byte for byte as it is written here', () => {
  expect(
    passed(
      'HTTP/1.0 404  Not \xe4 here\r\nServer:old\r\nConnection: keep-alive, X-Gone\r\nX-Gone: 1\r\nContent-Length: 5 \r\n' +
        'Keep-Alive: timeout=5\r\nDate: then\r\nX-Served-By: other\r\n\r\n',
    ),
  ).toBe(
    'HTTP/1.1 404  Not \xe4 here\r\nServer: old\r\nContent-Length: 5\r\nDate: then\r\n' +
      'Via: 1.1 ringmaster\r\nx-served-by: server-2\r\nX-Request-Id: made-1\r\n\r\n',
  );
});

describe('a status line', () => {
  test.each<[came: string, passed: string]>([
    ['200 OK', 'HTTP/1.1 200 OK'],
    ['200', 'HTTP/1.1 200 '],
    ['200 ', 'HTTP/1.1 200 '],
    ['599 \x80 \t x', 'HTTP/1.1 599 \x80 \t x'],
  ])('%j', (came, first) => {
    expect(lines(came, [])[0]).toBe(first);
  });
});

describe('fields', () => {
  test.each<[what: string, fields: readonly string[], passed: readonly string[]]>([
    [
      'keep their order, case and repetitions',
      ['B: 1', 'a: 2', 'B: 3', 'Set-Cookie: x', 'Set-Cookie: y'],
      ['B: 1', 'a: 2', 'B: 3', 'Set-Cookie: x', 'Set-Cookie: y'],
    ],
    ['are written alike', ['a:1', 'b: \t2 ', 'c:', 'd: '], ['a: 1', 'b: 2', 'c: ', 'd: ']],
    [
      'of this hop end here',
      [
        'Keep-Alive: 1',
        'X: 1',
        'Proxy-Authenticate: Basic',
        'Proxy-Connection: x',
        'TE: x',
        'Upgrade: h2',
        'Connection: close',
      ],
      ['X: 1'],
    ],
    ['that Connection names end here', ['X-A: 1', 'Connection: x-a, etag', 'ETag: 2', 'X-B: 3'], ['X-B: 3']],
    [
      'that frame the message can not be named away',
      ['Connection: content-length', 'Content-Length: 3'],
      ['Content-Length: 3'],
    ],
    [
      'like those that matter are dropped',
      ['Content_Length: 5', 'Transfer_Encoding: chunked', 'x_a: 1'],
      ['x_a: 1'],
    ],
    ['keep Trailer and Via', ['Trailer: x', 'Via: 1.0 other'], ['Trailer: x', 'Via: 1.0 other']],
    ['do not say who else served', ['X-Served-By: evil', 'x-served-by: evil'], []],
  ])('%s', (_what, fields, expected) => {
    expect(lines('200 OK', fields)).toEqual([
      'HTTP/1.1 200 OK',
      ...expected,
      `Date: ${DATE}`,
      ...VIA,
      'X-Request-Id: made-1',
    ]);
  });

  test.each<[fields: readonly string[], passed: readonly string[]]>([
    [['X-Request-Id: r-1'], ['X-Request-Id: r-1', `Date: ${DATE}`, ...VIA]],
    [['Date: then'], ['Date: then', ...VIA, 'X-Request-Id: made-1']],
    [
      ['X-Request-Id: r-1', 'Connection: x-request-id'],
      [`Date: ${DATE}`, ...VIA, 'X-Request-Id: made-1'],
    ],
  ])('that are there are not added: %j', (fields, expected) => {
    expect(lines('200 OK', fields).slice(1)).toEqual([...expected]);
  });
});

describe('how the body goes on', () => {
  test.each<[frame: Partial<ReplyFrame>, passed: readonly string[]]>([
    [{}, []],
    [{ chunked: true }, ['Transfer-Encoding: chunked']],
    [{ connection: 'close' }, ['Connection: close']],
    [{ connection: 'keep-alive' }, ['Connection: keep-alive']],
    [{ chunked: true, connection: 'close' }, ['Transfer-Encoding: chunked', 'Connection: close']],
  ])('%j', (frame, expected) => {
    const all = lines('200 OK', ['Transfer-Encoding: chunked', 'Connection: keep-alive'], frame);
    expect(all.filter((line) => /^(?:transfer-encoding|connection):/i.test(line))).toEqual([...expected]);
  });

  test.each(['100', '103', '204'])('%s has no length, whatever it says', (status) => {
    const all = lines(`${status} x`, ['Content-Length: 0', 'Link: y']);
    expect(all.filter((line) => /^(?:content-length|link):/i.test(line))).toEqual(['Link: y']);
    // Of an interim reply nobody asks when it was made.
    expect(all.includes(`Date: ${DATE}`)).toBe(status === '204');
  });

  test.each(['304', '200', '205'])('%s keeps its length', (status) => {
    expect(lines(`${status} x`, ['Content-Length: 7'])).toContain('Content-Length: 7');
  });

  test('another protocol is named where it is switched to, or asked for', () => {
    const fields = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: x'];
    const named = ['Connection: upgrade', 'Upgrade: websocket'];
    expect(lines('101 Switching Protocols', fields)).toEqual([
      'HTTP/1.1 101 Switching Protocols',
      'Sec-WebSocket-Accept: x',
      ...named,
      ...VIA,
      'X-Request-Id: made-1',
    ]);
    const required = lines('426 Upgrade Required', fields);
    expect(required.filter((line) => /^(?:connection|upgrade):/i.test(line))).toEqual(named);
    expect(lines('200 OK', fields).join()).not.toContain('websocket');
    expect(lines('426 Upgrade Required', []).join()).not.toContain('pgrade:');
  });
});

test('what is passed on is a reply that frames the same', () => {
  let accepted = 0;
  fc.assert(
    fc.property(mutated(REPLIES), fc.constantFrom('GET', 'HEAD'), fc.boolean(), (text, method, persists) => {
      if (!read(text, method)) return;
      accepted++;
      const came = shownReply(head);
      const chunked = came.framing === 'chunked' || came.framing === 'close';
      const written = passed(text, { chunked, connection: persists ? 'none' : 'close' }, method);
      const again = replyOf(written, method);
      expect([written, again?.end]).toEqual([written, written.length]);
      expect(read(written, method)).toBe(true);
      const shown = shownReply(head);
      expect([shown.status, shown.reason]).toEqual([came.status, came.reason]);
      expect([shown.framing, shown.length]).toEqual([chunked ? 'chunked' : came.framing, came.length]);
      expect(shown.persistent).toBe(persists);
      const fields = again?.fields ?? [];
      expect(valuesOf(fields, 'x-served-by')).toEqual(['server-2']);
      expect(valuesOf(fields, 'x-request-id').length).toBeGreaterThan(0);
      expect(
        fields.some(([name]) => /^(?:te|keep-alive|proxy-.*|content_length|transfer_encoding)$/i.test(name)),
      ).toBe(false);
      if (came.status >= 200) expect(valuesOf(fields, 'date').length).toBeGreaterThan(0);
    }),
    { seed: SEED, numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(500);
}, 60_000);
