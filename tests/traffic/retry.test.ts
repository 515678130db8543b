import { describe, expect, test } from 'bun:test';
import {
  failureStatus,
  isIdempotent,
  RETRIES_MAX,
  shouldRetry,
  type Failure,
} from '../../src/traffic/retry.ts';

const FAILURES: readonly Failure[] = ['refused', 'broken', 'silent', 'lost'];
const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];
/** Among them what only looks idempotent: PATCH, methods of extensions, and names in the wrong case. */
const OTHERS = ['POST', 'PATCH', 'PURGE', 'PROPFIND', 'CONNECT', 'TRACE', 'QUERY', 'get', 'Put', '', ' GET'];
/** Attempts that may have reached a replica, the one that just failed included. */
const REACHED = [0, 1, 2, 3, 4];

describe('a request without a body that is not whole', () => {
  test.each(IDEMPOTENT.flatMap((method) => FAILURES.map((failure) => [method, failure] as const)))(
    '%s goes on after %s',
    (method, failure) => {
      const retried = REACHED.filter((reached) => shouldRetry({ method, failure, bodyWhole: true, reached }));
      expect(retried).toEqual(failure === 'refused' ? REACHED : [0, 1, 2]);
    },
  );

  test.each(OTHERS.flatMap((method) => FAILURES.map((failure) => [method, failure] as const)))(
    '%j goes on after %s only if that was no connection',
    (method, failure) => {
      for (const reached of REACHED)
        expect(shouldRetry({ method, failure, bodyWhole: true, reached })).toBe(failure === 'refused');
    },
  );
});

test('a body that is no longer whole goes nowhere else', () => {
  for (const method of [...IDEMPOTENT, ...OTHERS])
    for (const failure of FAILURES)
      for (const reached of REACHED)
        expect(shouldRetry({ method, failure, bodyWhole: false, reached })).toBe(false);
});

test('two further replicas are asked after the first that was reached', () => {
  let reached = 1;
  while (shouldRetry({ method: 'GET', failure: 'broken', bodyWhole: true, reached })) reached++;
  expect(reached).toBe(1 + RETRIES_MAX);
  expect(RETRIES_MAX).toBe(2);
});

test('idempotent are those of RFC 9110, less TRACE, which is not forwarded', () => {
  expect([...IDEMPOTENT, ...OTHERS].filter(isIdempotent)).toEqual(IDEMPOTENT);
});

test.each([
  ['refused', 502],
  ['broken', 502],
  ['silent', 504],
  ['lost', 504],
] as const)('%s is told as %d', (failure, status) => {
  expect(failureStatus(failure)).toBe(status);
});
