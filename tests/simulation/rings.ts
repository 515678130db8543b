import { hash32 } from '../../src/ring/hash.ts';
import { sitesOf, type Site } from '../../src/ring/placement.ts';
import { Ring } from '../../src/ring/ring.ts';

/**
 * From here on each ring is a toy: a function of the set of names alone, as a real one, but made in no time. A real one
 * costs more than all else in a step, and tests/ring has its own tests. Returns the way back.
 */
export function toyRings(): () => void {
  const of = Ring.of;
  Ring.of = (replicas) => toy(sitesOf(replicas));
  return () => {
    Ring.of = of;
  };
}

function toy(sites: readonly Site[]): Ring {
  const names = sites.map(({ name }) => name);
  const preference = (key: string, limit = names.length): string[] => {
    const weights = new Map(names.map((name) => [name, hash32(`${key}/${name}`)]));
    return names.toSorted((a, b) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0)).slice(0, limit);
  };
  return Object.assign(Object.create(Ring.prototype) as Ring, {
    algorithm: 'ring' as const,
    names,
    sites,
    preference,
    hash: hash32,
    pointAt: () => undefined,
    owner: (key: string) => preference(key, 1)[0],
  });
}
