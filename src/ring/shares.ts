import type { Placement } from './placement.ts';

const known = new WeakMap<Placement, ReadonlyMap<string, number>>();

/**
 * The part of the key space that each replica owns, in [0, 1]. To find it each point is looked at: once for each ring, whoever
 * asks, as long as the ring is there. So O(1), but for the first time, which is what {@link Placement.share} takes.
 */
export function sharesOf(ring: Placement): ReadonlyMap<string, number> {
  let shares = known.get(ring);
  if (shares === undefined) {
    shares = ring.share();
    known.set(ring, shares);
  }
  return shares;
}
