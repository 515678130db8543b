import { ALGORITHMS, type Algorithm, type Placement, type Site } from './placement.ts';
import { Ring } from './ring.ts';

/** Builds the placement that the algorithm makes of these replicas, whatever the order they come in. */
export function placementOf(algorithm: Algorithm, sites: Iterable<Site>): Placement {
  switch (algorithm) {
    case 'ring':
      return Ring.of(sites);
    default:
      throw new RangeError(`${algorithm} is none of ${ALGORITHMS.join(', ')}`);
  }
}
