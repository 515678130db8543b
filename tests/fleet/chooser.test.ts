import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import type { Site } from '../../src/ring/placement.ts';
import { Ring } from '../../src/ring/ring.ts';
import { Chance } from './chance.ts';
import { Choosing } from './choosing.ts';

const SEED = 20260308;
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const RINGS = NAMES.map((_, i) => Ring.of(NAMES.slice(0, i)));
const PLAIN = new Map(RINGS.map((ring) => [ring, new Choosing({}, ring.names).chooser]));

test('it is the first in the key’s order that is not excepted', () => {
  const ring = fc.constantFrom(...RINGS);
  const except = fc.option(fc.subarray(NAMES), { nil: undefined });
  fc.assert(
    fc.property(ring, fc.string(), except, (ring, key, names) => {
      const order = ring.preference(key);
      const first = order.find((name) => names?.includes(name) !== true);
      const tried = names && new Set(names);
      expect(PLAIN.get(ring)?.choose(key, tried)).toBe(first);
      const before = first === undefined ? order : order.slice(0, order.indexOf(first));
      expect(PLAIN.get(ring)?.trace(key, tried)).toEqual({
        chosen: first,
        owner: order[0],
        passed: before.map((replica) => ({ replica, why: 'asked before' })),
      });
    }),
    { seed: SEED, numRuns: 1000 },
  );
});

/** What a replica may have in flight with one more, in whole hundredths, so that nothing is rounded. */
function boundOf(factor100: number, inFlight: number, weight: number, weightSum: number): number {
  return Math.ceil((factor100 * inFlight * weight) / (100 * weightSum));
}

/** The bounds of these replicas where nothing but what they have counts. */
function boundsOf(
  factor100: number,
  sites: readonly Site[],
  inFlight: (name: string) => number,
): Map<string, number> {
  const all = sites.reduce((sum, { name }) => sum + inFlight(name), 1);
  const weightSum = sites.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(sites.map(({ name, weight }) => [name, boundOf(factor100, all, weight, weightSum)]));
}

type Step =
  | { readonly do: 'claim'; readonly key: string; readonly except: readonly string[] | undefined }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'show'; readonly sites: readonly Site[] };

const WEIGHT = fc.integer({ min: 1, max: 4 });
const SITES = fc
  .subarray(NAMES, { minLength: 1 })
  .chain((names) =>
    fc
      .array(WEIGHT, { minLength: names.length, maxLength: names.length })
      .map((weights) => names.map((name, i): Site => ({ name, weight: weights[i] as number }))),
  );
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      key: fc.oneof(fc.constantFrom('hot', 'warm'), fc.string({ maxLength: 3 })),
      except: fc.option(fc.subarray(NAMES), { nil: undefined, freq: 3 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('show' as const), sites: SITES }) },
);

describe('with a load factor', () => {
  test('nobody gets a request above its bound, and the first of the key’s order below its own gets it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(101, 110, 125, 200, 1000),
        SITES,
        fc.array(STEP, { minLength: 40, maxLength: 120 }),
        (factor100, first, steps) => {
          const choosing = new Choosing({ loadFactor: factor100 / 100 }, first);
          let sites: readonly Site[] = first;
          const held: string[] = [];
          for (const step of steps) {
            if (step.do === 'show') {
              sites = step.sites;
              choosing.show(sites);
            } else if (step.do === 'release') {
              const [gone] = held.splice(step.which % (held.length + 1), 1);
              if (gone !== undefined) choosing.release(gone);
            } else {
              const { key } = step;
              const except = step.except && new Set(step.except);
              const inFlight = (name: string): number => held.filter((one) => one === name).length;
              const left = sites.filter(({ name }) => except?.has(name) !== true);
              const all = boundsOf(factor100, sites, inFlight);
              const bounds = left.some(({ name }) => inFlight(name) < (all.get(name) ?? 0))
                ? all
                : boundsOf(factor100, left, inFlight);
              const expected = choosing.chooser.placement
                .preference(key)
                .find((name) => except?.has(name) !== true && inFlight(name) < (bounds.get(name) ?? 0));
              const chosen = choosing.chooser.choose(key, except);
              expect(chosen).toBe(expected);
              expect(chosen === undefined).toBe(left.length === 0);
              const { passed, ...trace } = choosing.chooser.trace(key, except);
              expect(trace.chosen).toBe(chosen);
              for (const { replica, why, bound, inFlight: told } of passed)
                expect([why, bound, told]).toEqual(
                  except?.has(replica) === true
                    ? ['asked before', undefined, undefined]
                    : ['over its bound', bounds.get(replica), inFlight(replica)],
                );
              if (chosen === undefined) continue;
              choosing.loadOf(chosen).add(1);
              held.push(chosen);
            }
          }
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('who was asked before raises nobody’s bound while another has room, spread keys and slow starters included', () => {
    // Sixteenths are exact, so that the bounds of one that starts slowly are, too.
    const weights = fc.oneof(
      WEIGHT,
      fc.integer({ min: 1, max: 31 }).map((sixteenths) => sixteenths / 16),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('ring', 'maglev', 'rendezvous', 'nginx', 'ketama'),
        fc.constantFrom(101, 125, 200),
        fc.array(weights, { minLength: 2, maxLength: NAMES.length }),
        fc.array(fc.array(fc.nat({ max: 5 }), { maxLength: 4 }), { minLength: 10, maxLength: 60 }),
        (hash, factor100, weights, retried) => {
          const sites = weights.map((weight, i): Site => ({ name: NAMES[i] as string, weight }));
          const choosing = new Choosing({ hash, loadFactor: factor100 / 100, hotKeySpread: 2 }, sites);
          const inFlight = (name: string): number => choosing.loadOf(name).inFlight;
          choosing.ask('hot', 300);
          choosing.nowMs += 1000;
          choosing.ask('hot', 1);
          expect(choosing.chooser.trace('hot').spread).toHaveLength(
            choosing.chooser.placement.preference('hot', 2).length,
          );
          for (const [i, asked] of retried.entries()) {
            const except = new Set(asked.map((one) => NAMES[one] ?? 'gone'));
            const left = sites.filter(({ name }) => !except.has(name));
            const bounds = boundsOf(factor100, sites, inFlight);
            const hasRoom = ({ name }: Site): boolean => inFlight(name) < (bounds.get(name) ?? 0);
            const chosen = choosing.chooser.choose(i % 2 === 0 ? 'hot' : `${i}`, except);
            expect(chosen === undefined).toBe(left.length === 0);
            if (chosen === undefined) continue;
            expect(except.has(chosen)).toBe(false);
            choosing.loadOf(chosen).add(1);
            if (left.some(hasRoom)) expect(inFlight(chosen)).toBeLessThanOrEqual(bounds.get(chosen) ?? 0);
          }
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('what one may have once it failed a request is told by the bound that decided', () => {
    const choosing = new Choosing({ loadFactor: 1.25 }, ['a', 'b', 'c']);
    const key = Array.from({ length: 100 }, (_, i) => `${i}`).find(
      (one) => choosing.chooser.placement.preference(one).join('') === 'abc',
    );
    const told = () => choosing.chooser.trace(key as string, new Set(['a'])).passed;
    choosing.loadOf('b').add(4);
    choosing.loadOf('c').add(3);
    const before = { replica: 'a', why: 'asked before' } as const;
    // 8 in all with the new one: ceil(1.25 * 8 / 3) = 4. Without a, it would be 5.
    expect(told()).toEqual([before, { replica: 'b', why: 'over its bound', inFlight: 4, bound: 4 }]);
    // 9 in all: 4 again, and nobody has room but a. Without it, ceil(1.25 * 9 / 2) = 6.
    choosing.loadOf('c').add(1);
    expect(told()).toEqual([before]);
    choosing.loadOf('b').add(3);
    choosing.loadOf('c').add(1);
    // 13 in all: ceil(1.25 * 13 / 3) = 6. Without a, it would be 9.
    expect(told()).toEqual([before, { replica: 'b', why: 'over its bound', inFlight: 7, bound: 6 }]);
    choosing.loadOf('c').add(5);
    choosing.loadOf('b').add(5);
    // 23 in all: ceil(1.25 * 23 / 3) = 10, which c has. Without a, ceil(1.25 * 23 / 2) = 15.
    expect(told()).toEqual([before]);
  });

  test('what is in flight at one that is off the map binds nobody, and counts again when it is back', () => {
    const choosing = new Choosing({ loadFactor: 1.25 }, ['a', 'b']);
    choosing.loadOf('b').add(100);
    const key = keyOf(choosing, 'a');
    choosing.show(['a']);
    expect(choosing.ask(key, 1)).toEqual(['a']);
    const trace = () => choosing.chooser.trace(key);
    choosing.loadOf('a').add(3);
    choosing.show(['a', 'b']);
    expect(trace()).toEqual({ chosen: 'a', owner: 'a', passed: [] });
    choosing.loadOf('b').add(-99);
    // 5 in all with the new one: ceil(1.25 * 5 / 2) = 4.
    expect(trace().chosen).toBe('a');
    choosing.loadOf('a').add(1);
    expect(trace()).toEqual({
      chosen: 'b',
      owner: 'a',
      passed: [{ replica: 'a', why: 'over its bound', inFlight: 4, bound: 4 }],
    });
  });

  test('one that starts slowly has the bound of the weight that it has by then', () => {
    const choosing = new Choosing({ loadFactor: 1.25 }, [
      { name: 'new', weight: 0.1 },
      { name: 'old', weight: 1 },
    ]);
    choosing.loadOf('old').add(20);
    choosing.loadOf('new').add(3);
    // ceil(1.25 * 24 * 0.1 / 1.1) = 3.
    const { passed } = choosing.chooser.trace(keyOf(choosing, 'new'));
    expect(passed).toEqual([{ replica: 'new', why: 'over its bound', inFlight: 3, bound: 3 }]);
  });

  test.each([['maglev'], ['rendezvous'], ['course'], ['nginx'], ['ketama']] as const)(
    'somebody has room whatever the map: %s',
    (hash) => {
      // The lightest has no point at all where points go by its part of all weights.
      const sites = NAMES.map((name, i) => ({ name, weight: i === 0 ? 1 : 100 }));
      const choosing = new Choosing({ hash, loadFactor: 1.01 }, sites);
      for (let i = 0; i < 2000; i++) choosing.send(`${i % 7}`);
      const sent = NAMES.map((name) => choosing.loadOf(name).inFlight);
      expect(sent.reduce((sum, one) => sum + one)).toBe(2000);
      expect(Math.max(...sent)).toBeLessThanOrEqual(Math.ceil((1.01 * 2000 * 100) / 401));
    },
  );
});

/** The first key that the replica owns. */
function keyOf({ chooser }: Choosing, name: string): string {
  for (let i = 0; i < 10_000; i++) if (chooser.placement.owner(`${i}`) === name) return `${i}`;
  throw new Error(`${name} owns no key`);
}

interface Simulated {
  /** Of the busiest to the mean, at the worst claim; and by how much the busiest was above its bound then. */
  readonly worstRatio: number;
  readonly aboveBound: number;
  /** The part of all requests that went to the owner of their key. */
  readonly home: number;
}

/** Requests of Zipf's law come and go, 60 to 200 of them in flight at a time. */
function simulated(loadFactor: number): Simulated {
  const names = Array.from({ length: 6 }, (_, i) => `server-${i + 1}`);
  const choosing = new Choosing({ loadFactor }, names);
  const chance = new Chance(SEED);
  const random = (): number => chance.next();
  const zipf = zipfOf(10_000, 1.1, random);
  const ending: { readonly atMs: number; readonly replica: string }[] = [];
  let [atMs, home, sent, worstRatio, aboveBound] = [0, 0, 0, 0, -Infinity];
  while (sent < 40_000) {
    // Load comes and goes in waves: on average 60 to 200 requests of 100 ms.
    const meanInFlight = 130 + 70 * Math.sin(atMs / 700);
    atMs += (-Math.log(1 - random()) * 100) / meanInFlight;
    for (let i = ending.length - 1; i >= 0; i--) {
      const { atMs: endsMs, replica } = ending[i] as (typeof ending)[number];
      if (endsMs > atMs) continue;
      choosing.release(replica);
      ending[i] = ending.at(-1) as (typeof ending)[number];
      ending.pop();
    }
    const key = `${zipf()}`;
    const replica = choosing.send(key);
    sent++;
    if (replica === choosing.chooser.placement.owner(key)) home++;
    ending.push({ atMs: atMs - Math.log(1 - random()) * 100, replica });
    const mean = ending.length / names.length;
    const got = choosing.loadOf(replica).inFlight;
    aboveBound = Math.max(aboveBound, got - Math.ceil(loadFactor * mean - 1e-9));
    if (ending.length >= 60)
      worstRatio = Math.max(worstRatio, ...names.map((name) => choosing.loadOf(name).inFlight / mean));
  }
  return { worstRatio, aboveBound, home: home / sent };
}

function zipfOf(keys: number, exponent: number, random: () => number): () => number {
  let sum = 0;
  const sums = Array.from({ length: keys }, (_, i) => (sum += (i + 1) ** -exponent));
  return () => {
    const drawn = random() * sum;
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

describe('under Zipf’s law, on six replicas', () => {
  test('a load factor of 1.25 keeps each within its bound, and most requests where they belong', () => {
    const { aboveBound, home } = simulated(1.25);
    expect(aboveBound).toBe(0);
    expect(home).toBeGreaterThan(0.7);
  });

  test('without one the busiest has a multiple of the mean', () => {
    const { worstRatio, home } = simulated(0);
    expect(home).toBe(1);
    expect(worstRatio).toBeGreaterThan(1.5);
  });
});
