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
 * @throws RangeError for more replicas than the algorithm has room for: fewest, 56, in `course`
 */
export function placementOf(algorithm: Algorithm, sites: Iterable<Site>): Placement {
  return BUILDERS[algorithm](sites);
}
