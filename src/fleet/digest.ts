import { createHash } from 'node:crypto';
import { POINTS_PER_REPLICA, type Ring } from '../ring/ring.ts';

/** What a map of keys to replicas follows from; nothing else has an influence on it. */
export interface MapSource {
  readonly algorithm: string;
  /** Points of a replica of weight 1. */
  readonly points: number;
  readonly replicas: readonly { readonly name: string; readonly weight: number }[];
}

/** What the ring's map follows from. */
export function sourceOf(ring: Ring): MapSource {
  const replicas = ring.names.map((name) => ({ name, weight: 1 }));
  return { algorithm: 'ring', points: POINTS_PER_REPLICA, replicas };
}

/**
 * SHA-256 in hexadecimal of all that the map follows from, whatever order the replicas come in: where two digests are
 * equal, so is the owner of every key.
 */
export function digestOf({ algorithm, points, replicas }: MapSource): string {
  const byName = replicas
    .map(({ name, weight }) => [name, weight] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return createHash('sha256')
    .update(JSON.stringify([algorithm, points, byName]))
    .digest('hex');
}
