import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { Chooser, PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import { Load } from '../../src/fleet/load.ts';
import { sitesOf } from '../../src/ring/placement.ts';
import { Ring } from '../../src/ring/ring.ts';

const SEED = 20260308;
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const RINGS = NAMES.map((_, i) => Ring.of(NAMES.slice(0, i)));
const CHOOSERS = new Map(RINGS.map((ring) => [ring, chooserOf(ring)]));

function chooserOf({ names }: Ring): Chooser {
  const chooser = new Chooser({ balance: PLAIN_BALANCE, loadOf: () => new Load(), now: () => 0 });
  chooser.show(sitesOf(names));
  return chooser;
}

test('it is the first in the key’s order that is not excepted', () => {
  const ring = fc.constantFrom(...RINGS);
  const except = fc.option(fc.subarray(NAMES), { nil: undefined });
  fc.assert(
    fc.property(ring, fc.string(), except, (ring, key, names) => {
      const first = ring.preference(key).find((name) => names?.includes(name) !== true);
      expect(CHOOSERS.get(ring)?.choose(key, names && new Set(names))).toBe(first);
    }),
    { seed: SEED, numRuns: 1000 },
  );
});
