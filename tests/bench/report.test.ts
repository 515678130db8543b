import { expect, test } from 'bun:test';
import { digits, isMet, tableOf, textOf } from './report.ts';

const rows = [
  { name: 'relay', cpu: 12.345, note: 'fast' },
  { name: 'a longer name', cpu: undefined, note: 'not measured' },
];
const table = tableOf<(typeof rows)[number]>(
  [
    { title: '', cell: ({ name }) => name },
    { title: 'CPU', cell: ({ cpu }) => digits(cpu, 1) },
    { title: 'note', cell: ({ note }) => note },
  ],
  rows,
);

test('figures stand to the right, words to the left, and what was not measured is a dash', () => {
  expect(textOf({ notes: ['seen'], table, rows, goals: [] })).toBe(
    [
      'seen',
      '',
      '                CPU  note',
      'relay          12.3  fast',
      'a longer name     -  not measured',
      '',
    ].join('\n'),
  );
});

test.each([
  ['at most', 1, 1, true],
  ['at most', 1.01, 1, false],
  ['at least', 0.85, 0.85, true],
  ['at least', 0.84, 0.85, false],
  // Where there is no figure nothing is met.
  ['at most', Number.NaN, 1, false],
  ['at least', Number.NaN, 1, false],
] as const)('%s: %p with a goal of %p is %p', (bound, measured, goal, met) => {
  expect(isMet({ name: 'x', bound, measured, goal })).toBe(met);
});

test('a goal is told with what was measured', () => {
  const goals = [{ name: 'CPU', measured: 0.876, bound: 'at most', goal: 1 }] as const;
  expect(textOf({ notes: [], table: [], rows: [], goals })).toContain('met     CPU: 0.88, goal at most 1');
});

test.each([
  [1.005, 0, '1'],
  [1.25, 1, '1.3'],
  [Number.NaN, 1, undefined],
  [undefined, 1, undefined],
])('%p with %p digits is %p', (value, count, text) => {
  expect(digits(value, count)).toBe(text);
});
