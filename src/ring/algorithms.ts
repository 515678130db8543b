import { Course } from './course.ts';
import { Ketama } from './ketama.ts';
import { Maglev } from './maglev.ts';
import { Nginx } from './nginx.ts';
import type { Algorithm, Placement, Site } from './placement.ts';
import { Rendezvous } from './rendezvous.ts';
import { Ring } from './ring.ts';

const BUILDERS: { readonly [each in Algorithm]: (sites: Iterable<Site>) => Placement } = {
  ring: (sites) => Ring.of(sites),
  maglev: (sites) => Maglev.of(sites),
  rendezvous: (sites) => Rendezvous.of(sites),
  course: (sites) => Course.of(sites),
  nginx: (sites) => Nginx.of(sites),
  ketama: (sites) => Ketama.of(sites),
};

/**
 * Builds the placement that the algorithm makes of these replicas, whatever the order they come in.
 *
 * For N replicas O(p log p) where they have p points on a circle, 1024 in `ring` and 160 in `nginx` for each unit of weight
 * and 160 in `ketama` for each replica; O(M log M + N log N) for the M = 65,537 slots of `maglev`; O(N log N) in `rendezvous`;
 * and O(N log N) beside 512 slots with 9 steps for each replica in `course`.
 *
 * @throws RangeError for more replicas than the algorithm has room for: fewest, 56, in `course`
 */
export function placementOf(algorithm: Algorithm, sites: Iterable<Site>): Placement {
  return BUILDERS[algorithm](sites);
}
