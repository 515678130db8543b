import { hash32 } from '../ring/hash.ts';
import type { Ring } from '../ring/ring.ts';
export function probe(ring: Ring, key: string) {
  return {
    position: hash32(key),
    point: null,
    owner: ring.owner(key) ?? null,
    preference: ring.preference(key, 64),
  };
}
