import { describe, expect, test } from 'bun:test';
import { Elysia } from 'elysia';
import { failureReply } from '../../src/api/errors.ts';
import { CHANGE_BODY_BYTES_MAX } from '../../src/api/guard.ts';
import { planApi } from '../../src/api/plan.ts';
import { WAITING_MAX } from '../../src/api/throttle.ts';
import { placementOf } from '../../src/ring/algorithms.ts';
import { movement } from '../../src/ring/movement.ts';
import { ALGORITHMS, sitesOf } from '../../src/ring/placement.ts';
import { Ring } from '../../src/ring/ring.ts';
import { Balancer, JSON_BODY } from './balancer.ts';

const TOKEN = 'correct-horse-battery';
/** Of documentation (RFC 5737): nobody's, and not private. */
const STRANGER = '203.0.113.9';
const FIRST = ['server-1', 'server-2', 'server-3'];

interface Report {
  readonly add?: string[];
  readonly rm?: string[];
  readonly moved: number;
  readonly least: number;
  readonly moves: { readonly from: string | null; readonly to: string | null; readonly share: number }[];
  readonly before: Record<string, number>;
  readonly after: Record<string, number>;
  readonly hash?: { readonly before: string; readonly after: string };
  readonly largest_over_mean: { readonly before: number | null; readonly after: number | null };
}

async function reported(balancer: Balancer, method: string, path: string, body: unknown): Promise<Report> {
  const { status, text } = await balancer.call(method, path, body);
  expect([status, text.slice(0, 200)]).toEqual([200, text.slice(0, 200)]);
  return JSON.parse(text) as Report;
}

/** Owners of so many ids. */
function ownersAt({ fleet }: Balancer, ids = 20_000): string[] {
  return Array.from({ length: ids }, (_, id) => fleet.owner(String(id)) as string);
}

/** All that a call could change. */
function stateOf({ fleet }: Balancer): string {
  const replicas = fleet.everyone().map(({ name, state, startedAtMs }) => [name, state, startedAtMs]);
  return JSON.stringify([replicas, fleet.standing().digest, fleet.names()]);
}

describe('POST /plan', () => {
  test('tells what moves between the members of now and those of after it', async () => {
    const balancer = await Balancer.opened();
    const report = await reported(balancer, 'POST', '/plan', { add: ['a', 'b'], rm: ['SERVER-2'] });
    const found = movement(Ring.of(FIRST), Ring.of(['server-1', 'server-3', 'a', 'b']));
    expect(report).toEqual({
      moved: found.moved,
      least: 1 / 2,
      moves: [...found.moves],
      before: Object.fromEntries(found.before.shares),
      after: Object.fromEntries(found.after.shares),
      largest_over_mean: { before: found.before.largestOverMean, after: found.after.largestOverMean },
    });
    expect(report.moves.reduce((sum, { share }) => sum + share, 0)).toBe(report.moved);
    expect(Object.keys(report)).toEqual(['moved', 'least', 'moves', 'before', 'after', 'largest_over_mean']);
  });

  test('to nobody and from nobody all moves', async () => {
    const balancer = await Balancer.opened();
    const emptied = await reported(balancer, 'POST', '/plan', { rm: FIRST });
    expect([emptied.moved, emptied.least, emptied.after]).toEqual([1, 1, {}]);
    expect(emptied.largest_over_mean.after).toBeNull();
    for (const { to } of emptied.moves) expect(to).toBeNull();
    await balancer.fleet.remove({ n: 3, hostnames: [] });
    const first = await reported(balancer, 'POST', '/plan', { add: ['a'] });
    expect(first.moves).toEqual([{ from: null, to: 'a', share: 1 }]);
    expect(first.largest_over_mean).toEqual({ before: null, after: 1 });
  });

  test('counts members that are off the ring just now', async () => {
    const balancer = await Balancer.opened();
    const lease = balancer.fleet.claim('42');
    const { ring } = balancer.fleet;
    lease?.unreachable();
    expect(balancer.fleet.ring.names).toHaveLength(2);
    const { before } = await reported(balancer, 'POST', '/plan', { add: ['a'] });
    expect(before).toEqual(Object.fromEntries(ring.share()));
    lease?.release();
  });

  test('takes names that every object has, and names that are numbers', async () => {
    const { after } = await reported(await Balancer.opened(), 'POST', '/plan', {
      add: ['constructor', 'toString', '7'],
    });
    expect(Object.keys(after).sort()).toEqual(['7', 'constructor', ...FIRST, 'toString']);
    for (const share of Object.values(after)) expect(share).toBeGreaterThan(0.1);
  });

  test('weighs those who join and those who stay, by name', async () => {
    const balancer = await Balancer.opened();
    const report = await reported(balancer, 'POST', '/plan', {
      add: ['a'],
      rm: ['server-2'],
      weights: { A: 3, 'Server-1': 2 },
    });
    const after = [
      { name: 'server-1', weight: 2 },
      { name: 'server-3', weight: 1 },
      { name: 'a', weight: 3 },
    ];
    const found = movement(Ring.of(FIRST), Ring.of(after));
    expect([report.moved, report.least, report.largest_over_mean.after]).toEqual([
      found.moved,
      found.least,
      found.after.largestOverMean,
    ]);
    expect(report.after).toEqual(Object.fromEntries(found.after.shares));
    // The largest share is that of the heaviest, and no larger than it is due.
    expect(report.after['a']).toBeCloseTo(1 / 2, 1);
    expect(report.largest_over_mean.after).toBeLessThan(1.1);
    expect(Object.keys(report)).not.toContain('hash');
  });

  test.each(ALGORITHMS)('tells what %s would move in the place of the ring', async (hash) => {
    const balancer = await Balancer.opened();
    const report = await reported(balancer, 'POST', '/plan', { hash });
    const [ring, other] = [Ring.of(FIRST), placementOf(hash, sitesOf(FIRST))];
    expect(report.hash).toEqual({ before: 'ring', after: hash });
    expect(report.after).toEqual(Object.fromEntries(other.share()));
    expect(report.least).toBe(0);
    const ids = Array.from({ length: 20_000 }, (_, id) => String(id * 7919));
    const moved = ids.filter((id) => ring.owner(id) !== other.owner(id)).length / ids.length;
    // The assignment's map follows the number itself, not a hash of it: of ids it is no sample.
    if (hash !== 'course') expect(Math.abs(report.moved - moved)).toBeLessThan(0.02);
    expect(report.moves.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(report.moved, 9);
    expect(balancer.fleet.ring.algorithm).toBe('ring');
  });

  test('is refused for more replicas than the map of course has room for', async () => {
    const balancer = await Balancer.opened({ MAX_REPLICAS: '300', REPLICAS: '57' });
    const reply = await balancer.call('POST', '/plan', { hash: 'course' });
    expect([reply.status, reply.text]).toEqual([
      400,
      expect.stringContaining('has room for 56 replicas, not for 57'),
    ]);
    expect((await balancer.call('POST', '/plan', { hash: 'course', rm: ['server-9'] })).status).toBe(200);
  });

  test('lists the largest moves alone where there are very many', async () => {
    const balancer = await Balancer.opened({ MAX_REPLICAS: '300', REPLICAS: '150' });
    const names = Array.from({ length: 150 }, (_, i) => `n${i}`);
    const report = await reported(balancer, 'POST', '/plan', { add: names, rm: balancer.fleet.names() });
    expect([report.moves.length, report.moved]).toEqual([10_000, 1]);
  });

  const LIST = 'must be a list of texts';
  const BODY =
    'The body must be JSON with one or more of add, rm, weights and hash: {"add":["a"],"rm":["server-1"]}';
  const EMPTY = 'Name at least one replica, in add, rm or weights, or a hash';
  const NUMBERS = 'weights must be whole numbers by name: {"server-2":2}';
  test.each([
    ['', 400, 'The body is not JSON'],
    ['{', 400, 'The body is not JSON'],
    ['[]', 400, BODY],
    ['null', 400, BODY],
    ['"add"', 400, BODY],
    ['{}', 400, EMPTY],
    ['{"add":[],"rm":[]}', 400, EMPTY],
    ['{"add":"a"}', 400, `add ${LIST}`],
    ['{"add":[1]}', 400, `add ${LIST}`],
    ['{"add":null}', 400, `add ${LIST}`],
    ['{"add":["a"],"rm":{}}', 400, `rm ${LIST}`],
    ['{"add":["a"],"remove":["b"]}', 400, BODY],
    ['{"add":["a"],"address":1}', 400, BODY],
    ['{"n":1}', 400, BODY],
    ['{"weights":{}}', 400, EMPTY],
    ['{"weights":[]}', 400, NUMBERS],
    ['{"weights":{"server-1":1.5}}', 400, NUMBERS],
    ['{"weights":{"server-1":"2"}}', 400, NUMBERS],
    ['{"weights":{"server-1":0}}', 400, 'The weight of server-1 must be a whole number from 1 to 100'],
    ['{"weights":{"server-1":101}}', 400, 'The weight of server-1 must be a whole number from 1 to 100'],
    ['{"weights":{"b":2}}', 404, 'Hostname b is not a replica: /rep lists those that are'],
    ['{"weights":{"__proto__":2}}', 400, 'A hostname is 1 to 63 letters'],
    [
      '{"rm":["server-1"],"weights":{"SERVER-1":2}}',
      400,
      'Hostname SERVER-1 is to leave: it has no weight then',
    ],
    ['{"hash":"md5"}', 400, 'hash must be one of ring, maglev, rendezvous, course, nginx, ketama'],
    ['{"hash":1}', 400, 'hash must be one of ring, maglev, rendezvous, course, nginx, ketama'],
    ['{"hash":"course","weights":{"server-1":2}}', 400, 'With HASH=course every weight is 1'],
    ['{"add":["a"],"__proto__":1}', 400, BODY],
    ['{"add":["-"]}', 400, 'A hostname is 1 to 63 letters'],
    ['{"rm":["a b"]}', 400, 'A hostname is 1 to 63 letters'],
    ['{"add":["a","A"]}', 400, 'Hostname A is there twice'],
    ['{"rm":["server-1","SERVER-1"]}', 400, 'Hostname SERVER-1 is there twice'],
    ['{"add":["server-1"],"rm":["server-1"]}', 400, 'Hostname server-1 is to join and to leave'],
    ['{"add":["a"],"rm":["b"]}', 404, 'Hostname b is not a replica: /rep lists those that are'],
    ['{"add":["SERVER-1"]}', 409, 'Hostname SERVER-1 is taken: choose a name that /rep does not list'],
    ['{"add":["a","b"]}', 413, '3 replicas and 2 more would be over the limit of 4'],
    ['{"add":["a","b","c"],"rm":["server-1"]}', 413, '2 replicas and 3 more would be over the limit of 4'],
  ])('with %s is refused with %d, and changes nothing', async (body, status, message) => {
    const balancer = await Balancer.opened({ MAX_REPLICAS: '4' });
    const before = stateOf(balancer);
    const reply = await balancer.call('POST', '/plan', body);
    expect([reply.status, reply.text]).toEqual([
      status,
      expect.stringContaining(JSON.stringify(`<Error> ${message}`).slice(0, -1)),
    ]);
    expect(stateOf(balancer)).toBe(before);
  });

  test('is open to whoever may read, and a dry run to whoever may change', async () => {
    for (const env of [{}, { ADMIN_TOKEN: TOKEN }]) {
      const balancer = await Balancer.opened(env);
      const before = stateOf(balancer);
      const stranger = { peer: STRANGER };
      expect((await balancer.call('POST', '/plan', { add: ['a'] }, stranger)).status).toBe(200);
      const refusal = 'ADMIN_TOKEN' in env ? 401 : 403;
      for (const [method, path] of [
        ['POST', '/add'],
        ['DELETE', '/rm'],
      ] as const)
        expect((await balancer.call(method, `${path}?dry_run=true`, { n: 1 }, stranger)).status).toBe(
          refusal,
        );
      expect(stateOf(balancer)).toBe(before);
    }
    const guarded = await Balancer.opened({ ADMIN_TOKEN: TOKEN });
    const headers = { ...JSON_BODY, authorization: `Bearer ${TOKEN}` };
    expect((await guarded.call('POST', '/add?dry_run=true', { n: 1 }, { headers })).status).toBe(200);
  });

  test('from a page of another site changes nothing, and can not be read there', async () => {
    const balancer = await Balancer.opened();
    const before = stateOf(balancer);
    const crossSite = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' };
    // What a page may send without asking first is no JSON; and when it asks, it is not told that it may.
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '',
    ])
      expect(
        (
          await balancer.call('POST', '/plan', '{"add":["a"]}', {
            headers: { ...crossSite, 'content-type': type },
          })
        ).status,
      ).toBe(415);
    const asked = await balancer.call('OPTIONS', '/plan', undefined, {
      headers: { ...crossSite, 'access-control-request-method': 'POST' },
    });
    const forced = await balancer.call(
      'POST',
      '/plan',
      { add: ['a'] },
      { headers: { ...crossSite, ...JSON_BODY } },
    );
    expect([asked.status, forced.status]).toEqual([405, 200]);
    for (const { headers } of [asked, forced])
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(stateOf(balancer)).toBe(before);
  });

  test('takes no other method, and no body over the limit', async () => {
    const balancer = await Balancer.opened();
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      const reply = await balancer.call(method, '/plan');
      expect([method, reply.status, reply.headers.get('allow')]).toEqual([method, 405, 'POST']);
    }
    const large = `{"add":["${'a'.repeat(CHANGE_BODY_BYTES_MAX)}"]}`;
    expect((await balancer.call('POST', '/plan', large)).status).toBe(413);
    expect((await balancer.call('POST', '/plan/', { add: ['a'] })).status).toBe(200);
  });

  test('that a crowd asks is worked out one at a time, and what is too much told to come back', async () => {
    const { fleet } = await Balancer.opened();
    const pauses: (() => void)[] = [];
    const clock = {
      now: () => 0,
      sleep: () => new Promise<void>((resolve) => void pauses.push(resolve)),
    };
    const app = new Elysia({ normalize: false })
      .onError({ as: 'global' }, ({ code, error }) => failureReply({ code, error }))
      .use(planApi(fleet, clock));
    const ask = (): Promise<Response> =>
      app.handle(
        new Request('http://localhost/plan', { method: 'POST', headers: JSON_BODY, body: '{"add":["a"]}' }),
      );
    expect((await ask()).status).toBe(200);
    const asked = Array.from({ length: WAITING_MAX + 10 }, ask);
    const first = await Promise.race(asked);
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '1']);
    const statuses: number[] = [];
    for (const one of asked) void one.then(({ status }) => statuses.push(status));
    // Nobody else has a turn until the pause after the first is over.
    for (let turns = 1; turns <= WAITING_MAX; turns++) {
      expect(pauses).toHaveLength(turns);
      pauses.at(-1)?.();
      while (pauses.length === turns) await Promise.resolve();
    }
    await Promise.all(asked);
    expect(statuses.filter((status) => status === 503)).toHaveLength(10);
    expect(statuses.filter((status) => status === 200)).toHaveLength(WAITING_MAX);
  });
});

describe('what was planned is what then happens', () => {
  type Change = readonly [
    method: string,
    path: string,
    body: {
      readonly n?: number;
      readonly hostnames?: string[];
      readonly weights?: Readonly<Record<string, number>>;
    },
  ];
  const rows: readonly [name: string, proposal: object, changes: readonly Change[]][] = [
    ['one joins', { add: ['a'] }, [['POST', '/add', { n: 1, hostnames: ['a'] }]]],
    ['five join', { add: [...'abcde'] }, [['POST', '/add', { n: 5, hostnames: [...'abcde'] }]]],
    ['one leaves', { rm: ['server-2'] }, [['DELETE', '/rm', { n: 1, hostnames: ['server-2'] }]]],
    [
      'one takes the place of another',
      { add: ['a'], rm: ['server-1'] },
      [
        ['DELETE', '/rm', { n: 1, hostnames: ['server-1'] }],
        ['POST', '/add', { n: 1, hostnames: ['a'] }],
      ],
    ],
    [
      'one joins that weighs more',
      { add: ['a'], weights: { a: 3 } },
      [['POST', '/add', { n: 1, hostnames: ['a'], weights: { a: 3 } }]],
    ],
    [
      'one that stays weighs more',
      { weights: { 'server-2': 2 } },
      [['POST', '/weights', { weights: { 'server-2': 2 } }]],
    ],
    [
      'one leaves, one joins and one weighs more',
      { add: ['a'], rm: ['server-1'], weights: { 'server-3': 4, a: 2 } },
      [
        ['DELETE', '/rm', { n: 1, hostnames: ['server-1'] }],
        ['POST', '/add', { n: 1, hostnames: ['a'], weights: { a: 2 } }],
        ['POST', '/weights', { weights: { 'server-3': 4 } }],
      ],
    ],
    [
      'two leave and four join',
      { add: [...'abcd'], rm: ['server-1', 'server-3'] },
      [
        ['POST', '/add', { n: 4, hostnames: [...'abcd'] }],
        ['DELETE', '/rm', { n: 2, hostnames: ['server-3', 'server-1'] }],
      ],
    ],
  ];

  // Ids are a sample of the key space: beyond five standard deviations, which chance exceeds once in 1.7 million times,
  // the plan was wrong.
  const expectTrue = (
    plan: Report,
    owners: readonly string[],
    then: readonly string[],
    { needless = false, heavier = [] }: { needless?: boolean; heavier?: readonly string[] } = {},
  ): void => {
    const near = (share: number, count: number): void => {
      const deviation = Math.max(1, Math.sqrt(owners.length * share * (1 - share)));
      expect(Math.abs(count - owners.length * share)).toBeLessThanOrEqual(5 * deviation);
    };
    near(plan.moved, owners.filter((owner, id) => owner !== then[id]).length);
    for (const { from, to, share } of plan.moves)
      near(share, owners.filter((owner, id) => owner === from && then[id] === to).length);
    // Between two that stay no id moves but to one that weighs more, where the algorithm keeps that.
    if (!needless)
      for (const [id, owner] of owners.entries())
        if (owner !== then[id] && !heavier.includes(then[id] as string))
          expect([owner in plan.after, (then[id] as string) in plan.before]).not.toEqual([true, true]);
    for (const [name, share] of Object.entries(plan.after))
      near(share, then.filter((one) => one === name).length);
  };

  for (const hash of ['ring', 'maglev', 'rendezvous'] as const)
    test.each(rows)(`with ${hash}, where %s`, async (_, proposal, changes) => {
      const balancer = await Balancer.opened({ HASH: hash });
      const owners = ownersAt(balancer);
      const state = stateOf(balancer);
      const plan = await reported(balancer, 'POST', '/plan', proposal);
      expect([stateOf(balancer), ownersAt(balancer, 100)]).toEqual([state, owners.slice(0, 100)]);
      for (const [method, path, body] of changes)
        expect((await balancer.call(method, path, body)).status).toBe(200);
      expectTrue(plan, owners, ownersAt(balancer), {
        needless: hash === 'maglev',
        heavier: Object.keys('weights' in proposal ? (proposal.weights as object) : {}),
      });
    });

  test.each([
    ['ring', 'maglev'],
    ['ring', 'rendezvous'],
    ['ring', 'ketama'],
    ['maglev', 'ring'],
    ['rendezvous', 'nginx'],
    ['course', 'ring'],
  ] as const)('where %s gives way to %s', async (hash, next) => {
    const balancer = await Balancer.opened({ HASH: hash, REPLICAS: '5' });
    const plan = await reported(balancer, 'POST', '/plan', { hash: next });
    const then = await Balancer.opened({ HASH: next, REPLICAS: '5' });
    // The map of course follows the number itself: ids one after the other are all of its key space, and no sample.
    const ids = hash === 'course' ? 512 * 40 : 20_000;
    expectTrue(plan, ownersAt(balancer, ids), ownersAt(then, ids), { needless: true });
  });

  test.each<Change>([
    ['POST', '/add', { n: 1 }],
    ['POST', '/add', { n: 3, hostnames: ['server-5'] }],
    ['DELETE', '/rm', { n: 1 }],
    ['DELETE', '/rm', { n: 2, hostnames: ['SERVER-1'] }],
  ])('where %s %s %j was tried out first, with the same names', async (method, path, body) => {
    const balancer = await Balancer.opened();
    const [owners, names, state] = [ownersAt(balancer), balancer.fleet.names(), stateOf(balancer)];
    const plan = await reported(balancer, method, `${path}?dry_run=true`, body);
    expect(Object.keys(plan)[0]).toBe(path.slice(1));
    expect(stateOf(balancer)).toBe(state);
    expect((await balancer.call(method, path, body)).status).toBe(200);
    const now = balancer.fleet.names();
    const joined = now.filter((name) => !names.includes(name));
    const left = names.filter((name) => !now.includes(name));
    expect([plan.add ?? [], plan.rm?.toSorted() ?? []]).toEqual([joined, left.toSorted()]);
    expectTrue(plan, owners, ownersAt(balancer));
  });
});

describe('a dry run', () => {
  test('says the same as the plan for the same names', async () => {
    const balancer = await Balancer.opened();
    const { add, ...joining } = await reported(balancer, 'POST', '/add?dry_run=true', {
      n: 2,
      hostnames: ['a'],
    });
    expect(add).toEqual(['a', 'server-4']);
    expect(joining).toEqual(await reported(balancer, 'POST', '/plan', { add }));
    const { rm, ...leaving } = await reported(balancer, 'DELETE', '/rm?dry_run=true', {
      n: 2,
      hostnames: ['server-1'],
    });
    expect(rm).toEqual(['server-1', 'server-3']);
    expect(leaving).toEqual(await reported(balancer, 'POST', '/plan', { rm }));
  });

  test.each([
    ['POST', '/add', '{"n":1,"hostnames":["x","y"]}'],
    ['POST', '/add', '{"n":0}'],
    ['POST', '/add', '{"n":1,"hostname":["x"]}'],
    ['POST', '/add', '{"n":1,"hostnames":["-"]}'],
    ['POST', '/add', '{"n":2,"hostnames":["x","X"]}'],
    ['POST', '/add', '{"n":1,"hostnames":["server-1"]}'],
    ['POST', '/add', '{"n":62}'],
    ['POST', '/add', '{'],
    ['DELETE', '/rm', '{"n":1,"hostnames":["x","y"]}'],
    ['DELETE', '/rm', '{"n":1,"hostnames":["x"]}'],
    ['DELETE', '/rm', '{"n":1,"hostnames":["a b"]}'],
    ['DELETE', '/rm', '{"n":4}'],
    ['DELETE', '/rm', '{"n":"1"}'],
  ])('%s %s %s is refused in the same words as the call', async (method, path, body) => {
    const balancer = await Balancer.opened();
    const real = await balancer.call(method, path, body);
    const dry = await balancer.call(method, `${path}?dry_run=true`, body);
    expect(real.status).toBeGreaterThanOrEqual(400);
    expect([dry.status, dry.text]).toEqual([real.status, real.text]);
  });

  test.each([
    '?dry_run',
    '?dry_run=',
    '?dry_run=1',
    '?dry_run=yes',
    '?dry_run=True',
    '?dry_run=TRUE',
    '?dry_run=%20true',
    '?dry_run=true&dry_run=true',
    '?dry_run=false&dry_run=true',
    '?x=1&dry_run=no',
    // Meant so, and not understood, it would be a change.
    '?dryrun=true',
    '?dryRun=true',
    '?dry-run=true',
    '?DRY_RUN=true',
    '?dry%2Drun=true',
    '?dry_run=true&dryRun=false',
  ])('that is asked for by %s is none, nor is it a change', async (query) => {
    const balancer = await Balancer.opened();
    const before = stateOf(balancer);
    for (const [method, path] of [
      ['POST', '/add'],
      ['DELETE', '/rm'],
    ] as const) {
      const reply = await balancer.call(method, path + query, { n: 1 });
      expect([reply.status, JSON.parse(reply.text)]).toEqual([
        400,
        {
          message: '<Error> dry_run must be true or false, and be there once: ?dry_run=true',
          status: 'failure',
        },
      ]);
    }
    expect(stateOf(balancer)).toBe(before);
  });

  test.each(['', '?dry_run=false', '?x=1', '?dry_run_=true', '?xdry_run=true'])(
    'is not what %j asks for: the replicas change, and the answer is what it always was',
    async (query) => {
      const balancer = await Balancer.opened();
      expect(await balancer.call('POST', `/add${query}`, { n: 1 })).toMatchObject({
        status: 200,
        text: '{"message":{"N":4,"replicas":["server-1","server-2","server-3","server-4"]},"status":"successful"}',
      });
      expect(await balancer.call('DELETE', `/rm${query}`, { n: 1 })).toMatchObject({
        status: 200,
        text: '{"message":{"N":3,"replicas":["server-1","server-2","server-3"]},"status":"successful"}',
      });
    },
  );
});
