/** On port 5000, as tests/traffic/relay/failing.test.ts has it of the relay. */
import { describe, expect, test } from 'bun:test';
import { parseConfig } from '../../src/config.ts';
import { Forwarder } from '../../src/traffic/forward.ts';
import { Balancer, CountedLease } from './balancer.ts';
import type { Answer } from './raw-upstream.ts';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];
const UNSAFE = ['PUT', 'DELETE', 'POST', 'PATCH'];

const replying =
  (status: number, length = 0): Answer =>
  ({ socket }) =>
    void socket.write(`HTTP/1.1 ${status} Status\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`);
const told = (balancer: Balancer): string[] =>
  balancer.leases.map(
    ({ replica, failures, answers }) => `${replica} failed ${failures} answered ${answers}`,
  );

async function asked(balancer: Balancer, method = 'GET'): Promise<[number, string | null]> {
  const reply = await balancer.fetch('/', { method });
  await reply.arrayBuffer();
  return [reply.status, reply.headers.get('x-served-by')];
}

describe('a failing reply to a safe request', () => {
  test.each(SAFE.flatMap((method) => [500, 502, 503, 504].map((status) => [method, status] as const)))(
    'is not passed on where the next replica does better, and the first is to blame: %s, %d',
    async (method, status) => {
      await using balancer = await Balancer.open([replying(status), replying(200)]);
      expect(await asked(balancer, method)).toEqual([200, 'r1']);
      expect(balancer.seen).toEqual([1, 1]);
      expect(told(balancer)).toEqual(['r0 failed 1 answered 0', 'r1 failed 0 answered 1']);
    },
  );

  test('is let go of, however long it is', async () => {
    await using balancer = await Balancer.open([replying(500, 10_000_000), replying(200, 10)]);
    expect(await asked(balancer)).toEqual([200, 'r1']);
    await balancer.settled();
  });

  test('is passed on where no replica does better, and then nobody is to blame', async () => {
    await using balancer = await Balancer.open([
      replying(500),
      replying(503),
      replying(502, 7),
      replying(200),
    ]);
    const reply = await balancer.fetch('/');
    expect([reply.status, await reply.text()]).toEqual([502, 'x'.repeat(7)]);
    expect(balancer.seen).toEqual([1, 1, 1, 0]);
    expect(told(balancer)).toEqual([0, 1, 2].map((i) => `r${i} failed 0 answered 0`));
  });

  test('is passed on where there is no other, and then tells nothing', async () => {
    await using balancer = await Balancer.open([replying(500)]);
    expect(await asked(balancer)).toEqual([500, 'r0']);
    expect(told(balancer)).toEqual(['r0 failed 0 answered 0']);
  });

  test('of 503 with Retry-After is put to the next, too, and nobody is to blame: it sheds what is too much', async () => {
    const shedding: Answer = ({ socket }) =>
      void socket.write('HTTP/1.1 503 Full\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n');
    await using balancer = await Balancer.open([shedding, replying(200)]);
    expect(await asked(balancer)).toEqual([200, 'r1']);
    expect(await asked(balancer, 'POST')).toEqual([503, 'r0']);
    expect(balancer.leases.every(({ failures }) => failures === 0)).toBe(true);
  });

  test('is not passed on for a client error of the next, but nobody is to blame', async () => {
    await using balancer = await Balancer.open([replying(503), replying(404)]);
    expect(await asked(balancer)).toEqual([404, 'r1']);
    expect(told(balancer)).toEqual(['r0 failed 0 answered 0', 'r1 failed 0 answered 1']);
  });

  test('with RETRIES=0 is passed on, and tells nothing', async () => {
    await using balancer = await Balancer.open([replying(500), replying(200)], { retries: 0 });
    expect(await asked(balancer)).toEqual([500, 'r0']);
    expect(told(balancer)).toEqual(['r0 failed 0 answered 0']);
  });
});

describe('a reply that does not come', () => {
  const ends: Answer = ({ socket }) => void socket.end();

  test('has failed where the next replica has anything to say', async () => {
    await using balancer = await Balancer.open([ends, replying(404)]);
    expect(await asked(balancer)).toEqual([404, 'r1']);
    expect(told(balancer)).toEqual(['r0 failed 1 answered 0', 'r1 failed 0 answered 1']);
  });

  test('tells nothing where no replica does better, but that it is to be looked at', async () => {
    await using balancer = await Balancer.open([ends, ends, ends]);
    expect((await asked(balancer))[0]).toBe(502);
    expect(balancer.leases.map(({ failures, suspicions }) => [failures, suspicions])).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
  });

  test('to what can’t be sent again has failed', async () => {
    await using balancer = await Balancer.open([ends, replying(200)]);
    expect((await asked(balancer, 'POST'))[0]).toBe(502);
    expect(told(balancer)).toEqual(['r0 failed 1 answered 0']);
  });
});

test.each(UNSAFE)('a failing reply to %s is the client’s, and tells nothing', async (method) => {
  await using balancer = await Balancer.open([replying(500), replying(200)]);
  expect(await asked(balancer, method)).toEqual([500, 'r0']);
  expect(balancer.seen).toEqual([1, 0]);
  expect(told(balancer)).toEqual(['r0 failed 0 answered 0']);
});

test('a reply is an answer when it is whole, not before, and a failure where it breaks off', async () => {
  await using balancer = await Balancer.open([
    ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nhello'),
  ]);
  const reply = await balancer.fetch('/');
  expect(told(balancer)).toEqual(['r0 failed 0 answered 0']);
  (await balancer.upstream(0).exchange(0)).socket.destroy();
  await expect(reply.arrayBuffer()).rejects.toThrow();
  await balancer.settled();
  expect(told(balancer)).toEqual(['r0 failed 1 answered 0']);
});

describe('requests in flight at one replica', () => {
  test('are limited, 503 says so at once, and each that ends makes room', async () => {
    const most = 3;
    const waiting: (() => void)[] = [];
    const address = { host: '127.0.0.1', port: 1 };
    const leases: CountedLease[] = [];
    const forwarder = new Forwarder({
      send: async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return new Response(null);
      },
      claim: (key) => {
        const lease = new CountedLease(key, 'r0', address);
        leases.push(lease);
        return lease;
      },
      config: parseConfig({ REPLICA_IN_FLIGHT_MAX: String(most) }),
    });
    const forward = (): Promise<number> =>
      forwarder.forward(new Request('http://localhost/'), '127.0.0.1').then((reply) => reply.status);
    for (let round = 0; round < 3; round++) {
      const pending = Array.from({ length: most }, forward);
      await expect(forward()).rejects.toMatchObject({ status: 503 });
      for (const go of waiting.splice(0)) go();
      expect(await Promise.all(pending)).toEqual(Array.from({ length: most }, () => 200));
    }
    expect(leases.every(({ releases }) => releases === 1)).toBe(true);
  });
});
