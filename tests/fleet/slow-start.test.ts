import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  nextStepMs,
  SLOW_START_FIRST_PART,
  SLOW_START_STEP_MIN_MS,
  SLOW_START_STEPS_MAX,
  slowStartWeight,
} from '../../src/fleet/slow-start.ts';
import { placementOf } from '../../src/ring/algorithms.ts';

const SEED = 7;

describe('the weight of a replica that starts slowly', () => {
  test.each([
    // weight, passed ms, of ms, is
    [1, 0, 1000, 1 / 16],
    [1, 500, 1000, 17 / 32],
    [1, 1000, 1000, 1],
    [1, 5000, 1000, 1],
    [16, 0, 30_000, 1],
    [16, 10_000, 30_000, 6],
    [100, 0, 3_600_000, 6.25],
    [3, 0, 0, 3],
    [3, -5, 1000, 3 / 16],
  ])('%d after %d of %d ms is %d', (weight, passedMs, slowStartMs, expected) => {
    const sinceMs = 700;
    const found = slowStartWeight({ weight, sinceMs, nowMs: sinceMs + passedMs, slowStartMs });
    expect(found).toBeCloseTo(expected, 12);
  });

  test('begins with its first part, never shrinks, and is all of it at the end', () => {
    const moments = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 1, maxLength: 20 });
    const since = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 3_600_000 }),
        since,
        moments,
        (weight, slowStartMs, sinceMs, parts) => {
          let last = weight * SLOW_START_FIRST_PART;
          for (const part of parts.toSorted((a, b) => a - b)) {
            const nowMs = sinceMs + part * slowStartMs;
            const found = slowStartWeight({ weight, sinceMs, nowMs, slowStartMs });
            expect(found).toBeGreaterThanOrEqual(last);
            expect(found).toBeLessThanOrEqual(weight);
            if (nowMs - sinceMs >= slowStartMs) expect(found).toBe(weight);
            last = found;
          }
        },
      ),
      { seed: SEED },
    );
  });

  test.each(['ring', 'rendezvous'] as const)(
    'moves keys on a map of %s towards those that grow, and never between two others',
    (hash) => {
      const keys = Array.from({ length: 2000 }, (_, key) => `${key}`);
      const others = ['b', 'c', 'd'].map((name, i) => ({ name, weight: i + 1 }));
      const owners = (weight: number): (string | undefined)[] => {
        const map = placementOf(hash, [...others, { name: 'a', weight }]);
        return keys.map((key) => map.owner(key));
      };
      let before = owners(slowStartWeight({ weight: 3, sinceMs: 0, nowMs: 0, slowStartMs: 32 }));
      let moved = 0;
      for (let nowMs = 1; nowMs <= 32; nowMs++) {
        const after = owners(slowStartWeight({ weight: 3, sinceMs: 0, nowMs, slowStartMs: 32 }));
        for (const [i, owner] of after.entries()) {
          if (owner === before[i]) continue;
          moved++;
          expect(owner).toBe('a');
        }
        before = after;
      }
      expect(moved).toBeGreaterThan(300);
      expect(before).toEqual(owners(3));
    },
  );
});

describe('the time until the next step', () => {
  test.each([
    ['a part of the whole', { slowStartMs: 32_000, leftMs: 30_000, stepsMax: 32, gapMs: 0 }, 1000],
    ['in whole milliseconds', { slowStartMs: 10_000, leftMs: 9000, stepsMax: 32, gapMs: 0 }, 313],
    ['never too short', { slowStartMs: 1000, leftMs: 900, stepsMax: 32, gapMs: 0 }, 100],
    ['up to the end', { slowStartMs: 32_000, leftMs: 400, stepsMax: 32, gapMs: 0 }, 400],
    ['not so soon after the end', { slowStartMs: 32_000, leftMs: 1, stepsMax: 32, gapMs: 0 }, 100],
    ['as long as a large map needs', { slowStartMs: 8000, leftMs: 8000, stepsMax: 8, gapMs: 2500 }, 2500],
  ])('is %s', (_, timing, expected) => {
    expect(nextStepMs(timing)).toBe(expected);
  });

  test('comes to no more steps than there may be, whatever the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_600_000 }), (slowStartMs) => {
        let steps = 0;
        for (let leftMs = slowStartMs; leftMs > 0; steps++) {
          const ms = nextStepMs({ slowStartMs, leftMs, stepsMax: SLOW_START_STEPS_MAX, gapMs: 0 });
          expect(ms).toBeGreaterThanOrEqual(SLOW_START_STEP_MIN_MS);
          leftMs -= ms;
        }
        expect(steps).toBeLessThanOrEqual(SLOW_START_STEPS_MAX);
      }),
      { seed: SEED },
    );
  });
});
