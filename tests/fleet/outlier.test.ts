import { describe, expect, test } from 'bun:test';
import {
  FailureRun,
  FAILURES_IN_A_ROW,
  mayEject,
  REST_FIRST_MS,
  REST_MAX_MS,
  restMs,
} from '../../src/fleet/outlier.ts';

describe('a rest', () => {
  test('is twice as long each time, up to its limit', () => {
    expect([1, 2, 3, 4].map(restMs)).toEqual([1, 2, 4, 8].map((times) => times * REST_FIRST_MS));
    for (const times of [6, 7, 20, 1000, 5000]) expect(restMs(times)).toBe(REST_MAX_MS);
  });
});

describe('of so many members so many may be off the ring, the one that is ejected among them', () => {
  test.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [10, 5],
    [63, 31],
    [64, 32],
  ])('%d: %d', (members, most) => {
    for (let offRing = 0; offRing <= members; offRing++)
      expect(mayEject({ members, offRing })).toBe(offRing < most);
  });
});

describe('a run of failures', () => {
  const failures = (run: FailureRun, times: number): boolean[] =>
    Array.from({ length: times }, () => run.failed());

  test('is too long when so many failed in a row', () => {
    const run = new FailureRun(false);
    const before = failures(run, FAILURES_IN_A_ROW - 1);
    expect(before).not.toContain(true);
    expect(failures(run, 3)).toEqual([true, true, true]);
  });

  test('begins again with each that is answered', () => {
    const run = new FailureRun(false);
    for (let round = 0; round < 10; round++) {
      expect(failures(run, FAILURES_IN_A_ROW - 1)).not.toContain(true);
      run.answered();
    }
  });

  test('on trial is too long with the first, until one was answered', () => {
    expect(new FailureRun(true).failed()).toBe(true);
    const passed = new FailureRun(true);
    passed.answered();
    expect(failures(passed, FAILURES_IN_A_ROW - 1)).not.toContain(true);
    expect(passed.failed()).toBe(true);
  });
});
