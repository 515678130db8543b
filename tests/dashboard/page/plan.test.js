// @ts-check
import { describe, expect, test } from 'bun:test';
import { changes, isPlan, sentence } from '../../../src/dashboard/page/plan.js';

/** @typedef {import('../../../src/dashboard/page/plan.js').Plan} Plan */

/** @param {readonly (readonly [string, string, number])[]} moves @param {Record<string, number>} [after] @returns {Plan} */
function plan(moves, after = { a: 1 }) {
  const moved = moves.reduce((sum, [, , share]) => sum + share, 0);
  return {
    moved,
    least: moved,
    moves: moves.map(([from, to, share]) => ({ from, to, share })),
    before: { a: 1 },
    after,
  };
}

/** @param {Plan} one */
const said = (one) => sentence(one).replaceAll('\u00a0', ' ');

describe('a plan in one sentence', () => {
  test('names the one that gets all', () => {
    expect(
      said(
        plan([
          ['server-1', 'server-4', 0.04],
          ['server-2', 'server-4', 0.072],
        ]),
      ),
    ).toBe('11.2 % of keys will move, all to server-4.');
  });

  test('names who gets how much, the most first', () => {
    expect(
      said(
        plan([
          ['server-2', 'server-3', 0.159],
          ['server-2', 'server-1', 0.171],
        ]),
      ),
    ).toBe('33.0 % of keys will move: 17.1 % to server-1 and 15.9 % to server-3.');
  });

  test('counts those for whom there is no room', () => {
    const moves = [5, 4, 3, 2, 1].map((n) => /** @type {const} */ (['x', `to-${n}`, n / 100]));
    expect(said(plan(moves))).toBe('15.0 % of keys will move, to 5 replicas, at most 5.0 % to each.');
  });

  test('says so where nothing moves, and where nobody is left', () => {
    expect(said(plan([]))).toBe('No key will move.');
    expect(said(plan([], {}))).toContain('No replica will be left');
  });
});

test('shares before and after begin with those that change most', () => {
  const rows = changes({ ...plan([]), before: { a: 0.5, b: 0.5 }, after: { a: 0.45, c: 0.55 } });
  expect(rows).toEqual([
    { name: 'c', before: null, after: 0.55 },
    { name: 'b', before: 0.5, after: null },
    { name: 'a', before: 0.5, after: 0.45 },
  ]);
});

test('what is not a plan is not taken for one', () => {
  expect(isPlan(plan([]))).toBe(true);
  for (const other of [null, 'x', {}, { message: '<Error> no', status: 'failure' }, { moved: 1, moves: [] }])
    expect(isPlan(other)).toBe(false);
});
