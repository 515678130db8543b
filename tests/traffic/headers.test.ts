import { describe, expect, test } from 'bun:test';
import { keptRequestId, replyHeaders, requestHeaders } from '../../src/traffic/headers.ts';

const CLIENT = { address: '192.0.2.7', trusted: false };
const PROXY = { address: '192.0.2.7', trusted: true };
const HOST = ['host', 'lb.example:5000'] as const;
const ID = 'made-1';
const VIA = ['via', '1.1 ringmaster'] as const;
/** What every request is given. */
const ADDED: Fields = [
  HOST,
  VIA,
  ['x-forwarded-for', '192.0.2.7'],
  ['x-forwarded-host', 'lb.example:5000'],
  ['x-forwarded-proto', 'http'],
  ['x-request-id', ID],
];

type Fields = readonly (readonly [name: string, value: string])[];

function headersOf(fields: Fields): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) headers.append(name, value);
  return headers;
}

/** A request's fields as they are sent on, with Host besides. */
function sentOn(fields: Fields, client = CLIENT): Fields {
  const received = headersOf([HOST, ...fields]);
  return [...requestHeaders(received, client, keptRequestId(received) ?? ID)];
}

/** What is left of a request's fields, less those that we add. */
function requested(fields: Fields): Fields {
  const ours = new Set(ADDED.map(([name]) => name));
  return sentOn(fields).filter(([name]) => !ours.has(name));
}

/** What is left of a reply's fields, less those that we add. */
function replied(fields: Fields): Fields {
  const ours = new Set(['via', 'x-served-by', 'x-request-id']);
  return [...replyHeaders(headersOf(fields), 'server-1', ID)].filter(([name]) => !ours.has(name));
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

  test.each([
    'content_length',
    'transfer_encoding',
    'transfer_encoding'.toUpperCase(),
    'keep_alive',
    'proxy_connection',
    'proxy-authorization'.replaceAll('-', '_'),
    'x_forwarded_for',
    'x-forwarded_for',
    'x_forwarded-anything',
    'x_real_ip',
    'x_request_id',
    'x-served_by',
  ])('loses %s, which some servers take for the field with "-"', (name) => {
    // What went wrong: a server that makes variables of field names (CGI, WSGI) can't tell the two apart, so a client
    // could say with X_Forwarded_For what it may not with X-Forwarded-For.
    expect(
      kept([
        [name, '1'],
        ['x_kept', '2'],
        ['content_type', '3'],
      ]),
    ).toEqual([
      ['content_type', '3'],
      ['x_kept', '2'],
    ]);
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

  test('keeps its length, though Connection names it', () => {
    // What went wrong: the body then went on in chunks, which not every server takes.
    const fields: Fields = [
      ['connection', 'close, Content-Length'],
      ['content-length', '5'],
    ];
    expect(kept(fields)).toEqual([['content-length', '5']]);
  });

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
    requestHeaders(received, CLIENT, ID);
    replyHeaders(received, 'server-1', ID);
    expect([...received]).toEqual([
      ['connection', 'x-a'],
      ['x-a', '1'],
    ]);
  });
});

describe('where a request comes from', () => {
  test('is what we saw', () => {
    expect(sentOn([])).toEqual(ADDED.map((field) => [...field]));
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
    expect(sentOn(claims)).toEqual(ADDED.map((field) => [...field]));
  });

  test('cannot be taken away by naming it in Connection', () => {
    const names = 'close, host, via, x-forwarded-for, x-forwarded-host, x-forwarded-proto, x-request-id';
    for (const client of [CLIENT, PROXY])
      expect(sentOn([['connection', names]], client)).toEqual(ADDED.map((field) => [...field]));
  });

  test('says nothing of a Host that there was not, as with HTTP/1.0', () => {
    expect([...requestHeaders(new Headers(), CLIENT, ID)]).toEqual(
      ADDED.filter(([name]) => !name.includes('host')).map((field) => [...field]),
    );
  });
});

describe('where a request comes from that a trusted proxy sends on', () => {
  test('is what that says, with the proxy itself as the last of those it came through', () => {
    const claims: Fields = [
      ['forwarded', 'for=198.51.100.1;proto=https'],
      HOST,
      VIA,
      ['x-forwarded-for', '198.51.100.1, 10.0.0.9'],
      ['x-forwarded-host', 'shop.example'],
      ['x-forwarded-port', '443'],
      ['x-forwarded-proto', 'https'],
      ['x-real-ip', '198.51.100.1'],
      ['x-request-id', ID],
    ];
    expect(
      sentOn(
        claims.filter(([name]) => !['host', 'via'].includes(name)),
        PROXY,
      ),
    ).toEqual(
      claims.map(([name, value]) => [name, name === 'x-forwarded-for' ? `${value}, 192.0.2.7` : value]),
    );
  });

  test('is what we saw where it says nothing', () => {
    expect(sentOn([['x-forwarded-for', '']], PROXY)).toEqual(ADDED.map((field) => [...field]));
    const sent = new Headers(sentOn([['x-forwarded-proto', 'https']], PROXY).map(([...field]) => field));
    expect(sent.get('x-forwarded-proto')).toBe('https');
    expect(sent.get('x-forwarded-host')).toBe('lb.example:5000');
    expect(sent.get('x-forwarded-for')).toBe('192.0.2.7');
  });

  test('ends at a proxy that names it in Connection', () => {
    const claims: Fields = [
      ['connection', 'X-Forwarded-For, X-Real-IP'],
      ['x-forwarded-for', '198.51.100.1'],
      ['x-real-ip', '198.51.100.1'],
    ];
    expect(sentOn(claims, PROXY)).toEqual(ADDED.map((field) => [...field]));
  });

  test('is never told by what only looks like one of its fields', () => {
    expect(sentOn([['x_forwarded_for', '198.51.100.1']], PROXY)).toEqual(ADDED.map((field) => [...field]));
  });
});

describe('the id of a request', () => {
  const LONGEST = 'x'.repeat(128);
  test.each(['1', 'a-b_c.d:e/f=', '!~', LONGEST])('is the client’s own: %j', (id) => {
    const received = headersOf([['x-request-id', id]]);
    expect(keptRequestId(received)).toBe(id);
    expect(requestHeaders(received, CLIENT, id).get('x-request-id')).toBe(id);
  });

  test.each<[why: string, fields: Fields]>([
    ['none was given', []],
    ['it is empty', [['x-request-id', '']]],
    ['it is too long', [['x-request-id', `${LONGEST}x`]]],
    ['it has a space', [['x-request-id', 'a b']]],
    ['it has a tab', [['x-request-id', 'a\tb']]],
    ['it is not ASCII', [['x-request-id', 'caf\u00e9']]],
    [
      'there are two',
      [
        ['x-request-id', 'a'],
        ['x-request-id', 'b'],
      ],
    ],
    [
      'it ends at this hop',
      [
        ['connection', 'X-Request-Id'],
        ['x-request-id', 'a'],
      ],
    ],
    ['it only looks like one', [['x_request_id', 'a']]],
  ])('is made where %s', (_, fields) => {
    expect(keptRequestId(headersOf(fields))).toBeUndefined();
    expect(sentOn(fields).filter(([name]) => name.endsWith('id'))).toEqual([['x-request-id', ID]]);
  });

  test('is on the reply, unless the replica has put one there', () => {
    expect(replyHeaders(new Headers(), 'server-1', ID).get('x-request-id')).toBe(ID);
    const own = headersOf([['x-request-id', 'its-own']]);
    expect(replyHeaders(own, 'server-1', ID).get('x-request-id')).toBe('its-own');
  });
});

test('each message says that it came through here, after those that it came through before', () => {
  const before = headersOf([
    ['via', '1.0 fred'],
    ['via', '1.1 other'],
  ]);
  expect(requestHeaders(before, CLIENT, ID).get('via')).toBe('1.0 fred, 1.1 other, 1.1 ringmaster');
  expect(replyHeaders(before, 'server-1', ID).get('via')).toBe('1.0 fred, 1.1 other, 1.1 ringmaster');
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
    expect(replyHeaders(received, 'server-1', ID).get('x-served-by')).toBe('server-1');
  });

  test('is not told to replicas', () => {
    expect(requestHeaders(new Headers(), CLIENT, ID).has('x-served-by')).toBe(false);
  });
});
