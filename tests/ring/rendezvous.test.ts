import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { hash32, mix32 } from '../../src/ring/hash.ts';
import type { Site } from '../../src/ring/placement.ts';
import { Rendezvous } from '../../src/ring/rendezvous.ts';
import { placementSuite } from './placement.suite.ts';

const SEED = 20260404;

placementSuite('Rendezvous', (replicas) => Rendezvous.of(replicas), {
  // What is left is the sampling of the keys: of a million over 32, 0.6 % is one standard deviation.
  largestShareMax: 1.02,
  needlessMovesMax: 0,
  needlessMovesOfWeightsMax: 0,
  deviation: () => 0,
  isRandom: false,
  weightErrorMax: () => 1e-12,
});

test('the order of preference is that of the scores -w / ln h, worked out one by one', () => {
  const anyWeight = fc.oneof(fc.constant(1), fc.constant(2), fc.double({ min: 0.01, max: 100, noNaN: true }));
  const anySites = fc
    .array(anyWeight, { minLength: 1, maxLength: 20 })
    .map((weights) => weights.map((weight, i): Site => ({ name: `r${i}`, weight })));
  fc.assert(
    fc.property(anySites, fc.string(), (sites, key) => {
      const scores = sites.map(({ name, weight }) => {
        const word = mix32(mix32(hash32(key) ^ hash32(name)) + hash32(`^${name}`));
        return { name, score: -weight / Math.log((word + 0.5) / 2 ** 32) };
      });
      const expected = scores.sort((a, b) => b.score - a.score).map(({ name }) => name);
      expect(Rendezvous.of(sites).preference(key)).toEqual(expected);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

describe('no two replicas order keys alike', () => {
  // With ideal hashes each pair of first and second is as likely as any other.
  test.each([
    ['numbered ones', (i: number) => `server-${i + 1}`],
    ['addresses', (i: number) => `10.0.0.${i}:8080`],
    // Their first hashes differ in as few bits as any two of so many.
    ['names of near hashes', (i: number) => NEAR[i]!],
  ])('%s', (_, nameOf) => {
    const n = 20;
    const keys = 200_000;
    const map = Rendezvous.of(Array.from({ length: n }, (_each, i) => nameOf(i)));
    const counts = new Map<string, number>();
    for (let i = 0; i < keys; i++) {
      const pair = map.preference(`user-${i}`, 2).join();
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    const pairs = n * (n - 1);
    expect(counts.size).toBe(pairs);
    let square = 0;
    for (const count of counts.values()) square += (count - keys / pairs) ** 2 / (keys / pairs);
    const freedom = pairs - 1;
    expect(square).toBeLessThan(freedom + 6 * Math.sqrt(2 * freedom));
  });
});

/** Of 20,000 names twenty that have most bits of their hash in common with one. */
const NEAR = Array.from({ length: 20_000 }, (_, i) => `replica-${i}`)
  .map((name) => ({ name, bits: bitsOf(hash32(name) ^ hash32('replica-0')) }))
  .sort((a, b) => a.bits - b.bits)
  .slice(0, 20)
  .map(({ name }) => name);

function bitsOf(word: number): number {
  return (word >>> 0).toString(2).replaceAll('0', '').length;
}
