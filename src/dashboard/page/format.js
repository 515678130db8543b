// @ts-check

/** Stands where a number is not known: a 0 would be a claim. */
export const UNKNOWN = '–';

const NO_BREAK = '\u00a0';
const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isKnown(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

/** @param {number | null | undefined} value */
export function count(value) {
  return isKnown(value) ? whole.format(value) : UNKNOWN;
}

/**
 * Something per second, without its unit: below 10 a tenth matters, above it does not.
 *
 * @param {number | null | undefined} value
 */
export function rate(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value === 0) return '0';
  if (value < 0.05) return '<0.1';
  if (value < 9.95) return value.toFixed(1);
  if (value < 100_000) return whole.format(value);
  return `${whole.format(value / 1000)}${NO_BREAK}k`;
}

/**
 * A time that a request took, as number and unit.
 *
 * @param {number | null | undefined} ms
 * @returns {[string, string]}
 */
export function latencyParts(ms) {
  if (!isKnown(ms)) return [UNKNOWN, ''];
  if (ms < 0.995) return [ms.toFixed(2), 'ms'];
  if (ms < 9.95) return [ms.toFixed(1), 'ms'];
  if (ms < 999.5) return [ms.toFixed(0), 'ms'];
  if (ms < 9950) return [(ms / SECOND_MS).toFixed(2), 's'];
  return [(ms / SECOND_MS).toFixed(1), 's'];
}

/** @param {number | null | undefined} ms */
export function latency(ms) {
  const [number, unit] = latencyParts(ms);
  return unit === '' ? number : number + NO_BREAK + unit;
}

/**
 * A part of the whole, 0 to 1.
 *
 * @param {number | null | undefined} share
 */
export function percent(share) {
  if (!isKnown(share)) return UNKNOWN;
  if (share > 0 && share < 0.0005) return `<0.1${NO_BREAK}%`;
  return `${(share * 100).toFixed(1)}${NO_BREAK}%`;
}

/**
 * How long something lasts, in its two largest units at most.
 *
 * @param {number | null | undefined} ms
 */
export function duration(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  const s = Math.max(0, Math.floor(ms / SECOND_MS));
  const of = (/** @type {number} */ value, /** @type {string} */ unit) => `${value}${NO_BREAK}${unit}`;
  const pair = (
    /** @type {number} */ large,
    /** @type {string} */ unit,
    /** @type {number} */ small,
    /** @type {string} */ smallUnit,
  ) => (small === 0 ? of(large, unit) : `${of(large, unit)} ${of(small, smallUnit)}`);
  if (s < MINUTE_S) return of(s, 's');
  if (s < HOUR_S) return of(Math.floor(s / MINUTE_S), 'min');
  if (s < DAY_S) return pair(Math.floor(s / HOUR_S), 'h', Math.floor((s % HOUR_S) / MINUTE_S), 'min');
  return pair(Math.floor(s / DAY_S), 'd', Math.floor((s % DAY_S) / HOUR_S), 'h');
}

/** For how long an answer is owed: "0.8 s". @param {number} ms */
export function silence(ms) {
  return ms < 9950 ? `${(ms / SECOND_MS).toFixed(1)}${NO_BREAK}s` : duration(ms);
}

/** The time of day here. @param {number} at Unix ms */
export function clock(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** A place on the circle of 2^32. @param {number} position */
export function place(position) {
  const digits = position.toString(16).padStart(8, '0');
  return `0x${digits.slice(0, 4)}${NO_BREAK}${digits.slice(4)}`;
}

/** @param {number} n @param {string} one @param {string} [many] */
export function counted(n, one, many = `${one}s`) {
  return `${count(n)}${NO_BREAK}${n === 1 ? one : many}`;
}

/**
 * "a", "a and b", "a, b and c", "a, b, c and 4 more".
 *
 * @param {readonly string[]} names
 * @param {number} [most] how many are named
 */
export function list(names, most = Infinity) {
  return listParts(names, most).join('');
}

/**
 * A list as its items and what stands between them, for items that are more than their name.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {number} [most] how many are shown
 * @returns {(T | string)[]}
 */
export function listParts(items, most = Infinity) {
  const shown = items.length > most + 1 ? items.slice(0, most) : items;
  const rest = items.length - shown.length;
  const parts = rest > 0 ? [...shown, `${rest} more`] : shown;
  return parts.flatMap((part, i) => (i === 0 ? [part] : [i === parts.length - 1 ? ' and ' : ', ', part]));
}

/**
 * A key in quotes, as anybody may have sent it: marks of direction in it would turn the words around it, and what can't
 * be seen would make two keys look the same. Spaces are to be shown with `white-space: break-spaces`.
 *
 * @param {string} key
 */
export function quoted(key) {
  const printable = key.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${/** @type {number} */ (char.codePointAt(0)).toString(16)}}`,
  );
  return `“${printable}”`;
}

/** A long name without its middle, for where there is little room. @param {string} name @param {number} most characters */
export function short(name, most) {
  if (name.length <= most) return name;
  const tail = Math.floor((most - 1) / 2);
  return `${name.slice(0, most - 1 - tail)}…${name.slice(name.length - tail)}`;
}
