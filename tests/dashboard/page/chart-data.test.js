// @ts-check
import { describe, expect, test } from 'bun:test';
import {
  SPAN_MAX_S,
  SPAN_MIN_S,
  sparkline,
  spanOf,
  stacked,
  withGaps,
} from '../../../src/dashboard/page/chart-data.js';

describe('the data of a chart', () => {
  test('has a row of nulls where samples are missing, so that gaps are gaps', () => {
    expect(withGaps([1000, 2000, 9000], [[1, 2, 3]])).toEqual([
      [1, 2, 3, 9],
      [1, 2, null, 3],
    ]);
  });

  test('is stacked so that the last layer is the sum, and nobody is no 0', () => {
    expect(
      stacked([
        [1, null, null],
        [2, 2, null],
        [null, 3, null],
      ]),
    ).toEqual([
      [1, 0, null],
      [3, 2, null],
      [3, 5, null],
    ]);
  });

  test('spans from two minutes to a quarter of an hour, and ends with the newest', () => {
    expect(spanOf([])).toEqual([0, SPAN_MIN_S]);
    expect(spanOf([1_000_000, 1_010_000])).toEqual([1010 - SPAN_MIN_S, 1010]);
    expect(spanOf([0, 5_000_000])).toEqual([5000 - SPAN_MAX_S, 5000]);
  });
});

describe('a small line', () => {
  test('ends at the right, fills its height, and breaks where nothing is known', () => {
    expect(sparkline([0, 4, null, 2], { width: 30, height: 10, points: 4 })).toBe(
      'M0.0 10.0L10.0 0.0M30.0 5.0',
    );
    expect(sparkline([1], { width: 30, height: 10, points: 4 })).toBe('M30.0 0.0');
    expect(sparkline([], { width: 30, height: 10, points: 4 })).toBe('');
  });
});
