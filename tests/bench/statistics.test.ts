import { expect, test } from 'bun:test';
import { medianOf, quantileOf } from './statistics.ts';

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 3, 2], 2.5],
  [[10, 9, 100], 10],
  [[], Number.NaN],
])('the median of %p is %p', (values, median) => {
  expect(medianOf(values)).toBe(median);
});

test.each([
  [0.5, 50],
  [0.99, 99],
  [0.001, 1],
  [1, 100],
])('the share %p of 1 to 100 is at or below %p', (share, value) => {
  const sorted = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  expect(quantileOf(sorted, share)).toBe(value);
});

test('no values have no quantile', () => {
  expect(quantileOf([], 0.5)).toBeNaN();
});
