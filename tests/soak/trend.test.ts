import { describe, expect, test } from 'bun:test';
import { trendOf, type Point } from './trend.ts';

const HOUR_MS = 3_600_000;
const points = (values: readonly number[], stepMs = HOUR_MS): Point[] =>
  values.map((value, i) => ({ atMs: i * stepMs, value }));

describe('a trend', () => {
  test.each([
    ['a line up', [1, 2, 3, 4], 1],
    ['a line down', [9, 7, 5], -2],
    ['nothing that moves', [5, 5, 5, 5], 0],
    ['what goes up and comes back', [0, 3, 3, 0], 0],
    ['least squares, by hand', [0, 0, 3], 1.5],
    ['one point', [4], 0],
  ])('of %s', (_, values, perHour) => {
    expect(trendOf(points(values), 0)?.perHour).toBeCloseTo(perHour, 9);
  });

  test('is per hour, whatever the time between points', () => {
    expect(trendOf(points([1, 2, 3], 1000), 0)?.perHour).toBeCloseTo(3600, 6);
  });

  test('does not depend on when it began', () => {
    const late = points([1, 2, 4]).map(({ atMs, value }) => ({ atMs: atMs + 1e12, value }));
    expect(trendOf(late, 0)?.perHour).toBeCloseTo(1.5, 3);
  });

  test('counts from a time on only', () => {
    expect(trendOf(points([100, 1, 2, 3]), HOUR_MS)).toMatchObject({ first: 1, last: 3, most: 3 });
    expect(trendOf(points([100, 1, 2, 3]), HOUR_MS)?.perHour).toBeCloseTo(1, 9);
    expect(trendOf(points([1, 2]), 5 * HOUR_MS)).toBeUndefined();
    expect(trendOf([], 0)).toBeUndefined();
  });

  test('tells the first, the last and the most', () => {
    expect(trendOf(points([2, 9, 4]), 0)).toMatchObject({ first: 2, last: 4, most: 9 });
  });
});
