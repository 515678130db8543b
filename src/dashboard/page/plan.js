// @ts-check
import { list, percent } from './format.js';

/** Moves that a sentence names one by one. */
const MOVES_NAMED = 4;

/** Shares that differ by less look the same when printed. */
const SAME = 0.0005;

/**
 * What a change would do to the keys.
 *
 * @typedef {object} Plan
 * @property {number} moved part of the keys that get another owner, 0 to 1
 * @property {number} least
 * @property {{ from: string, to: string, share: number }[]} moves
 * @property {Record<string, number>} before
 * @property {Record<string, number>} after
 * @property {{ before: number, after: number }} [largest_over_mean]
 * @property {string[]} [add]
 * @property {string[]} [rm]
 */

/**
 * Where plans are not made, something else answers that path.
 *
 * @param {unknown} answer
 * @returns {answer is Plan}
 */
export function isPlan(answer) {
  if (typeof answer !== 'object' || answer === null) return false;
  const { moved, moves, before, after } = /** @type {Record<string, unknown>} */ (answer);
  return (
    typeof moved === 'number' &&
    Array.isArray(moves) &&
    typeof before === 'object' &&
    before !== null &&
    typeof after === 'object' &&
    after !== null
  );
}

/**
 * A plan in one sentence: "11.2 % of keys will move, all to server-4".
 *
 * @param {Plan} plan
 */
export function sentence({ moved, moves, after }) {
  if (Object.keys(after).length === 0) return 'No replica will be left: nobody owns any key then.';
  if (!(moved > 0)) return 'No key will move.';
  /** @type {Map<string, number>} */
  const gains = new Map();
  for (const { to, share } of moves) gains.set(to, (gains.get(to) ?? 0) + share);
  const sorted = [...gains].sort(([, a], [, b]) => b - a);
  const start = `${percent(moved)} of keys will move`;
  const [first] = sorted;
  if (first === undefined) return `${start}.`;
  if (sorted.length === 1) return `${start}, all to ${first[0]}.`;
  const part = (/** @type {readonly [string, number]} */ [name, share]) => `${percent(share)} to ${name}`;
  if (sorted.length <= MOVES_NAMED) return `${start}: ${list(sorted.map(part))}.`;
  return `${start}, to ${sorted.length} replicas, at most ${percent(first[1])} to each.`;
}

/**
 * Shares before and after, those that change most first; null: not there.
 *
 * @param {Plan} plan
 * @returns {{ name: string, before: number | null, after: number | null }[]}
 */
export function changes({ before, after }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const rows = names.map((name) => ({
    name,
    before: Object.hasOwn(before, name) ? (before[name] ?? null) : null,
    after: Object.hasOwn(after, name) ? (after[name] ?? null) : null,
  }));
  const weight = (/** @type {{ before: number | null, after: number | null }} */ row) =>
    Math.abs((row.after ?? 0) - (row.before ?? 0));
  return rows
    .map((row, i) => ({ row, i }))
    .sort((a, b) =>
      Math.abs(weight(b.row) - weight(a.row)) < SAME ? a.i - b.i : weight(b.row) - weight(a.row),
    )
    .map(({ row }) => row);
}
