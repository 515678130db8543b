import { Circle, REPLICAS_MAX } from './circle.ts';

export { REPLICAS_MAX };
export type { PointColumns } from './circle.ts';
import { hash32, mix32 } from './hash.ts';
import type { Site } from './placement.ts';

/**
 * Points of one replica, whatever the number of replicas. Where it depends on that number, as in Envoy's
 * ring, each join and leave adds or removes points of the others too, and keys move that had no reason to.
 * With 1024 random points the standard deviation of a replica's share is 1/sqrt(1024), 3 % of the mean.
 */
export const POINTS_PER_REPLICA = 1024;

/**
 * Goes before a name for its second hash. A second seed would not do: two names whose hashes agree under one
 * seed agree under another in up to one case of ten, as the same differences cancel; one byte in front moves
 * all block boundaries. This is the byte, of those no name begins with, by which `server-1` … `server-N` are
 * spread best: no share is above 1.070 of the mean for any N up to 64.
 */
const STRIDE_PREFIX = '^';

/**
 * Where a replica's points are, by double hashing (Kirsch and Mitzenmacher, "Less Hashing, Same Performance",
 * 2006): `mix32(a + i * b)` for i from 1 to 1024, a and b being two hashes of the name. As b is odd, all 1024
 * are distinct.
 *
 * Hashing name and i together would be simpler, but of the name a 32-bit hash keeps no more than its 32 bits
 * of state: two names that agree in those, and among 100,000 names such a pair is to be expected, would have
 * all points in common, and one of the two replicas no keys at all. Here they have to agree in both hashes.
 *
 * The first points of a heavier replica are those that it has with less weight: so its share only grows with its weight,
 * and what moves, moves towards it.
 *
 * O(p) for its p points beyond two hashes of the name; 4 bytes each.
 *
 * @param weight above 0; the replica has `1024 * weight` points, to the nearest whole number, and 1 at least
 * @returns positions in [0, 2^32), in no order
 */
export function pointsOf(name: string, weight = 1): Uint32Array {
  const positions = new Uint32Array(Math.max(1, Math.round(POINTS_PER_REPLICA * weight)));
  const start = hash32(name);
  const stride = hash32(STRIDE_PREFIX + name) | 1;
  for (let i = 0; i < positions.length; i++) positions[i] = mix32(start + Math.imul(i + 1, stride));
  return positions;
}

/**
 * The consistent-hash ring (Karger et al., "Consistent Hashing and Random Trees", STOC 1997, §4): a key belongs to the
 * first point at or clockwise after its hash. Immutable, and a function of the set of replicas alone: neither of
 * their order nor of what was there before.
 *
 * Shares are in proportion to the weights, with a relative standard deviation of 1/sqrt(1024 * weight). Who joins,
 * leaves or changes its weight takes keys and gives them, and no key moves between two others.
 *
 * Memory: 9 KiB per unit of weight, as 1024 points belong to each; and up to 128 units in all a table that is 128 KiB for
 * up to 32 and then 4 KiB for each. 0.8 MiB for 64, 9 MiB for 1000.
 */
export class Ring extends Circle {
  readonly algorithm = 'ring';
  protected readonly keyHash = 'murmur3';

  /**
   * O(p log p) for p points in all, 1024 for each unit of weight; some 5 ms for 64 replicas of weight 1, 20 ms before the
   * code is compiled.
   *
   * @param replicas in any order; by its name alone, one has weight 1; of a name that comes twice the last counts
   * @param positionsOf where the points of a replica are: as many as it likes, each in [0, 2^32)
   * @throws RangeError for more than {@link REPLICAS_MAX} names
   */
  static of(
    replicas: Iterable<string | Site>,
    positionsOf: (name: string, weight: number) => Uint32Array = pointsOf,
  ): Ring {
    return new Ring(replicas, ({ name, weight }) => positionsOf(name, weight));
  }

  /** MurmurHash3 of the key, in [0, 2^32). O(length). */
  hash(key: string): number {
    return hash32(key);
  }

  /** Expected O(1) beyond the hash, whatever the number of replicas. */
  owner(key: string): string | undefined {
    return this.ownerAt(hash32(key));
  }
}
