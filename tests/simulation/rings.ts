import { Ring } from '../../src/ring/ring.ts';

/** Rings of the same few names come again and again; each has some 170 KiB. */
const RINGS_KEPT_MAX = 1000;

/**
 * From here on each ring is made once: it is a function of the set of names alone, and making one costs more than all
 * else in a step. Returns the way back.
 */
export function keepRings(): () => void {
  const made = new Map<string, Ring>();
  const of = Ring.of;
  Ring.of = (names, positionsOf) => {
    if (positionsOf !== undefined) return of.call(Ring, names, positionsOf);
    const key = [...names].sort().join(' ');
    let ring = made.get(key);
    if (ring === undefined) {
      ring = of.call(Ring, key === '' ? [] : key.split(' '));
      if (made.size >= RINGS_KEPT_MAX) made.clear();
      made.set(key, ring);
    }
    return ring;
  };
  return () => {
    Ring.of = of;
  };
}
