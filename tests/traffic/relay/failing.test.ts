/** Replies with which a replica says that it fails, and what they tell of it. */
import { describe, expect, test } from 'bun:test';
import { echo, type Script } from './recording-upstream.ts';
import { Rig } from './rig.ts';

const FAILING = [500, 502, 503, 504];
const OTHERS = [200, 204, 301, 304, 400, 404, 429, 499, 501, 505, 507, 599];
const SAFE = ['GET', 'HEAD', 'OPTIONS'];
const UNSAFE = ['PUT', 'DELETE', 'POST', 'PATCH'];

const replying =
  (status: number): Script =>
  (exchange) =>
    exchange.write(
      `HTTP/1.1 ${status} Status\r\n${status === 204 || status === 304 ? '' : 'Content-Length: 0\r\n'}\r\n`,
    );
const ask = (method = 'GET', body = ''): string =>
  `${method} / HTTP/1.1\r\nHost: a\r\n${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;
/** For each lease that was claimed: its replica, and what was reported of it. */
const told = (rig: Rig): string[] =>
  rig.leases.map(({ replica, failures, answers }) => `${replica} failed ${failures} answered ${answers}`);

async function asked(rig: Rig, method = 'GET', body = ''): Promise<[number, string | undefined]> {
  const client = await rig.client();
  client.write(ask(method, body));
  const reply = await client.reply(method);
  return [reply.status, reply.value('x-served-by')];
}

describe('a failing reply to a safe request', () => {
  test.each(SAFE.flatMap((method) => FAILING.map((status) => [method, status] as const)))(
    'is not passed on where the next replica does better, and the first is to blame: %s, %d',
    async (method, status) => {
      await using rig = new Rig([replying(status), echo]);
      expect(await asked(rig, method)).toEqual([200, 'r1']);
      expect(rig.seen).toEqual([1, 1]);
      expect(told(rig)).toEqual(['r0 failed 1 answered 0', 'r1 failed 0 answered 1']);
    },
  );

  test('is passed on where no replica does better, and then nobody is to blame', async () => {
    await using rig = new Rig([replying(500), replying(503), replying(502), echo]);
    expect(await asked(rig)).toEqual([502, 'r2']);
    expect(rig.seen).toEqual([1, 1, 1, 0]);
    expect(told(rig)).toEqual([0, 1, 2].map((i) => `r${i} failed 0 answered 0`));
  });

  test('is passed on where there is no other, and then tells nothing', async () => {
    await using rig = new Rig([replying(500)]);
    expect(await asked(rig)).toEqual([500, 'r0']);
    expect(told(rig)).toEqual(['r0 failed 0 answered 0']);
  });

  test('is passed on where the other has no place', async () => {
    let failing = false;
    await using rig = new Rig([(exchange) => replying(failing ? 500 : 200)(exchange), () => {}], {
      limits: { replicaInFlightMax: 1 },
      preference: (key) => (key === 'fill' ? [1] : [0, 1]),
    });
    const filling = await rig.client();
    filling.write('GET /?id=fill HTTP/1.1\r\nHost: a\r\n\r\n');
    await rig.upstream(1).exchange(0);
    failing = true;
    expect(await asked(rig)).toEqual([500, 'r0']);
    expect(rig.seen).toEqual([1, 1]);
    rig.upstream(1).exchanges[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    expect((await filling.reply()).status).toBe(200);
  });

  test('goes on from replicas that refuse and break off, too', async () => {
    await using rig = new Rig([replying(500), (exchange) => exchange.channel.close(), echo]);
    expect(await asked(rig)).toEqual([200, 'r2']);
    expect(told(rig)).toEqual(['r0 failed 1 answered 0', 'r1 failed 1 answered 0', 'r2 failed 0 answered 1']);
  });

  test('has the next asked on a connection that is kept, and the client goes on on its own', async () => {
    await using rig = new Rig([replying(500), echo], {
      preference: (key) => (key === 'other' ? [1] : [0, 1]),
    });
    const client = await rig.client();
    for (let i = 0; i < 20; i++) {
      client.write('GET /?id=other HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.reply()).value('x-served-by')).toBe('r1');
      client.write(ask());
      const reply = await client.reply();
      expect([reply.status, reply.value('x-served-by')]).toEqual([200, 'r1']);
    }
    expect(rig.upstream(1).channels).toHaveLength(1);
  });

  test('of 503 with Retry-After is put to the next, too, and nobody is to blame: it sheds what is too much', async () => {
    const shedding: Script = (exchange) =>
      exchange.write('HTTP/1.1 503 Full\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n');
    await using rig = new Rig([shedding, echo]);
    expect(await asked(rig)).toEqual([200, 'r1']);
    expect(await asked(rig, 'POST')).toEqual([503, 'r0']);
    expect(told(rig)).toEqual(['r0 failed 0 answered 0', 'r1 failed 0 answered 1', 'r0 failed 0 answered 0']);
  });

  test('with RETRIES=0 is passed on, and tells nothing', async () => {
    await using rig = new Rig([replying(500), echo], { retries: 0 });
    expect(await asked(rig)).toEqual([500, 'r0']);
    expect(told(rig)).toEqual(['r0 failed 0 answered 0']);
  });

  // Of a shard only its owner can say what it has: had it been ejected for that, all of its keys would seem to be gone.
  test('is not passed on for a client error of the next, but nobody is to blame', async () => {
    await using rig = new Rig([replying(503), replying(404)]);
    expect(await asked(rig)).toEqual([404, 'r1']);
    expect(told(rig)).toEqual(['r0 failed 0 answered 0', 'r1 failed 0 answered 1']);
  });

  // On a day on which everything fails each request would otherwise be three.
  test('is passed on when the budget is spent', async () => {
    await using rig = new Rig([replying(500), replying(500), replying(500)]);
    const client = await rig.client();
    const requests = 1500;
    const beganMs = performance.now();
    for (let i = 0; i < requests; i++) {
      client.write(ask());
      expect((await client.reply()).status).toBe(500);
    }
    const sent = rig.seen.reduce((sum, one) => sum + one, 0);
    // A fifth, the reserve, and what it is filled with as time goes by.
    const filled = ((performance.now() - beganMs) / 1000) * 20;
    expect(sent).toBeLessThanOrEqual(requests * 1.2 + 1000 + filled + 1);
    expect(rig.leases.every(({ failures }) => failures === 0)).toBe(true);
  });

  test('after an interim reply is the client’s', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'),
      echo,
    ]);
    const client = await rig.client();
    client.write(ask());
    expect((await client.reply()).status).toBe(103);
    expect((await client.reply()).status).toBe(500);
    expect(rig.seen).toEqual([1, 0]);
  });
});

test.each(UNSAFE.flatMap((method) => ['', 'hello'].map((body) => [method, body] as const)))(
  // One client whose requests always fail would have all replicas ejected in turn.
  'a failing reply to %s with the body %j is the client’s, and tells nothing',
  async (method, body) => {
    await using rig = new Rig([replying(500), echo]);
    expect(await asked(rig, method, body)).toEqual([500, 'r0']);
    expect(rig.seen).toEqual([1, 0]);
    expect(told(rig)).toEqual(['r0 failed 0 answered 0']);
  },
);

test.each(OTHERS)('%d is an answer', async (status) => {
  await using rig = new Rig([replying(status), echo]);
  expect(await asked(rig)).toEqual([status, 'r0']);
  expect(told(rig)).toEqual(['r0 failed 0 answered 1']);
});

describe('what a request tells of its replica', () => {
  const breaking =
    (head: string, body = ''): Script =>
    async (exchange) => {
      exchange.write(`HTTP/1.1 200 OK\r\n${head}\r\n${body}`);
      await exchange.channel.flushed;
      exchange.channel.reset();
    };

  test.each([
    ['a length', breaking('Content-Length: 10\r\n', 'hello')],
    ['chunks', breaking('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n')],
  ])('a reply that breaks off has failed, with %s', async (_, script) => {
    await using rig = new Rig([script, echo]);
    const client = await rig.client();
    client.write(ask());
    await rig.upstream().exchange(0);
    await client.end();
    expect(told(rig)).toEqual(['r0 failed 1 answered 0']);
  });

  test('a reply is an answer when it is whole, not before', async () => {
    await using rig = new Rig([
      (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
    ]);
    const client = await rig.client();
    client.write(ask());
    await client.has(60);
    expect(told(rig)).toEqual(['r0 failed 0 answered 0']);
    rig.upstream().exchanges[0]?.write('world');
    await client.reply();
    expect(told(rig)).toEqual(['r0 failed 0 answered 1']);
  });

  const nonsense: Script = (exchange) => exchange.write('nonsense\r\n\r\n');
  const ends: Script = (exchange) => exchange.channel.close();
  const half: Script = (exchange) => {
    exchange.write('HTTP/1.1 200 O');
    exchange.channel.close();
  };

  test.each([
    ['nonsense', nonsense],
    ['half a head', half],
    ['no reply', ends],
  ])('%s has failed where the next replica has anything to say', async (_, script) => {
    for (const status of [200, 404]) {
      await using rig = new Rig([script, replying(status)]);
      expect(await asked(rig)).toEqual([status, 'r1']);
      expect(told(rig)).toEqual(['r0 failed 1 answered 0', 'r1 failed 0 answered 1']);
    }
  });

  // A request that ends whoever gets it is its own fault.
  test.each([
    ['nonsense', nonsense],
    ['half a head', half],
    ['no reply', ends],
  ])('%s tells nothing where no replica does better', async (_, script) => {
    for (const others of [[], [script], [replying(500)], [script, script]]) {
      await using rig = new Rig([script, ...others]);
      expect((await asked(rig))[0]).toBeGreaterThanOrEqual(500);
      expect(rig.leases.reduce((sum, { failures }) => sum + failures, 0)).toBe(0);
      // But who said nothing is looked at.
      expect(rig.lease(0).suspicions).toBe(1);
    }
  });

  test.each([
    ['POST', 2],
    ['GET', 0],
  ])('%s that can’t be sent again has failed, with RETRIES=%d', async (method, retries) => {
    await using rig = new Rig([nonsense, echo], { retries });
    expect((await asked(rig, method))[0]).toBe(502);
    expect(told(rig)).toEqual(['r0 failed 1 answered 0']);
  });

  test('a client that goes away tells nothing', async () => {
    await using rig = new Rig([() => {}]);
    const client = await rig.client();
    client.write(ask());
    await rig.upstream().exchange(0);
    client.reset();
    await rig.lease(0).released;
    expect(told(rig)).toEqual(['r0 failed 0 answered 0']);
  });

  test('that its replica is lost it need not tell', async () => {
    await using rig = new Rig([() => {}, echo]);
    const client = await rig.client();
    client.write(ask());
    await rig.upstream().exchange(0);
    rig.lease(0).onLost?.();
    expect((await client.reply()).status).toBe(200);
    expect(told(rig)[0]).toBe('r0 failed 0 answered 0');
  });
});
