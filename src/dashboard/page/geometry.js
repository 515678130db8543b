// @ts-check

/** Positions on the circle are the integers below it. */
export const KEY_SPACE = 2 ** 32;

const TURN = 2 * Math.PI;

/** Algorithms whose keys belong to points of a circle. @type {ReadonlySet<string>} */
const CIRCLES = new Set(['ring', 'nginx', 'ketama']);

/** Whether keys belong to points of a circle. @param {string} algorithm as the server calls it */
export function isCircle(algorithm) {
  return CIRCLES.has(algorithm);
}

/** Points that the lens shows around a key, on average. */
const LENS_POINTS = 11;

/**
 * The circle of keys: sorted points and whose they are. A point owns the arc that ends at it.
 *
 * @typedef {{ readonly digest: string, readonly names: readonly string[], readonly positions: Uint32Array, readonly owners: Uint16Array }} RingMap
 */

/** @param {string} text base64 @returns {DataView} */
function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new DataView(bytes.buffer);
}

/**
 * What `/dashboard/ring` answers, checked: a page that drew nonsense would be believed.
 *
 * @param {unknown} answer
 * @returns {RingMap}
 */
export function decodeRing(answer) {
  const { digest, names, positions, owners } = /** @type {Record<string, unknown>} */ (answer ?? {});
  if (typeof digest !== 'string' || !Array.isArray(names)) throw new Error('ring: not a ring');
  if (typeof positions !== 'string' || typeof owners !== 'string') throw new Error('ring: no points');
  const [at, whose] = [bytesOf(positions), bytesOf(owners)];
  const length = at.byteLength / 4;
  if (!Number.isInteger(length) || whose.byteLength !== length * 2) throw new Error('ring: cut off');
  const map = {
    digest,
    names: names.map(String),
    positions: new Uint32Array(length),
    owners: new Uint16Array(length),
  };
  let last = -1;
  for (let i = 0; i < length; i++) {
    const [position, owner] = [at.getUint32(i * 4, true), whose.getUint16(i * 2, true)];
    // Points of two may meet: the arc is the first one's, and the other's is empty.
    if (position < last) throw new Error('ring: not sorted');
    if (owner >= names.length) throw new Error('ring: a point of nobody');
    map.positions[i] = last = position;
    map.owners[i] = owner;
  }
  return map;
}

/** How far it is clockwise. @param {number} from @param {number} to */
export function walk(from, to) {
  return (to - from) >>> 0;
}

/** Radians for a canvas: 0 is at twelve o'clock, clockwise. @param {number} position */
export function angleOf(position) {
  return (position / KEY_SPACE) * TURN - TURN / 4;
}

/** The position at an angle of a canvas. @param {number} angle */
export function positionAt(angle) {
  const turns = (angle + TURN / 4) / TURN;
  return Math.floor((turns - Math.floor(turns)) * KEY_SPACE);
}

/** Index of the first point at or clockwise after a position; -1 where there is none. @param {RingMap} map @param {number} position */
export function pointAfter({ positions }, position) {
  if (positions.length === 0) return -1;
  let [low, high] = [0, positions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {number} */ (positions[middle]) < position) low = middle + 1;
    else high = middle;
  }
  return low === positions.length ? 0 : low;
}

/** @param {RingMap} map @param {number} position */
export function ownerAt(map, position) {
  const index = pointAfter(map, position);
  return index < 0 ? undefined : map.names[map.owners[index] ?? 0];
}

/**
 * The circle cut into equal cells, each with the owner of its middle, and neighbours of one owner made one. There are
 * more arcs than pixels: drawn one by one they would blend into grey, sampled they stay what they are.
 *
 * @param {RingMap} map
 * @param {number} cells
 * @returns {{ owner: number, from: number, to: number }[]} in cells, `to` exclusive
 */
export function runsOf(map, cells) {
  /** @type {{ owner: number, from: number, to: number }[]} */
  const runs = [];
  const points = map.positions.length;
  if (points === 0) return runs;
  let index = 0;
  for (let cell = 0; cell < cells; cell++) {
    const middle = ((cell + 0.5) * KEY_SPACE) / cells;
    while (index < points && /** @type {number} */ (map.positions[index]) < middle) index++;
    const owner = map.owners[index === points ? 0 : index] ?? 0;
    const last = runs.at(-1);
    if (last?.owner === owner) last.to = cell + 1;
    else runs.push({ owner, from: cell, to: cell + 1 });
  }
  return runs;
}

/**
 * The neighbourhood of a key, magnified: places from 0 to 1 along the lens.
 *
 * @typedef {{ name: string, from: number, to: number, point: boolean }} LensArc an arc; `point`: whether its end is in the lens
 * @typedef {{ key: number, point: number, start: number, span: number, arcs: LensArc[] }} Lens
 */

/**
 * @param {RingMap} map
 * @param {number} key its position
 * @returns {Lens | null} null where there is no point
 */
export function lensAt(map, key) {
  const points = map.positions.length;
  const owning = pointAfter(map, key);
  if (owning < 0) return null;
  const distance = walk(key, map.positions[owning] ?? 0);
  const span = Math.min(KEY_SPACE - 1, Math.max((LENS_POINTS * KEY_SPACE) / points, distance * 1.6));
  const start = (key - Math.round((span - distance) / 2)) >>> 0;
  /** @type {LensArc[]} */
  const arcs = [];
  let from = 0;
  const first = pointAfter(map, start);
  for (let i = 0; i <= points && from < 1; i++) {
    const index = (first + i) % points;
    const end = i === points ? 1 : walk(start, map.positions[index] ?? 0) / span;
    const to = Math.min(1, end);
    // The circle has come round: what is left belongs to the point that was first.
    const wrapped = to < from;
    arcs.push({
      name: map.names[map.owners[index] ?? 0] ?? '',
      from,
      to: wrapped ? 1 : to,
      point: !wrapped && end <= 1 && i < points,
    });
    from = wrapped ? 1 : to;
  }
  return { key: walk(start, key) / span, point: (walk(start, key) + distance) / span, start, span, arcs };
}

/**
 * Parts of a whole as pieces of a circle, in radians for a canvas.
 *
 * @typedef {{ name: string, from: number, to: number }} Sector
 * @param {readonly { readonly name: string, readonly share: number }[]} parts
 * @returns {Sector[]}
 */
export function sectorsOf(parts) {
  const sum = parts.reduce((total, { share }) => total + share, 0);
  if (!(sum > 0)) return [];
  let reached = 0;
  return parts
    .filter(({ share }) => share > 0)
    .map(({ name, share }) => {
      const from = (reached / sum) * TURN - TURN / 4;
      reached += share;
      return { name, from, to: (reached / sum) * TURN - TURN / 4 };
    });
}

/**
 * On the way from one set of sectors to another. Who comes grows out of the place where it will be, who goes shrinks
 * into the place where it was.
 *
 * @param {readonly Sector[]} before
 * @param {readonly Sector[]} after
 * @param {number} progress 0 to 1
 * @returns {Sector[]}
 */
export function between(before, after, progress) {
  if (progress >= 1) return [...after];
  const was = new Map(before.map((one) => [one.name, one]));
  const will = new Map(after.map((one) => [one.name, one]));
  const mix = (/** @type {number} */ a, /** @type {number} */ b) => a + (b - a) * progress;
  const coming = after.map(({ name, from, to }) => {
    const old = was.get(name) ?? { from, to: from };
    return { name, from: mix(old.from, from), to: mix(old.to, to) };
  });
  const going = before
    .filter(({ name }) => !will.has(name))
    .map(({ name, from, to }) => ({ name, from, to: mix(to, from) }));
  return [...going, ...coming];
}

/**
 * Whether an upright box lies within a piece of a ring; the ring's middle is at 0, 0.
 *
 * @param {{ x: number, y: number, width: number, height: number }} box by its middle
 * @param {{ from: number, to: number, inner: number, outer: number }} piece
 */
export function fits({ x, y, width, height }, { from, to, inner, outer }) {
  const full = to - from >= TURN - 1e-9;
  const middle = (from + to) / 2;
  for (const dx of [-0.5, 0, 0.5])
    for (const dy of [-0.5, 0, 0.5]) {
      const [px, py] = [x + dx * width, y + dy * height];
      const radius = Math.hypot(px, py);
      if (radius < inner || radius > outer) return false;
      const off = Math.abs(
        Math.atan2(Math.sin(Math.atan2(py, px) - middle), Math.cos(Math.atan2(py, px) - middle)),
      );
      if (!full && off > (to - from) / 2) return false;
    }
  return true;
}
