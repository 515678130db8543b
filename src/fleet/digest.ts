import { createHash } from 'node:crypto';
import type { Algorithm, Placement, Site } from '../ring/placement.ts';
import { POINTS_PER_REPLICA } from '../ring/ring.ts';

/** What a map of keys to replicas follows from; nothing else has an influence on it. */
export interface MapSource {
  readonly algorithm: string;
  /** Points of a replica of weight 1. */
  readonly points: number;
  readonly replicas: readonly Site[];
}

/** Of a replica of weight 1: on a circle its points, in a table all entries, of which it gets its share. */
const POINTS: Readonly<Record<Algorithm, number>> = {
  ring: POINTS_PER_REPLICA,
  maglev: 65_537,
  rendezvous: 1,
  course: 9,
  nginx: 160,
  ketama: 160,
};

/** Those whose maps follow from the labels of replicas, not from their names. */
const LABELLED: ReadonlySet<string> = new Set<Algorithm>(['nginx', 'ketama']);

/** What the placement's map follows from. */
export function sourceOf({ algorithm, sites }: Placement): MapSource {
  return { algorithm, points: POINTS[algorithm], replicas: sites };
}

/**
 * SHA-256 in hexadecimal of all that the map follows from, whatever order the replicas come in: where two digests are
 * equal, so is the owner of every key.
 */
export function digestOf({ algorithm, points, replicas }: MapSource): string {
  const byName = replicas
    .map(({ name, weight, label }) =>
      LABELLED.has(algorithm) ? [name, weight, label ?? name] : [name, weight],
    )
    .sort(([a = ''], [b = '']) => (a < b ? -1 : a > b ? 1 : 0));
  return createHash('sha256')
    .update(JSON.stringify([algorithm, points, byName]))
    .digest('hex');
}
