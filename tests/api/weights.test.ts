import { describe, expect, test } from 'bun:test';
import { Balancer, JSON_BODY, type Call } from './balancer.ts';

type Said = [status: number, reply: unknown];

async function said(
  balancer: Balancer,
  method: string,
  path: string,
  body: unknown,
  call?: Call,
): Promise<Said> {
  const { status, text } = await balancer.call(method, path, body, call);
  return [status, JSON.parse(text)];
}

const refused = (status: number, message: string): [number, object] => [
  status,
  { message: `<Error> ${message}`, status: 'failure' },
];

describe('what is said of weights that can not be', () => {
  const NO_NUMBERS = 'weights must be whole numbers by name: {"server-1":2}';
  test.each([
    [{ weights: { 'server-1': 0 } }, 400, 'The weight of server-1 must be a whole number from 1 to 100'],
    [{ weights: { 'server-1': 101 } }, 400, 'The weight of server-1 must be a whole number from 1 to 100'],
    [{ weights: { 'server-1': 1.5 } }, 400, NO_NUMBERS],
    [{ weights: { 'server-1': '3' } }, 400, NO_NUMBERS],
    [{ weights: [2] }, 400, NO_NUMBERS],
    [{ weights: null }, 400, NO_NUMBERS],
    [{}, 400, NO_NUMBERS],
    [{ weights: {} }, 400, 'Name at least one replica in weights: {"weights":{"server-1":2}}'],
    [{ weight: { 'server-1': 2 } }, 400, NO_NUMBERS],
    [
      { weights: { 'server-1': 2 }, n: 1 },
      400,
      'The body must be JSON with weights by name: {"weights":{"server-1":2}}',
    ],
    [{ weights: { nobody: 2 } }, 404, 'Hostname nobody is not a replica: /rep lists those that are'],
  ] as const)('POST /weights %j', async (body, status, message) => {
    const balancer = await Balancer.timed();
    expect(await said(balancer, 'POST', '/weights', body)).toEqual(refused(status, message));
  });

  test.each([
    [{ n: 1, hostnames: ['a'], weights: { a: 1.5 } }, 'weights must be whole numbers by name: {"a":3}'],
    [{ n: 1, hostnames: ['a'], weights: { a: 0 } }, 'The weight of a must be a whole number from 1 to 100'],
    [
      { n: 1, hostnames: ['a'], weights: { b: 2 } },
      'weights has b, which hostnames has not: a weight is for one that is named',
    ],
  ])('POST /add %j', async (body, message) => {
    const balancer = await Balancer.timed();
    expect(await said(balancer, 'POST', '/add', body)).toEqual(refused(400, message));
    expect(balancer.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
  });

  test('DELETE /rm takes none, and says what it takes', async () => {
    const balancer = await Balancer.timed();
    expect(await said(balancer, 'DELETE', '/rm', { n: 1, weights: { 'server-1': 2 } })).toEqual(
      refused(400, 'The body must be JSON with n and, if wished, hostnames: {"n":2,"hostnames":["a"]}'),
    );
  });

  test('with HASH=course there are none', async () => {
    const balancer = await Balancer.timed({ HASH: 'course' });
    expect(await said(balancer, 'POST', '/weights', { weights: { 'server-1': 2 } })).toEqual(
      refused(400, 'With HASH=course every weight is 1: choose another HASH for others'),
    );
  });
});

describe('POST /weights', () => {
  test('is a change: where there is a token it is needed', async () => {
    const balancer = await Balancer.timed({ ADMIN_TOKEN: 'correct-horse-battery' });
    const body = { weights: { 'server-1': 2 } };
    expect((await said(balancer, 'POST', '/weights', body))[0]).toBe(401);
    expect((await said(balancer, 'POST', '/weights?dry_run=true', body))[0]).toBe(401);
    const headers = { ...JSON_BODY, authorization: 'Bearer correct-horse-battery' };
    expect(await said(balancer, 'POST', '/weights', body, { headers })).toEqual([
      200,
      { message: { weights: { 'server-1': 2, 'server-2': 1, 'server-3': 1 } }, status: 'successful' },
    ]);
  });
});

describe('GET /ring', () => {
  const replicas = async (balancer: Balancer): Promise<unknown> =>
    ((await said(balancer, 'GET', '/ring', undefined))[1] as { replicas: unknown }).replicas;

  test('tells of each replica its weight, and where it starts slowly what it has of that', async () => {
    const balancer = await Balancer.timed({ SLOW_START_MS: '1000', REPLICAS: '1' });
    await balancer.clock.until(balancer.fleet.add({ n: 1, hostnames: ['a'], weights: { a: 4 } }));
    const first = { name: 'server-1', weight: 1, state: 'ready' };
    expect(await replicas(balancer)).toEqual([
      { name: 'a', weight: 4, effective_weight: 0.25, state: 'ready' },
      first,
    ]);
    await balancer.clock.advance(1100);
    expect(await replicas(balancer)).toEqual([{ name: 'a', weight: 4, state: 'ready' }, first]);
  });
});
