import type { Placement } from '../ring/placement.ts';
import { Ring } from '../ring/ring.ts';

/** Replicas of the failover order that are told at most: more than a request gets to, but on the worst of days. */
export const PREFERENCE_MAX = 64;

/** Where a key is on the ring, and where its requests go. */
export interface Probe {
  /** The key's own, an integer in [0, 2^32). */
  readonly position: number;
  /** Of the point that owns it; null where there is none. */
  readonly point: number | null;
  /** null where there is no replica. */
  readonly owner: string | null;
  /** Distinct replicas in failover order, the owner first; at most {@link PREFERENCE_MAX}. */
  readonly preference: readonly string[];
}

/** What becomes of a key. */
export function probe(map: Placement, key: string): Probe {
  const position = map.hash(key);
  return {
    position,
    point: (map instanceof Ring ? map.pointAt(position) : undefined) ?? null,
    owner: map.owner(key) ?? null,
    preference: map.preference(key, PREFERENCE_MAX),
  };
}
