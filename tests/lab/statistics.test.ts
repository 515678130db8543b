import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { randomIds } from '../../src/lab/ids.ts';
import {
  balanceOf,
  chanceOf,
  countsOf,
  evenShares,
  expectedDeviation,
  medianOf,
  movedShare,
} from '../../src/lab/statistics.ts';

const SEED = 20;

describe('balance', () => {
  test.each([
    [[2, 4, 4, 4, 5, 5, 7, 9], { mean: 5, deviation: 2, largestOverMean: 1.8, largestShare: 9 / 40 }],
    [[10, 0], { mean: 5, deviation: 5, largestOverMean: 2, largestShare: 1 }],
    [[7], { mean: 7, deviation: 0, largestOverMean: 1, largestShare: 1 }],
    [[0, 0], { mean: 0, deviation: 0, largestOverMean: 0, largestShare: 0 }],
    [[], { mean: 0, deviation: 0, largestOverMean: 0, largestShare: 0 }],
  ])('of %j', (counts, expected) => {
    expect(balanceOf(counts)).toEqual(expected);
  });
});

describe('deviation to be expected', () => {
  test('is √(M (N - 1)) / N where all are as likely', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 50 }),
        (requests, servers) => {
          const formula = Math.sqrt(requests * (servers - 1)) / servers;
          expect(expectedDeviation(requests, evenShares(servers))).toBeCloseTo(formula, 6);
        },
      ),
      { seed: SEED },
    );
  });

  test('is what many throws of dice come to', () => {
    const shares = [0.7, 0.2, 0.1];
    const throws = 500;
    const words = randomIds(400 * throws, 3).map((id) => (id - 100_000) / 900_000);
    let squares = 0;
    for (let i = 0; i < words.length; i += throws) {
      const owners = words.slice(i, i + throws).map((word) => (word < 0.7 ? 'a' : word < 0.9 ? 'b' : 'c'));
      squares += balanceOf(countsOf(owners, ['a', 'b', 'c'])).deviation ** 2;
    }
    const found = Math.sqrt(squares / 400);
    expect(Math.abs(found / expectedDeviation(throws, shares) - 1)).toBeLessThan(0.03);
  });

  test('of nobody is none', () => {
    expect(expectedDeviation(10, [])).toBe(0);
  });
});

describe('how likely chance is as uneven', () => {
  // Upper tails of the chi-squared distribution for 1, 2, 3 and 5 degrees of freedom.
  test.each<[number[], number]>([
    [[60, 40], 0.0455],
    [[9, 6, 3], Math.exp(-1.5)],
    [[10, 20, 30, 40], 0.000_17],
    [[5, 8, 9, 8, 10, 20], 0.0199],
    [[50, 50], 1],
    [[1000, 0, 0], 0],
    [[7], 1],
    [[0, 0], 1],
    [[], 1],
  ])('of %j', (counts, expected) => {
    expect(chanceOf(counts)).toBeCloseTo(expected, 4);
  });

  test.each([2, 3, 4, 9])('is below a twentieth in a twentieth of all runs, with %i servers', (servers) => {
    const [runs, requests] = [2000, 100 * servers];
    const ids = randomIds(runs * requests, 7 * servers);
    const names = Array.from({ length: servers }, (_, i) => String(i));
    let rare = 0;
    for (let i = 0; i < ids.length; i += requests) {
      const owners = ids
        .slice(i, i + requests)
        .map((id) => String(Math.floor(((id - 100_000) / 900_000) * servers)));
      if (chanceOf(countsOf(owners, names)) < 0.05) rare++;
    }
    // Six deviations of a binomial of 2000 with 1/20 are 58.
    expect(Math.abs(rare - runs / 20)).toBeLessThan(58);
  });
});

test('a median is the middle, whatever the order', () => {
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([4, 1, 3, 2])).toBe(2.5);
  expect(medianOf([])).toBeUndefined();
});

test('counts are in the order of names, without those that are none of them', () => {
  expect(countsOf(['b', 'a', undefined, 'b', 'x'], ['a', 'b', 'c'])).toEqual([1, 2, 0]);
});

test('the moved share compares key by key', () => {
  expect(movedShare(['a', 'b', 'a', 'b'], ['a', 'c', 'a', 'c'])).toBe(0.5);
  expect(movedShare([], [])).toBe(0);
});

describe('random ids', () => {
  test('are the same for the same seed, and others for another', () => {
    expect(randomIds(50, 1)).toEqual(randomIds(50, 1));
    expect(randomIds(50, 1)).not.toEqual(randomIds(50, 2));
    expect(randomIds(100, 5).slice(0, 50)).toEqual(randomIds(50, 5));
  });

  test('have six digits, and each tenth of the range gets its part', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
        const tenths = Array.from({ length: 10 }, () => 0);
        for (const id of randomIds(5000, seed)) {
          if (id < 100_000 || id > 999_999 || !Number.isInteger(id)) return false;
          const tenth = Math.floor((id - 100_000) / 90_000);
          tenths[tenth] = (tenths[tenth] ?? 0) + 1;
        }
        // Six deviations of a binomial of 5000 with 1/10 are 127.
        return tenths.every((count) => Math.abs(count - 500) < 128);
      }),
      { seed: SEED, numRuns: 50 },
    );
  });
});
