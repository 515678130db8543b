import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { hash32 } from '../../src/ring/hash.ts';
import { HeavyHitters, KEY_LENGTH_MAX, KEYS_COUNTED_MAX } from '../../src/ring/heavy-hitters.ts';

const property = { seed: 20260812, numRuns: 300 };

/** What is promised of counts: against the truth, which is kept without a limit. */
function expectKept(found: HeavyHitters, truth: ReadonlyMap<string, number>): void {
  const total = [...truth.values()].reduce((sum, count) => sum + count, 0);
  // Sums of scaled counts, in another order, differ in their last bits.
  const slack = 1e-9 * (total + 1);
  expect(Math.abs(found.total - total)).toBeLessThanOrEqual(slack);
  const top = found.top();
  expect(top.length).toBe(Math.min(found.keysMax, found.size));
  for (const { key, count, error } of top) {
    const came = truth.get(key) ?? 0;
    expect(count).toBeGreaterThanOrEqual(came - slack);
    expect(count - error).toBeLessThanOrEqual(came + slack);
    expect(error).toBeLessThanOrEqual(total / found.keysMax + slack);
  }
  const counted = new Set(top.map(({ key }) => key));
  for (const [key, came] of truth)
    if (came > total / found.keysMax + slack) expect([key, counted.has(key)]).toEqual([key, true]);
  expect(top.map(({ count }) => count)).toEqual(top.map(({ count }) => count).toSorted((a, b) => b - a));
  // In sum counters say no more than what came: otherwise the bound of the error would not last.
  expect(top.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(total + slack);
}

// Few keys, so that they come again; and a skew, so that some are heavy.
const anyKey = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 12 }), fc.nat({ max: 60 })).map((i) => `k${i}`);
const anyStep = fc.oneof(
  { weight: 30, arbitrary: fc.record({ key: anyKey, times: fc.constant(1) }) },
  { weight: 5, arbitrary: fc.record({ key: anyKey, times: fc.integer({ min: 1, max: 50 }) }) },
  { weight: 1, arbitrary: fc.record({ factor: fc.constantFrom(0, 0.5, 0.9, 1) }) },
);
// Long ones, so that counters are taken over and over again.
const anySteps = fc.array(anyStep, { maxLength: 400, size: 'max' });

type Step = { key: string; times: number } | { factor: number };

function take(steps: readonly Step[], keysMax: number): [found: HeavyHitters, truth: Map<string, number>] {
  const found = new HeavyHitters(keysMax);
  const truth = new Map<string, number>();
  for (const step of steps) {
    if ('factor' in step) {
      found.scale(step.factor);
      for (const [key, came] of truth) truth.set(key, came * step.factor);
    } else {
      found.add(step.key, step.times);
      truth.set(step.key, (truth.get(step.key) ?? 0) + step.times);
    }
  }
  return [found, truth];
}

test('a count is never too small, errs by its error at most, and no heavy key is missed, scaled or not', () => {
  fc.assert(
    fc.property(anySteps, fc.integer({ min: 1, max: 12 }), (steps, keysMax) => {
      expectKept(...take(steps, keysMax));
    }),
    property,
  );
});

test('while no more keys come than there are counters, all counts are exact', () => {
  const [found, truth] = take(
    Array.from({ length: 1000 }, (_, i) => ({ key: `k${hash32(String(i)) % 12}`, times: 1 })),
    12,
  );
  expect(found.top().map(({ key, count, error }) => [key, count, error])).toEqual(
    [...truth]
      .sort(([key, came], [other, othersCame]) => othersCame - came || (key < other ? -1 : 1))
      .map(([key, came]) => [key, came, 0]),
  );
});

test('the key that takes over a counter takes over its count as an error', () => {
  const found = new HeavyHitters(2);
  for (const key of ['a', 'a', 'b', 'c']) found.add(key);
  expect(found.top()).toEqual([
    { key: 'a', count: 2, error: 0 },
    { key: 'c', count: 2, error: 1 },
  ]);
  expect(found.top(1)).toEqual([{ key: 'a', count: 2, error: 0 }]);
  expect(found.top(0)).toEqual([]);
});

test('of a million requests by Zipf to 100,000 keys, the ten that come most are found in order', () => {
  const exponent = 1.1;
  const sums: number[] = [];
  for (let rank = 1; rank <= 100_000; rank++) sums.push((sums.at(-1) ?? 0) + rank ** -exponent);
  const found = new HeavyHitters();
  const truth = new Map<string, number>();
  for (let i = 0; i < 1_000_000; i++) {
    const drawn = (hash32(String(i), 77) / 2 ** 32) * sums.at(-1)!;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    const key = `key-${low + 1}`;
    found.add(key);
    truth.set(key, (truth.get(key) ?? 0) + 1);
  }
  expectKept(found, truth);
  const expected = [...truth].sort(([, came], [, othersCame]) => othersCame - came).slice(0, 10);
  expect(found.top(10).map(({ key }) => key)).toEqual(expected.map(([key]) => key));
});

describe('a long key', () => {
  const long = 'k'.repeat(KEY_LENGTH_MAX);

  test('is kept whole up to its limit, and beyond it cut to one length', () => {
    const found = new HeavyHitters(8);
    for (const key of [long, `${long}1`, '鍵'.repeat(50_000)]) found.add(key);
    expect(
      found
        .top()
        .map(({ key }) => key.length)
        .sort(),
    ).toEqual([128, 129, 129]);
    expect(found.top().some(({ key }) => key === long)).toBe(true);
  });

  test('is not taken for another that begins the same way, and is for itself', () => {
    const found = new HeavyHitters(8);
    for (const end of ['a', 'b', 'b', 'c']) found.add(long + end);
    expect(found.top().map(({ count }) => count)).toEqual([2, 1, 1]);
  });

  test('is text that can be written as UTF-8 wherever it is cut', () => {
    const found = new HeavyHitters(8);
    for (const before of ['', 'x']) found.add(before + '\u{1f3aa}'.repeat(KEY_LENGTH_MAX));
    for (const { key } of found.top()) expect([key.isWellFormed(), key.length]).toEqual([true, 129]);
  });
});

describe('what is out of range is refused, and changes nothing', () => {
  test.each([0, -1, NaN, Infinity])('a key that came %d times', (times) => {
    const found = new HeavyHitters(2);
    expect(() => found.add('a', times)).toThrow(`A key is counted a number of times above 0, not ${times}`);
    expect([found.total, found.size]).toEqual([0, 0]);
  });

  test.each([-0.1, 1.1, NaN])('a scale of %d', (factor) => {
    const found = new HeavyHitters(2);
    found.add('a');
    expect(() => found.scale(factor)).toThrow(`Counts are scaled by 0 to 1, not by ${factor}`);
    expect(found.top()).toEqual([{ key: 'a', count: 1, error: 0 }]);
  });

  test.each([0, 1.5, -1, NaN])('a number of keys of %d', (keysMax) => {
    expect(() => new HeavyHitters(keysMax)).toThrow('is a whole number from 1');
  });

  test('counts of another number of keys', () => {
    const found = new HeavyHitters(2);
    found.add('a');
    expect([found.total, found.top()]).toEqual([1, [{ key: 'a', count: 1, error: 0 }]]);
  });
});

test('after all was forgotten it counts as if it were new', () => {
  const found = new HeavyHitters(3);
  for (let i = 0; i < 50; i++) found.add(`k${i % 7}`);
  found.scale(0);
  expect([found.total, found.size, found.top()]).toEqual([0, 0, []]);
  for (const key of ['x', 'y', 'x']) found.add(key);
  expect(found.top()).toEqual([
    { key: 'x', count: 2, error: 0 },
    { key: 'y', count: 1, error: 0 },
  ]);
  expect(new HeavyHitters().keysMax).toBe(KEYS_COUNTED_MAX);
});
