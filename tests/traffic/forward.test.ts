import { describe, expect, jest, setDefaultTimeout, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { parseConfig } from '../../src/config.ts';
import { ForwardError, Forwarder } from '../../src/traffic/forward.ts';
import { SENDS_MAX, UpstreamError } from '../../src/traffic/upstream.ts';
import { Balancer, CountedLease, REPLY_HEADER_TIMEOUT_MS } from './balancer.ts';
import { noise, sha256 } from './noise.ts';
import { RawUpstream, REFUSING, type Answer } from './raw-upstream.ts';

// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok';
/** Replies once it has the whole request. */
const answers: Answer = (exchange) => void exchange.body.then(() => exchange.write(OK));
/** Takes the request and ends the connection without a reply. */
const breaks: Answer = (exchange) => void exchange.body.then(() => exchange.socket.destroy());
/** Takes the request and says nothing. */
const silent: Answer = () => {};

const replies =
  (...parts: readonly (string | Uint8Array)[]): Answer =>
  (exchange) =>
    exchange.write(...parts);

async function failure(reply: Response): Promise<{ status: number; message: string }> {
  const body: { message: string } = await reply.json();
  return { status: reply.status, message: body.message };
}

/** A body whose chunks a test sends one by one. */
function manualBody(): { stream: ReadableStream; controller: ReadableStreamDefaultController } {
  let kept: ReadableStreamDefaultController | undefined;
  const stream = new ReadableStream({
    start(controller) {
      kept = controller;
    },
  });
  return { stream, controller: kept as ReadableStreamDefaultController };
}

/** Time that passes only as a test wills, until it is disposed of. */
function stoppedClock(): Disposable & { advance(ms: number): void; timers(): number } {
  jest.useFakeTimers();
  return {
    timers: () => jest.getTimerCount(),
    advance: (ms) => void jest.advanceTimersByTime(ms),
    [Symbol.dispose]: () => void jest.useRealTimers(),
  };
}

describe('a request', () => {
  test('goes to its owner, whose name the reply bears, under its key', async () => {
    await using balancer = await Balancer.open([answers, answers]);
    const reply = await balancer.fetch('/home?id=42');
    expect(await reply.text()).toBe('ok');
    expect(reply.headers.get('x-served-by')).toBe('r0');
    expect(balancer.seen).toEqual([1, 0]);
    expect(balancer.lease(0)).toMatchObject({ key: '42', unreachables: 0, failures: 0 });
  });

  test('without a key gets a fresh one each time', async () => {
    await using balancer = await Balancer.open([answers]);
    for (let i = 0; i < 3; i++) await balancer.fetch('/home', { headers: { 'x-request-id': 'req-1' } });
    expect(new Set(balancer.leases.map((lease) => lease.key)).size).toBe(3);
    expect(balancer.leases.every((lease) => lease.key.length >= 16)).toBe(true);
  });

  test('keeps its id and has it on the reply, as has one that came without', async () => {
    await using balancer = await Balancer.open([
      (exchange) =>
        exchange.target === '/own'
          ? exchange.write('HTTP/1.1 200 OK\r\nX-Request-Id: its-own\r\ncontent-length: 0\r\n\r\n')
          : answers(exchange),
    ]);
    const ids: (string | null)[] = [];
    for (const [path, headers] of [
      ['/', { 'x-request-id': 'req-1' }],
      ['/', {}],
      ['/', { 'x-request-id': 'two words' }],
      ['/own', { 'x-request-id': 'req-2' }],
    ] as const)
      ids.push((await balancer.fetch(path, { headers })).headers.get('x-request-id'));
    const seen = balancer.upstream(0).exchanges.map((one) => one.value('x-request-id'));
    expect(seen[0]).toBe('req-1');
    expect(seen[2]).not.toContain(' ');
    expect(seen[3]).toBe('req-2');
    expect(ids).toEqual([...seen.slice(0, 3), 'its-own'] as string[]);
    expect(new Set(ids).size).toBe(4);
  });

  test('that a trusted proxy sends on comes from where that says, and is keyed by it', async () => {
    const options = { hashKey: 'ip', trustedProxies: '127.0.0.0/8,10.0.0.0/8' };
    await using balancer = await Balancer.open([answers], options);
    const claims = {
      'x-forwarded-for': '192.0.2.1, 198.51.100.1, 10.0.0.9',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'https',
      forwarded: 'for=198.51.100.1',
      'x-real-ip': '198.51.100.1',
    };
    await balancer.fetch('/', { headers: { ...claims, x_forwarded_for: '192.0.2.66' } });
    await balancer.fetch('/');
    expect(balancer.leases.map((lease) => lease.key)).toEqual(['198.51.100.1', '127.0.0.1']);
    const [told, plain] = [0, 1].map((i) =>
      Object.fromEntries(balancer.upstream(0).exchanges[i]?.fields ?? []),
    );
    expect(told).toMatchObject({ ...claims, 'x-forwarded-for': `${claims['x-forwarded-for']}, 127.0.0.1` });
    expect(told).not.toHaveProperty('x_forwarded_for');
    expect(plain).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': balancer.host,
      'x-forwarded-proto': 'http',
    });
  });

  test('is keyed by what is configured, of what we see and not of what is claimed', async () => {
    await using balancer = await Balancer.open([answers], { hashKey: 'header:x-user,ip' });
    await balancer.fetch('/', { headers: { 'x-user': 'ann' } });
    await balancer.fetch('/', { headers: { 'x-forwarded-for': '198.51.100.1' } });
    expect(balancer.leases.map((lease) => lease.key)).toEqual(['ann', '127.0.0.1']);
  });

  test.each([
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'PURGE',
    'PROPFIND',
    'REPORT',
    'MKCOL',
  ])('keeps its method %s', async (method) => {
    await using balancer = await Balancer.open([answers]);
    const reply = await balancer.raw(`${method} /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    expect(reply.status).toBe(200);
    expect(balancer.upstream(0).exchanges.map((one) => one.method)).toEqual([method]);
  });

  test.each([
    '/',
    '/?',
    '/home?',
    '/a%2Fb/%2e%2fc',
    '/a//b',
    '//a//b//',
    '//evil.example/x?y',
    '/a?b=c+d%20e&&=&f',
    '/a?b?c//d',
    '/a+b;c=d,e@f:g!$()*~_-.',
    '/%zz?%',
    '/%00%0d%0a',
    '/?redirect=http://evil.example/../x',
    `/${'x'.repeat(5000)}?${'y'.repeat(5000)}`,
  ])('keeps its path and query %s', async (target) => {
    // What went wrong: URL has no search for an empty query, and Bun's fetch takes a path of //a for /a.
    await using balancer = await Balancer.open([answers]);
    await balancer.raw(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    expect((await balancer.upstream(0).exchange(0)).target).toBe(target);
  });

  test.each([
    'CONNECT lb.example:80',
    'CONNECT x:@EVIL/y',
    'CONNECT http:@EVIL/y',
    'CONNECT @EVIL/y',
    'CONNECT x:y@EVIL/z',
    'GET x:@EVIL/y',
    'GET @EVIL/y',
    'GET http://lb.example@EVIL/y',
    'GET http://EVIL/y',
    'GET //EVIL/y',
    'POST /\\@EVIL/y',
  ])('never leaves for where its target says: %s', async (line) => {
    // What went wrong: CONNECT x:@evil.example/ came with the path "@evil.example/", which, put behind the replica's
    // address, made that a password and evil.example the host: anyone could have us send requests anywhere.
    await using evil = await RawUpstream.open(answers);
    await using balancer = await Balancer.open([answers]);
    const target = line.replace('EVIL', `127.0.0.1:${evil.address.port}`);
    const client = await balancer.client();
    client.write(`${target} HTTP/1.1\r\nHost: lb.example\r\nConnection: close\r\n\r\n`);
    await client.until('HTTP/1.1 ');
    client.socket.destroy();
    expect(evil.connections).toBe(0);
    if (!line.startsWith('CONNECT')) return;
    expect(client.received).toStartWith('HTTP/1.1 400 ');
    expect(balancer.leases).toEqual([]);
  });

  test.each(['GET / HTTP/1.0\r\n', 'GET / HTTP/1.1\r\nHost:\r\n', 'GET / HTTP/1.1\r\nHost: a b\r\n'])(
    'without a host that can be one is refused: %j',
    async (head) => {
      await using balancer = await Balancer.open([answers]);
      const reply = await balancer.raw(`${head}Connection: close\r\n\r\n`);
      expect(reply.status).toBe(400);
      expect(balancer.leases).toEqual([]);
    },
  );

  test.each(['Content-Length: 4', 'Transfer-Encoding: chunked'])(
    'that would lose its body on the way is refused: GET with %s',
    async (framing) => {
      // What went wrong: Bun.serve hands on no body of a GET, so the replica got a request that nobody had made.
      await using balancer = await Balancer.open([answers]);
      const body = framing.startsWith('Content') ? 'body' : '4\r\nbody\r\n0\r\n\r\n';
      const client = await balancer.client();
      client.write(`GET / HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n${body}`);
      await client.until('"failure"');
      client.socket.destroy();
      expect(client.reply().status).toBe(400);
      expect(balancer.leases).toEqual([]);
    },
  );

  // Bun.serve joins what it should refuse, and a target with // goes out by a client that does not look at lengths.
  test.each([
    ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody'],
    [
      'two lengths and //',
      'POST //d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody',
    ],
    [
      'two lengths, as GET',
      'GET /d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody',
    ],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n'],
    ['the same Host twice', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
  ])('that could be read in two ways is refused: %s', async (_, bytes) => {
    await using balancer = await Balancer.open([answers]);
    const client = await balancer.client();
    client.write(bytes);
    await client.until('HTTP/1.1 400');
    client.socket.destroy();
    expect(balancer.leases).toEqual([]);
  });

  test.each(['/d', '//d'])('has its length without leading zeroes: %s', async (target) => {
    await using balancer = await Balancer.open([answers]);
    await balancer.raw(
      `POST ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 004\r\n\r\nbody`,
    );
    const exchange = await balancer.upstream(0).exchange(0);
    expect([exchange.value('content-length'), String(await exchange.body)]).toEqual(['4', 'body']);
  });

  test('says that it has no body and has none', async () => {
    await using balancer = await Balancer.open([answers]);
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE'])
      await balancer.raw(`${method} / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    expect(balancer.seen).toEqual([4]);
  });

  test('keeps its fields, but those of the connection and those that say where it comes from', async () => {
    await using balancer = await Balancer.open([answers]);
    await balancer.raw(
      'POST / HTTP/1.1\r\nHost: Some.Example:81\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n',
      'TE: trailers\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: close\r\n',
      'X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n',
      'Forwarded: for=198.51.100.1\r\nX-Real-IP: 198.51.100.1\r\nExpect: 100-continue\r\n',
      'Content_Length: 9\r\nTransfer_Encoding: chunked\r\nX_Forwarded_For: 1\r\nX-Request-Id: req-1\r\nVia: 1.0 fred\r\n',
      'Authorization: Bearer x\r\nCookie: a=1\r\nCookie: b=2\r\nX-Two: 1\r\nX-Two: 2\r\nX-Latin: caf\u00e9\r\nUser-Agent: me\r\nAccept: a/b\r\n',
      'Content-Type: a/b\r\nContent-Length: 4\r\n\r\nbody',
    );
    const { fields, body } = await balancer.upstream(0).exchange(0);
    expect(String(await body)).toBe('body');
    const expected = {
      host: 'Some.Example:81',
      authorization: 'Bearer x',
      cookie: 'a=1; b=2',
      'x-two': '1, 2',
      'x-latin': 'caf\u00e9',
      'user-agent': 'me',
      accept: 'a/b',
      'content-type': 'a/b',
      'content-length': '4',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'Some.Example:81',
      'x-forwarded-proto': 'http',
      'x-request-id': 'req-1',
      via: '1.0 fred, 1.1 ringmaster',
    };
    const received = fields.filter(([name]) => name !== 'connection');
    expect(Object.fromEntries(received)).toEqual(expected);
    expect(received).toHaveLength(Object.keys(expected).length);
  });
});

describe('a body', () => {
  test('of 5 MB goes up and another comes back, whole', async () => {
    const sent = noise(5_000_000);
    const answer = sent.toReversed();
    for (const sized of [true, false]) {
      await using balancer = await Balancer.open([
        (exchange) =>
          void exchange.body
            .then(() =>
              exchange.write(
                sized
                  ? `HTTP/1.1 200 OK\r\ncontent-length: ${answer.byteLength}\r\n\r\n`
                  : 'HTTP/1.0 200 OK\r\n\r\n',
                answer,
              ),
            )
            .then(() => sized || exchange.socket.end()),
      ]);
      const body = sized
        ? sent
        : new ReadableStream({
            start(controller) {
              for (let at = 0; at < sent.byteLength; at += 99_999)
                controller.enqueue(sent.subarray(at, at + 99_999));
              controller.close();
            },
          });
      const reply = await balancer.fetch('/', { method: 'POST', body });
      expect(sha256(await reply.bytes())).toBe(sha256(answer));
      const exchange = await balancer.upstream(0).exchange(0);
      expect(sha256(await exchange.body)).toBe(sha256(sent));
      expect(exchange.values('content-length')).toEqual(sized ? ['5000000'] : []);
      expect(exchange.values('transfer-encoding')).toEqual(sized ? [] : ['chunked']);
    }
  });

  test('is sent on while it comes', async () => {
    await using balancer = await Balancer.open([answers]);
    const { stream, controller } = manualBody();
    controller.enqueue('first ');
    const replied = balancer.fetch('/', { method: 'POST', body: stream });
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.arrived('first '.length);
    controller.enqueue('second');
    await exchange.arrived('first second'.length);
    controller.close();
    expect(await (await replied).text()).toBe('ok');
    expect(String(await exchange.body)).toBe('first second');
  });

  test('that comes slowly is not the silence of the replica', async () => {
    // What went wrong: the time for the head of the reply began with the request, so an upload of more than it was cut.
    using clock = stoppedClock();
    await using balancer = await Balancer.open([answers]);
    const { stream, controller } = manualBody();
    controller.enqueue('x');
    const replied = balancer.fetch('/', { method: 'POST', body: stream });
    const exchange = await balancer.upstream(0).exchange(0);
    for (let sent = 1; sent <= 5; sent++) {
      await exchange.arrived(sent);
      clock.advance(REPLY_HEADER_TIMEOUT_MS - 1);
      controller.enqueue('x');
    }
    controller.close();
    expect((await replied).status).toBe(200);
    expect(String(await exchange.body)).toBe('xxxxxx');
  });

  test('that came slowly leaves the replica as long to reply as any, and no longer', async () => {
    using clock = stoppedClock();
    await using balancer = await Balancer.open([silent]);
    const { stream, controller } = manualBody();
    controller.enqueue('x');
    const replied = balancer.fetch('/', { method: 'POST', body: stream });
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.arrived(1);
    clock.advance(REPLY_HEADER_TIMEOUT_MS - 1);
    controller.close();
    await exchange.body;
    clock.advance(REPLY_HEADER_TIMEOUT_MS);
    expect((await replied).status).toBe(504);
  });
});

describe('a reply', () => {
  test('streams: its first event is there before the replica sends the next', async () => {
    await using balancer = await Balancer.open([
      replies('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'),
    ]);
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    const { socket } = await balancer.upstream(0).exchange(0);
    for (const n of [1, 2, 3]) {
      socket.write(`9\r\ndata: ${n}\n\n\r\n`);
      await client.until(`data: ${n}\n\n`);
      expect(balancer.lease(0).releases).toBe(0);
    }
    socket.write('0\r\n\r\n');
    await client.until('\r\n0\r\n\r\n');
    client.socket.destroy();
    expect(client.reply().values('content-type')).toEqual(['text/event-stream']);
  });

  test.each([
    ['301 Moved', 'location: http://elsewhere.example/\r\ncontent-length: 2\r\n', 'hi'],
    ['200 Fine', 'content-type: text/plain\r\ncontent-length: 0\r\n', ''],
    ['304 Not Modified', 'etag: "x"\r\n', ''],
    ['204 No Content', 'x-a: b\r\n', ''],
    ['205 Reset', 'x-a: b\r\ncontent-length: 0\r\n', ''],
    ['404 Not Found', 'content-type: text/html\r\ncontent-length: 3\r\n', '404'],
    ['500 Oops', 'content-length: 4\r\n', 'oops'],
    ['503 Busy', 'retry-after: 7\r\ncontent-length: 4\r\n', 'busy'],
    ['200 OK', 'x-no-type: 1\r\ncontent-length: 4\r\n', 'text'],
    ['206 Partial', 'content-range: bytes 0-1/9\r\ncontent-type: a/b\r\ncontent-length: 2\r\n', '01'],
    [
      '401 Unauthorized',
      'www-authenticate: Basic realm="a, b"\r\ncontent-type: a/b\r\ncontent-length: 2\r\n',
      'no',
    ],
    [
      '200 OK',
      'date: Thu, 01 Jan 1970 00:00:00 GMT\r\nserver: x\r\ncontent-type: a/b\r\ncontent-length: 1\r\n',
      'x',
    ],
    [
      '200 OK',
      'set-cookie: a=1; Path=/\r\nset-cookie: b=2\r\ncontent-type: a/b\r\ncontent-length: 1\r\n',
      'x',
    ],
  ])(
    '%s with %j comes as it is, and nothing is added but where it came through',
    async (status, head, body) => {
      await using balancer = await Balancer.open([replies(`HTTP/1.1 ${status}\r\n${head}\r\n${body}`)]);
      const reply = await balancer.raw('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
      expect(reply.status).toBe(Number(status.slice(0, 3)));
      expect(reply.body.toString('latin1')).toBe(body);
      // What went wrong: bytes without a type were given one, which a browser then goes by.
      const ours = new Set(['x-served-by', 'x-request-id', 'via', 'connection']);
      if (!head.includes('date:')) ours.add('date');
      const fields = reply.fields
        .filter(([name]) => !ours.has(name))
        .map(([name, value]) => `${name}: ${value}`);
      const added =
        head.includes('content-length') || status.startsWith('204') || status.startsWith('304')
          ? []
          : ['content-length: 0'];
      expect(fields.toSorted()).toEqual(
        [...head.split('\r\n').filter((line) => line !== ''), ...added].toSorted(),
      );
      expect(reply.values('x-served-by')).toEqual(['r0']);
      expect(reply.values('via')).toEqual(['1.1 ringmaster']);
      expect(balancer.seen).toEqual([1]);
    },
  );

  test.each(['0', '17', '70000', '99999999999'])(
    'to HEAD keeps the length %s of what it has not',
    async (length) => {
      await using balancer = await Balancer.open([
        replies(`HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: ${length}\r\n\r\n`),
      ]);
      const reply = await balancer.raw('HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
      expect(reply.values('content-length')).toEqual([length]);
      expect(reply.body).toHaveLength(0);
    },
  );

  test.each([100, 300_000])('compressed (from %d bytes) stays as it is', async (size) => {
    const compressed = gzipSync(noise(size));
    await using balancer = await Balancer.open([
      replies(
        `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: ${compressed.byteLength}\r\n\r\n`,
        compressed,
      ),
    ]);
    const reply = await balancer.fetch('/', { headers: { 'accept-encoding': 'gzip' } });
    expect(reply.headers.get('content-encoding')).toBe('gzip');
    expect(sha256(await reply.bytes())).toBe(sha256(compressed));
    expect((await balancer.upstream(0).exchange(0)).values('accept-encoding')).toEqual(['gzip']);
  });

  test('that begins before the whole body is there goes on with it, in its own time', async () => {
    using clock = stoppedClock();
    await using balancer = await Balancer.open([
      replies('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n4\r\none \r\n'),
    ]);
    const client = await balancer.client();
    client.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx');
    await client.until('one ');
    client.write('y');
    const exchange = await balancer.upstream(0).exchange(0);
    expect(String(await exchange.body)).toBe('xy');
    clock.advance(2 * REPLY_HEADER_TIMEOUT_MS);
    exchange.write('3\r\ntwo\r\n0\r\n\r\n');
    await client.until('0\r\n\r\n');
    client.socket.destroy();
    expect(client.received).toContain('two');
  });

  test('loses the fields of its connection', async () => {
    await using balancer = await Balancer.open([
      replies(
        'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n',
        'Proxy-Authenticate: Basic\r\nTrailer: X-Sum\r\nX-Served-By: someone\r\nX-Kept: 1\r\n',
        'Content_Length: 9\r\nX_Served_By: someone\r\nVia: 1.0 fred\r\n',
        'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
      ),
    ]);
    const reply = await balancer.fetch('/');
    expect(await reply.text()).toBe('ok');
    const names = [...reply.headers.keys()];
    const lost = ['x-hop', 'keep-alive', 'upgrade', 'proxy-authenticate', 'trailer', 'x-sum'];
    for (const name of [...lost, 'content_length', 'x_served_by']) expect(names).not.toContain(name);
    expect(reply.headers.get('via')).toBe('1.0 fred, 1.1 ringmaster');
    expect(reply.headers.get('x-kept')).toBe('1');
    expect(reply.headers.get('x-served-by')).toBe('r0');
  });

  test('whose head is there is not cut, however long its body takes', async () => {
    // What went wrong: the time for the head went on until the first of the body, for replies of a known small length.
    using clock = stoppedClock();
    await using balancer = await Balancer.open([
      (exchange) =>
        exchange.target === '/'
          ? answers(exchange)
          : exchange.write('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 4\r\n\r\n'),
      silent,
    ]);
    const replied = balancer.fetch('/slow');
    await balancer.upstream(0).exchange(0);
    // By the time that a second and a third request are through, the head of the first has come.
    for (let i = 0; i < 2; i++) await (await balancer.fetch('/')).text();
    clock.advance(2 * REPLY_HEADER_TIMEOUT_MS);
    (await balancer.upstream(0).exchange(0)).write('done');
    expect(await (await replied).text()).toBe('done');
    expect(balancer.seen).toEqual([3, 0]);
  });

  test.each([
    ['of known length, all but the last byte', 'content-length: 5\r\n\r\n1234'],
    [
      'of known length, larger than is looked at first',
      `content-length: 100000\r\n\r\n${'x'.repeat(99_999)}`,
    ],
    ['in chunks without a last one', 'transfer-encoding: chunked\r\n\r\n4\r\n1234\r\n'],
    ['in chunks, one of them half', 'transfer-encoding: chunked\r\n\r\n9\r\n1234'],
    ['in chunks, one of them nonsense', 'transfer-encoding: chunked\r\n\r\n4\r\n1234\r\nZZ\r\n'],
  ])('that breaks off is an error to the client, never an end: %s', async (_, text) => {
    await using balancer = await Balancer.open([
      replies(`HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n${text}`),
      answers,
    ]);
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
    await client.until('\r\n\r\n');
    (await balancer.upstream(0).exchange(0)).socket.end();
    await client.ended;
    // Half a head, or chunks without the last one: whoever reads it knows that it is not whole.
    if (client.received.includes('\r\n\r\n'))
      expect(client.reply().values('transfer-encoding')).toEqual(['chunked']);
    expect(client.received).not.toEndWith('0\r\n\r\n');
    expect(balancer.seen).toEqual([1, 0]);
    expect(balancer.lease(0).failures).toBe(1);
  });
});

describe('a replica that refuses the connection', () => {
  test.each(['GET', 'POST', 'PATCH', 'DELETE'])('is passed over for a %s, and reported', async (method) => {
    await using balancer = await Balancer.open([REFUSING, answers]);
    const reply = await balancer.fetch('/x?id=1', { method });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('x-served-by')).toBe('r1');
    expect(
      balancer.leases.map(({ key, unreachables, failures }) => ({ key, unreachables, failures })),
    ).toEqual([
      { key: '1', unreachables: 1, failures: 0 },
      { key: '1', unreachables: 0, failures: 0 },
    ]);
  });

  test.each([10, 1_000_000])('costs a POST nothing: its %d bytes arrive whole, once', async (size) => {
    await using balancer = await Balancer.open([REFUSING, REFUSING, answers, answers]);
    const body = noise(size);
    for (const sent of [body, new Blob([body]).stream()]) {
      const reply = await balancer.fetch('/', { method: 'POST', body: sent });
      expect(reply.headers.get('x-served-by')).toBe('r2');
      expect(sha256(await (balancer.upstream(2).exchanges.at(-1) as { body: Promise<Buffer> }).body)).toBe(
        sha256(body),
      );
    }
    expect(balancer.seen).toEqual([0, 0, 2, 0]);
  });

  // fetch sends it again by itself where a kept connection breaks: one request could end every replica there was.
  test('that had answered before counts as tried: it may have had the request', async () => {
    let sends = 0;
    const addresses = Array.from({ length: 8 }, (_, i) => ({ host: '127.0.0.1', port: 1 + i }));
    const forwarder = new Forwarder({
      send: ({ target }) => {
        sends++;
        return target === '/poison'
          ? Promise.reject(new UpstreamError(true))
          : Promise.resolve(new Response(null));
      },
      claim: (key, except) => {
        const address = addresses[/^\d$/.test(key) ? Number(key) : except.size];
        return address && new CountedLease(key, `r${address.port}`, address);
      },
      config: parseConfig({ RETRIES: '2' }),
    });
    const ask = (path: string): Promise<Response> =>
      forwarder.forward(new Request(`http://lb.example${path}`), '192.0.2.1');
    for (const i of addresses.keys()) await ask(`/?id=${i}`);
    sends = 0;
    await expect(ask('/poison')).rejects.toBeInstanceOf(ForwardError);
    expect(sends).toBe(3);
  });

  test('does not count as tried, however many there are', async () => {
    const many = Array.from({ length: 20 }, () => REFUSING);
    await using balancer = await Balancer.open([...many, breaks, ...many, breaks, answers]);
    const reply = await balancer.fetch('/');
    expect(reply.headers.get('x-served-by')).toBe('r42');
    expect(balancer.leases.filter((lease) => lease.unreachables === 1)).toHaveLength(40);
  });

  test('is an answer of 502 where all do', async () => {
    await using balancer = await Balancer.open([REFUSING, REFUSING]);
    for (const method of ['GET', 'POST'])
      expect(
        await failure(await balancer.fetch('/', { method, body: method === 'POST' ? 'x' : null })),
      ).toEqual({
        status: 502,
        message: '<Error> No replica answered this request',
      });
    expect(balancer.leases).toHaveLength(4);
  });
});

test('without a replica on the ring the answer is 503, and when to ask again', async () => {
  await using balancer = await Balancer.open([]);
  const reply = await balancer.fetch('/', { method: 'POST', body: 'x' });
  expect(reply.headers.get('retry-after')).toBe('1');
  expect(await failure(reply)).toEqual({
    status: 503,
    message: '<Error> No replica is ready: ask again, or /add some',
  });
});

describe('a replica that takes a request and ends the connection', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])('is passed over for a %s', async (method) => {
    const body = method === 'GET' || method === 'HEAD' ? null : 'the body';
    await using balancer = await Balancer.open([breaks, answers]);
    const reply = await balancer.fetch('/', { method, body });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('x-served-by')).toBe('r1');
    for (const i of [0, 1])
      expect(String(await (await balancer.upstream(i).exchange(0)).body)).toBe(body ?? '');
    expect(balancer.leases.map((lease) => lease.failures)).toEqual([1, 0]);
    expect(balancer.upstream(1).exchanges).toHaveLength(1);
  });

  test.each(['POST', 'PATCH', 'PURGE', 'PROPFIND'])(
    'may have acted on a %s: nobody else is asked',
    async (method) => {
      for (const body of [null, 'the body']) {
        await using balancer = await Balancer.open([breaks, answers]);
        expect(await failure(await balancer.fetch('/', { method, body }))).toEqual({
          status: 502,
          message: '<Error> Replica r0 did not answer this request',
        });
        expect(balancer.seen).toEqual([1, 0]);
        expect(balancer.upstream(0).connections).toBe(1);
        expect(balancer.lease(0)).toMatchObject({ failures: 1, unreachables: 0 });
      }
    },
  );

  test('is the last of a PUT whose body is no longer kept', async () => {
    await using balancer = await Balancer.open([breaks, answers]);
    const reply = await balancer.fetch('/', { method: 'PUT', body: noise(2_000_000) });
    expect(reply.status).toBe(502);
    expect(balancer.seen).toEqual([1, 0]);
    expect(balancer.leases).toHaveLength(1);
  });

  test('is the last of a PUT that broke midway only where more had come than is kept', async () => {
    const first = noise(1000);
    await using balancer = await Balancer.open([
      (exchange) => void exchange.arrived(first.byteLength).then(() => exchange.socket.destroy()),
      answers,
    ]);
    const { stream, controller } = manualBody();
    controller.enqueue(first);
    const replied = balancer.fetch('/', { method: 'PUT', body: stream });
    const second = await balancer.upstream(1).exchange(0);
    await second.arrived(first.byteLength);
    controller.enqueue(noise(70_000));
    controller.close();
    expect((await replied).headers.get('x-served-by')).toBe('r1');
    expect(sha256(await second.body)).toBe(sha256(Buffer.concat([first, noise(70_000)])));
  });

  test.each([
    ['nonsense', 'NONSENSE\r\n\r\n'],
    ['half a head', 'HTTP/1.1 200 OK\r\nx-a:'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok'],
    ['another protocol', 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['a status that is none', 'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n'],
    ['a head of a small reply, and no body', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n'],
  ])('is passed over also when it first says %s', async (_, text) => {
    const odd: Answer = (exchange) => {
      exchange.write(text);
      exchange.socket.end();
    };
    await using balancer = await Balancer.open([odd, answers]);
    const reply = await balancer.fetch('/');
    expect(reply.headers.get('x-served-by')).toBe('r1');
    expect(await reply.text()).toBe('ok');
    const posted = await balancer.fetch('/', { method: 'POST', body: 'x' });
    expect(posted.status).toBe(502);
    expect(balancer.upstream(1).exchanges).toHaveLength(1);
  });

  test('with a status that is none, and goes on, is heard no longer', async () => {
    const chunk = 'transfer-encoding: chunked\r\n\r\n4\r\npart\r\n';
    await using balancer = await Balancer.open([
      replies(`HTTP/1.1 999 X\r\n${chunk}`),
      replies(`HTTP/1.1 200 OK\r\n${chunk}`),
    ]);
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until('part');
    await (
      await balancer.upstream(0).exchange(0)
    ).closed;
    client.socket.destroy();
  });

  test('leaves no timer behind, nor does one that replies', async () => {
    using clock = stoppedClock();
    const before = clock.timers();
    await using balancer = await Balancer.open([breaks, answers]);
    expect((await balancer.fetch('/')).status).toBe(200);
    expect((await balancer.fetch('/', { method: 'POST', body: 'x' })).status).toBe(502);
    expect(clock.timers()).toBe(before);
  });

  test.each([0, 1, 2, 3])('is followed by %d more at most where that is configured', async (retries) => {
    const replicas = Array.from({ length: 1 + retries }, () => breaks);
    await using balancer = await Balancer.open([...replicas, answers], { retries });
    expect((await balancer.fetch('/')).status).toBe(502);
    expect(balancer.leases).toHaveLength(1 + retries);
    expect(balancer.upstream(1 + retries).connections).toBe(0);
  });
});

describe('a replica that never replies', () => {
  test('is passed over for a GET when its time is up, and hears that it is', async () => {
    using clock = stoppedClock();
    await using balancer = await Balancer.open([silent, answers]);
    const replied = balancer.fetch('/');
    const exchange = await balancer.upstream(0).exchange(0);
    clock.advance(REPLY_HEADER_TIMEOUT_MS);
    expect((await replied).headers.get('x-served-by')).toBe('r1');
    expect(balancer.leases.map((lease) => lease.failures)).toEqual([1, 0]);
    await exchange.closed;
  });

  test('is an answer of 504 to a POST, which nobody else sees', async () => {
    using clock = stoppedClock();
    await using balancer = await Balancer.open([silent, answers]);
    const replied = balancer.fetch('/', { method: 'POST', body: 'x' });
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.body;
    clock.advance(REPLY_HEADER_TIMEOUT_MS);
    expect(await failure(await replied)).toEqual({
      status: 504,
      message: '<Error> Replica r0 did not answer this request',
    });
    expect(balancer.seen).toEqual([1, 0]);
    await exchange.closed;
  });

  test('is an answer of 504 to a GET where all are so', async () => {
    using clock = stoppedClock();
    await using balancer = await Balancer.open([silent, silent]);
    const replied = balancer.fetch('/');
    for (const i of [0, 1]) {
      await balancer.upstream(i).exchange(0);
      clock.advance(REPLY_HEADER_TIMEOUT_MS);
    }
    expect((await replied).status).toBe(504);
    expect(balancer.seen).toEqual([1, 1]);
  });

  test('is passed over when the fleet finds it lost, long before its time is up', async () => {
    await using balancer = await Balancer.open([silent, silent, answers]);
    const replied = balancer.fetch('/', { method: 'PUT', body: 'the body' });
    for (const i of [0, 1]) {
      const exchange = await balancer.upstream(i).exchange(0);
      await exchange.body;
      balancer.lease(i).onLost?.();
    }
    expect((await replied).headers.get('x-served-by')).toBe('r2');
    expect(String(await (await balancer.upstream(2).exchange(0)).body)).toBe('the body');
  });

  test('is a lost one to a GET, 504 where there is no other', async () => {
    await using balancer = await Balancer.open([silent]);
    const replied = balancer.fetch('/');
    await balancer.upstream(0).exchange(0);
    balancer.lease(0).onLost?.();
    expect((await replied).status).toBe(504);
  });

  test('keeps a POST when it is lost: it may still reply, and no other may be asked', async () => {
    await using balancer = await Balancer.open([silent, answers]);
    const replied = balancer.fetch('/', { method: 'POST', body: 'x' });
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.body;
    balancer.lease(0).onLost?.();
    exchange.write(OK);
    expect((await replied).headers.get('x-served-by')).toBe('r0');
  });

  test('keeps a PUT of which it has had more than is kept, for the same reason', async () => {
    // What went wrong: whether a body can be sent again was asked when the attempt began, when nothing had been sent.
    await using balancer = await Balancer.open([silent, answers]);
    const replied = balancer.fetch('/', { method: 'PUT', body: noise(2_000_000) });
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.body;
    balancer.lease(0).onLost?.();
    exchange.write(OK);
    expect((await replied).headers.get('x-served-by')).toBe('r0');
  });

  test('is not looked for once its reply has begun', async () => {
    using clock = stoppedClock();
    await using balancer = await Balancer.open([
      replies('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n'),
      answers,
    ]);
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until('x\r\n');
    expect(balancer.lease(0).onLost).toBeUndefined();
    clock.advance(2 * REPLY_HEADER_TIMEOUT_MS);
    (await balancer.upstream(0).exchange(0)).write('1\r\ny\r\n0\r\n\r\n');
    await client.until('y\r\n0\r\n\r\n');
    client.socket.destroy();
    expect(balancer.seen).toEqual([1, 0]);
  });
});

describe('a replica whose time to drain is over', () => {
  const BEGUN = 'HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n';

  test.each([
    ['GET', null],
    ['PUT', 'the body'],
    ['POST', 'the body'],
  ])(
    'has a %s that it has not answered called off: the answer is 502, and nobody is blamed',
    async (method, body) => {
      // What went wrong: the request waited on until the replica was killed.
      await using balancer = await Balancer.open([silent, answers]);
      const replied = balancer.fetch('/', { method, body });
      const exchange = await balancer.upstream(0).exchange(0);
      await exchange.body;
      balancer.lease(0).onCut?.();
      expect(await failure(await replied)).toEqual({
        status: 502,
        message: '<Error> The replica had to leave before it answered',
      });
      await exchange.closed;
      expect(balancer.seen).toEqual([1, 0]);
      expect(balancer.lease(0)).toMatchObject({ failures: 0, unreachables: 0, onCut: undefined });
    },
  );

  test('has a body that is on its way to it called off', async () => {
    await using balancer = await Balancer.open([silent, answers]);
    const client = await balancer.client();
    client.write('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\npart');
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.arrived(4);
    balancer.lease(0).onCut?.();
    await expect(exchange.body).rejects.toThrow();
    await client.until('The replica had to leave before it answered');
    client.socket.destroy();
    expect(client.reply().status).toBe(502);
    expect(balancer.seen).toEqual([1, 0]);
  });

  test.each([
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n4\r\npart\r\n'],
    ['of known length', `content-length: 200000\r\n\r\n${'x'.repeat(100_000)}part`],
    ['to the end of its connection', '\r\npart'],
  ])('has a reply %s broken off, which is an error to the client and no end', async (_, text) => {
    await using balancer = await Balancer.open([replies(BEGUN, text), answers]);
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until('part');
    balancer.lease(0).onCut?.();
    await balancer.settled();
    await client.ended;
    await (
      await balancer.upstream(0).exchange(0)
    ).closed;
    expect(client.reply().values('transfer-encoding')).toEqual(['chunked']);
    expect(client.received).not.toEndWith('0\r\n\r\n');
    expect(balancer.seen).toEqual([1, 0]);
    expect(balancer.lease(0)).toMatchObject({ failures: 0, onCut: undefined });
  });

  test('has a small reply of which nothing was passed on called off, with 502', async () => {
    await using balancer = await Balancer.open([
      (exchange) =>
        exchange.target === '/' ? answers(exchange) : exchange.write(`${BEGUN}content-length: 4\r\n\r\n`),
      answers,
    ]);
    const replied = balancer.fetch('/slow');
    await balancer.upstream(0).exchange(0);
    // By the time that a second and a third request are through, the head of the first has come.
    for (let i = 0; i < 2; i++) await (await balancer.fetch('/')).text();
    balancer.lease(0).onCut?.();
    expect((await replied).status).toBe(502);
    expect(balancer.seen).toEqual([3, 0]);
  });

  test('does not wait for a client that does not read', async () => {
    const part = Buffer.alloc(65_536, 'x');
    await using balancer = await Balancer.open([
      (exchange) => {
        if (exchange.target !== '/endless') return answers(exchange);
        exchange.write(`${BEGUN}\r\n`);
        exchange.pour(part);
      },
    ]);
    const client = await balancer.client();
    client.socket.pause();
    client.write('GET /endless HTTP/1.1\r\nHost: h\r\n\r\n');
    const endless = await balancer.upstream(0).exchange(0);
    // By the time that these are through, every buffer on the way is full.
    for (let i = 0; i < 200; i++) await balancer.fetch('/');
    balancer.lease(0).onCut?.();
    await balancer.lease(0).released;
    await endless.closed;
    client.socket.resume();
    await client.ended;
    expect(client.received).not.toEndWith('0\r\n\r\n');
  });

  test.each([
    ['a small one', `${BEGUN}content-length: 2\r\n\r\nok`, 'ok'],
    ['one in chunks', `${BEGUN}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, 'ok'],
    ['one without a body', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
  ])('has nothing to do with a reply that is whole: %s', async (_, text, body) => {
    await using balancer = await Balancer.open([replies(text)]);
    const reply = await balancer.fetch('/');
    expect(await reply.text()).toBe(body);
    await balancer.settled();
    expect(balancer.lease(0).onCut).toBeUndefined();
  });
});

describe('a kept connection that the replica ends just as it is used again', () => {
  /** Replies to the first request of a connection and ends it at the second. */
  function endingAtTheSecond(): Answer {
    const used = new Set<unknown>();
    return (exchange) => {
      const second = used.has(exchange.socket);
      used.add(exchange.socket);
      if (second) exchange.socket.destroy();
      else answers(exchange);
    };
  }

  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH', 'PURGE'])(
    'is no reason for a %s to fail, with or without a body',
    async (method) => {
      // What went wrong: a PUT with a body went on a kept connection, and can't be sent again by the client below us;
      // with one replica there is no other to ask.
      await using balancer = await Balancer.open([endingAtTheSecond()]);
      const bodies = method === 'GET' || method === 'HEAD' ? [null] : [null, 'the body'];
      for (const body of bodies) {
        expect((await balancer.fetch('/')).status).toBe(200);
        expect((await balancer.fetch('/', { method, body })).status).toBe(200);
      }
      const acted = balancer.upstream(0).exchanges.filter((one) => one.method === method);
      if (['POST', 'PATCH', 'PURGE'].includes(method)) expect(acted).toHaveLength(bodies.length);
    },
  );
});

describe('a client that goes away', () => {
  test.each(['GET', 'POST'])('while its %s waits ends the wait, and nobody is blamed', async (method) => {
    await using balancer = await Balancer.open([silent, answers]);
    const client = await balancer.client();
    client.write(
      `${method} / HTTP/1.1\r\nHost: h\r\n${method === 'POST' ? 'Content-Length: 4\r\n\r\nbody' : '\r\n'}`,
    );
    const exchange = await balancer.upstream(0).exchange(0);
    client.socket.destroy();
    await exchange.closed;
    await balancer.settled();
    expect(balancer.lease(0)).toMatchObject({ failures: 0, unreachables: 0 });
    expect(balancer.seen).toEqual([1, 0]);
  });

  test('while it sends its body leaves the replica no message that looks whole', async () => {
    for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
      await using balancer = await Balancer.open([silent, answers]);
      const client = await balancer.client();
      const part = framing.startsWith('Content') ? 'part' : '4\r\npart\r\n';
      client.write(`PUT / HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n${part}`);
      const exchange = await balancer.upstream(0).exchange(0);
      await exchange.arrived(4);
      client.socket.destroy();
      await expect(exchange.body).rejects.toThrow();
      await balancer.settled();
      expect(balancer.seen).toEqual([1, 0]);
    }
  });

  test('after it sent nonsense for a body is one, too', async () => {
    await using balancer = await Balancer.open([silent, answers]);
    const client = await balancer.client();
    client.write('PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n');
    const exchange = await balancer.upstream(0).exchange(0);
    await exchange.arrived(4);
    client.write('ZZ\r\n');
    await expect(exchange.body).rejects.toThrow();
    await balancer.settled();
    client.socket.destroy();
    expect(balancer.seen).toEqual([1, 0]);
  });

  test.each([
    ['is silent for now', ''],
    ['flows', 'flow'],
  ])('while its reply %s ends the reply', async (_, kind) => {
    await using balancer = await Balancer.open([
      (exchange) => {
        exchange.write(
          'HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n',
        );
        if (kind === '') return;
        exchange.pour(`10000\r\n${'x'.repeat(65_536)}\r\n`);
      },
    ]);
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until('part');
    client.socket.destroy();
    await (
      await balancer.upstream(0).exchange(0)
    ).closed;
    await balancer.settled();
    expect(balancer.lease(0).failures).toBe(0);
  });

  test('just as the reply begins does not leave a lease behind', async () => {
    // What went wrong: a reply that comes when its client has gone is dropped by Bun.serve, unread and never cancelled:
    // its lease was held for good, and a leaving replica waited for it until the drain timeout.
    const gone = Promise.withResolvers<void>();
    await using balancer = await Balancer.open(
      [replies('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n')],
      {
        beforeReply: (request) => {
          if (request.signal.aborted) gone.resolve();
          request.signal.addEventListener('abort', () => gone.resolve());
          replying.resolve();
          return gone.promise;
        },
      },
    );
    const replying = Promise.withResolvers<void>();
    const client = await balancer.client();
    client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await replying.promise;
    client.socket.destroy();
    await balancer.settled();
    await (
      await balancer.upstream(0).exchange(0)
    ).closed;
  });

  test('is waited for by the replica, not read ahead of', async () => {
    const part = Buffer.alloc(65_536, 'x');
    let sent = 0;
    await using balancer = await Balancer.open([
      (exchange) => {
        if (exchange.target !== '/endless') return answers(exchange);
        exchange.write('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n\r\n');
        exchange.pour(part, () => {
          sent += part.byteLength;
        });
      },
    ]);
    const client = await balancer.client();
    client.socket.pause();
    client.write('GET /endless HTTP/1.1\r\nHost: h\r\n\r\n');
    const endless = await balancer.upstream(0).exchange(0);
    // Other requests are the clock: with nothing to hold it back, the reply would run far ahead of them.
    for (let i = 0; i < 200; i++) await balancer.fetch('/');
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    client.socket.destroy();
    await endless.closed;
  });
});

test('more requests than the platform has room for are refused, not queued in silence', async () => {
  const waiting: PromiseWithResolvers<Response>[] = [];
  const leases: CountedLease[] = [];
  const forwarder = new Forwarder({
    send: () => {
      const one = Promise.withResolvers<Response>();
      waiting.push(one);
      return one.promise;
    },
    claim: (key) => {
      const lease = new CountedLease(key, 'r0', REFUSING);
      leases.push(lease);
      return lease;
    },
    config: parseConfig({}),
  });
  const ask = (): Promise<Response> => forwarder.forward(new Request('http://lb.example/'), '192.0.2.1');
  const replied = Array.from({ length: SENDS_MAX }, ask);
  await expect(ask()).rejects.toEqual(new ForwardError(503, 'Too many requests are in flight: ask again'));
  waiting[0]?.resolve(new Response(null));
  await replied[0];
  const next = ask();
  for (const one of waiting) one.resolve(new Response(null));
  expect((await next).status).toBe(200);
  await Promise.all(replied);
  expect(leases.map((lease) => lease.releases)).toEqual(leases.map(() => 1));
});

test('a day on which everything fails is not made worse by sending all of it again', async () => {
  const requests = 400;
  const retries = 10;
  const refusing = 50;
  let sends = 0;
  let day: 'bad' | 'better' = 'bad';
  const forwarder = new Forwarder({
    send: ({ address }) => {
      sends++;
      if (day === 'bad') return Promise.reject(new UpstreamError(false));
      return address.port > refusing
        ? Promise.resolve(new Response(null))
        : Promise.reject(new UpstreamError(true));
    },
    claim: (key, except) =>
      new CountedLease(key, `r${except.size}`, { host: '127.0.0.1', port: 1 + except.size }),
    config: parseConfig({ RETRIES: String(retries) }),
  });
  const ask = (): Promise<Response> => forwarder.forward(new Request('http://lb.example/'), '192.0.2.1');
  const beganMs = performance.now();
  for (let i = 0; i < requests; i++) await expect(ask()).rejects.toBeInstanceOf(ForwardError);
  const elapsedS = (performance.now() - beganMs) / 1000;
  // A thousand in reserve, one for five requests, and twenty a second.
  const allowed = 1000 + requests / 5;
  expect(sends - requests).toBeGreaterThanOrEqual(allowed - 2);
  expect(sends - requests).toBeLessThanOrEqual(allowed + 20 * elapsedS);
  expect(allowed + 20 * elapsedS).toBeLessThan(requests * retries);
  // Where there is no connection nothing is sent twice, so that is free.
  day = 'better';
  expect((await ask()).headers.get('x-served-by')).toBe(`r${refusing}`);
});
