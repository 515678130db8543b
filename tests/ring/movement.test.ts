import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { mix32 } from '../../src/ring/hash.ts';
import { leastMoved, movement, type Move } from '../../src/ring/movement.ts';
import { sitesOf } from '../../src/ring/placement.ts';
import { Ring } from '../../src/ring/ring.ts';

const SEED = 20261203;
const LAST = 0xffffffff;
const KEY_SPACE = 2 ** 32;
const QUARTER = 0x40000000;

/** A ring of names whose points are given, where they are not those of the names. */
function ringOf(points: Readonly<Record<string, readonly number[]>>): Ring {
  return Ring.of(Object.keys(points), (name) => Uint32Array.from(points[name] as readonly number[]));
}

describe('of hand-made rings', () => {
  type Points = Readonly<Record<string, readonly number[]>>;
  const half = { a: [QUARTER * 2 - 1], b: [LAST] };
  const rows: readonly [
    name: string,
    before: Points,
    after: Points,
    moves: readonly Move[],
    least: number,
  ][] = [
    ['nothing to nothing moves nothing', {}, {}, [], 0],
    ['the same again moves nothing', half, half, [], 0],
    ['the first takes all from nobody', {}, { a: [7] }, [{ from: null, to: 'a', share: 1 }], 1],
    ['the last gives all to nobody', { a: [7] }, {}, [{ from: 'a', to: null, share: 1 }], 1],
    [
      'the first two take their halves from nobody, by name where they are equal',
      {},
      half,
      [
        { from: null, to: 'a', share: 0.5 },
        { from: null, to: 'b', share: 0.5 },
      ],
      1,
    ],
    [
      'who joins takes the arc before its point',
      half,
      { ...half, c: [QUARTER - 1] },
      [{ from: 'a', to: 'c', share: 0.25 }],
      1 / 3,
    ],
    [
      'who leaves gives its arc to who is next',
      { ...half, c: [QUARTER - 1] },
      half,
      [{ from: 'c', to: 'a', share: 0.25 }],
      1 / 3,
    ],
    [
      'an arc goes across zero',
      { a: [QUARTER], b: [QUARTER * 3] },
      { a: [QUARTER] },
      [{ from: 'b', to: 'a', share: 0.5 }],
      0.5,
    ],
    [
      'one position is a share, too',
      { a: [5], b: [4] },
      { a: [5], b: [4], c: [5], A: [5] },
      [{ from: 'a', to: 'A', share: 1 / KEY_SPACE }],
      0.5,
    ],
    [
      'where points meet, who was behind takes over',
      { a: [9, 99], b: [9] },
      { b: [9] },
      [{ from: 'a', to: 'b', share: 1 }],
      0.5,
    ],
    [
      'of others altogether everything moves, largest first',
      { a: [QUARTER - 1], b: [LAST] },
      { c: [LAST] },
      [
        { from: 'b', to: 'c', share: 0.75 },
        { from: 'a', to: 'c', share: 0.25 },
      ],
      1,
    ],
    [
      'one may lose and win',
      { a: [QUARTER - 1, LAST], b: [QUARTER * 2 - 1] },
      { a: [QUARTER * 2 - 1], b: [QUARTER - 1, LAST] },
      [
        { from: 'a', to: 'b', share: 0.75 },
        { from: 'b', to: 'a', share: 0.25 },
      ],
      0,
    ],
    ['who has no point has nothing', { a: [1], none: [] }, { a: [1] }, [], 0.5],
    ['of those without a point nobody owns anything', { none: [] }, {}, [], 0],
  ];

  test.each(rows)('%s', (_, before, after, moves, least) => {
    const found = movement(ringOf(before), ringOf(after));
    expect(found.moves).toEqual([...moves]);
    expect(found.moved).toBe(moves.reduce((sum, { share }) => sum + share, 0));
    expect(found.least).toBe(least);
    expect(found.before.shares).toEqual(ringOf(before).share());
    expect(found.after.shares).toEqual(ringOf(after).share());
  });

  test('the largest share is told as a multiple of the mean, and of nobody not at all', () => {
    const { before, after } = movement(ringOf({}), ringOf({ a: [QUARTER * 3 - 1], b: [LAST] }));
    expect([before.largestOverMean, after.largestOverMean]).toEqual([null, 1.5]);
    expect(movement(ringOf({ a: [3] }), ringOf({ none: [] })).before.largestOverMean).toBe(1);
    expect(movement(ringOf({ none: [] }), ringOf({})).before.largestOverMean).toBeNull();
  });
});

// Few, close and extreme positions: points that meet, arcs of one position and the way across zero all come up.
const anyPosition = fc.oneof(
  fc.integer({ min: 0, max: LAST }),
  fc.integer({ min: 0, max: 20 }),
  fc.integer({ min: LAST - 20, max: LAST }),
  fc.integer({ min: 0x7ffffff0, max: 0x80000010 }),
);
/** Of up to seven replicas: in which of both rings each is, and where it has points. */
const anyPair = fc.array(
  fc.record({
    before: fc.boolean(),
    after: fc.boolean(),
    points: fc.array(anyPosition, { minLength: 1, maxLength: 12 }),
  }),
  { maxLength: 7 },
);

test('it is what going from point to point finds, for any two rings', () => {
  fc.assert(
    fc.property(anyPair, (replicas) => {
      const [before, after] = (['before', 'after'] as const).map((when) =>
        ringOf(Object.fromEntries(replicas.flatMap((one, i) => (one[when] ? [[`r${i}`, one.points]] : [])))),
      ) as [Ring, Ring];
      const found = movement(before, after);
      const expected = new Map<string, number>();
      let previous = -1;
      for (const end of [...new Set([...replicas.flatMap(({ points }) => points), LAST])].sort(
        (a, b) => a - b,
      )) {
        const pair = JSON.stringify([before.ownerAt(end) ?? null, after.ownerAt(end) ?? null]);
        expected.set(pair, (expected.get(pair) ?? 0) + end - previous);
        previous = end;
      }
      for (const pair of expected.keys()) {
        const [from, to] = JSON.parse(pair) as (string | null)[];
        if (from === to) expected.delete(pair);
      }
      const told = found.moves.map(({ from, to, share }) => [JSON.stringify([from, to]), share * KEY_SPACE]);
      expect(new Map(told as [string, number][])).toEqual(expected);
      expect(told).toHaveLength(expected.size);
      expect(found.moved * KEY_SPACE).toBe([...expected.values()].reduce((sum, count) => sum + count, 0));
      const shares = found.moves.map(({ share }) => share);
      expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('backwards it is the same moves, the other way round', () => {
  fc.assert(
    fc.property(anyNames(), anyNames(), (some, others) => {
      const [before, after] = [Ring.of(some), Ring.of(others)];
      const [there, back] = [movement(before, after), movement(after, before)];
      expect([back.moved, back.least, back.before, back.after]).toEqual([
        there.moved,
        there.least,
        there.after,
        there.before,
      ]);
      const key = ({ from, to, share }: Move): string => JSON.stringify([from, to, share]);
      expect(back.moves.map(key).sort()).toEqual(
        there.moves.map(({ from, to, share }) => key({ from: to, to: from, share })).sort(),
      );
    }),
    { seed: SEED, numRuns: 30 },
  );
});

test('what joins and leaves accounts for all that moves: between two that stay nothing does', () => {
  fc.assert(
    fc.property(anyNames(), anyNames(), (some, others) => {
      const { moves, before, after } = movement(Ring.of(some), Ring.of(others));
      for (const { from, to } of moves)
        expect(some.includes(to ?? '') && others.includes(from ?? '')).toBe(false);
      // What each loses and wins is the difference of its shares.
      for (const name of new Set([...some, ...others])) {
        const won = moves.reduce((sum, { to, share }) => sum + (to === name ? share : 0), 0);
        const lost = moves.reduce((sum, { from, share }) => sum + (from === name ? share : 0), 0);
        expect((before.shares.get(name) ?? 0) - lost + won).toBe(after.shares.get(name) ?? 0);
      }
    }),
    { seed: SEED, numRuns: 30 },
  );
});

// The number of random positions that move is a binomial sample of what moves: beyond five standard deviations, which
// chance exceeds once in 1.7 million times, one of both is wrong.
test.each([
  [3, ['a'], []],
  [3, [], ['server-2']],
  [10, ['a', 'b', 'c'], ['server-1', 'server-7']],
  [64, [], ['server-26']],
  [1, ['a'], ['server-1']],
  [300, ['a'], []],
])('from %d replicas, with %j more and %j less: 100,000 random positions say the same', (n, join, leave) => {
  const SAMPLES = 100_000;
  const names = Array.from({ length: n }, (_, i) => `server-${i + 1}`);
  const before = Ring.of(names);
  const after = Ring.of([...names.filter((name) => !leave.includes(name as never)), ...join]);
  const { moved, moves } = movement(before, after);
  const counts = new Map<string, number>();
  for (let i = 0; i < SAMPLES; i++) {
    const position = mix32(SEED + i);
    const [from, to] = [before.ownerAt(position), after.ownerAt(position)];
    if (from !== to) counts.set(`${from} ${to}`, (counts.get(`${from} ${to}`) ?? 0) + 1);
  }
  const near = (share: number, count: number): void => {
    // With very few expected, the deviation is no measure of what may come.
    const deviation = Math.max(1, Math.sqrt(SAMPLES * share * (1 - share)));
    expect(Math.abs(count - SAMPLES * share)).toBeLessThanOrEqual(5 * deviation);
  };
  near(
    moved,
    [...counts.values()].reduce((sum, count) => sum + count, 0),
  );
  for (const { from, to, share } of moves) near(share, counts.get(`${from} ${to}`) ?? 0);
  for (const pair of counts.keys()) expect(moves.some(({ from, to }) => `${from} ${to}` === pair)).toBe(true);
});

describe('the least that has to move', () => {
  test.each([
    [[], [], 0],
    [['a'], ['a'], 0],
    [[], ['a'], 1],
    [['a'], [], 1],
    [['a'], ['b'], 1],
    [['a', 'b', 'c'], ['a', 'b', 'c', 'd'], 1 / 4],
    [['a', 'b', 'c', 'd'], ['a', 'b', 'c'], 1 / 4],
    [['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'e'], 1 / 4],
    // Two of four leave and one joins: half was theirs, more than the third that the new one gets.
    [['a', 'b', 'c', 'd'], ['a', 'b', 'e'], 1 / 2],
    [['a', 'b', 'c'], ['a', 'b', 'd', 'e', 'f', 'g'], 2 / 3],
  ])('from %j to %j is %d', (before, after, least) => {
    expect(leastMoved(sitesOf(before), sitesOf(after))).toBeCloseTo(least, 15);
  });

  test('is the larger of what those who leave had and of what those who join get', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(50), (stay, leave, join) => {
        const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => prefix + i);
        const before = [...named('s', stay), ...named('l', leave)];
        const after = [...named('s', stay), ...named('j', join)];
        const part = (some: number, all: number): number => (all === 0 ? 0 : some / all);
        const expected = Math.max(part(leave, before.length), part(join, after.length));
        expect(leastMoved(sitesOf(before), sitesOf(after))).toBeCloseTo(expected, 12);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('is nearly what a ring moves where one joins or leaves', () => {
    for (let n = 1; n < 64; n++) {
      const names = Array.from({ length: n + 1 }, (_, i) => `server-${i + 1}`);
      const { moved, least } = movement(Ring.of(names.slice(0, n)), Ring.of(names));
      expect([n, moved / least > 0.9 && moved / least < 1.1]).toEqual([n, true]);
    }
  });
});

function anyNames(): fc.Arbitrary<string[]> {
  const name = fc.integer({ min: 1, max: 9 }).map((i) => `server-${i}`);
  return fc.uniqueArray(name, { maxLength: 9 });
}
