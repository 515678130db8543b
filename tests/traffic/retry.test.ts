import { describe, expect, test } from 'bun:test';
import {
  failureStatus,
  isComparable,
  verdictOf,
  isIdempotent,
  shouldRetry,
  type Failure,
} from '../../src/traffic/retry.ts';

const FAILURES: readonly Failure[] = ['refused', 'unconnected', 'broken', 'silent', 'lost'];
const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];
/** Among them what only looks idempotent: PATCH, methods of extensions, and names in the wrong case. */
const OTHERS = ['POST', 'PATCH', 'PURGE', 'PROPFIND', 'CONNECT', 'TRACE', 'QUERY', 'get', 'Put', '', ' GET'];
const RETRIES = [0, 1, 2, 10];
/** Attempts so far, the one that just failed included. */
const ATTEMPTS = [0, 1, 2, 3, 4, 10, 11, 12];

/** After how many attempts there may be another. */
function retried(method: string, failure: Failure, retries: number, bodyWhole = true): number[] {
  return ATTEMPTS.filter((attempts) => shouldRetry({ method, failure, bodyWhole, attempts, retries }));
}

describe('a request whose body is whole', () => {
  test.each(IDEMPOTENT.flatMap((method) => FAILURES.map((failure) => [method, failure] as const)))(
    '%s goes on after %s, as often as is configured',
    (method, failure) => {
      for (const retries of RETRIES)
        expect(retried(method, failure, retries)).toEqual(
          failure === 'refused' ? ATTEMPTS : ATTEMPTS.filter((attempts) => attempts <= retries),
        );
    },
  );

  test.each(OTHERS.flatMap((method) => FAILURES.map((failure) => [method, failure] as const)))(
    '%j goes on after %s only if there was no connection',
    (method, failure) => {
      const allowed = { refused: ATTEMPTS, unconnected: [0, 1, 2] }[failure as string] ?? [];
      expect(retried(method, failure, 2)).toEqual(allowed);
    },
  );
});

test('a body that is no longer whole goes nowhere else', () => {
  for (const method of [...IDEMPOTENT, ...OTHERS])
    for (const failure of FAILURES) expect(retried(method, failure, 10, false)).toEqual([]);
});

test('after the first attempt there are as many as is configured', () => {
  for (const retries of RETRIES) {
    let attempts = 1;
    while (shouldRetry({ method: 'GET', failure: 'broken', bodyWhole: true, attempts, retries })) attempts++;
    expect(attempts).toBe(1 + retries);
  }
});

test('idempotent are those of RFC 9110, less TRACE, which is not forwarded', () => {
  expect([...IDEMPOTENT, ...OTHERS].filter(isIdempotent)).toEqual(IDEMPOTENT);
});

test.each([
  ['refused', 502],
  ['broken', 502],
  ['unconnected', 504],
  ['silent', 504],
  ['lost', 504],
] as const)('%s is told as %d', (failure, status) => {
  expect(failureStatus(failure)).toBe(status);
});

describe('a failing reply', () => {
  test('is 500, 502, 503 or 504; 503 with Retry-After turns away what is too much', () => {
    const statuses = Array.from({ length: 900 }, (_, i) => 100 + i);
    expect(statuses.filter((status) => verdictOf(status, false) === 'fails')).toEqual([500, 502, 503, 504]);
    expect(statuses.filter((status) => verdictOf(status, true) === 'fails')).toEqual([500, 502, 504]);
    expect(statuses.filter((status) => verdictOf(status, true) === 'sheds')).toEqual([503]);
    expect(statuses.filter((status) => verdictOf(status, false) === 'sheds')).toEqual([]);
  });

  const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
  test.each([...IDEMPOTENT, ...OTHERS])(
    'to %j: another is asked where it is safe, as often as is configured',
    (method) => {
      for (const retries of RETRIES)
        expect(retried(method, 'failing', retries)).toEqual(
          SAFE.has(method) ? ATTEMPTS.filter((attempts) => attempts <= retries) : [],
        );
    },
  );

  test('can be compared where another may be asked', () => {
    for (const method of [...IDEMPOTENT, ...OTHERS])
      for (const bodyWhole of [true, false])
        for (const retries of RETRIES)
          expect(isComparable({ method, bodyWhole, retries })).toBe(
            shouldRetry({ method, bodyWhole, retries, failure: 'failing', attempts: 1 }),
          );
  });
});
