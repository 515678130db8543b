import { Buffer } from 'node:buffer';
import type { Placement } from '../ring/placement.ts';
import { Circle } from '../ring/circle.ts';

/** Of more replicas no page can show the points apart, and to send them takes 8 KB for each. */
export const POINTS_REPLICAS_MAX = 256;

/** All points of a ring, as the page draws them: what is at one place of both columns belongs together. */
export interface DrawnPoints {
  /** Names of the replicas, sorted. */
  readonly names: readonly string[];
  /** Base64 of little-endian unsigned 32-bit integers, ascending. A point owns what is after the one before it. */
  readonly positions: string;
  /** Base64 of little-endian unsigned 16-bit integers: whose each point is, as an index into the names. Where points meet, the owner's comes first. */
  readonly owners: string;
}

/** Whether keys belong to points of a circle. */
export function hasPoints(map: Placement): map is Circle {
  return map instanceof Circle;
}

/** The points of the circle; undefined where it is none, or of more than {@link POINTS_REPLICAS_MAX} replicas. O(points). */
export function pointsOf(ring: Placement): DrawnPoints | undefined {
  if (!hasPoints(ring) || ring.names.length > POINTS_REPLICAS_MAX) return undefined;
  const { positions, owners } = ring.columns();
  // Not the arrays' own memory, whose order of bytes is the machine's.
  const positionBytes = Buffer.alloc(positions.length * 4);
  const ownerBytes = Buffer.alloc(owners.length * 2);
  for (let i = 0; i < positions.length; i++) {
    positionBytes.writeUInt32LE(positions[i]!, i * 4);
    ownerBytes.writeUInt16LE(owners[i]!, i * 2);
  }
  return {
    names: ring.names,
    positions: positionBytes.toString('base64'),
    owners: ownerBytes.toString('base64'),
  };
}
