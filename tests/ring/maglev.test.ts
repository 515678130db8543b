import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { hash32 } from '../../src/ring/hash.ts';
import { MAGLEV_REPLICAS_MAX, MAGLEV_SLOTS, Maglev } from '../../src/ring/maglev.ts';
import { movement } from '../../src/ring/movement.ts';
import { needlessIn, placementSuite } from './placement.suite.ts';

placementSuite('Maglev', (replicas) => Maglev.of(replicas), {
  // Most of it the sampling of the keys: of a million over 32, 0.6 % is one standard deviation.
  largestShareMax: 1.02,
  needlessMovesMax: 0.011,
  needlessMovesOfWeightsMax: 0.01,
  // A slot more or less than the mean of 65,537 / N.
  deviation: (n) => n / MAGLEV_SLOTS,
  isRandom: false,
  weightErrorMax: (_, part) => 1.5 / (MAGLEV_SLOTS * part),
});

/** How many slots each has. */
function slotsOf(map: Maglev): Map<string, number> {
  const { owners } = map.arcs();
  const counts = new Map(map.names.map((name) => [name, 0]));
  for (const owner of owners) counts.set(map.names[owner]!, counts.get(map.names[owner]!)! + 1);
  return counts;
}

test('it is the table that the pseudocode of the paper makes of the same permutations', () => {
  const names = ['a', 'b', 'c', 'server-1', 'server-2'];
  const offsets = names.map((name) => Number((BigInt(hash32(name)) * 65_537n) >> 32n));
  const skips = names.map((name) => Number((BigInt(hash32(`^${name}`)) * 65_536n) >> 32n) + 1);
  const next = names.map(() => 0);
  const entry = Array.from({ length: MAGLEV_SLOTS }, () => -1);
  for (let n = 0; n < MAGLEV_SLOTS;) {
    for (let i = 0; i < names.length && n < MAGLEV_SLOTS; i++) {
      let slot: number;
      do slot = (offsets[i]! + next[i]!++ * skips[i]!) % MAGLEV_SLOTS;
      while (entry[slot]! >= 0);
      entry[slot] = i;
      n++;
    }
  }
  expect([...Maglev.of(names).arcs().owners]).toEqual(entry);
});

test('a slot is an arc of the hashes, and every key falls into the one that its hash is in', () => {
  const { positions } = Maglev.of(['a']).arcs();
  expect([positions.length, positions[0], positions.at(-1)]).toEqual([MAGLEV_SLOTS, 65_535, 2 ** 32 - 1]);
  const map = Maglev.of(['a', 'b']);
  for (let i = 0; i < 10_000; i++) {
    const [slot, hash] = [map.positionOf(`key-${i}`), map.hash(`key-${i}`)];
    expect(hash <= positions[slot]! && (slot === 0 || hash > positions[slot - 1]!)).toBe(true);
  }
});

describe('every replica has a slot', () => {
  test.each([
    ['10,000 equal ones', () => 1, 10_000],
    ['10,000 of which 64 weigh 100 times as much as the others', (i: number) => (i < 64 ? 100 : 1), 10_000],
    ['10,000 of many weights', (i: number) => 1 + (i % 10 === 0 ? (i % 100) / 16 : 0), 10_000],
    ['a starting one among 100 heavy ones', (i: number) => (i === 0 ? 0.001 : 100), 101],
    ['one for each slot but two', () => 1, MAGLEV_REPLICAS_MAX],
  ])('%s', (_, weightOf, n) => {
    const map = Maglev.of(
      Array.from({ length: n }, (_each, i) => ({ name: `server-${i + 1}`, weight: weightOf(i) })),
    );
    expect(Math.min(...slotsOf(map).values())).toBeGreaterThanOrEqual(1);
  });

  test('but there is no room for more replicas than slots', () => {
    const names = Array.from({ length: MAGLEV_REPLICAS_MAX + 1 }, (_, i) => `server-${i + 1}`);
    expect(() => Maglev.of(names)).toThrow(
      new RangeError('Maglev has room for 65535 replicas, not for 65536'),
    );
  });
});

test('shares of equal replicas are within 1 % of the mean for up to 655 of them', () => {
  for (const n of [1, 2, 7, 64, 100, 400, 655]) {
    for (const share of Maglev.of(Array.from({ length: n }, (_, i) => `server-${i + 1}`))
      .share()
      .values())
      expect(Math.abs(share * n - 1)).toBeLessThan(0.01);
  }
});

test.each([
  [1, 0, 0],
  [2, 0.00005, 0.0001],
  [3, 0.0006, 0.0007],
  [10, 0.002, 0.003],
  [100, 0.005, 0.006],
  // The most for any N up to 1000.
  [460, 0.0104, 0.011],
])('where one joins server-1 to server-%d, the others exchange this part of the keys', (n, min, max) => {
  const names = Array.from({ length: n + 1 }, (_, i) => `server-${i + 1}`);
  const needless = needlessIn(movement(Maglev.of(names.slice(0, n)), Maglev.of(names)), `server-${n + 1}`);
  expect(needless).toBeGreaterThanOrEqual(min);
  expect(needless).toBeLessThanOrEqual(max);
});

test('it has as many slots as its weight is worth, to one and a half', () => {
  const anyWeight = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0.01, max: 5, noNaN: true }));
  fc.assert(
    fc.property(fc.array(anyWeight, { minLength: 1, maxLength: 40 }), (weights) => {
      const map = Maglev.of(weights.map((weight, i) => ({ name: `r${i}`, weight })));
      const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
      const counts = slotsOf(map);
      expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(MAGLEV_SLOTS);
      for (const [i, weight] of weights.entries()) {
        const due = (MAGLEV_SLOTS * weight) / weightSum;
        expect(Math.abs(counts.get(`r${i}`)! - due)).toBeLessThanOrEqual(1.5);
      }
    }),
    { seed: 20260909, numRuns: 40 },
  );
});
