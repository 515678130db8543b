import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { UpstreamError, type Outgoing, type Send } from '../../src/traffic/upstream.ts';
import { noise, sha256 } from './noise.ts';
import { RawUpstream, REFUSING, type Answer } from './raw-upstream.ts';

/**
 * What every `Send` must do, on whichever runtime: it asserts with node:assert and is a list, so that the same cases
 * run under `bun test` and, with no test runner, under Deno.
 */
export interface UpstreamCase {
  readonly name: string;
  /** Set where it is about connections that are kept for later requests. */
  readonly kept?: true;
  run(send: Send): Promise<void>;
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const never = new AbortController().signal;

function outgoing(upstream: RawUpstream, wish: Partial<Outgoing> = {}): Outgoing {
  return {
    address: upstream.address,
    method: 'GET',
    target: '/',
    headers: new Headers({ host: 'lb.example' }),
    body: null,
    fresh: false,
    ...wish,
  };
}

function streamOf(...parts: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const left = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  return new ReadableStream(
    {
      pull(controller) {
        const part = left.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    },
    { highWaterMark: 0 },
  );
}

/** A body whose chunks a test sends one by one. */
function manualBody(): {
  stream: ReadableStream<Uint8Array>;
  controller: ReadableStreamDefaultController<Uint8Array>;
} {
  let kept: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      kept = controller;
    },
  });
  return { stream, controller: kept as ReadableStreamDefaultController<Uint8Array> };
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.fail('was no failure'),
    (error: unknown) => error,
  );
}

async function assertNoReply(promise: Promise<unknown>): Promise<void> {
  const error = await failureOf(promise);
  assert.ok(error instanceof UpstreamError, String(error));
  assert.equal(error.refused, false);
}

/** Ends a connection as its second request comes, as replicas do whose keep-alive runs out in that moment. */
function endingAtTheSecond(): Answer {
  const used = new Set<unknown>();
  return async (exchange) => {
    const second = used.has(exchange.socket);
    used.add(exchange.socket);
    if (second) return void exchange.socket.destroy();
    await exchange.body;
    exchange.write(exchange.method === 'HEAD' ? 'HTTP/1.1 200 OK\r\n\r\n' : OK);
  };
}

const BODY_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];

export const upstreamCases: readonly UpstreamCase[] = [
  {
    name: 'path and query arrive byte for byte',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => exchange.write(OK));
      const targets = [
        '/',
        '/?',
        '/a?',
        '/a%2Fb%2f/c',
        '/a//b///',
        // What went wrong: Bun's fetch takes a path of //a for /a.
        '//a//b?c',
        '//',
        '//evil.example/a',
        '/a?b=c+d%20e&&=&',
        '/a?b?c/d',
        '/%zz?%',
        "/a;b=c,d@e:f!g$h(i)*j'~_-.",
        '/?http://evil.example/',
        `/${'x'.repeat(4000)}?${'y'.repeat(4000)}`,
      ];
      for (const target of targets) {
        const reply = await send(outgoing(upstream, { target }), never);
        assert.equal(await reply.text(), 'ok');
        assert.equal(upstream.exchanges.at(-1)?.target, target);
      }
      assert.equal(upstream.exchanges.length, targets.length);
    },
  },
  {
    name: 'the method arrives as it is',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write('HTTP/1.1 204 No Content\r\n\r\n'),
      );
      const methods = [
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
      ];
      for (const method of methods) await send(outgoing(upstream, { method, fresh: true }), never);
      assert.deepEqual(
        upstream.exchanges.map((exchange) => exchange.method),
        methods,
      );
    },
  },
  {
    name: 'fields arrive as they are, Host among them, and none that says how to compress',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => exchange.write(OK));
      const headers = new Headers({
        host: 'some.example:81',
        accept: 'a/b;q=0.5',
        'user-agent': 'client/1.0',
        authorization: 'Basic eA==',
        cookie: 'a=1; b="2"',
        'if-none-match': '"x", W/"y"',
        range: 'bytes=0-1',
        'x-long': 'x'.repeat(4000),
      });
      await send(outgoing(upstream, { headers }), never);
      const exchange = await upstream.exchange(0);
      for (const [name, value] of headers) assert.deepEqual(exchange.values(name), [value]);
      // One that we add would bring compressed replies to clients that can't read them.
      assert.deepEqual(exchange.values('accept-encoding'), []);
      for (const name of ['transfer-encoding', 'te', 'upgrade', 'expect', 'content-length'])
        assert.deepEqual(exchange.values(name), []);
    },
  },
  {
    name: 'the compression that a client asks for is asked for, no other',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => exchange.write(OK));
      const headers = new Headers({ host: 'x.example', 'accept-encoding': 'br;q=1, gzip;q=0.1' });
      await send(outgoing(upstream, { headers }), never);
      assert.deepEqual((await upstream.exchange(0)).values('accept-encoding'), ['br;q=1, gzip;q=0.1']);
    },
  },
  ...BODY_METHODS.flatMap((method) =>
    [true, false].map((sized): UpstreamCase => ({
      name: `the body of a ${method} ${sized ? 'of known length' : 'in chunks'} is framed as such, and nothing follows it`,
      // What went wrong: node:http sends the body of a DELETE without a length bare, and a replica on a kept
      // connection reads it as the next request: smuggled past whatever checks requests in front of us.
      async run(send) {
        await using upstream = await RawUpstream.open(
          (exchange) => void exchange.body.then(() => exchange.write(OK)),
        );
        const text = 'GET /smuggled HTTP/1.1\r\n\r\n';
        const headers = new Headers({ host: 'lb.example' });
        if (sized) headers.set('content-length', String(text.length));
        const body = streamOf(text.slice(0, 5), text.slice(5));
        const reply = await send(outgoing(upstream, { method, headers, body }), never);
        assert.equal(await reply.text(), 'ok');
        const exchange = await upstream.exchange(0);
        assert.equal(String(await exchange.body), text);
        assert.deepEqual(exchange.values('content-length'), sized ? [String(text.length)] : []);
        assert.deepEqual(exchange.values('transfer-encoding'), sized ? [] : ['chunked']);
        await (await send(outgoing(upstream, { target: '/next' }), never)).text();
        assert.deepEqual(
          upstream.exchanges.map((one) => one.target),
          ['/', '/next'],
        );
      },
    })),
  ),
  {
    name: 'a length without a body is not sent: the replica would wait for it',
    async run(send) {
      // What went wrong: the Content-Length of a GET was sent on when its body was not.
      await using upstream = await RawUpstream.open(
        (exchange) => void exchange.body.then(() => exchange.write(OK)),
      );
      for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
        const headers = new Headers({ host: 'lb.example', 'content-length': '7' });
        await send(outgoing(upstream, { method, headers, fresh: true }), never);
        assert.notEqual(upstream.exchanges.at(-1)?.value('content-length'), '7');
      }
    },
  },
  {
    name: 'a POST without a body says that it has none',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => exchange.write(OK));
      const headers = new Headers({ host: 'lb.example', 'content-length': '0' });
      await send(outgoing(upstream, { method: 'POST', headers, fresh: true }), never);
      assert.deepEqual((await upstream.exchange(0)).values('content-length'), ['0']);
    },
  },
  {
    name: '5 MB go up and come back whole, of known length and in chunks',
    async run(send) {
      const sent = noise(5_000_000);
      for (const sized of [true, false]) {
        await using upstream = await RawUpstream.open(async (exchange) => {
          const body = await exchange.body;
          exchange.write(
            sized
              ? `HTTP/1.1 200 OK\r\ncontent-length: ${body.byteLength}\r\n\r\n`
              : 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
          );
          for (let at = 0; at < body.byteLength; at += 300_000) {
            const part = body.subarray(at, at + 300_000);
            exchange.write(...(sized ? [part] : [`${part.byteLength.toString(16)}\r\n`, part, '\r\n']));
          }
          if (!sized) exchange.write('0\r\n\r\n');
        });
        const headers = new Headers({ host: 'lb.example' });
        if (sized) headers.set('content-length', String(sent.byteLength));
        const parts = Array.from({ length: 77 }, (_, i) => sent.subarray(i * 64_936, (i + 1) * 64_936));
        const body = streamOf(...parts.filter((part) => part.byteLength > 0));
        const reply = await send(outgoing(upstream, { method: 'POST', headers, body, fresh: true }), never);
        const received = new Uint8Array(await reply.arrayBuffer());
        assert.equal(sha256(await (await upstream.exchange(0)).body), sha256(sent));
        assert.equal(sha256(received), sha256(sent));
      }
    },
  },
  {
    name: 'a body is sent on while it comes',
    async run(send) {
      await using upstream = await RawUpstream.open(
        (exchange) => void exchange.body.then(() => exchange.write(OK)),
      );
      const { stream, controller } = manualBody();
      const replied = send(outgoing(upstream, { method: 'POST', body: stream }), never);
      for (let bytes = 5; bytes <= 20; bytes += 5) {
        controller.enqueue(Buffer.from('12345'));
        await (await upstream.exchange(0)).arrived(bytes);
      }
      controller.close();
      assert.equal(await (await replied).text(), 'ok');
      assert.equal(String(await (await upstream.exchange(0)).body), '12345'.repeat(4));
    },
  },
  {
    name: 'a body that breaks off does not look whole to the replica',
    async run(send) {
      await using upstream = await RawUpstream.open();
      const { stream, controller } = manualBody();
      const replied = send(outgoing(upstream, { method: 'PUT', body: stream, fresh: true }), never);
      const failed = failureOf(replied);
      controller.enqueue(Buffer.from('12345'));
      const exchange = await upstream.exchange(0);
      await exchange.arrived(5);
      controller.error(new Error('the client is gone'));
      assert.ok((await failed) instanceof UpstreamError);
      await assert.rejects(exchange.body);
    },
  },
  {
    name: 'a body is taken no faster than the replica takes it',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => {
        if (exchange.method === 'POST') exchange.socket.pause();
        else exchange.write(OK);
      });
      let taken = 0;
      const endless = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            taken += 65_536;
            controller.enqueue(new Uint8Array(65_536));
          },
        },
        { highWaterMark: 0 },
      );
      const giveUp = new AbortController();
      const failed = failureOf(
        send(outgoing(upstream, { method: 'POST', body: endless, fresh: true }), giveUp.signal),
      );
      await upstream.exchange(0);
      // Other requests are the clock: with nothing to hold it back, the body would run far ahead of them.
      for (let i = 0; i < 200; i++) await (await send(outgoing(upstream), never)).text();
      giveUp.abort();
      await failed;
      assert.ok(taken < 64 * 1024 * 1024, `${taken} bytes were taken`);
    },
  },
  {
    name: 'a reply comes before the whole body is taken where the replica says so',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno'),
      );
      const { stream } = manualBody();
      const reply = await send(outgoing(upstream, { method: 'POST', body: stream, fresh: true }), never);
      assert.equal(reply.status, 413);
      assert.equal(await reply.text(), 'no');
    },
  },
  {
    name: 'status and fields of a reply come as they are, every Set-Cookie by itself',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write(
          'HTTP/1.1 418 Teapot\r\nSet-Cookie: a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\nset-cookie: b=2\r\n',
          'ETag: "x"\r\nX-Two: 1\r\nx-two: 2\r\nX-Latin: caf\u00e9\r\nX-Empty:\r\ncontent-length: 0\r\n\r\n',
        ),
      );
      const { status, headers } = await send(outgoing(upstream), never);
      assert.equal(status, 418);
      assert.deepEqual(headers.getSetCookie(), ['a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'b=2']);
      assert.equal(headers.get('etag'), '"x"');
      assert.equal(headers.get('x-two'), '1, 2');
      assert.equal(headers.get('x-latin'), 'caf\u00e9');
      assert.equal(headers.get('x-empty'), '');
    },
  },
  {
    name: 'a compressed reply comes as it is',
    async run(send) {
      const compressed = gzipSync('hello '.repeat(100));
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write(
          `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${compressed.byteLength}\r\n\r\n`,
          compressed,
        ),
      );
      const headers = new Headers({ host: 'lb.example', 'accept-encoding': 'gzip' });
      const reply = await send(outgoing(upstream, { headers }), never);
      assert.equal(reply.headers.get('content-encoding'), 'gzip');
      assert.equal(reply.headers.get('content-length'), String(compressed.byteLength));
      assert.equal(sha256(new Uint8Array(await reply.arrayBuffer())), sha256(compressed));
    },
  },
  {
    name: 'a redirect is not followed',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write('HTTP/1.1 301 Moved\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\nhi'),
      );
      const reply = await send(outgoing(upstream), never);
      assert.equal(reply.status, 301);
      assert.equal(reply.headers.get('location'), '/elsewhere');
      assert.equal(await reply.text(), 'hi');
      assert.equal(upstream.exchanges.length, 1);
    },
  },
  {
    name: 'replies without a body have none, and keep the length they name',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write(
          exchange.target === '/204'
            ? 'HTTP/1.1 204 No Content\r\netag: "x"\r\n\r\n'
            : `HTTP/1.1 ${exchange.target === '/304' ? 304 : 200} X\r\netag: "x"\r\ncontent-length: 123\r\n\r\n`,
        ),
      );
      for (const [method, target, status, length] of [
        ['HEAD', '/', 200, '123'],
        ['GET', '/304', 304, '123'],
        ['GET', '/204', 204, null],
      ] as const) {
        const reply = await send(outgoing(upstream, { method, target }), never);
        assert.equal(reply.body, null);
        assert.equal(reply.status, status);
        assert.equal(reply.headers.get('etag'), '"x"');
        assert.equal(reply.headers.get('content-length'), length);
      }
    },
  },
  {
    name: 'a reply that its connection ends is whole at that end',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => {
        exchange.write('HTTP/1.0 200 OK\r\n\r\nto the end');
        exchange.socket.end();
      });
      assert.equal(await (await send(outgoing(upstream), never)).text(), 'to the end');
    },
  },
  {
    name: 'what comes before the reply is not the reply',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write(
          'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n',
          'HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok',
        ),
      );
      const reply = await send(outgoing(upstream), never);
      assert.equal(reply.status, 201);
      assert.equal(await reply.text(), 'ok');
    },
  },
  {
    name: 'a reply streams: its first part is there before the replica sends the next',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'),
      );
      const reply = await send(outgoing(upstream), never);
      const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
      const { socket } = await upstream.exchange(0);
      for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
        socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
        const { value } = await reader.read();
        assert.equal(Buffer.from(value as Uint8Array).toString(), text);
      }
      socket.write('0\r\n\r\n');
      assert.equal((await reader.read()).done, true);
    },
  },
  {
    name: 'a reply is taken no faster than its reader takes it',
    async run(send) {
      const part = Buffer.alloc(65_536);
      let sent = 0;
      await using upstream = await RawUpstream.open((exchange) => {
        if (exchange.target !== '/endless') return exchange.write(OK);
        exchange.write('HTTP/1.1 200 OK\r\n\r\n');
        exchange.pour(part, () => {
          sent += part.byteLength;
        });
      });
      const reply = await send(outgoing(upstream, { target: '/endless', fresh: true }), never);
      const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      // Other requests are the clock: with nothing to hold it back, the reply would run far ahead of them.
      for (let i = 0; i < 200; i++) await (await send(outgoing(upstream), never)).text();
      assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were sent`);
      await reader.cancel();
      await (
        await upstream.exchange(0)
      ).closed;
    },
  },
  ...(
    [
      ['ends it without a word', ''],
      ['replies with nonsense', 'NONSENSE\r\n\r\n'],
      ['breaks off in the head', 'HTTP/1.1 200 OK\r\ncontent-le'],
      ['replies with two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok'],
      [
        'changes to another protocol unasked',
        'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
      ],
    ] as const
  ).map(([what, text]): UpstreamCase => ({
    name: `a replica that takes the connection and ${what} has not replied, nor has it refused`,
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => {
        exchange.write(text);
        exchange.socket.end();
      });
      await assertNoReply(send(outgoing(upstream, { fresh: true }), never));
      const body = streamOf('body');
      await assertNoReply(send(outgoing(upstream, { method: 'POST', body, fresh: true }), never));
    },
  })),
  {
    name: 'a replica that resets the connection has not refused it',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => void exchange.socket.resetAndDestroy());
      await assertNoReply(send(outgoing(upstream, { method: 'POST', fresh: true }), never));
    },
  },
  {
    name: 'a status that HTTP does not have is no reply, and nothing breaks by it',
    async run(send) {
      // What went wrong: Response does not know these, and threw in a listener that no caller could catch in.
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write(`HTTP/1.1 ${exchange.target.slice(1)} X\r\ncontent-length: 0\r\n\r\n`),
      );
      for (const status of ['999', '600', '099', '000']) {
        const outcome = await send(outgoing(upstream, { target: `/${status}`, fresh: true }), never).catch(
          (error: unknown) => error,
        );
        if (outcome instanceof Response) assert.equal(outcome.status, Number(status));
        else assert.ok(outcome instanceof UpstreamError && !outcome.refused, String(outcome));
      }
    },
  },
  ...(
    [
      ['less than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'],
      ['no last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n'],
      ['half a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nonly this'],
      [
        'a chunk of nonsense',
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\nZZ\r\n',
      ],
    ] as const
  ).map(([what, text]): UpstreamCase => ({
    name: `a reply with ${what} is an error to its reader, never an end`,
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => exchange.write(text));
      const reply = await send(outgoing(upstream, { fresh: true }), never);
      const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value !== undefined) {
        assert.equal(Buffer.from(value).toString(), 'only this');
        const failed = failureOf(reader.read());
        (await upstream.exchange(0)).socket.end();
        await failed;
      }
    },
  })),
  {
    name: 'a port that nobody listens on has refused, and not a byte of the body is used up',
    async run(send) {
      let taken = 0;
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            taken++;
            controller.enqueue(Buffer.from('x'));
          },
        },
        { highWaterMark: 0 },
      );
      const error = await failureOf(
        send(
          {
            address: REFUSING,
            method: 'POST',
            target: '/',
            headers: new Headers({ host: 'lb.example' }),
            body,
            fresh: true,
          },
          never,
        ),
      );
      assert.ok(error instanceof UpstreamError && error.refused, String(error));
      assert.equal(taken, 0);
    },
  },
  {
    name: 'replicas are reached at an address of IPv6, too',
    async run(send) {
      const upstream = await RawUpstream.open((exchange) => exchange.write(OK), '::1').catch(() => undefined);
      // A machine without IPv6 has nothing to show here.
      if (upstream === undefined) return;
      await using _ = upstream;
      assert.equal(await (await send(outgoing(upstream), never)).text(), 'ok');
    },
  },
  {
    name: 'a request that is given up ends its connection and its caller’s wait',
    async run(send) {
      await using upstream = await RawUpstream.open();
      for (const body of [null, streamOf('part')]) {
        const giveUp = new AbortController();
        const failed = failureOf(
          send(outgoing(upstream, { method: 'PUT', body, fresh: true }), giveUp.signal),
        );
        const { closed } = await upstream.exchange(upstream.exchanges.length);
        giveUp.abort();
        assert.ok((await failed) instanceof UpstreamError);
        await closed;
      }
    },
  },
  {
    name: 'a request that was given up before it began is not sent',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) => exchange.write(OK));
      const giveUp = new AbortController();
      giveUp.abort();
      await failureOf(send(outgoing(upstream, { target: '/given-up' }), giveUp.signal));
      await (await send(outgoing(upstream, { target: '/next' }), never)).text();
      assert.deepEqual(
        upstream.exchanges.map((one) => one.target),
        ['/next'],
      );
    },
  },
  {
    name: 'a reply that is not read to its end ends its connection',
    async run(send) {
      await using upstream = await RawUpstream.open((exchange) =>
        exchange.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n'),
      );
      const reply = await send(outgoing(upstream), never);
      const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await reader.cancel();
      await (
        await upstream.exchange(0)
      ).closed;
    },
  },
  {
    name: 'connections are kept for later requests, but for those that want one of their own',
    kept: true,
    async run(send) {
      await using upstream = await RawUpstream.open(
        (exchange) => void exchange.body.then(() => exchange.write(OK)),
      );
      for (let i = 0; i < 5; i++) await (await send(outgoing(upstream), never)).text();
      assert.equal(upstream.connections, 1);
      for (let i = 0; i < 3; i++)
        await (
          await send(outgoing(upstream, { method: 'POST', body: streamOf('x'), fresh: true }), never)
        ).text();
      assert.equal(upstream.connections, 4);
    },
  },
  {
    name: 'a request on a connection of its own does not meet a kept one that ends just then',
    async run(send) {
      for (const method of ['POST', 'PATCH', 'PUT', 'DELETE']) {
        await using upstream = await RawUpstream.open(endingAtTheSecond());
        await (await send(outgoing(upstream), never)).text();
        const body = streamOf('body');
        const reply = await send(outgoing(upstream, { method, body, fresh: true }), never);
        assert.equal(await reply.text(), 'ok');
        assert.deepEqual(
          upstream.exchanges.map((one) => one.method),
          ['GET', method],
        );
      }
    },
  },
  {
    name: 'a request without a body that meets a kept connection which ends just then is sent again',
    kept: true,
    async run(send) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
        await using upstream = await RawUpstream.open(endingAtTheSecond());
        for (let i = 0; i < 2; i++) {
          const reply = await send(outgoing(upstream, { method }), never);
          assert.equal(await reply.text(), method === 'HEAD' ? '' : 'ok');
        }
        // Where it was not kept, there was nothing to see.
        assert.ok(upstream.connections === 2);
      }
    },
  },
  {
    name: 'no proxy is asked, whatever the environment says',
    async run(send) {
      // What went wrong: Bun's fetch sent requests for replicas on loopback to the HTTP_PROXY of a company's network.
      await using proxy = await RawUpstream.open((exchange) => exchange.write(OK));
      await using upstream = await RawUpstream.open((exchange) => exchange.write(OK));
      const names = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY', 'no_proxy', 'NO_PROXY'];
      const before = names.map((name) => [name, process.env[name]] as const);
      try {
        for (const name of names)
          process.env[name] = /no_/i.test(name) ? '' : `http://127.0.0.1:${proxy.address.port}`;
        await (await send(outgoing(upstream, { target: '/ours', fresh: true }), never)).text();
      } finally {
        for (const [name, value] of before)
          if (value === undefined) delete process.env[name];
          else process.env[name] = value;
      }
      // Deno itself may go by the environment, to ask for a newer Deno.
      assert.ok(!proxy.exchanges.some((exchange) => exchange.target.includes('/ours')));
      assert.equal((await upstream.exchange(0)).target, '/ours');
    },
  },
];
