/** Measures one algorithm with some replicas, and prints the figures: `bun tests/bench/placement-process.ts ring 1000`. */
import { heapStats } from 'bun:jsc';
import { placementOf } from '../../src/ring/algorithms.ts';
import { HeavyHitters, KEYS_COUNTED_MAX } from '../../src/ring/heavy-hitters.ts';
import { ALGORITHMS, type Placement, type Site } from '../../src/ring/placement.ts';
import { medianOf } from './statistics.ts';

export interface PlacementCost {
  readonly name: string;
  readonly size: number;
  /** of one lookup, in the fastest round */
  readonly nsMin: number;
  /** of one lookup, in the median round */
  readonly nsMedian: number;
  /** of the fastest build, when the code has been compiled */
  readonly buildMs: number;
  readonly memoryKb: number;
  /** largest share over the mean */
  readonly largest: number;
}

export interface CountingCost {
  /** of a key that has a counter */
  readonly knownNs: number;
  /** of a key that takes over another's */
  readonly takenOverNs: number;
}

const [name, given] = process.argv.slice(2);
const size = Number(given);

// So many that no branch predictor learns them by heart.
const KEYS = 32_768;
const ROUNDS = 25;
/** What is seldom run is compiled last, and a server has run it long since. */
const ROUNDS_WARMING_UP = 60;
/** Fewer lookups in a round where each asks every replica. */
const SCORES_PER_ROUND_MAX = 8_000_000;
const BUILDS = 7;
/** So that what else the engine keeps or frees meanwhile weighs little. */
const COPIES = size > 1000 ? 2 : 16;
const BYTES_PER_KB = 1024;

const algorithm = ALGORITHMS.find((each) => each === name);
const cost = name === 'heavy-hitters' ? countingCost() : placementCost();
process.stdout.write(JSON.stringify(cost));

function placementCost(): PlacementCost {
  if (algorithm === undefined) throw new Error(`There is no algorithm ${name}`);
  const sites = Array.from({ length: size }, (_, i): Site => ({ name: `server-${i + 1}`, weight: 1 }));
  let placement = placementOf(algorithm, sites);
  let buildMs = Infinity;
  for (let i = 0; i < BUILDS; i++) {
    const began = performance.now();
    placement = placementOf(algorithm, sites);
    buildMs = Math.min(buildMs, performance.now() - began);
  }
  const before = memoryBytes();
  const copies = Array.from({ length: COPIES }, () => placementOf(algorithm, sites));
  const memoryKb = (memoryBytes() - before) / (COPIES * BYTES_PER_KB);
  const keys = flatKeys(algorithm === 'rendezvous' ? Math.min(KEYS, SCORES_PER_ROUND_MAX / size) : KEYS);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS_WARMING_UP + ROUNDS; round++) {
    const began = performance.now();
    const missing = missingOwners(keys, placement);
    const ns = ((performance.now() - began) * 1e6) / keys.length;
    if (missing > 0) throw new Error(`${name} found no owner for a key`);
    if (round >= ROUNDS_WARMING_UP) times.push(ns);
  }
  return {
    name: algorithm,
    size,
    nsMin: Math.min(...times),
    nsMedian: medianOf(times),
    buildMs,
    memoryKb,
    largest: Math.max(...copies[0]!.share().values()) * size,
  };
}

function countingCost(): CountingCost {
  const known = flatKeys(KEYS_COUNTED_MAX);
  const many = flatKeys(200_000);
  let [knownNs, takenOverNs] = [Infinity, Infinity];
  for (let round = 0; round < 5; round++) {
    const hitters = new HeavyHitters();
    countAll(hitters, known);
    knownNs = Math.min(
      knownNs,
      nsOf(() => {
        for (let i = 0; i < 200; i++) countAll(hitters, known);
      }) /
        (200 * known.length),
    );
    takenOverNs = Math.min(takenOverNs, nsOf(() => countAll(hitters, many)) / many.length);
  }
  return { knownNs, takenOverNs };
}

function missingOwners(keys: readonly string[], placement: Placement): number {
  let missing = 0;
  for (let i = 0; i < keys.length; i++) if (placement.owner(keys[i]!) === undefined) missing++;
  return missing;
}

function countAll(hitters: HeavyHitters, keys: readonly string[]): void {
  for (let i = 0; i < keys.length; i++) hitters.add(keys[i]!);
}

function nsOf(work: () => void): number {
  const began = performance.now();
  work();
  return (performance.now() - began) * 1e6;
}

function memoryBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

/** Flat strings, as they come from a socket: a concatenated one is flattened by whoever reads it first. */
function flatKeys(count: number): string[] {
  const utf8 = new TextEncoder();
  const text = new TextDecoder();
  return Array.from({ length: count }, (_, i) =>
    text.decode(utf8.encode(`user-${100_000 + ((i * 7919) % 900_000)}`)),
  );
}
