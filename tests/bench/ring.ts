import HashRing from 'hashring';
import { hash32 } from '../../src/ring/hash.ts';
import { Ring } from '../../src/ring/ring.ts';
import { digits, tableOf, type BenchReport } from './report.ts';
import { medianOf } from './statistics.ts';

// So many that no branch predictor learns them by heart, as it does a hundred.
const KEYS = 32_768;
// `hashring` keeps its last 5000 answers: a bench that asks for the same few again would measure a Map.
const KEYS_FOR_HASHRING = 8_192;
const ROUNDS = 25;
const ROUNDS_WARMING_UP = 5;
const PASSES = 3;

const HASH = 'hash32 alone';
const HASH_CHAINED = 'hash32 alone, chained';

/** One thing measured, in one way. */
interface RingRow {
  readonly name: string;
  /** the kind of key */
  readonly input: string;
  /** nanoseconds for one lookup, in the fastest round */
  readonly nsMin: number;
  /** nanoseconds for one lookup, in the median round */
  readonly nsMedian: number;
  /** median over the rounds of this row's time divided by that of the hash alone in the same round */
  readonly ratio: number;
}

/** Looks all keys up and returns what depends on every result, so that none can be optimised away. */
type Loop = (keys: readonly string[]) => number;

interface Case {
  readonly name: string;
  readonly baseline: string;
  readonly loop: Loop;
  readonly keys: number;
  readonly passes: number;
}

/**
 * Lookups back to back, as throughput is usually measured: the CPU is at work on several keys at a time. And
 * some of them chained, where the next key depends on the result: each then takes as long as a server waits
 * for it.
 *
 * The rival from npm is used as it comes, with 160 points for a replica and MD5. Takes some twenty seconds
 * of one core.
 */
export function benchRing(): BenchReport {
  const kinds = {
    'sequential ints': keysOf((i) => String(i)),
    'user-N': keysOf((i) => `user-${100_000 + ((i * 7919) % 900_000)}`),
    UUIDs: keysOf(() => crypto.randomUUID()),
  };
  const small = [
    ...casesOfHash(),
    ...[3, 10, 64].flatMap((count) => casesOfRing(count)),
    ...[3, 10, 64].map((count) => caseOfHashring(count)),
    caseOfChain(10),
  ];
  // 1000 replicas come after the rest, with a baseline of their own: their tables hold wider integers, and
  // code that has met both kinds is slower for either. No server has rings of both sizes.
  const large = [...casesOfHash(), ...casesOfRing(1000)];
  const rows = [
    ...measured(small, kinds),
    ...measured(large, kinds).filter(({ name }) => name.endsWith('1000')),
  ];

  return {
    notes: [],
    table: tableOf(
      [
        { title: '', cell: ({ name }) => name },
        { title: 'input', cell: ({ input }) => input },
        { title: 'ns min', cell: ({ nsMin }) => digits(nsMin, 1) },
        { title: 'ns median', cell: ({ nsMedian }) => digits(nsMedian, 1) },
        { title: 'x hash', cell: ({ ratio }) => digits(ratio, 2) },
      ],
      rows,
    ),
    rows,
    goals: ['user-N', 'UUIDs'].flatMap((input) => {
      const ring = rowOf(rows, 'Ring of 10', input);
      const hashring = rowOf(rows, 'npm hashring of 10', input);
      return [
        { name: `Ring of 10 / hash32, ${input}`, measured: ring.ratio, bound: 'at most' as const, goal: 1.5 },
        {
          name: `npm hashring of 10 / Ring of 10, ${input}`,
          measured: hashring.ratio / ring.ratio,
          bound: 'at least' as const,
          goal: 20,
        },
      ];
    }),
  };
}

function casesOfHash(): Case[] {
  return [
    { name: HASH, baseline: HASH, keys: KEYS, passes: PASSES, loop: hashLoop },
    { name: HASH_CHAINED, baseline: HASH_CHAINED, keys: KEYS, passes: PASSES, loop: hashChain },
  ];
}

function casesOfRing(count: number): Case[] {
  const ring = Ring.of(servers(count));
  const points = new SortedPoints(ring);
  return [
    {
      name: `Ring of ${count}`,
      baseline: HASH,
      keys: KEYS,
      passes: PASSES,
      loop: (keys) => ringLoop(keys, ring),
    },
    {
      name: `binary search of ${count}`,
      baseline: HASH,
      keys: KEYS,
      passes: PASSES,
      loop: (keys) => binaryLoop(keys, points),
    },
  ];
}

function caseOfChain(count: number): Case {
  const ring = Ring.of(servers(count));
  return {
    name: `Ring of ${count}, chained`,
    baseline: HASH_CHAINED,
    keys: KEYS,
    passes: PASSES,
    loop: (keys) => ringChain(keys, ring),
  };
}

function caseOfHashring(count: number): Case {
  const ring = new HashRing(servers(count));
  return {
    name: `npm hashring of ${count}`,
    baseline: HASH,
    keys: KEYS_FOR_HASHRING,
    passes: 1,
    loop: (keys) => hashringLoop(keys, ring),
  };
}

/** All cases take turns in each round, so that what disturbs the machine disturbs them all. */
function measured(cases: readonly Case[], kinds: Readonly<Record<string, readonly string[]>>): RingRow[] {
  const times = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS_WARMING_UP + ROUNDS; round++) {
    for (const [input, allKeys] of Object.entries(kinds)) {
      for (const { name, loop, keys: count, passes } of cases) {
        const keys = allKeys.slice(0, count);
        // The case before has left its own tables in the CPU's caches.
        let checksum = loop(keys);
        const start = performance.now();
        for (let pass = 0; pass < passes; pass++) checksum += loop(keys);
        const ns = ((performance.now() - start) * 1e6) / (count * passes);
        if (Number.isNaN(checksum)) throw new Error(`${name} found no owner for a key`);
        const id = `${name}\n${input}`;
        if (round >= ROUNDS_WARMING_UP) times.set(id, [...(times.get(id) ?? []), ns]);
      }
    }
  }
  return cases.flatMap(({ name, baseline }) =>
    Object.keys(kinds).map((input) => {
      const own = times.get(`${name}\n${input}`)!;
      const base = times.get(`${baseline}\n${input}`)!;
      return {
        name,
        input,
        nsMin: Math.min(...own),
        nsMedian: medianOf(own),
        ratio: medianOf(own.map((ns, round) => ns / base[round]!)),
      };
    }),
  );
}

// A loop for each kind of lookup, written out: one loop that is handed the lookup would call it through a
// pointer, which no caller in a server does, and would cost each of them the same few nanoseconds that are to
// be compared.

function hashLoop(keys: readonly string[]): number {
  let sum = 0;
  for (let i = 0; i < keys.length; i++) sum += hash32(keys[i]!);
  return sum;
}

function hashChain(keys: readonly string[]): number {
  let step = 0;
  for (let i = 0; i < keys.length - 1; i++) step = hash32(keys[i + step]!) & 1;
  return step;
}

function ringLoop(keys: readonly string[], ring: Ring): number {
  let missing = 0;
  for (let i = 0; i < keys.length; i++) if (ring.owner(keys[i]!) === undefined) missing++;
  return missing === 0 ? 0 : NaN;
}

function ringChain(keys: readonly string[], ring: Ring): number {
  let step = 0;
  for (let i = 0; i < keys.length - 1; i++) step = ring.owner(keys[i + step]!)!.length & 1;
  return step;
}

function binaryLoop(keys: readonly string[], points: SortedPoints): number {
  let missing = 0;
  for (let i = 0; i < keys.length; i++) if (points.owner(keys[i]!) === undefined) missing++;
  return missing === 0 ? 0 : NaN;
}

function hashringLoop(keys: readonly string[], ring: HashRing): number {
  let missing = 0;
  for (let i = 0; i < keys.length; i++) if (ring.get(keys[i]!) === undefined) missing++;
  return missing === 0 ? 0 : NaN;
}

/** The ring as it is usually looked up: the same hash and points, and a binary search. */
class SortedPoints {
  readonly #positions: Uint32Array;
  readonly #owners: readonly string[];

  constructor(ring: Ring) {
    const points = [...ring.entries()];
    this.#positions = Uint32Array.from(points, ([position]) => position);
    this.#owners = points.map(([, name]) => name);
  }

  owner(key: string): string | undefined {
    const position = hash32(key);
    let low = 0;
    let high = this.#positions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#positions[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return this.#owners[low === this.#owners.length ? 0 : low];
  }
}

function servers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `server-${i + 1}`);
}

/** Flat strings, as they come from a socket: a concatenated one is flattened by whoever reads it first. */
function keysOf(keyOf: (i: number) => string): string[] {
  const utf8 = new TextEncoder();
  const text = new TextDecoder();
  return Array.from({ length: KEYS }, (_, i) => text.decode(utf8.encode(keyOf(i))));
}

function rowOf(rows: readonly RingRow[], name: string, input: string): RingRow {
  const row = rows.find((each) => each.name === name && each.input === input);
  if (row === undefined) throw new Error(`Nothing was measured as ${name} with ${input}`);
  return row;
}
