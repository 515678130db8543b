// @ts-check

/** @typedef {import('./store.js').Columns} Columns */
/** @typedef {(number | null)[]} Column */

/** Samples further apart than this have a gap between them: steps are of a second. */
const GAP_MS = 2500;

/** The least that a chart spans: with less, a minute's start would look like a storm. */
export const SPAN_MIN_S = 120;
export const SPAN_MAX_S = 15 * 60;

/**
 * Columns for a chart, time in seconds first. Where samples are missing there is a row of nulls, so that no line is
 * drawn over what nobody saw.
 *
 * @param {readonly number[]} at Unix ms
 * @param {readonly Column[]} columns
 * @returns {[number[], ...Column[]]}
 */
export function withGaps(at, columns) {
  /** @type {number[]} */
  const times = [];
  /** @type {Column[]} */
  const out = columns.map(() => []);
  for (const [i, ms] of at.entries()) {
    const last = at[i - 1];
    if (last !== undefined && ms - last > GAP_MS) {
      times.push((last + 1000) / 1000);
      for (const column of out) column.push(null);
    }
    times.push(ms / 1000);
    for (const [c, column] of out.entries()) column.push(columns[c]?.[i] ?? null);
  }
  return [times, ...out];
}

/**
 * Each column on top of those before it, so that the last is the sum of all. Who was not there adds nothing; a row where
 * nobody was stays empty.
 *
 * @param {readonly Column[]} columns
 * @returns {Column[]}
 */
export function stacked(columns) {
  /** @type {Column} */
  let below = [];
  return columns.map((column) => {
    below = column.map((value, i) => {
      const under = below[i] ?? null;
      if (value === null && under === null) return columns.some((one) => one[i] !== null) ? 0 : null;
      return (value ?? 0) + (under ?? 0);
    });
    return below;
  });
}

/** From when to when a chart shows, in s. @param {readonly number[]} at Unix ms @returns {[number, number]} */
export function spanOf(at) {
  const [first, last] = [at[0], at.at(-1)];
  if (first === undefined || last === undefined) return [0, SPAN_MIN_S];
  const span = Math.min(SPAN_MAX_S, Math.max(SPAN_MIN_S, (last - first) / 1000));
  return [last / 1000 - span, last / 1000];
}

/**
 * A small line as the data of an SVG path, in a box of `width` by `height`; gaps stay open.
 *
 * @param {readonly (number | null)[]} values
 * @param {{ width: number, height: number, points: number }} box `points`: how many values its width is for
 */
export function sparkline(values, { width, height, points }) {
  const shown = values.slice(-points);
  const most = Math.max(1e-9, ...shown.map((value) => value ?? 0));
  const step = width / Math.max(1, points - 1);
  const offset = points - shown.length;
  let path = '';
  let open = false;
  for (const [i, value] of shown.entries()) {
    if (value === null) {
      open = false;
      continue;
    }
    const [x, y] = [(offset + i) * step, height - (value / most) * height];
    path += `${open ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    open = true;
  }
  return path;
}
