import { describe, expect, test } from 'bun:test';
import { Attempts } from '../../src/traffic/attempts.ts';
import { RetryBudget } from '../../src/traffic/budget.ts';
import type { Failure } from '../../src/traffic/retry.ts';

const GET = { method: 'GET', bodyWhole: true, retries: 2 };

function goesOn(failures: readonly Failure[], request = GET, budget = new RetryBudget(0)): boolean {
  const attempts = new Attempts();
  for (const [i, failure] of failures.entries()) attempts.failed(`r${i}`, failure);
  return attempts.mayGoOn(request, budget, 0);
}

describe('the next replica', () => {
  test.each<[failures: readonly Failure[], goesOn: boolean]>([
    [['broken'], true],
    [['broken', 'silent'], true],
    [['broken', 'silent', 'lost'], false],
    [['refused', 'refused', 'refused', 'refused'], true],
    [['broken', 'broken', 'refused', 'broken'], false],
    [['unconnected', 'unconnected', 'unconnected'], false],
  ])('after %j is asked for a GET: %p', (failures, expected) => {
    expect(goesOn(failures)).toBe(expected);
  });

  test('is asked for a POST only where no connection was made', () => {
    for (const [failure, expected] of [
      ['refused', true],
      ['unconnected', true],
      ['broken', false],
      ['silent', false],
      ['lost', false],
    ] as const)
      expect(goesOn([failure], { ...GET, method: 'POST' })).toBe(expected);
  });

  test('is not asked on an empty budget, but for one that refused', () => {
    const budget = new RetryBudget(0);
    while (budget.withdraw(0));
    expect(goesOn(['broken'], GET, budget)).toBe(false);
    expect(goesOn(['refused'], GET, budget)).toBe(true);
  });
});

test('a replica is tried once, and the last failure is the one that is told', () => {
  const attempts = new Attempts();
  attempts.failed('a', 'silent');
  expect(attempts.status).toBe(504);
  attempts.failed('b', 'broken');
  expect([...attempts.tried]).toEqual(['a', 'b']);
  expect(attempts.status).toBe(502);
});
