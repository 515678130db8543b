import { sitesOf, type Algorithm, type Arcs, type Placement, type Site } from './placement.ts';

/**
 * How many replicas a circle has room for. A point is sorted as one float64: 32 of its 53 bits are the position, the others the rank, and rank 0 is
 * taken.
 */
export const REPLICAS_MAX = 2 ** 21 - 1;

/** Positions are the integers below it. */
const KEY_SPACE = 2 ** 32;

/**
 * Rings with more points than 128 replicas have are looked up by their points alone: a table of arcs would be larger than
 * a CPU core's second cache, and a lookup waits for memory more than for anything else.
 */
const ARCS_POINTS_MAX = 2 ** 17;

/** More leave fewer that need a look at the points, but miss the CPU's caches more often: measured flat from 2 to 8. */
const ARCS_PER_POINT = 4;

/**
 * 128 KiB of 1-byte ranks, which a CPU core's second cache has room for: a smaller table only makes more
 * lookups go on to the points.
 */
const ARC_BITS_MIN = 17;

/** Of the table of starts. */
const POINTS_PER_START = 4;

/** Points that are compared at once, without a branch that a CPU could guess wrong: 2 on average lie before what is sought. */
const WINDOW = 6;

/** The rank of no replica: theirs begin at 1. */
const NOBODY = 0;

/** Points in ring order: what is at one place of both columns belongs together. */
export interface PointColumns {
  /** integers in [0, 2^32), ascending */
  readonly positions: Uint32Array;
  /** whose each is, as an index into the ring's names; at one position the owner's comes first */
  readonly owners: Uint32Array;
}

type Ranks = Uint8Array | Uint16Array | Uint32Array;

/**
 * What every ring is made of, whatever hashes its keys and sets its points: points of the replicas among the 2^32
 * positions, in order, and a key belongs to the first point at or clockwise after its hash. Immutable.
 *
 * Where points of several replicas meet, the smallest name (code-unit order) owns the position. The other
 * points stay behind it, so that the next smallest takes over when it leaves.
 *
 * A table of as many equal arcs as a quarter of the points says where the points of each begin, and there the first is
 * sought that is not before a position. While there are few points, a finer table comes before it, which names the owner
 * of each arc that has one throughout.
 */
export abstract class Circle implements Placement {
  abstract readonly algorithm: Algorithm;
  /** by what a key is hashed: the positions of two rings mean the same only where this is the same */
  protected abstract readonly keyHash: string;
  readonly positions = KEY_SPACE;
  readonly names: readonly string[];
  readonly sites: readonly Site[];

  /** how many points there are, those behind another included */
  readonly points: number;

  // By rank. Apart from `names` because that is frozen, and JavaScriptCore is slow to read a frozen array.
  readonly #byRank: readonly (string | undefined)[];

  // Sorted by position, then rank.
  readonly #positions: Uint32Array;

  // Of each point as many of the last bits of its position as there is room for, and below them its rank: what a lookup
  // needs stands together. One more follows, of the owner of the first point, so that the circle closes.
  readonly #tails: Int32Array;
  readonly #rankBits: number;
  readonly #rankMask: number;

  // By the top bits of a position: the first point that begins with them or comes after.
  readonly #starts: Uint32Array;
  readonly #startsShift: number;

  // By more top bits, or where there are too many points by the first: who owns every position that begins with them, or
  // NOBODY.
  readonly #soleOwners: Ranks;
  readonly #soleOwnersShift: number;

  /**
   * O(p log p) for p points in all.
   *
   * @param replicas in any order; by its name alone, one has weight 1; of a name that comes twice the last counts
   * @param positionsOf where the points of a replica are: as many as it likes, each in [0, 2^32); it is told all of them,
   *   too, sorted by name
   * @throws RangeError for more than {@link REPLICAS_MAX} names
   */
  protected constructor(
    replicas: Iterable<string | Site>,
    positionsOf: (site: Site, all: readonly Site[]) => Uint32Array,
  ) {
    const sites = sitesOf(replicas);
    if (sites.length > REPLICAS_MAX) {
      throw new RangeError(`A ring has room for ${REPLICAS_MAX} replicas, not for ${sites.length}`);
    }
    const names = sites.map(({ name }) => name);
    this.names = Object.freeze(names);
    this.sites = sites;
    this.#byRank = [undefined, ...names];

    const points = sortedPoints(sites.map((site) => positionsOf(site, sites)));
    const rankBits = bitsToCount(sites.length + 1, 1, 21);
    const positions = new Uint32Array(points.length);
    const tails = new Int32Array(points.length + WINDOW);
    for (let i = 0; i < points.length; i++) {
      const position = Math.floor(points[i]! / (REPLICAS_MAX + 1));
      positions[i] = position;
      tails[i] = (position << rankBits) | (points[i]! - position * (REPLICAS_MAX + 1));
    }
    this.points = points.length;
    this.#positions = positions;
    this.#tails = tails;
    this.#rankBits = rankBits;
    this.#rankMask = 2 ** rankBits - 1;
    tails[points.length] = this.#rank(0);

    // At least so many that tails of one arc differ by less than 2^31: then the sign of a difference tells which is first.
    const startsBits = bitsToCount(this.points / POINTS_PER_START, rankBits + 1, 31);
    this.#startsShift = 32 - startsBits;
    this.#starts = startsOf(positions, startsBits);

    const arcBits =
      this.points > ARCS_POINTS_MAX ? 1 : bitsToCount(this.points * ARCS_PER_POINT, ARC_BITS_MIN, 31);
    this.#soleOwnersShift = 32 - arcBits;
    this.#soleOwners = this.#soleOwnersOf(arcBits);
  }

  /** The key's position, in [0, 2^32). O(length). */
  abstract hash(key: string): number;

  /** The replica that owns the key; undefined when there is none. Expected O(1) beyond the hash. */
  abstract owner(key: string): string | undefined;

  /** The hash itself, in [0, 2^32). O(length). */
  positionOf(key: string): number {
    return this.hash(key);
  }

  /**
   * The replica that owns a position of the key space; undefined when there is none. Expected O(1).
   *
   * @param position an integer, taken modulo 2^32
   */
  ownerAt(position: number): string | undefined {
    const rank = this.#soleOwners[position >>> this.#soleOwnersShift]!;
    if (rank !== NOBODY) return this.#byRank[rank];
    return this.#byRank[this.#rank(this.#firstPoint(position))];
  }

  /**
   * Clockwise from the key's hash, each replica when its first point is met. A replica without a point, as a ring of
   * another balancer may have, is not in it. Expected O(N log N) for all of N replicas of equal weight; whatever the weights
   * and the limit O(N + p) at most, of which N is bytes to clear.
   */
  preference(key: string, limit = this.names.length): string[] {
    const wanted = Math.min(limit, this.names.length);
    const found: string[] = [];
    const isFound = new Uint8Array(this.names.length + 1);
    let i = this.#firstPoint(this.hash(key));
    for (let left = this.points; left > 0 && found.length < wanted; left--) {
      if (i === this.points) i = 0;
      const rank = this.#rank(i++);
      if (isFound[rank] === 1) continue;
      isFound[rank] = 1;
      found.push(this.#byRank[rank]!);
    }
    return found;
  }

  /** The part of the key space that each replica owns: exact, 1 in sum. O(points). */
  share(): Map<string, number> {
    const owned = new Float64Array(this.names.length + 1);
    let previous = this.points === 0 ? 0 : this.#positions[this.points - 1]! - KEY_SPACE;
    for (let i = 0; i < this.points; i++) {
      owned[this.#rank(i)]! += this.#positions[i]! - previous;
      previous = this.#positions[i]!;
    }
    return new Map(this.names.map((name, i) => [name, owned[i + 1]! / KEY_SPACE]));
  }

  /**
   * Where the point is that a position belongs to: the first at or clockwise after it. Undefined when there is
   * none. Expected O(1).
   *
   * @param position an integer, taken modulo 2^32
   */
  pointAt(position: number): number | undefined {
    if (this.points === 0) return undefined;
    const i = this.#firstPoint(position);
    return this.#positions[i === this.points ? 0 : i];
  }

  /** All points in the order of {@link entries}, as columns, for who goes through many. Copies; O(points). */
  columns(): PointColumns {
    const owners = new Uint32Array(this.points);
    for (let i = 0; i < owners.length; i++) owners[i] = this.#rank(i) - 1;
    return { positions: this.#positions.slice(), owners };
  }

  /** One arc for each point, those behind another at their position included. Copies; O(points). */
  arcs(): Arcs {
    return { keyHash: this.keyHash, keySpace: KEY_SPACE, ...this.columns() };
  }

  /** All points in ring order; at one position the owner's first. O(1) for each that is taken. */
  *entries(): Generator<readonly [position: number, name: string]> {
    for (let i = 0; i < this.points; i++) yield [this.#positions[i]!, this.#byRank[this.#rank(i)]!];
  }

  #rank(point: number): number {
    return this.#tails[point]! & this.#rankMask;
  }

  /** The first point at or after the position, or how many points there are if there is none before the key space ends. */
  #firstPoint(position: number): number {
    const arc = position >>> this.#startsShift;
    let i = this.#starts[arc]!;
    // Below 0 while there are points of the arc left.
    let left = i - this.#starts[arc + 1]!;
    // Of no rank: so a point at the position itself is not before it.
    const tail = position << this.#rankBits;
    const tails = this.#tails;
    for (;;) {
      // Of each point 1 if it is before the position and of the arc: then both numbers are below 0.
      const before =
        (((tails[i]! - tail) & left) >>> 31) +
        (((tails[i + 1]! - tail) & (left + 1)) >>> 31) +
        (((tails[i + 2]! - tail) & (left + 2)) >>> 31) +
        (((tails[i + 3]! - tail) & (left + 3)) >>> 31) +
        (((tails[i + 4]! - tail) & (left + 4)) >>> 31) +
        (((tails[i + 5]! - tail) & (left + 5)) >>> 31);
      i += before;
      if (before < WINDOW) return i;
      left += WINDOW;
    }
  }

  #soleOwnersOf(bits: number): Ranks {
    const soleOwners = ranksUpTo(this.names.length, 2 ** bits);
    const positions = this.#positions;
    let i = 0;
    for (let arc = 0; arc < soleOwners.length; arc++) {
      const rank = this.#rank(i);
      let sole = true;
      // The point that follows the arc's own owns the arc's end.
      while (i < positions.length && positions[i]! >>> (32 - bits) === arc)
        sole = this.#rank(++i) === rank && sole;
      if (sole) soleOwners[arc] = rank;
    }
    return soleOwners;
  }
}

/** Position times 2^21 plus rank: in this order the smallest name comes first where points meet. */
function sortedPoints(positionsByReplica: readonly Uint32Array[]): Float64Array {
  const points = new Float64Array(positionsByReplica.reduce((sum, positions) => sum + positions.length, 0));
  let next = 0;
  for (const [i, positions] of positionsByReplica.entries()) {
    const rank = i + 1;
    for (let j = 0; j < positions.length; j++) points[next++] = positions[j]! * (REPLICAS_MAX + 1) + rank;
  }
  return points.sort();
}

/** For each arc, and one more for the end. */
function startsOf(positions: Uint32Array, bits: number): Uint32Array {
  const starts = new Uint32Array(2 ** bits + 1);
  let arc = 0;
  for (let i = 0; i < positions.length; i++) {
    const arcOfPoint = positions[i]! >>> (32 - bits);
    while (arc <= arcOfPoint) starts[arc++] = i;
  }
  return starts.fill(positions.length, arc);
}

function ranksUpTo(rankMax: number, length: number): Ranks {
  if (rankMax <= 0xff) return new Uint8Array(length);
  if (rankMax <= 0xffff) return new Uint16Array(length);
  return new Uint32Array(length);
}

function bitsToCount(count: number, bitsMin: number, bitsMax: number): number {
  return Math.min(bitsMax, Math.max(bitsMin, Math.ceil(Math.log2(count))));
}
