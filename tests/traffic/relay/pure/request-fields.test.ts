import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { RequestHead } from '../../../../src/traffic/http1/request-head.ts';
import { keptRequestId, Sender, writeRequestHead } from '../../../../src/traffic/relay/request-fields.ts';
import { KeptId } from '../../../../src/traffic/relay/request-id.ts';
import { Scratch } from '../../../../src/traffic/relay/scratch.ts';
import { requestOf, valuesOf } from '../../http1/grammar.ts';
import { bytesOf, mutated, REQUESTS, shownRequest } from '../../http1/heads.ts';

const SEED = 20260412;
const LIMITS = { headBytesMax: 16_384, headFieldsMax: 100, targetBytesMax: 8192 };
const CLIENT = new Sender('203.0.113.9', false);
const PROXY = new Sender('10.0.0.1', true);
const ID = new KeptId('made-1');
const REPLICA = { host: '127.0.0.1', port: 5000 };

/** Used for all: what one head leaves behind must not show in the next. */
const head = new RequestHead(LIMITS);
const scratch = new Scratch();

function read(text: string): boolean {
  // Not at the start, so that an offset that was forgotten shows.
  const bytes = bytesOf(`before${text}after`);
  return head.read(bytes, 6, bytes.length) === true;
}

function passed(text: string, sender = CLIENT): string {
  if (!read(text)) throw new Error(`Refused: ${text}`);
  scratch.reset();
  writeRequestHead(scratch, head, sender, ID, REPLICA);
  return scratch.bytes.toString('latin1', 0, scratch.length);
}

/** Request line and Host, then the fields; of what the relay adds only what is not the same for every request. */
function lines(text: string, sender = CLIENT): string[] {
  return passed(text, sender).split('\r\n').slice(0, -2);
}

const OURS = [
  'X-Forwarded-Host: a',
  'X-Forwarded-For: 203.0.113.9',
  'X-Forwarded-Proto: http',
  'Via: 1.1 ringmaster',
  'X-Request-Id: made-1',
];

/** What becomes of the fields of a request for "/" from anybody. */
function fieldsOf(fields: readonly string[]): string[] {
  const all = lines(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`);
  expect(all.slice(0, 2)).toEqual(['GET / HTTP/1.1', 'Host: a']);
  expect(all.slice(-OURS.length)).toEqual(OURS);
  return all.slice(2, -OURS.length);
}

test('a request is passed on byte for byte as it is written here', () => {
  expect(
    passed(
      'POST /a?b HTTP/1.1\r\nAccept:*/*\r\nHost: a.example:81\r\nconnection: close, X-Gone\r\nX-Gone: 1\r\n' +
        'Content-Length: 5\r\nX-Kept:  2 \r\nX-Forwarded-For: 198.51.100.1\r\n\r\n',
    ),
  ).toBe(
    'POST /a?b HTTP/1.1\r\nHost: a.example:81\r\nAccept: */*\r\nContent-Length: 5\r\nX-Kept: 2\r\n' +
      'X-Forwarded-Host: a.example:81\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n' +
      'Via: 1.1 ringmaster\r\nX-Request-Id: made-1\r\n\r\n',
  );
});

describe('the target', () => {
  test.each<[line: string, passed: string, host: string]>([
    ['GET /a/../b//?x=%20 HTTP/1.1\r\nHost: h', 'GET /a/../b//?x=%20 HTTP/1.1', 'h'],
    ['OPTIONS * HTTP/1.1\r\nHost: h', 'OPTIONS * HTTP/1.1', 'h'],
    ['GET http://b:81/p?q HTTP/1.1\r\nHost: h', 'GET /p?q HTTP/1.1', 'b:81'],
    ['GET http://b HTTP/1.1\r\nHost: h', 'GET / HTTP/1.1', 'b'],
    ['GET http://b? HTTP/1.1\r\nHost: h', 'GET /? HTTP/1.1', 'b'],
    ['GET http://b?q=/ HTTP/1.1\r\nHost: h', 'GET /?q=/ HTTP/1.1', 'b'],
    ['OPTIONS http://b HTTP/1.1\r\nHost: h', 'OPTIONS * HTTP/1.1', 'b'],
    ['OPTIONS http://b/ HTTP/1.1\r\nHost: h', 'OPTIONS / HTTP/1.1', 'b'],
    ['OPTIONS http://b?q HTTP/1.1\r\nHost: h', 'OPTIONS /?q HTTP/1.1', 'b'],
    ['GET / HTTP/1.0\r\nHost: h', 'GET / HTTP/1.1', 'h'],
    ['GET http://[::1]:80/ HTTP/1.0', 'GET / HTTP/1.1', '[::1]:80'],
    ['get /x HTTP/1.1\r\nHOST:h', 'get /x HTTP/1.1', 'h'],
  ])('%j', (line, first, host) => {
    const all = lines(`${line}\r\n\r\n`);
    expect(all.slice(0, 2)).toEqual([first, `Host: ${host}`]);
    expect(all.filter((one) => one.startsWith('X-Forwarded-Host'))).toEqual([`X-Forwarded-Host: ${host}`]);
    expect(all.filter((one) => /^host:/i.test(one))).toHaveLength(1);
  });

  test.each<[host: string, expected: string]>([
    ['127.0.0.1', 'Host: 127.0.0.1:5000'],
    ['::1', 'Host: [::1]:5000'],
    ['replica.internal', 'Host: replica.internal:5000'],
  ])('without any host is for the replica at %s', (host, expected) => {
    expect(read('GET / HTTP/1.0\r\nX: y\r\n\r\n')).toBe(true);
    scratch.reset();
    writeRequestHead(scratch, head, CLIENT, ID, { host, port: 5000 });
    const all = scratch.bytes.toString('latin1', 0, scratch.length).split('\r\n');
    expect(all.slice(0, 3)).toEqual(['GET / HTTP/1.1', expected, 'X: y']);
    // Nobody asked for that name.
    expect(all.join()).not.toContain('X-Forwarded-Host');
  });
});

describe('fields', () => {
  test.each<[what: string, fields: readonly string[], passed: readonly string[]]>([
    [
      'keep their order, case and repetitions',
      ['B: 1', 'a: 2', 'B: 3', 'Cookie: x'],
      ['B: 1', 'a: 2', 'B: 3', 'Cookie: x'],
    ],
    [
      'are written with one space before the value and none behind it',
      ['a:1', 'b:  2', 'c:\t3\t ', 'd: 4 ', 'e: 5', 'f: 6 \t7'],
      ['a: 1', 'b: 2', 'c: 3', 'd: 4', 'e: 5', 'f: 6 \t7'],
    ],
    ['may be empty', ['a:', 'b: ', 'c:   ', 'd: x'], ['a: ', 'b: ', 'c: ', 'd: x']],
    [
      'may hold any byte but control characters',
      ['a: \xe4\xff\x80', 'b: "(,;\\@#'],
      ['a: \xe4\xff\x80', 'b: "(,;\\@#'],
    ],
    [
      'of this hop end here',
      [
        'Keep-Alive: timeout=5',
        'X: 1',
        'Proxy-Connection: keep-alive',
        'TE: trailers',
        'Y: 2',
        'Proxy-Authorization: Basic x',
        'Proxy-Authenticate: x',
        'Upgrade: h2c',
        'Connection: keep-alive',
      ],
      ['X: 1', 'Y: 2'],
    ],
    [
      'that Connection names end here, before it and after it',
      [
        'X-A: 1',
        'x-keep: 2',
        'Connection: X-a, close, cookie',
        'x-A: 3',
        'COOKIE: 4',
        'Connection: x-b',
        'X-B: 5',
      ],
      ['x-keep: 2'],
    ],
    [
      'that Connection names in vain',
      ['Connection: x-none', 'x-nones: 1', 'x-non: 2'],
      ['x-nones: 1', 'x-non: 2'],
    ],
    [
      'that frame the message can not be named away',
      ['Connection: content-length, host, transfer-encoding', 'Content-Length: 3'],
      ['Content-Length: 3'],
    ],
    [
      'like those that matter are dropped',
      [
        'Content_Length: 5',
        'Transfer_Encoding: chunked',
        'transfer_encoding: x',
        'X_Forwarded_For: 1',
        'x-real_ip: 1',
        'X_Request_Id: 1',
        'Keep_Alive: 1',
        'x_kept: 1',
      ],
      ['x_kept: 1'],
    ],
    ['of a length lose leading zeros', ['Content-Length: 007', 'X: y'], ['X: y', 'Content-Length: 7']],
    ['of no length', ['Content-Length: 0'], ['Content-Length: 0']],
    ['of no length, at length', ['Content-Length: 000'], ['Content-Length: 0']],
    [
      'of a chunked body come last',
      ['transfer-encoding:CHUNKED', 'X: y'],
      ['X: y', 'Transfer-Encoding: chunked'],
    ],
    [
      'say what is expected',
      ['Expect: 100-Continue', 'Content-Length: 1'],
      ['Expect: 100-Continue', 'Content-Length: 1'],
    ],
    ['keep Trailer and Via', ['Trailer: x', 'Via: 1.0 other'], ['Trailer: x', 'Via: 1.0 other']],
    [
      'ask for another protocol in our words',
      ['Upgrade: websocket', 'Sec-WebSocket-Key: x', 'Connection: Upgrade'],
      ['Sec-WebSocket-Key: x', 'Connection: upgrade', 'Upgrade: websocket'],
    ],
    ['do not ask for another protocol without Connection', ['Upgrade: websocket'], []],
    ['do not ask for another protocol without its name', ['Connection: upgrade'], []],
    [
      'tell nothing of where a request came from',
      [
        'X-Forwarded-For: 1',
        'X-Forwarded-Host: b',
        'x-forwarded-proto: https',
        'X-Forwarded-Port: 1',
        'X-Forwarded-Anything: 1',
        'Forwarded: for=1',
        'X-Real-IP: 1',
      ],
      [],
    ],
  ])('%s', (_what, fields, expected) => {
    expect(fieldsOf(fields)).toEqual([...expected]);
  });

  test('of HTTP/1.0 ask for nothing that it has not', () => {
    const all = lines(
      'GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(all).toEqual(['GET / HTTP/1.1', 'Host: a', ...OURS]);
  });

  test('are as many as there may be', () => {
    const fields = Array.from({ length: 99 }, (_, i) => (i % 3 === 0 ? `a${i}:${i}` : `a${i}: ${i}`));
    expect(fieldsOf(fields)).toEqual(fields.map((field) => field.replace(/: ?/, ': ')));
  });
});

describe('a trusted proxy is believed', () => {
  const FROM = 'GET / HTTP/1.1\r\nHost: a\r\n';

  test.each<[fields: readonly string[], passed: readonly string[]]>([
    [
      [],
      ['X-Forwarded-Host: a', 'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Proto: http', 'Via: 1.1 ringmaster'],
    ],
    [
      ['X-Forwarded-For: 198.51.100.1'],
      [
        'X-Forwarded-Host: a',
        'X-Forwarded-For: 198.51.100.1, 10.0.0.1',
        'X-Forwarded-Proto: http',
        'Via: 1.1 ringmaster',
      ],
    ],
    [
      ['X-Forwarded-For: 1, 2', 'X: y', 'x-forwarded-for:', 'x-forwarded-for: 3 '],
      [
        'X: y',
        'X-Forwarded-Host: a',
        'X-Forwarded-For: 1, 2, 3, 10.0.0.1',
        'X-Forwarded-Proto: http',
        'Via: 1.1 ringmaster',
      ],
    ],
    [
      ['X-Forwarded-Proto: https'],
      ['X-Forwarded-Proto: https', 'X-Forwarded-Host: a', 'X-Forwarded-For: 10.0.0.1', 'Via: 1.1 ringmaster'],
    ],
    [
      ['X-Forwarded-Host: b', 'X-Forwarded-Proto: https', 'X-Forwarded-For: 1', 'X-Forwarded-Port: 443'],
      [
        'X-Forwarded-Host: b',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Port: 443',
        'X-Forwarded-For: 1, 10.0.0.1',
        'Via: 1.1 ringmaster',
      ],
    ],
    [
      ['Forwarded: for=1', 'X-Real-IP: 1'],
      [
        'Forwarded: for=1',
        'X-Real-IP: 1',
        'X-Forwarded-Host: a',
        'X-Forwarded-For: 10.0.0.1',
        'X-Forwarded-Proto: http',
        'Via: 1.1 ringmaster',
      ],
    ],
    [
      // What it names ends here, and ours begins.
      [
        'Connection: x-forwarded-for, x-forwarded-host, forwarded',
        'X-Forwarded-For: 1',
        'X-Forwarded-Host: b',
        'Forwarded: x',
      ],
      ['X-Forwarded-Host: a', 'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Proto: http', 'Via: 1.1 ringmaster'],
    ],
    [
      ['X_Forwarded_For: 1', 'X_Forwarded_Proto: https'],
      ['X-Forwarded-Host: a', 'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Proto: http', 'Via: 1.1 ringmaster'],
    ],
  ])('%j', (fields, expected) => {
    const all = lines(`${FROM}${fields.map((field) => `${field}\r\n`).join('')}\r\n`, PROXY);
    expect(all.slice(2)).toEqual([...expected, 'X-Request-Id: made-1']);
  });
});

describe('the id of a request', () => {
  test.each<[fields: readonly string[], kept: string | undefined]>([
    [[], undefined],
    [['X-Request-Id: abc-1'], 'abc-1'],
    [['x-request-id:abc-1'], 'abc-1'],
    [[`X-Request-Id: ${'i'.repeat(128)}`], 'i'.repeat(128)],
    [[`X-Request-Id: ${'i'.repeat(129)}`], undefined],
    [['X-Request-Id:'], undefined],
    [['X-Request-Id: a b'], undefined],
    [['X-Request-Id: a\tb'], undefined],
    [['X-Request-Id: \xe4'], undefined],
    [['X-Request-Id: a', 'X-Request-Id: a'], undefined],
    [['X-Request-Id: a', 'Connection: x-request-id'], undefined],
  ])('%j is kept as %p', (fields, kept) => {
    const all = lines(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`);
    expect(keptRequestId(head)).toBe(kept);
    const ids = all
      .filter((line) => /^x-request-id:/i.test(line))
      .map((line) => line.slice('X-Request-Id:'.length).trim());
    expect(ids).toEqual([kept ?? 'made-1']);
  });
});

test('what is passed on is a request that frames the same, and once more is the same', () => {
  let accepted = 0;
  fc.assert(
    fc.property(mutated(REQUESTS), fc.constantFrom(CLIENT, PROXY), (text, sender) => {
      if (!read(text)) return;
      accepted++;
      const asked = shownRequest(head);
      const written = passed(text, sender);
      const again = requestOf(written);
      expect([written, again?.end]).toEqual([written, written.length]);
      expect(read(written)).toBe(true);
      const shown = shownRequest(head);
      expect([shown.method, shown.framing, shown.length]).toEqual([
        asked.method,
        asked.framing,
        asked.length,
      ]);
      expect([shown.protocols, shown.continues]).toEqual([asked.protocols, asked.continues]);
      expect([shown.minor, shown.persistent, shown.end]).toEqual([1, true, 6 + written.length]);
      if (asked.host !== '') expect(shown.host).toBe(asked.host);
      const fields = again?.fields ?? [];
      for (const name of ['host', 'x-forwarded-for', 'x-request-id'])
        expect(valuesOf(fields, name)).toHaveLength(1);
      expect(fields.some(([name]) => /^(?:te|keep-alive|proxy-connection)$/i.test(name))).toBe(false);
      expect(fields.some(([name]) => /^(?:content_length|transfer_encoding|x_forwarded_)/i.test(name))).toBe(
        false,
      );
    }),
    { seed: SEED, numRuns: 6000 },
  );
  expect(accepted).toBeGreaterThan(1000);
}, 60_000);
