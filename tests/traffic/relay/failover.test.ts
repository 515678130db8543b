import { describe, expect, test } from 'bun:test';
import { REFUSING } from '../raw-upstream.ts';
import { turn, until } from './client.ts';
import { echo, type Script } from './recording-upstream.ts';
import { Rig } from './rig.ts';

const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];
const OTHERS = ['POST', 'PATCH', 'FOOBAR', 'get'];

const ask = (method: string, body = '', target = '/'): string => {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  return `${method} ${target} HTTP/1.1\r\nHost: a\r\n${length}\r\n${body}`;
};

const dieByFin: Script = (exchange) => exchange.channel.close();
const dieByReset: Script = (exchange) => exchange.channel.reset();
const DEATHS = [
  ['a FIN', dieByFin],
  ['a reset', dieByReset],
] as const;

describe('a replica that refuses the connection', () => {
  test.each([...IDEMPOTENT, ...OTHERS])('the next is asked in its place: %s', async (method) => {
    await using rig = new Rig([REFUSING, echo]);
    const client = await rig.client();
    client.write(ask(method));
    const reply = await client.reply(method);
    expect(reply.status).toBe(200);
    expect(reply.value('x-served-by')).toBe('r1');
    expect(rig.leases.map((lease) => [lease.replica, lease.unreachables])).toEqual([
      ['r0', 1],
      ['r1', 0],
    ]);
  });

  test.each([
    ['a length', ask('POST', 'hello')],
    ['chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  ])('the next has the whole body, with %s', async (_, bytes) => {
    await using rig = new Rig([REFUSING, REFUSING, echo]);
    const client = await rig.client();
    client.write(bytes);
    expect((await client.reply('POST')).body.text).toBe('hello');
  });

  test('all of them: a failure that says so, and the connection stays', async () => {
    await using rig = new Rig([REFUSING, REFUSING], { preference: (key) => (key === 'none' ? [] : [0, 1]) });
    const client = await rig.client();
    for (let i = 0; i < 2; i++) {
      client.write(ask('GET', '', '/?id=x'));
      const reply = await client.reply();
      expect([502, 503]).toContain(reply.status);
      expect(JSON.parse(reply.body.text).status).toBe('failure');
      expect(reply.values('x-served-by')).toEqual([]);
    }
  });
});

test('no replica at all is 503 with Retry-After, and the body is read past', async () => {
  await using rig = new Rig([]);
  const client = await rig.client();
  for (let i = 0; i < 2; i++) {
    client.write(ask('POST', 'hello'));
    const reply = await client.reply('POST');
    expect(reply.status).toBe(503);
    expect(Number(reply.value('retry-after'))).toBeGreaterThan(0);
    if (client.ended !== undefined || reply.value('connection') === 'close') return;
  }
});

describe.each(DEATHS)('a replica that dies by %s before the first byte of a reply', (_, die) => {
  test.each(IDEMPOTENT)('the next is asked: %s', async (method) => {
    await using rig = new Rig([die, echo]);
    const client = await rig.client();
    client.write(ask(method));
    const reply = await client.reply(method);
    expect(reply.status).toBe(200);
    expect(reply.value('x-served-by')).toBe('r1');
    expect(rig.seen).toEqual([1, 1]);
  });

  test.each(OTHERS.flatMap((method) => [[method, ''] as const, [method, 'hello'] as const]))(
    'no other is asked: %s with the body %j',
    async (method, body) => {
      await using rig = new Rig([die, echo]);
      const client = await rig.client();
      client.write(ask(method, body));
      expect((await client.reply(method)).status).toBe(502);
      expect(rig.seen).toEqual([1, 0]);
      // The connection is good for the next one.
      client.write(ask('GET'));
      expect((await client.reply()).status).toBe(200);
    },
  );

  test('what has a body is sent again whole, or not at all', async () => {
    await using rig = new Rig([
      async (exchange) => {
        await exchange.whole;
        await die(exchange);
      },
      echo,
    ]);
    const client = await rig.client();
    client.write(ask('PUT', 'hello'));
    const reply = await client.reply('PUT');
    expect([200, 502]).toContain(reply.status);
    if (reply.status === 200) expect(reply.body.text).toBe('hello');
    expect(rig.seen).toEqual(reply.status === 200 ? [1, 1] : [1, 0]);
  });

  test.each([0, 1, 2])('at most RETRIES=%d others are asked', async (retries) => {
    await using rig = new Rig([die, die, die, die, die], { retries });
    const client = await rig.client();
    client.write(ask('GET'));
    expect((await client.reply()).status).toBe(502);
    expect(rig.seen.reduce((sum, one) => sum + one, 0)).toBe(retries + 1);
    expect(rig.seen.every((one) => one <= 1)).toBe(true);
  });

  test.each(['', 'hello'])(
    'a POST on a kept connection that dies of it is not sent again: %j',
    async (body) => {
      let served = 0;
      const once: Script = (exchange) => (served++ === 0 ? echo(exchange) : die(exchange));
      await using rig = new Rig([once, echo]);
      const client = await rig.client();
      client.write(ask('GET'));
      expect((await client.reply()).status).toBe(200);
      client.write(ask('POST', body));
      expect((await client.reply('POST')).status).toBe(502);
      expect(rig.seen).toEqual([2, 0]);
    },
  );

  test('a GET on a kept connection that dies of it is served elsewhere or anew', async () => {
    let served = 0;
    const once: Script = (exchange) => (served++ === 1 ? die(exchange) : echo(exchange));
    await using rig = new Rig([once, echo]);
    const client = await rig.client();
    client.write(ask('GET'));
    expect((await client.reply()).status).toBe(200);
    client.write(ask('GET'));
    expect((await client.reply()).status).toBe(200);
    expect(rig.seen.reduce((sum, one) => sum + one, 0)).toBe(3);
  });
});

test('a bad day is not doubled: not all of many requests are sent a second time', async () => {
  const REQUESTS = 3000;
  await using rig = new Rig([dieByFin, dieByFin, dieByFin]);
  const client = await rig.client();
  for (let i = 0; i < REQUESTS; i++) {
    client.write(ask('GET'));
    expect((await client.reply()).status).toBe(502);
  }
  const [first = 0, ...others] = rig.seen;
  expect(first).toBe(REQUESTS);
  expect(others.reduce((sum, one) => sum + one, 0)).toBeLessThan(REQUESTS);
});

test.each(DEATHS)(
  'a head that has begun and dies by %s: none of it has reached the client',
  async (_, die) => {
    await using rig = new Rig([
      async (exchange) => {
        exchange.write('HTTP/1.1 2');
        await turn();
        await die(exchange);
      },
      echo,
    ]);
    const client = await rig.client();
    client.write(ask('POST'));
    expect((await client.reply('POST')).status).toBe(502);
    expect(rig.seen).toEqual([1, 0]);
    client.write(ask('GET'));
    expect((await client.reply()).value('x-served-by')).toBe('r1');
    expect(rig.seen).toEqual([2, 1]);
  },
);

describe('news of the fleet', () => {
  test('a replica is lost: what it has not replied to goes elsewhere, if that does no harm', async () => {
    await using rig = new Rig([() => {}, echo]);
    const [get, post] = [await rig.client(), await rig.client()];
    get.write(ask('GET'));
    await rig.upstream(0).exchange(0);
    post.write(ask('POST', 'hello'));
    await rig.upstream(0).exchange(1);
    await turn();
    for (const lease of rig.leases.slice()) lease.onLost?.();
    expect((await get.reply()).value('x-served-by')).toBe('r1');
    // What may have been acted on has nowhere better to be: it waits, and the reply that comes after all is its own.
    expect(post.receivedBytes).toBe(0);
    (await rig.upstream(0).exchange(1)).write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
    expect((await post.reply('POST')).body.text).toBe('late');
    expect(rig.seen).toEqual([2, 1]);
  });

  test('a replica is lost whose reply has begun: that goes on', async () => {
    await using rig = new Rig([
      (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
      echo,
    ]);
    const client = await rig.client();
    client.write(ask('GET'));
    await client.has(60);
    rig.lease(0).onLost?.();
    (await rig.upstream(0).exchange(0)).write('world');
    const reply = await client.reply();
    expect(reply.complete).toBe(true);
    expect(reply.body.text).toBe('helloworld');
  });

  test('a replica leaves: what is in flight is served to its end', async () => {
    const held = Promise.withResolvers<void>();
    await using rig = new Rig([
      async (exchange) => {
        await held.promise;
        await echo(exchange);
      },
      echo,
    ]);
    const client = await rig.client();
    client.write(ask('GET'));
    await rig.upstream(0).exchange(0);
    rig.lease(0).onLeaving?.();
    await turn();
    held.resolve();
    const reply = await client.reply();
    expect(reply.status).toBe(200);
    expect(reply.value('x-served-by')).toBe('r0');
  });

  test('the time to drain is over: what is in flight is cut', async () => {
    await using rig = new Rig(
      [() => {}, (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')],
      {
        preference: (key) => [Number(key)],
      },
    );
    const waiting = await rig.client();
    waiting.write(ask('POST', 'hello', '/?id=0'));
    const begun = await rig.client();
    begun.write(ask('GET', '', '/?id=1'));
    await rig.upstream(0).exchange(0);
    await begun.has(60);
    for (const lease of rig.leases.slice()) lease.onCut?.();
    const reply = await begun.reply();
    expect(reply.complete).toBe(false);
    expect([502, 503, 504]).toContain((await waiting.reply('POST')).status);
    await until('both are released', () => rig.released);
  });
});

describe('keys', () => {
  test.each([
    ['query:id', '/x?id=42', '', '42'],
    ['query:id', '/x?a=b&id=4%202', '', '4 2'],
    ['query:id', 'http://b/x?id=7', '', '7'],
    ['header:X-User', '/', 'X-User: ann\r\n', 'ann'],
    ['header:x-user', '/', 'X-USER: ann\r\n', 'ann'],
    ['cookie:sid', '/', 'Cookie: a=b; sid=xyz; c=d\r\n', 'xyz'],
    ['path', '/a/b?c', '', '/a/b'],
    ['ip', '/', '', '127.0.0.1'],
    ['query:id,header:X-User', '/', 'X-User: ann\r\n', 'ann'],
  ])('%s of %s %j', async (hashKey, target, fields, key) => {
    await using rig = new Rig([echo], { hashKey });
    const client = await rig.client();
    client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    expect((await client.reply()).status).toBe(200);
    expect(rig.lease(0).key).toBe(key);
  });

  test('without one, each request has a key of its own', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    for (let i = 0; i < 20; i++) {
      client.write(ask('GET'));
      await client.reply();
    }
    expect(new Set(rig.leases.map((lease) => lease.key)).size).toBe(20);
  });
});
