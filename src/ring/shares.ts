import type { Placement } from './placement.ts';

const known = new WeakMap<Placement, ReadonlyMap<string, number>>();

/** The part of the key space that each replica owns. To find it each point is looked at: once for each ring, whoever asks. */
export function sharesOf(ring: Placement): ReadonlyMap<string, number> {
  let shares = known.get(ring);
  if (shares === undefined) {
    shares = ring.share();
    known.set(ring, shares);
  }
  return shares;
}
