import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import * as fc from 'fast-check';
import { connect } from 'node:net';
import { Refusal } from '../../src/api/errors.ts';
import {
  CHANGE_BODY_BYTES_MAX,
  checkChange,
  isPrivate,
  limitBody,
  type Policy,
} from '../../src/api/guard.ts';
import { plainAddress } from '../../src/traffic/peer.ts';

const SEED = 20260304;
// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);
const TOKEN = 'correct-horse-battery';
const OPEN: Policy = { adminToken: undefined, allowedHosts: ['lb.example'] };
const GUARDED: Policy = { ...OPEN, adminToken: TOKEN };
const STRANGER = '203.0.113.9';

/** A call that is allowed, but for what is said otherwise; undefined takes a field away. */
function statusOf(
  fields: Readonly<Record<string, string | undefined>>,
  { peer = '127.0.0.1', policy = OPEN }: { peer?: string; policy?: Policy } = {},
): number {
  const all = { host: '127.0.0.1:5000', 'content-type': 'application/json', ...fields };
  const headers = new Headers();
  for (const [name, value] of Object.entries(all)) if (value !== undefined) headers.set(name, value);
  try {
    checkChange({ peer, headers }, policy);
    return 200;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.status;
  }
}

test('a plain call from beside us is allowed', () => {
  expect(statusOf({})).toBe(200);
});

describe('Host', () => {
  test.each([
    '127.0.0.1',
    '127.0.0.1:5000',
    '10.0.0.7:5000',
    '203.0.113.5',
    '127.0.0.1.',
    '[::1]',
    '[::1]:5000',
    '[2001:DB8::1]:65535',
    '[::ffff:10.0.0.1]',
    'localhost',
    'localhost:5000',
    'LocalHost',
    'localhost.',
    'ringmaster',
    'ringmaster:5000',
    'my_lb-1',
    'lb.example',
    'LB.EXAMPLE:80',
    'lb.example.',
  ])('%j may be used', (host) => {
    expect(statusOf({ host })).toBe(200);
  });

  test.each([
    undefined,
    '',
    ' ',
    '.',
    '..',
    'localhost..',
    ':5000',
    'localhost:',
    'localhost:x',
    'localhost:123456',
    'localhost:80:80',
    'evil.example',
    'evil.example:5000',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io',
    '127.0.0.1:5000.evil.example',
    'lb.example.evil.example',
    'evil-lb.example',
    'xlb.example',
    'sub.lb.example',
    'lbxexample.org',
    '127.1',
    '127.0.0.1.2',
    '0x7f.0.0.1',
    '1.2.3',
    '::1',
    '[]',
    '[::1',
    '[::1]x',
    '[::1]:x',
    '[evil.example]',
    '[::1].evil.example',
    'user@localhost',
    'user:pw@localhost',
    'localhost/',
    'localhost?',
    'localhost#',
    'localhost\\x',
    'local host',
    'localhost, evil.example',
    'evil.example, localhost',
    '*',
    '%31',
    'é',
  ])('%j may not', (host) => {
    expect(statusOf({ host })).toBe(403);
  });

  test('sent twice is one too many', () => {
    const headers = new Headers({ 'content-type': 'application/json' });
    headers.append('host', 'localhost');
    headers.append('host', 'localhost');
    expect(() => checkChange({ peer: '127.0.0.1', headers }, OPEN)).toThrow(Refusal);
  });

  test('is no matter of the token: a page that has it may still not rebind a name', () => {
    const fields = { host: 'evil.example', authorization: `Bearer ${TOKEN}` };
    expect(statusOf(fields, { policy: GUARDED })).toBe(403);
  });

  test('with a dot in it is only ever one that is listed, or digits', () => {
    fc.assert(
      fc.property(fc.domain(), fc.option(fc.nat({ max: 65_535 })), (domain, port) => {
        const host = port === null ? domain : `${domain}:${port}`;
        expect(statusOf({ host })).toBe(403);
        expect(statusOf({ host }, { policy: { ...OPEN, allowedHosts: [domain.toLowerCase()] } })).toBe(200);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

describe('Origin', () => {
  test.each<[origin: string | undefined, host: string, status: number]>([
    [undefined, 'localhost:5000', 200],
    ['http://localhost:5000', 'localhost:5000', 200],
    ['https://localhost:5000', 'localhost:5000', 200],
    ['http://[::1]:5000', '[::1]:5000', 200],
    ['http://lb.example', 'lb.example', 200],
    ['http://localhost:5001', 'localhost:5000', 403],
    ['http://localhost', 'localhost:5000', 403],
    ['http://127.0.0.1:5000', 'localhost:5000', 403],
    ['http://evil.example', 'localhost:5000', 403],
    ['http://localhost:5000.evil.example', 'localhost:5000', 403],
    ['http://evil.example/http://localhost:5000', 'localhost:5000', 403],
    ['http://localhost:5000, http://evil.example', 'localhost:5000', 403],
    ['null', 'localhost:5000', 403],
    ['', 'localhost:5000', 403],
    ['file://', 'localhost:5000', 403],
    ['http://', 'localhost:5000', 403],
    ['chrome-extension://localhost:5000', 'localhost:5000', 403],
    ['localhost:5000', 'localhost:5000', 403],
  ])('%j on %s gets %d', (origin, host, status) => {
    expect(statusOf({ origin, host })).toBe(status);
  });

  test('counts also with the token', () => {
    const fields = { origin: 'http://evil.example', authorization: `Bearer ${TOKEN}` };
    expect(statusOf(fields, { policy: GUARDED })).toBe(403);
  });
});

test.each([
  [undefined, 200],
  ['same-origin', 200],
  ['none', 200],
  // A page on another port of ours: its Origin tells it apart.
  ['same-site', 200],
  ['cross-site', 403],
] as const)('Sec-Fetch-Site: %s gets %d', (site, status) => {
  expect(statusOf({ 'sec-fetch-site': site })).toBe(status);
});

describe('ADMIN_TOKEN', () => {
  test.each<[authorization: string | undefined, status: number]>([
    [`Bearer ${TOKEN}`, 200],
    [`bearer ${TOKEN}`, 200],
    [`BEARER ${TOKEN}`, 200],
    [`Bearer  ${TOKEN}`, 200],
    [undefined, 401],
    ['', 401],
    ['Bearer', 401],
    ['Bearer ', 401],
    [TOKEN, 401],
    [`Bearer${TOKEN}`, 401],
    [`Bearer ${TOKEN.slice(0, -1)}`, 401],
    [`Bearer ${TOKEN}x`, 401],
    [`Bearer ${TOKEN.toUpperCase()}`, 401],
    [`Bearer ${TOKEN} ${TOKEN}`, 401],
    [`Bearer ${TOKEN}, Bearer x`, 401],
    [`Bearer x, Bearer ${TOKEN}`, 401],
    [`Bearer "${TOKEN}"`, 401],
    [`Basic ${btoa(`admin:${TOKEN}`)}`, 401],
    [`Token ${TOKEN}`, 401],
    [`Bearer\t${TOKEN}`, 401],
    ['Bearer wrong-horse-battery', 401],
    [`Bearer ${'x'.repeat(8000)}`, 401],
  ])('%j gets %d, from anywhere', (authorization, status) => {
    for (const peer of ['127.0.0.1', '::1', '10.0.0.1', STRANGER, ''])
      expect(statusOf({ authorization }, { peer, policy: GUARDED })).toBe(status);
  });

  test('is asked for in the way that clients know', () => {
    const headers = new Headers({ host: 'localhost', 'content-type': 'application/json' });
    let refusal: unknown;
    try {
      checkChange({ peer: STRANGER, headers }, GUARDED);
    } catch (error) {
      refusal = error;
    }
    expect((refusal as Refusal).headers).toEqual({ 'www-authenticate': 'Bearer' });
    expect((refusal as Refusal).message).not.toContain(TOKEN);
  });

  test('of any kind is taken whole or not at all', () => {
    const anyToken = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 8,
      maxLength: 40,
    });
    fc.assert(
      fc.property(anyToken, anyToken, (token, other) => {
        const policy = { ...OPEN, adminToken: token };
        expect(statusOf({ authorization: `Bearer ${token}` }, { policy })).toBe(200);
        expect(statusOf({ authorization: `Bearer ${other}` }, { policy })).toBe(other === token ? 200 : 401);
        expect(statusOf({ authorization: `Bearer ${token.slice(1)}` }, { policy })).toBe(401);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('that is not set lets no stranger in, whatever is sent', () => {
    for (const authorization of [undefined, 'Bearer ', 'Bearer undefined', `Bearer ${TOKEN}`])
      expect(statusOf({ authorization }, { peer: STRANGER })).toBe(403);
  });
});

describe('an address', () => {
  const PRIVATE = [
    '127.0.0.1',
    '127.255.255.255',
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.0',
    '172.31.255.255',
    '192.168.0.0',
    '192.168.255.255',
    '169.254.0.0',
    '169.254.255.255',
    '::1',
    'fc00::',
    'fc00::1',
    'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    'FD12:3456::1',
    'fe80::1',
    'fe80::',
    'febf:ffff::1',
  ];
  const PUBLIC = [
    '',
    'localhost',
    'unknown',
    '0.0.0.0',
    '9.255.255.255',
    '11.0.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '172.160.0.1',
    '192.167.255.255',
    '192.169.0.0',
    '169.253.255.255',
    '169.255.0.0',
    // Shared by the customers of a provider (RFC 6598): strangers to each other.
    '100.64.0.1',
    '100.127.255.255',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    STRANGER,
    '10.0.0.1.evil.example',
    '10.0.0',
    ' 10.0.0.1',
    '10.0.0.1 ',
    '10.0.0.1\n',
    '010.evil',
    '::',
    '::2',
    '1::1',
    '::1:1',
    '::fc00:1',
    'fc::1',
    'fd::1',
    'fbff::1',
    'fe00::1',
    'fe7f::1',
    'fec0::1',
    'fe8::1',
    'ff02::1',
    '2001:db8::1',
    '2001:db8::fe80:1',
    'fc00',
    'fdabc::1',
    // Of another kind than what it holds: not taken for the IPv4 address before plainAddress has said so.
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::10.0.0.1',
    '::10.0.0.1',
  ];

  test.each(PRIVATE)('%j may change things', (peer) => {
    expect(isPrivate(peer)).toBe(true);
    expect(statusOf({}, { peer })).toBe(200);
  });

  test.each(PUBLIC)('%j may not', (peer) => {
    expect(isPrivate(peer)).toBe(false);
    expect(statusOf({}, { peer })).toBe(403);
  });

  test('of any four bytes is private where the RFCs say so', () => {
    const byte = fc.oneof(
      fc.nat({ max: 255 }),
      fc.constantFrom(10, 15, 16, 31, 32, 127, 168, 169, 172, 192, 254),
    );
    fc.assert(
      fc.property(byte, byte, byte, byte, (...bytes) => {
        const number = Buffer.from(bytes).readUInt32BE();
        const within = (base: number, bits: number): boolean =>
          number >>> (32 - bits) === base >>> (32 - bits);
        const expected =
          within(0x7f000000, 8) ||
          within(0x0a000000, 8) ||
          within(0xac100000, 12) ||
          within(0xc0a80000, 16) ||
          within(0xa9fe0000, 16);
        expect(isPrivate(bytes.join('.'))).toBe(expected);
        expect(isPrivate(plainAddress(`::ffff:${bytes.join('.')}`))).toBe(expected);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});

test.each<[type: string | undefined, status: number]>([
  ['application/json', 200],
  ['Application/JSON', 200],
  ['application/json; charset=utf-8', 200],
  ['application/json;charset=UTF-8', 200],
  ['application/json ; x=y', 200],
  [undefined, 415],
  ['', 415],
  ['text/plain', 415],
  ['text/plain; application/json', 415],
  ['application/x-www-form-urlencoded', 415],
  ['multipart/form-data; boundary=application/json', 415],
  ['application/jsonp', 415],
  ['application/json-patch+json', 415],
  ['text/json', 415],
  ['application/json, text/plain', 415],
  ['text/plain, application/json', 415],
  [';application/json', 415],
])('content-type %j gets %d', (type, status) => {
  expect(statusOf({ 'content-type': type })).toBe(status);
});

describe('a body', () => {
  /** Answers with the body as it came through, or with the status of the refusal. */
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      try {
        const passed = await limitBody(request);
        return new Response(await passed.bytes(), {
          headers: { 'x-method': passed.method, 'x-custom': passed.headers.get('x-custom') ?? '' },
        });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return new Response(error.message, { status: error.status });
      }
    },
  });
  afterAll(() => server.stop(true));

  function streamOf(sizes: readonly number[]): ReadableStream<Uint8Array> {
    return new ReadableStream({
      start(controller) {
        for (const [i, size] of sizes.entries()) controller.enqueue(new Uint8Array(size).fill(i + 1));
        controller.close();
      },
    });
  }

  const bytesOf = (sizes: readonly number[]): Uint8Array<ArrayBuffer> =>
    new Uint8Array(Buffer.concat(sizes.map((size, i) => new Uint8Array(size).fill(i + 1))));

  const HALF = CHANGE_BODY_BYTES_MAX / 2;
  const SIZES: readonly (readonly number[])[] = [
    [1],
    [3, 4, 5],
    [70_000],
    [HALF, HALF],
    [CHANGE_BODY_BYTES_MAX],
  ];

  test.each(SIZES)('in chunks of %j comes through as it was sent', async (...sizes) => {
    const reply = await fetch(server.url, {
      method: 'DELETE',
      headers: { 'x-custom': 'kept' },
      body: streamOf(sizes),
    });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('x-method')).toBe('DELETE');
    expect(reply.headers.get('x-custom')).toBe('kept');
    expect(Buffer.compare(await reply.bytes(), bytesOf(sizes))).toBe(0);
  });

  test.each(SIZES)('of known length %j comes through as it was sent', async (...sizes) => {
    const reply = await fetch(server.url, { method: 'POST', body: bytesOf(sizes) });
    expect(reply.status).toBe(200);
    expect(Buffer.compare(await reply.bytes(), bytesOf(sizes))).toBe(0);
  });

  test('that is not there stays so', async () => {
    const reply = await fetch(server.url, { method: 'POST' });
    expect(reply.status).toBe(200);
    expect(await reply.bytes()).toHaveLength(0);
  });

  test('over the limit is refused, in chunks or of known length', async () => {
    const sizes = [HALF, HALF, 1];
    const chunked = await fetch(server.url, { method: 'POST', body: streamOf(sizes) });
    expect(chunked.status).toBe(413);
    const known = await fetch(server.url, { method: 'POST', body: bytesOf(sizes) });
    expect(known.status).toBe(413);
    expect(await known.text()).toBe(`The body is larger than ${CHANGE_BODY_BYTES_MAX} bytes`);
  });

  test('that says it is over the limit is refused before it is sent', async () => {
    const request = new Request('http://localhost/add', {
      method: 'POST',
      headers: { 'content-length': String(CHANGE_BODY_BYTES_MAX + 1) },
      body: new ReadableStream(
        {
          pull: () => {
            throw new Error('was read');
          },
        },
        { highWaterMark: 0 },
      ),
    });
    await expect(limitBody(request)).rejects.toMatchObject({ status: 413 });
  });

  test('without an end is read no further than the limit', async () => {
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          controller.enqueue(new Uint8Array(65_536));
          sent += 65_536;
        },
        cancel() {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request('http://localhost/add', { method: 'POST', body: endless });
    await expect(limitBody(request)).rejects.toMatchObject({ status: 413 });
    expect(sent).toBe(CHANGE_BODY_BYTES_MAX + 65_536);
    expect(cancelled).toBe(true);
  });

  test('that its sender breaks off is no bug of ours', async () => {
    // What went wrong: the error of the stream went on as it was, and was answered and logged as a bug, with a stack.
    const refused = Promise.withResolvers<unknown>();
    const reading = Promise.withResolvers<void>();
    using listener = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: async (request) => {
        reading.resolve();
        await limitBody(request).catch(refused.resolve);
        return new Response();
      },
    });
    const socket = connect(listener.port as number, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('POST /add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await reading.promise;
    socket.destroy();
    const error = await refused.promise;
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject({ status: 400, message: 'The body broke off' });
  });
});
