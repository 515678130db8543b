import { describe, expect, test } from 'bun:test';
import { RetryBudget } from '../../src/traffic/budget.ts';

/** Retries that there may be now, one after the other. */
function drained(budget: RetryBudget, nowMs: number): number {
  let retries = 0;
  while (retries < 10_000 && budget.withdraw(nowMs)) retries++;
  return retries;
}

type Step =
  | { readonly requests: number }
  /** So much later, so many retries can be made. */
  | { readonly afterMs: number; readonly retries: number };

describe('retries', () => {
  test.each<[what: string, steps: readonly Step[]]>([
    ['are there from the start', [{ afterMs: 0, retries: 1000 }]],
    [
      'run out',
      [
        { afterMs: 0, retries: 1000 },
        { afterMs: 0, retries: 0 },
      ],
    ],
    [
      'come back with time, 20 a second',
      [
        { afterMs: 0, retries: 1000 },
        { afterMs: 49, retries: 0 },
        { afterMs: 1, retries: 1 },
        { afterMs: 1000, retries: 20 },
        { afterMs: 10_000, retries: 200 },
      ],
    ],
    [
      'come back with requests, one for five',
      [
        { afterMs: 0, retries: 1000 },
        { requests: 4 },
        { afterMs: 0, retries: 0 },
        { requests: 2 },
        { afterMs: 0, retries: 1 },
        { requests: 500 },
        { afterMs: 0, retries: 100 },
      ],
    ],
    [
      'never pile up beyond the reserve',
      [
        { afterMs: 3_600_000, retries: 1000 },
        { requests: 100_000 },
        { afterMs: 0, retries: 1000 },
        { requests: 100_000 },
        { afterMs: 3_600_000, retries: 1000 },
      ],
    ],
  ])('%s', (_what, steps) => {
    let nowMs = 5000;
    const budget = new RetryBudget(nowMs);
    for (const step of steps) {
      if ('requests' in step) for (let i = 0; i < step.requests; i++) budget.deposit();
      else {
        nowMs += step.afterMs;
        const retries = drained(budget, nowMs);
        // A fifth is none that a machine can count exactly.
        expect(Math.abs(retries - step.retries)).toBeLessThanOrEqual(step.retries >= 20 ? 1 : 0);
      }
    }
  });

  test('of a bad day are a fifth of its requests', () => {
    const budget = new RetryBudget(0);
    drained(budget, 0);
    let retries = 0;
    for (let i = 0; i < 10_000; i++) {
      budget.deposit();
      if (budget.withdraw(0)) retries++;
    }
    expect(retries).toBeGreaterThan(1990);
    expect(retries).toBeLessThanOrEqual(2000);
  });
});
