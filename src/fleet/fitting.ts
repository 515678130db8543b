import { placementOf } from '../ring/algorithms.ts';
import { COURSE_REPLICAS_MAX } from '../ring/course.ts';
import type { Algorithm, Placement, Site } from '../ring/placement.ts';

/**
 * The map of as many of these replicas as the algorithm has room for, the first ones: more than that a fleet refuses, but
 * of several Ringmasters one may be told otherwise, and what is in force must never be what can't be built.
 */
export function fittingMap(hash: Algorithm, sites: readonly Site[]): Placement {
  return placementOf(hash, hash === 'course' ? sites.slice(0, COURSE_REPLICAS_MAX) : sites);
}
