import { describe, expect, test } from 'bun:test';
import { Circle } from '../../src/ring/circle.ts';
import { ALGORITHMS } from '../../src/ring/placement.ts';
import { Balancer } from './balancer.ts';

interface Told {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(balancer: Balancer, query: string, peer = '127.0.0.1'): Promise<Told> {
  const { status, text } = await balancer.call('GET', `/explain${query}`, undefined, { headers: {}, peer });
  return { status, body: JSON.parse(text) as Record<string, unknown> };
}

describe('GET /explain', () => {
  test.each(ALGORITHMS)('with %s tells where the key falls, and who owns it', async (hash) => {
    const balancer = await Balancer.opened({ HASH: hash });
    const { fleet } = balancer;
    const { ring } = fleet;
    const { status, body } = await ask(balancer, '?id=42');
    expect([status, body]).toEqual([
      200,
      {
        key: '42',
        id: 42,
        hash: ring.hash('42').toString(16).padStart(8, '0'),
        algorithm: hash,
        position: ring.positionOf('42'),
        positions: ring.positions,
        ...(ring instanceof Circle ? { point: ring.pointAt(ring.hash('42')) as number } : {}),
        home: ring.owner('42') as string,
        owner: fleet.owner('42') as string,
        goes_to: ring.owner('42') as string,
        preference: ring.preference('42'),
        passed_over: [],
      },
    ]);
  });

  test.each(['alice@example.com', 'a b/ü&=+%', '<b>', '0042', ' ', 'k'.repeat(7000)])(
    'of the key %p says what becomes of it, to whoever may read',
    async (key) => {
      const balancer = await Balancer.opened({ ADMIN_TOKEN: 'correct-horse-battery' });
      const { fleet } = balancer;
      const { status, body } = await ask(balancer, `?${new URLSearchParams({ key })}`, '203.0.113.9');
      expect([status, body['key'], body['owner']]).toEqual([200, key, fleet.owner(key) as string]);
      expect(body).not.toHaveProperty('id');
    },
  );

  const WHICH = 'Give one of id and key, once: ?id=42 or ?key=alice';
  const ID = 'id must be a whole number in plain decimal digits, such as 42, and be there once';
  test.each([
    ['', WHICH],
    ['?', WHICH],
    ['?x=1', WHICH],
    ['?id=1&id=1', WHICH],
    ['?key=a&key=a', WHICH],
    ['?id=1&key=1', WHICH],
    ['?id=&key=', WHICH],
    ['?id=', ID],
    ['?id=042', ID],
    ['?id=1.5', ID],
    ['?id=1e3', ID],
    ['?id=%2042', ID],
    [`?id=${'9'.repeat(17)}`, ID],
    ['?key=', 'key is empty: a request without a key goes to a replica by chance'],
  ])('with %p is refused', async (query, message) => {
    const balancer = await Balancer.opened();
    expect(await ask(balancer, query)).toEqual({
      status: 400,
      body: { message: `<Error> ${message}`, status: 'failure' },
    });
  });

  test('says who was passed over, and why, until it is back', async () => {
    const balancer = await Balancer.opened();
    const { fleet } = balancer;
    const home = fleet.owner('42') as string;
    const lease = fleet.claim('42');
    lease?.unreachable();
    const { body } = await ask(balancer, '?id=42');
    expect(body).toMatchObject({
      home,
      owner: fleet.owner('42') as string,
      goes_to: fleet.owner('42') as string,
      passed_over: [
        { replica: home, reason: 'ejected', detail: 'off the ring until it answers: connection refused' },
      ],
    });
    expect(body['owner']).not.toBe(home);
    expect((body['preference'] as string[])[0]).toBe(home);
    lease?.release();
  });

  // What went wrong: it refused where nobody was ready, which is when somebody wants to know why.
  test('says of each why it is passed over, where nobody is ready', async () => {
    const balancer = await Balancer.opened();
    const { fleet } = balancer;
    const names = fleet.names();
    for (const name of names) {
      const lease = fleet.claim('1', new Set(names.filter((other) => other !== name)));
      lease?.unreachable();
      lease?.release();
    }
    expect(fleet.ring.names).toEqual([]);
    const { status, body } = await ask(balancer, '?id=1');
    expect([status, body['owner'], body['goes_to']]).toEqual([200, null, null]);
    const passed = body['passed_over'] as { replica: string; reason: string }[];
    expect(passed.map(({ replica }) => replica)).toEqual(body['preference'] as string[]);
    expect(passed.map(({ reason }) => reason)).toEqual(['ejected', 'ejected', 'ejected']);
  });

  test('claims nothing, and is told to come back where nobody is there', async () => {
    const balancer = await Balancer.opened();
    const { fleet } = balancer;
    for (let i = 0; i < 10; i++) await ask(balancer, `?id=${i}`);
    expect(fleet.replicas().map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    await fleet.remove({ n: 3, hostnames: [] });
    expect(await ask(balancer, '?id=1')).toEqual({
      status: 503,
      body: { message: '<Error> There is no replica: /add some', status: 'failure' },
    });
  });
});

test('where a request goes is where the explanation says, whoever is off the ring', async () => {
  const { fleet } = await Balancer.opened({ REPLICAS: '5' });
  for (const off of [0, 1, 2]) {
    if (off > 0) {
      const lease = fleet.claim(String(off));
      lease?.unreachable();
      lease?.release();
    }
    for (let id = 0; id < 200; id++) {
      const key = String(id);
      const except = new Set(id % 3 === 0 ? [fleet.owner(key) as string] : []);
      const { goesTo } = fleet.explain(key, except);
      const lease = fleet.claim(key, except);
      expect(lease?.replica).toBe(goesTo as string);
      lease?.release();
    }
  }
});
