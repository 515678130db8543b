import { sitesOf, type Algorithm, type Arcs, type Placement, type Site } from './placement.ts';

/**
 * A point is sorted as one float64: 32 of its 53 bits are the position, the others the rank, and rank 0 is
 * taken.
 */
export const REPLICAS_MAX = 2 ** 21 - 1;

/** Positions are the integers below it. */
const KEY_SPACE = 2 ** 32;

/**
 * More buckets leave fewer that need a scan, but miss the CPU's caches more often: measured flat from 2 to 8.
 */
const BUCKETS_PER_POINT = 4;

/**
 * 128 KiB of 1-byte ranks, which a CPU core's second cache has room for: a smaller table only makes more
 * lookups scan, and there is a mispredicted branch in each of those.
 */
const BUCKET_BITS_MIN = 17;

/** 64 MiB of 4-byte ranks. Beyond 4096 replicas it makes scans more frequent, but none of them longer. */
const BUCKET_BITS_MAX = 24;

/** A scan passes half as many on average, side by side in one or two cache lines. */
const POINTS_PER_START = 8;

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
 * A position is looked up in a table of equal arcs, four for each point: an arc that has one owner throughout names it,
 * and of the others the points are passed one by one, from the first that another table knows.
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

  // Sorted by position, then rank. One more point follows, at the end of the key space for the owner of the
  // first: a scan stops at it, and so wraps round, without a test of its own.
  readonly #positions: Uint32Array;
  readonly #ranks: Ranks;

  // By the top bits of a position: who owns every position that begins with them, or NOBODY.
  readonly #soleOwners: Ranks;
  readonly #soleOwnersShift: number;

  // By fewer top bits: the first point that begins with them or comes after.
  readonly #starts: Uint32Array;
  readonly #startsShift: number;

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
    const positions = new Uint32Array(points.length + 1);
    const ranks = ranksUpTo(sites.length, points.length + 1);
    for (let i = 0; i < points.length; i++) {
      const position = Math.floor(points[i]! / (REPLICAS_MAX + 1));
      positions[i] = position;
      ranks[i] = points[i]! - position * (REPLICAS_MAX + 1);
    }
    positions[points.length] = KEY_SPACE - 1;
    ranks[points.length] = ranks[0]!;
    this.points = points.length;
    this.#positions = positions;
    this.#ranks = ranks;

    const startsBits = bitsToCount(this.points / POINTS_PER_START, 1, 31);
    this.#startsShift = 32 - startsBits;
    this.#starts = startsOf(positions, startsBits);

    const bucketBits = bitsToCount(this.points * BUCKETS_PER_POINT, BUCKET_BITS_MIN, BUCKET_BITS_MAX);
    this.#soleOwnersShift = 32 - bucketBits;
    this.#soleOwners = soleOwnersOf(positions, ranks, names.length, bucketBits);
  }

  abstract hash(key: string): number;

  abstract owner(key: string): string | undefined;

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
    return this.#byRank[this.#ranks[this.#firstPoint(position >>> 0)]!];
  }

  /**
   * Clockwise from the key's hash, each replica when its first point is met. A replica without a point, as a ring of
   * another balancer may have, is not in it. Expected O(N log N) for all of N replicas, and for fewer O(N) at most, of
   * which N is bytes to clear.
   */
  preference(key: string, limit = this.names.length): string[] {
    const wanted = Math.min(limit, this.names.length);
    const found: string[] = [];
    const isFound = new Uint8Array(this.names.length + 1);
    let i = this.#firstPoint(this.hash(key));
    for (let left = this.points; left > 0 && found.length < wanted; left--) {
      if (i === this.points) i = 0;
      const rank = this.#ranks[i++]!;
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
      owned[this.#ranks[i]!]! += this.#positions[i]! - previous;
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
    const i = this.#firstPoint(position >>> 0);
    return this.#positions[i === this.points ? 0 : i];
  }

  /** All points in the order of {@link entries}, as columns, for who goes through many. Copies; O(points). */
  columns(): PointColumns {
    const owners = new Uint32Array(this.points);
    for (let i = 0; i < owners.length; i++) owners[i] = this.#ranks[i]! - 1;
    return { positions: this.#positions.slice(0, this.points), owners };
  }

  arcs(): Arcs {
    return { keyHash: this.keyHash, keySpace: KEY_SPACE, ...this.columns() };
  }

  /** All points in ring order; at one position the owner's first. */
  *entries(): Generator<readonly [position: number, name: string]> {
    for (let i = 0; i < this.points; i++) yield [this.#positions[i]!, this.#byRank[this.#ranks[i]!]!];
  }

  #firstPoint(position: number): number {
    let i = this.#starts[position >>> this.#startsShift]!;
    while (this.#positions[i]! < position) i++;
    return i;
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

function startsOf(positions: Uint32Array, bits: number): Uint32Array {
  const starts = new Uint32Array(2 ** bits);
  let bucket = 0;
  for (let i = 0; i < positions.length; i++) {
    const bucketOfPoint = positions[i]! >>> (32 - bits);
    while (bucket <= bucketOfPoint) starts[bucket++] = i;
  }
  return starts;
}

function soleOwnersOf(positions: Uint32Array, ranks: Ranks, rankMax: number, bits: number): Ranks {
  const soleOwners = ranksUpTo(rankMax, 2 ** bits);
  const last = positions.length - 1;
  let i = 0;
  for (let bucket = 0; bucket < soleOwners.length; bucket++) {
    const rank = ranks[i]!;
    let sole = true;
    // The point that follows the bucket's own owns the bucket's end.
    while (i < last && positions[i]! >>> (32 - bits) === bucket) sole = ranks[++i] === rank && sole;
    if (sole) soleOwners[bucket] = rank;
  }
  return soleOwners;
}

function ranksUpTo(rankMax: number, length: number): Ranks {
  if (rankMax <= 0xff) return new Uint8Array(length);
  if (rankMax <= 0xffff) return new Uint16Array(length);
  return new Uint32Array(length);
}

function bitsToCount(count: number, bitsMin: number, bitsMax: number): number {
  return Math.min(bitsMax, Math.max(bitsMin, Math.ceil(Math.log2(count))));
}
