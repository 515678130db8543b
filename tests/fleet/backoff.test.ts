import { expect, test } from 'bun:test';
import { RESTART_DELAY_FIRST_MS, RESTART_DELAY_MAX_MS, restartDelayMs } from '../../src/fleet/backoff.ts';

test.each([
  [0, 0],
  [1, 0],
  [2, 500],
  [3, 1000],
  [4, 2000],
  [5, 4000],
  [6, 8000],
  [7, 16_000],
  [8, 30_000],
  [9, 30_000],
  [1000, 30_000],
  // 2 ** 9998 is Infinity: the maximum must hold there too.
  [10_000, 30_000],
])('after %d deaths in a row a restart waits %d ms', (deaths, delayMs) => {
  expect(restartDelayMs(deaths)).toBe(delayMs);
});

test('the delay never shrinks with more deaths, and has its bounds by name', () => {
  for (let deaths = 2; deaths < 100; deaths++) {
    expect(restartDelayMs(deaths + 1)).toBeGreaterThanOrEqual(restartDelayMs(deaths));
    expect(restartDelayMs(deaths)).toBeGreaterThanOrEqual(RESTART_DELAY_FIRST_MS);
    expect(restartDelayMs(deaths)).toBeLessThanOrEqual(RESTART_DELAY_MAX_MS);
  }
});
