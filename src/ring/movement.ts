import { weightSumOf, type Arcs, type Placement, type Site } from './placement.ts';
import { Rendezvous } from './rendezvous.ts';

/** Beyond so many pairs of owners, 32 MiB of counts, they are counted in a map. */
const DENSE_PAIRS_MAX = 2 ** 22;

/** Before pairs are cut down to as many as are wanted there may be so many times as many, and some. */
const KEPT_FACTOR = 4;
const KEPT_MIN = 1024;

/** Keys that one replica loses to another. */
export interface Move {
  /** who owns them before; null: nobody, for there is no replica */
  readonly from: string | null;
  /** who owns them after; null: nobody, for there is no replica */
  readonly to: string | null;
  /** part of the key space, in (0, 1]; between two maps of one hash a multiple of 2^-32, so exact, as is any sum of such */
  readonly share: number;
}

/** How the key space is divided. */
export interface Division {
  /** the part of the key space that each replica owns, by name: 1 in sum unless there is no replica */
  readonly shares: ReadonlyMap<string, number>;
  /** the largest share over what is due to its replica by weight, 1 or more; null where there is no replica */
  readonly largestOverMean: number | null;
}

/** What changes its owner between two placements. */
export interface Movement {
  /** part of the key space that changes its owner, in [0, 1]: the sum of all moves, those that are not listed included */
  readonly moved: number;
  /** what would have to move if all shares were as due, in [0, 1]; see {@link leastMoved} */
  readonly least: number;
  /** pairs of owners between which keys move, each once; largest share first, then by name */
  readonly moves: readonly Move[];
  readonly before: Division;
  readonly after: Division;
}

/** What moves between pairs of replicas; what is at one place of both lists belongs together. */
interface Pairs {
  /** `indexBefore * (M + 1) + indexAfter`, where the index one past the last is nobody */
  /** the largest, as many as are wanted, in no order */
  readonly pairs: readonly number[];
  /** parts of the key space, above 0 */
  readonly shares: readonly number[];
  /** in sum, of all */
  readonly moved: number;
}

/**
 * What changes its owner from one placement to the other, of any two algorithms.
 *
 * - Of two maps of one hash (ring and Maglev, or two of one kind) it is exact, for lengths of arcs are counted as
 *   integers, and divided by the key space at the end: one merge over both, O(p) for p points or slots in both together, and
 *   O(N M) to go through the counts of N and M replicas, of those alone that are not 0 beyond 2^22 pairs.
 * - Of two rendezvous hashings it is exact for ideal hashes: a closed form, {@link rendezvousPairs}. O(N log N + m).
 * - Of different hashes, as where an algorithm is changed for nginx's, where a key was says nothing of where it will be:
 *   from i to j goes the product of their shares, of independent hashes. O(N M).
 *
 * And O(m log m) for the m moves, which are N where one joins or leaves, and N M at most.
 *
 * @param movesMax how many moves to list, the largest; all by default
 */
export function movement(
  before: Placement,
  after: Placement,
  { movesMax = Infinity }: { readonly movesMax?: number } = {},
): Movement {
  const [sharesBefore, sharesAfter] = [before.share(), after.share()];
  const found = pairsOf(before, after, { sharesBefore, sharesAfter, movesMax });
  return {
    moved: found.moved,
    least: leastMoved(ownersOf(before, sharesBefore), ownersOf(after, sharesAfter)),
    moves: movesOf(found, before.names, after.names),
    before: divisionOf(before, sharesBefore),
    after: divisionOf(after, sharesAfter),
  };
}

/**
 * The least part of the key space, in [0, 1], that has to move from some replicas to others, whatever places them, as long
 * as it gives every replica the share that is due to its weight: w / W. O(N + M).
 *
 * One that stays can keep no more than the smaller of what is due to it before and after, and some placement has all of
 * them keep just that. The rest moves, 1 - sum of min(w / W, w' / W'): the distance in total variation of both divisions.
 * With equal weights, of which S of N stay among M, it is 1 - S / max(N, M): the larger of what those who leave owned and
 * what those who join must get. It is 0 where both are the same, and 1 where nobody stays, as where there is nobody
 * before or after.
 *
 * A ring, whose shares are only nearly as due, may move a little less where who comes or goes has less than is due.
 *
 * @param before of distinct names
 * @param after of distinct names
 */
export function leastMoved(before: readonly Site[], after: readonly Site[]): number {
  if (before.length === 0 || after.length === 0) return before.length === after.length ? 0 : 1;
  const [sumBefore, sumAfter] = [weightSumOf(before), weightSumOf(after)];
  const weightsBefore = new Map(before.map(({ name, weight }) => [name, weight]));
  // Over a common denominator: while weights are whole numbers, so is all but the last division.
  let won = 0;
  for (const { name, weight } of after)
    won += Math.max(0, weight * sumBefore - (weightsBefore.get(name) ?? 0) * sumAfter);
  return Math.min(1, won / (sumBefore * sumAfter));
}

interface Asked {
  readonly sharesBefore: ReadonlyMap<string, number>;
  readonly sharesAfter: ReadonlyMap<string, number>;
  readonly movesMax: number;
}

function pairsOf(before: Placement, after: Placement, { sharesBefore, sharesAfter, movesMax }: Asked): Pairs {
  const [from, to] = [before.arcs?.(), after.arcs?.()];
  if (from !== undefined && from.keyHash === to?.keyHash && from.keySpace === to.keySpace)
    return arcPairs(from, to, before.names, after.names, movesMax);
  const [owned, due] = [sharesBefore, sharesAfter].map(isOwned) as [boolean, boolean];
  if (owned && due && before instanceof Rendezvous && after instanceof Rendezvous)
    return rendezvousPairs(before.sites, after.sites, movesMax);
  return independentPairs(
    columnOf(before, sharesBefore),
    columnOf(after, sharesAfter),
    twinsOf(before.names, after.names),
    movesMax,
  );
}

/** How many hashes go from whom to whom. */
function arcPairs(
  from: Arcs,
  to: Arcs,
  before: readonly string[],
  after: readonly string[],
  movesMax: number,
): Pairs {
  const [nobodyBefore, nobodyAfter] = [before.length, after.length];
  const { keySpace } = from;
  const twins = twinsOf(before, after);
  const counts = new Counts((nobodyBefore + 1) * (nobodyAfter + 1));
  let i = 0;
  let j = 0;
  for (let start = 0; start < keySpace;) {
    // Points behind another at their position own nothing: passed over.
    while (i < from.positions.length && from.positions[i]! < start) i++;
    while (j < to.positions.length && to.positions[j]! < start) j++;
    const end = Math.min(from.positions[i] ?? keySpace - 1, to.positions[j] ?? keySpace - 1);
    // Behind the last point the first one owns what is left; of no points, nobody.
    const was = from.owners[i] ?? from.owners[0] ?? nobodyBefore;
    const is = to.owners[j] ?? to.owners[0] ?? nobodyAfter;
    if (twins[was] !== is) counts.add(was * (nobodyAfter + 1) + is, end + 1 - start);
    start = end + 1;
  }
  const largest = new Largest(movesMax);
  let moved = 0;
  for (const [pair, count] of counts.entries()) {
    largest.add(pair, count / keySpace);
    moved += count;
  }
  return { ...largest.found(), moved: moved / keySpace };
}

/** Keeps the pairs with the largest shares: no more than a few times as many as are wanted, however many there are. */
class Largest {
  readonly #max: number;
  #pairs: number[] = [];
  #shares: number[] = [];
  /** None that has less is among them. */
  #floor = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Amortised O(log max). */
  add(pair: number, share: number): void {
    if (share < this.#floor) return;
    this.#pairs.push(pair);
    this.#shares.push(share);
    if (this.#pairs.length >= KEPT_FACTOR * this.#max + KEPT_MIN) this.#cut();
  }

  /** Of equal shares at the end the smaller pairs, that is the earlier names. */
  found(): Pick<Pairs, 'pairs' | 'shares'> {
    if (this.#pairs.length > this.#max) this.#cut();
    return { pairs: this.#pairs, shares: this.#shares };
  }

  #cut(): void {
    const [pairs, shares] = [this.#pairs, this.#shares];
    const max = Math.max(0, this.#max);
    // A sort of plain numbers is many times as fast as one that compares by a function: it finds from which share on.
    const sorted = Float64Array.from(shares).sort();
    const floor = max === 0 ? Infinity : (sorted[sorted.length - max] as number);
    const above = pairs.map((_, i) => i).filter((i) => (shares[i] as number) > floor);
    const at = pairs
      .map((_, i) => i)
      .filter((i) => shares[i] === floor)
      .sort((a, b) => (pairs[a] as number) - (pairs[b] as number));
    const kept = [...above, ...at.slice(0, max - above.length)];
    this.#pairs = kept.map((i) => pairs[i] as number);
    this.#shares = kept.map((i) => shares[i] as number);
    this.#floor = Math.max(this.#floor, floor);
  }
}

/** Counts by pair: in an array where it is not too large, else in a map. */
class Counts {
  readonly #dense: Float64Array | undefined;
  readonly #sparse = new Map<number, number>();

  constructor(pairs: number) {
    this.#dense = pairs <= DENSE_PAIRS_MAX ? new Float64Array(pairs) : undefined;
  }

  add(pair: number, count: number): void {
    if (this.#dense !== undefined) this.#dense[pair]! += count;
    else this.#sparse.set(pair, (this.#sparse.get(pair) ?? 0) + count);
  }

  *entries(): Generator<readonly [pair: number, count: number]> {
    if (this.#dense === undefined) yield* this.#sparse;
    else for (const [pair, count] of this.#dense.entries()) if (count > 0) yield [pair, count];
  }
}

/**
 * What moves between two rendezvous hashings, in closed form.
 *
 * Of a replica k with the weights w before and w' after, 0 where it is not there, the score of a key is w / u, where
 * u = -ln h is exponentially distributed: the owner before is who has the least u / w, the owner after who has the least
 * u / w'. Be x the least of all u / w and t x that of all u / w'. That i is the first and j the second, another one, means
 * u_i = w_i x and u_j = w'_j t x, and of each k that u_k is above both w_k x and w'_k t x. So its probability is the
 * integral over x and t of
 *
 *     w_i w'_j x exp(-x T(t)), where T(t) is the sum of max(w_k, w'_k t) over all k,
 *
 * for t between r_j, where w'_j t exceeds w_j, and r_i, up to which w_i exceeds w'_i t, with r = w / w'. Over x this comes
 * to 1 / T(t)²; and T is linear between any two r that are next to each other, so that from a to b the integral over t is
 * (b - a) / (T(a) T(b)). With F for its sum up to r,
 *
 *     P(i to j) = w_i w'_j (F(r_i) - F(r_j)) where r_i > r_j, and else 0.
 *
 * So keys only go from who loses weight, in proportion to the others, to who wins: the least that is possible where one
 * joins, leaves or changes its weight, but not for any change of several.
 */
function rendezvousPairs(before: readonly Site[], after: readonly Site[], movesMax: number): Pairs {
  const columns = after.length + 1;
  const merged = new Map<string, { was: number; is: number; weight: number; weightAfter: number }>();
  for (const [was, { name, weight }] of before.entries())
    merged.set(name, { was, is: after.length, weight, weightAfter: 0 });
  for (const [is, { name, weight }] of after.entries()) {
    const { was, weight: weightBefore } = merged.get(name) ?? { was: before.length, weight: 0 };
    merged.set(name, { was, is, weight: weightBefore, weightAfter: weight });
  }
  const all = [...merged.values()]
    .map((one) => ({ ...one, ratio: one.weight / one.weightAfter, reached: 0 }))
    .sort((a, b) => a.ratio - b.ratio);

  // Those at or behind an index keep the weight they had; those before it have the new one. Summed, not subtracted, so
  // that nothing is lost.
  const kept = new Float64Array(all.length + 1);
  for (let i = all.length - 1; i >= 0; i--) kept[i] = kept[i + 1]! + all[i]!.weight;
  let taken = 0;
  let sum = 0;
  let start = 0;
  let moved = 0;
  for (const [i, one] of all.entries()) {
    // T between the r before and this one is kept + taken * t.
    const [lost, won] = [kept[i]!, taken];
    const part =
      one.ratio === Infinity
        ? won > 0
          ? 1 / (won * (lost + won * start))
          : 0
        : (one.ratio - start) / ((lost + won * start) * (lost + won * one.ratio));
    if (start < one.ratio) {
      sum += part;
      moved += lost * won * part;
      start = one.ratio;
    }
    one.reached = sum;
    taken += one.weightAfter;
  }

  const largest = new Largest(movesMax);
  for (const loser of all) {
    if (loser.weight === 0) continue;
    // All others win nothing from it. So there are no more steps than moves.
    for (let j = 0; all[j]!.ratio < loser.ratio; j++) {
      const winner = all[j]!;
      const share = loser.weight * winner.weightAfter * (loser.reached - winner.reached);
      if (share > 0) largest.add(loser.was * columns + winner.is, share);
    }
  }
  return { ...largest.found(), moved };
}

/** Shares by index, that of nobody one past the last. */
function columnOf({ names }: Placement, shares: ReadonlyMap<string, number>): Float64Array {
  const column = Float64Array.from([...names.map((name) => shares.get(name) ?? 0), 0]);
  if (!isOwned(shares)) column[names.length] = 1;
  return column;
}

function independentPairs(
  before: Float64Array,
  after: Float64Array,
  twins: Int32Array,
  movesMax: number,
): Pairs {
  const largest = new Largest(movesMax);
  let moved = 0;
  for (const [was, part] of before.entries()) {
    for (const [is, otherPart] of after.entries()) {
      const share = twins[was] === is ? 0 : part * otherPart;
      if (share <= 0) continue;
      largest.add(was * after.length + is, share);
      moved += share;
    }
  }
  return { ...largest.found(), moved: Math.min(1, moved) };
}

/** By index before, the same replica's index after; -1 for who leaves. Nobody is nobody. So no name is compared later. */
function twinsOf(before: readonly string[], after: readonly string[]): Int32Array {
  const indexAfter = new Map(after.map((name, i) => [name, i]));
  return Int32Array.from([...before.map((name) => indexAfter.get(name) ?? -1), after.length]);
}

function movesOf({ pairs, shares }: Pairs, before: readonly string[], after: readonly string[]): Move[] {
  const columns = after.length + 1;
  return (
    pairs
      .map((_, i) => i)
      // Names are sorted, and a pair's number with them.
      .sort((a, b) => shares[b]! - shares[a]! || pairs[a]! - pairs[b]!)
      .map((i) => ({
        from: before[Math.floor(pairs[i]! / columns)] ?? null,
        to: after[pairs[i]! % columns] ?? null,
        share: shares[i]!,
      }))
  );
}

function divisionOf({ sites }: Placement, shares: ReadonlyMap<string, number>): Division {
  const weightSum = weightSumOf(sites);
  // The largest is no less than what is due, but for the last bits of a float.
  let largest = 1;
  for (const { name, weight } of sites)
    largest = Math.max(largest, ((shares.get(name) ?? 0) * weightSum) / weight);
  return { shares, largestOverMean: isOwned(shares) ? largest : null };
}

/** Without a point nobody owns anything. */
function ownersOf({ sites }: Placement, shares: ReadonlyMap<string, number>): readonly Site[] {
  return isOwned(shares) ? sites : [];
}

function isOwned(shares: ReadonlyMap<string, number>): boolean {
  for (const share of shares.values()) if (share > 0) return true;
  return false;
}
