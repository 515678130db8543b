import type { Ring } from './ring.ts';

/** Positions are the integers below it. */
const KEY_SPACE = 2 ** 32;

/** Keys that one replica loses to another. */
export interface Move {
  /** who owns them before; null: nobody, for there is no replica */
  readonly from: string | null;
  /** who owns them after; null: nobody, for there is no replica */
  readonly to: string | null;
  /** part of the key space, in (0, 1]: a multiple of 2^-32, so exact, as is any sum of such */
  readonly share: number;
}

/** How the key space is divided. */
export interface Division {
  /** the part of the key space that each replica owns, by name: exact, 1 in sum unless there is no replica */
  readonly shares: ReadonlyMap<string, number>;
  /** the largest share over the mean of all, 1 or more; null where there is no replica */
  readonly largestOverMean: number | null;
}

/** What changes its owner between two rings. */
export interface Movement {
  /** part of the key space that changes its owner, in [0, 1]: the sum of all moves, exact */
  readonly moved: number;
  /** what would have to move if all shares were equal, in [0, 1]; see {@link leastMoved} */
  readonly least: number;
  /** every pair of owners between which keys move, once; largest share first, then by name */
  readonly moves: readonly Move[];
  readonly before: Division;
  readonly after: Division;
}

/**
 * What changes its owner from one ring to the other: exact, for lengths of arcs are counted as integers, and divided
 * by 2^32 at the end. One merge over both sorted sets of points; O(p) for p points in both together, and O(m log m)
 * for the m moves, of which there are p at most and, where one joins or leaves, one for each of the others.
 */
export function movement(before: Ring, after: Ring): Movement {
  const moves = movesOf(countMoved(before, after), before.names, after.names);
  return {
    moved: moves.reduce((sum, { share }) => sum + share, 0),
    least: leastMoved(ownersOf(before), ownersOf(after)),
    moves,
    before: divisionOf(before),
    after: divisionOf(after),
  };
}

/**
 * The least part of the key space, in [0, 1], that has to move from N replicas to M, whatever places them, as long as
 * it gives every replica an equal share. O(N + M).
 *
 * One that stays owns 1/N before and 1/M after, and can keep no more than the smaller of the two. So S that stay keep
 * at most S / max(N, M), and some placement has them keep just that. The rest moves: 1 - S / max(N, M). With N - S that
 * leave and M - S that join this is the larger of (N - S) / N, what those who leave owned, and (M - S) / M, what those
 * who join must get. It follows that it is 0 where both are the same, and 1 where nobody stays, as where there is
 * nobody before or after.
 *
 * A ring, whose shares are only nearly equal, may move a little less where who comes or goes has less than the mean.
 *
 * @param before distinct names
 * @param after distinct names
 */
export function leastMoved(before: readonly string[], after: readonly string[]): number {
  const most = Math.max(before.length, after.length);
  if (most === 0) return 0;
  const known = new Set(before);
  const stay = after.filter((name) => known.has(name)).length;
  return (most - stay) / most;
}

/** How many positions go from whom to whom, by `indexBefore * (M + 1) + indexAfter`; one past the last is nobody. */
function countMoved(before: Ring, after: Ring): Map<number, number> {
  const [from, to] = [before.columns(), after.columns()];
  const [nobodyBefore, nobodyAfter] = [before.names.length, after.names.length];
  // By index before, the same replica's index after; -1 for who leaves. So no name is compared in the merge.
  const indexAfter = new Map(after.names.map((name, i) => [name, i]));
  const twins = Int32Array.from([...before.names.map((name) => indexAfter.get(name) ?? -1), nobodyAfter]);
  const counts = new Map<number, number>();
  let i = 0;
  let j = 0;
  for (let start = 0; start < KEY_SPACE;) {
    // Points behind another at their position own nothing: passed over.
    while (i < from.positions.length && from.positions[i]! < start) i++;
    while (j < to.positions.length && to.positions[j]! < start) j++;
    const end = Math.min(from.positions[i] ?? KEY_SPACE - 1, to.positions[j] ?? KEY_SPACE - 1);
    // Behind the last point the first one owns what is left; of no points, nobody.
    const was = from.owners[i] ?? from.owners[0] ?? nobodyBefore;
    const is = to.owners[j] ?? to.owners[0] ?? nobodyAfter;
    if (twins[was] !== is) {
      const pair = was * (nobodyAfter + 1) + is;
      counts.set(pair, (counts.get(pair) ?? 0) + end + 1 - start);
    }
    start = end + 1;
  }
  return counts;
}

function movesOf(
  counts: ReadonlyMap<number, number>,
  before: readonly string[],
  after: readonly string[],
): Move[] {
  const columns = after.length + 1;
  // Names are sorted, and a pair's number with them.
  return [...counts]
    .sort(([pair, count], [otherPair, otherCount]) => otherCount - count || pair - otherPair)
    .map(([pair, count]) => ({
      from: before[Math.floor(pair / columns)] ?? null,
      to: after[pair % columns] ?? null,
      share: count / KEY_SPACE,
    }));
}

function divisionOf(ring: Ring): Division {
  const shares = ring.share();
  let largest = 0;
  for (const share of shares.values()) largest = Math.max(largest, share);
  return { shares, largestOverMean: ring.points === 0 ? null : largest * shares.size };
}

/** Without a point nobody owns anything. */
function ownersOf(ring: Ring): readonly string[] {
  return ring.points === 0 ? [] : ring.names;
}
