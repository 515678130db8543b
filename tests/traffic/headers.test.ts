import { describe, expect, test } from 'bun:test';
import { replyHeaders, requestHeaders } from '../../src/traffic/headers.ts';

const CLIENT = { address: '192.0.2.7', host: 'lb.example:5000' };
const FORWARDED = [
  ['x-forwarded-for', '192.0.2.7'],
  ['x-forwarded-host', 'lb.example:5000'],
  ['x-forwarded-proto', 'http'],
] as const;

type Fields = readonly (readonly [name: string, value: string])[];

function headersOf(fields: Fields): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) headers.append(name, value);
  return headers;
}

/** What is left of a request's fields, less those that we add. */
function requested(fields: Fields): Fields {
  const ours = new Set<string>(FORWARDED.map(([name]) => name));
  return [...requestHeaders(headersOf(fields), CLIENT)].filter(([name]) => !ours.has(name));
}

/** What is left of a reply's fields, less the one that we add. */
function replied(fields: Fields): Fields {
  return [...replyHeaders(headersOf(fields), 'server-1')].filter(([name]) => name !== 'x-served-by');
}

const WAYS = [
  ['a request', requested],
  ['a reply', replied],
] as const;

describe.each(WAYS)('%s', (_, kept) => {
  test.each([
    'connection',
    'te',
    'transfer-encoding',
    'upgrade',
    'keep-alive',
    'proxy-connection',
    'proxy-authenticate',
    'proxy-authorization',
    'trailer',
  ])('loses %s, which is of one connection', (name) => {
    const fields: Fields = [
      [name, 'x'],
      ['x-kept', 'y'],
    ];
    expect(kept(fields)).toEqual([['x-kept', 'y']]);
  });

  test.each<[connection: string, lost: string]>([
    ['x-hop', 'x-hop'],
    ['X-HOP', 'x-hop'],
    ['close, x-hop', 'x-hop'],
    ['keep-alive,x-hop', 'x-hop'],
    [',, x-hop ,', 'x-hop'],
    ['\tx-hop\t', 'x-hop'],
    ["x-!#$%&'*+.^_`|~", "x-!#$%&'*+.^_`|~"],
  ])('loses the field that Connection: %j names', (connection, lost) => {
    const fields: Fields = [
      ['connection', connection],
      [lost, '1'],
      ['x-kept', '2'],
    ];
    expect(kept(fields)).toEqual([['x-kept', '2']]);
  });

  test('takes Connection for a list also where it comes twice', () => {
    const fields: Fields = [
      ['connection', 'x-a'],
      ['connection', 'x-b'],
      ['x-a', '1'],
      ['x-b', '2'],
      ['x-c', '3'],
    ];
    expect(kept(fields)).toEqual([['x-c', '3']]);
  });

  test.each(['', ' ', ',', 'a b', 'a:b', 'é', '"x-a"', '(x-a)', 'x-a;q=1', '\u00a0', '/'])(
    'does not stumble over Connection: %j',
    (connection) => {
      const fields: Fields = [
        ['connection', connection],
        ['x-a', '1'],
      ];
      expect(kept(fields)).toEqual([['x-a', '1']]);
    },
  );

  test('in chunks has no length beside them', () => {
    // What went wrong: a message with both kept its Content-Length, which is the way to smuggle a second one past the
    // next hop (RFC 9112, section 6.3).
    const fields: Fields = [
      ['transfer-encoding', 'chunked'],
      ['content-length', '5'],
    ];
    expect(kept(fields)).toEqual([]);
    expect(kept([['content-length', '5']])).toEqual([['content-length', '5']]);
  });

  test('keeps all that is end to end', () => {
    const fields: Fields = [
      ['accept', 'text/html, */*;q=0.1'],
      ['accept-encoding', 'gzip'],
      ['authorization', 'Bearer x'],
      ['content-encoding', 'gzip'],
      ['content-length', '3'],
      ['content-type', 'a/b'],
      ['cookie', 'a=1; b=2'],
      ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
      ['etag', '"x"'],
      ['server', 'x'],
      ['set-cookie', 'a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT'],
      ['set-cookie', 'b=2'],
      ['vary', 'accept'],
      ['via', '1.1 other'],
      ['www-authenticate', 'Basic realm="a, b"'],
      ['x-latin', 'caf\u00e9'],
    ];
    expect(kept(fields).toSorted()).toEqual(fields.toSorted());
  });

  test('is not changed itself', () => {
    const received = headersOf([
      ['connection', 'x-a'],
      ['x-a', '1'],
    ]);
    requestHeaders(received, CLIENT);
    replyHeaders(received, 'server-1');
    expect([...received]).toEqual([
      ['connection', 'x-a'],
      ['x-a', '1'],
    ]);
  });
});

describe('where a request comes from', () => {
  test('is what we saw', () => {
    expect([...requestHeaders(new Headers(), CLIENT)]).toEqual(FORWARDED.map((field) => [...field]));
  });

  test('is not what the client claims, in any of the fields that tell it', () => {
    // What went wrong: only three of the fields were overwritten; a replica that goes by another believed the client.
    const claims: Fields = [
      ['x-forwarded-for', '198.51.100.1'],
      ['X-Forwarded-For', '198.51.100.2'],
      ['x-forwarded-host', 'evil.example'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-port', '443'],
      ['x-forwarded-prefix', '/admin'],
      ['x-forwarded-server', 'evil'],
      ['x-real-ip', '198.51.100.1'],
      ['forwarded', 'for=198.51.100.1;proto=https'],
    ];
    expect([...requestHeaders(headersOf(claims), CLIENT)]).toEqual(FORWARDED.map((field) => [...field]));
  });

  test('cannot be taken away by naming it in Connection', () => {
    const received = headersOf([
      ['connection', 'close, x-forwarded-for, x-forwarded-host, x-forwarded-proto'],
    ]);
    expect([...requestHeaders(received, CLIENT)]).toEqual(FORWARDED.map((field) => [...field]));
  });
});

test('a replica need not answer an expectation that our listener has answered', () => {
  expect(requested([['expect', '100-continue']])).toEqual([]);
});

describe('who served a reply', () => {
  test('is named by us, whatever the replica says', () => {
    const received = headersOf([
      ['x-served-by', 'someone-else'],
      ['connection', 'x-served-by'],
    ]);
    expect([...replyHeaders(received, 'server-1')]).toEqual([['x-served-by', 'server-1']]);
  });

  test('is not told to replicas', () => {
    expect(requestHeaders(new Headers(), CLIENT).has('x-served-by')).toBe(false);
  });
});
