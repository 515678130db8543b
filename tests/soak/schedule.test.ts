import { describe, expect, test } from 'bun:test';
import { FAULTS, scheduleOf, type Fault } from './schedule.ts';

const MINUTE_MS = 60_000;

const times = (durationMs: number, faults: boolean): number[] =>
  scheduleOf(1, durationMs, FAULTS)
    .filter(({ fault }) => (fault !== undefined) === faults)
    .map(({ atMs }) => atMs / 1000);

describe('the schedule', () => {
  test('has a change every 10 s and a fault every 30 s: six and two in a minute', () => {
    expect(times(MINUTE_MS, false)).toEqual([5, 15, 25, 35, 45, 55]);
    expect(times(MINUTE_MS, true)).toEqual([10, 40]);
    expect(times(10 * MINUTE_MS, false)).toHaveLength(60);
    expect(times(10 * MINUTE_MS, true)).toHaveLength(20);
  });

  test.each([
    [0, 0],
    [4999, 0],
    [5001, 1],
    [10_001, 2],
  ])('of %d ms has %d steps', (durationMs, steps) => {
    expect(scheduleOf(1, durationMs, FAULTS)).toHaveLength(steps);
  });

  test('goes up in time', () => {
    const steps = scheduleOf(7, 10 * MINUTE_MS, FAULTS).map(({ atMs }) => atMs);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  test('is the same for the same seed, and another for another', () => {
    const of = (seed: number): string => JSON.stringify(scheduleOf(seed, 10 * MINUTE_MS, FAULTS));
    expect(of(5)).toBe(of(5));
    expect(new Set([1, 2, 3, 4, 5].map(of)).size).toBe(5);
  });

  test('leaves nothing else to chance twice: each step has a seed of its own', () => {
    const steps = scheduleOf(1, 10 * MINUTE_MS, FAULTS);
    expect(new Set(steps.map(({ seed }) => seed)).size).toBe(steps.length);
  });

  test('has each possible fault once before one comes again, and no other', () => {
    const possible: Fault[] = ['kill', 'hangs', 'worker killed'];
    for (let seed = 0; seed < 50; seed++) {
      const faults = scheduleOf(seed, 3 * MINUTE_MS, possible).flatMap(({ fault }) => fault ?? []);
      expect(faults).toHaveLength(6);
      for (const turn of [faults.slice(0, 3), faults.slice(3)])
        expect(turn.sort()).toEqual(possible.toSorted());
    }
  });
});
