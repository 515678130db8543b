// @ts-check
import { describe, expect, test } from 'bun:test';
import {
  UNKNOWN,
  clock,
  count,
  counted,
  duration,
  latency,
  list,
  listParts,
  percent,
  place,
  quoted,
  rate,
  short,
  silence,
} from '../../../src/dashboard/page/format.js';

/** @param {string} text */
const plain = (text) => text.replaceAll('\u00a0', ' ');

describe('numbers', () => {
  test('what is not known is never a 0', () => {
    for (const format of [count, rate, latency, percent, duration])
      for (const value of [null, undefined, Number.NaN]) expect(format(value)).toBe(UNKNOWN);
  });

  test('a rate has a tenth below 10 and none above, and what is little is not nothing', () => {
    expect([0, 0.01, 0.44, 9.94, 9.96, 1234.4, 123_456].map(rate).map(plain)).toEqual([
      '0',
      '<0.1',
      '0.4',
      '9.9',
      '10',
      '1,234',
      '123 k',
    ]);
  });

  test('a latency has two or three digits that mean something', () => {
    expect([0.123, 1.24, 9.96, 412.4, 999.9, 1234, 12_340].map(latency).map(plain)).toEqual([
      '0.12 ms',
      '1.2 ms',
      '10 ms',
      '412 ms',
      '1.00 s',
      '1.23 s',
      '12.3 s',
    ]);
  });

  test('a share is in percent with one decimal', () => {
    expect([0, 0.0001, 0.112, 1].map(percent).map(plain)).toEqual(['0.0 %', '<0.1 %', '11.2 %', '100.0 %']);
  });

  test('a duration has its two largest units', () => {
    expect([0, 59_999, 60_000, 3_600_000, 7_500_000, 90_000_000].map(duration).map(plain)).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '1 h',
      '2 h 5 min',
      '1 d 1 h',
    ]);
    expect(duration(-5)).toBe('0\u00a0s');
    expect(plain(silence(840))).toBe('0.8 s');
  });

  test('the time of day is that of the clock on the wall', () => {
    expect(clock(new Date(2026, 0, 2, 3, 4, 5).getTime())).toBe('03:04:05');
  });

  test('a place on the circle has eight digits', () => {
    expect(plain(place(0x1e3f))).toBe('0x0000 1e3f');
  });
});

describe('words', () => {
  test('one is one and two are many', () => {
    expect([0, 1, 2].map((n) => plain(counted(n, 'replica')))).toEqual([
      '0 replicas',
      '1 replica',
      '2 replicas',
    ]);
  });

  test('a list names some and counts the rest, and never hides a single one', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    expect([0, 1, 2, 3].map((n) => list(names.slice(0, n)))).toEqual(['', 'a', 'a and b', 'a, b and c']);
    expect(list(names, 3)).toBe('a, b, c and 2 more');
    expect(list(names, 4)).toBe('a, b, c, d and e');
  });

  test('a long name loses its middle', () => {
    expect(short('server-1', 14)).toBe('server-1');
    expect(short('a-very-long-name-17', 9)).toBe('a-ve…e-17');
  });
});

test('a list of what is more than a name keeps its items whole', () => {
  const [a, b, c] = [{ a: 1 }, { b: 2 }, { c: 3 }];
  expect(listParts([a, b, c])).toEqual([a, ', ', b, ' and ', c]);
  expect(listParts([a, b, c], 1)).toEqual([a, ' and ', '2 more']);
  expect(listParts([])).toEqual([]);
});

test('a key is in quotes, and what can’t be seen in it is written out', () => {
  expect(
    [
      'user-1',
      '   ',
      '',
      'a\u202eb',
      '\u0000\u001b[31m\u007f\u009b',
      '\u00ad\u200b\ufeff\u2028\u2029',
      '\u{e0001}é😀',
    ].map(quoted),
  ).toEqual([
    '“user-1”',
    '“   ”',
    '“”',
    '“a\\u{202e}b”',
    '“\\u{0}\\u{1b}[31m\\u{7f}\\u{9b}”',
    '“\\u{ad}\\u{200b}\\u{feff}\\u{2028}\\u{2029}”',
    '“\\u{e0001}é😀”',
  ]);
});
