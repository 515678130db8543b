import { Course, COURSE_RULES, slotsReached, type CourseRules } from '../ring/course.ts';
import { mix32 } from '../ring/hash.ts';
import { balanceOf, countsOf, medianOf, type Balance } from './statistics.ts';

/** Enough to tell all ids of six digits apart. */
const REQUESTS = 2 ** 20;
/** Servers up to which the diagnosis goes. */
export const DIAGNOSIS_SERVERS_MAX = 10;
/** Servers of the assignment's first analysis. */
export const FEW = 3;
const VIRTUALS_MORE = 64;
const VIRTUALS_MANY = 256;
const SLOTS_MANY = 65_536;
/** What ten servers have room for in 512 slots, with some slots left. */
const VIRTUALS_FOR_ALL = 48;

/** H that knows of no pattern: the finalizer of MurmurHash3. */
const mixedRequestHash = (i: number): number => mix32(i);
/** Φ that knows of no pattern; the factor keeps (1, 2) and (2, 1) apart. */
const mixedServerHash = (i: number, j: number): number => mix32(i * SLOTS_MANY + j);

/** The assignment's map with something else in it. */
export interface Variant {
  readonly id: string;
  readonly title: string;
  /** What is else, in words. */
  readonly what: string;
  readonly rules: Partial<CourseRules>;
}

const withH = { requests: REQUESTS, requestHash: mixedRequestHash } as const;
const withPhi = { serverHash: mixedServerHash } as const;

export const VARIANTS: readonly Variant[] = [
  { id: 'course', title: 'as given', what: 'H and Φ of the assignment', rules: {} },
  {
    id: 'h-linear',
    title: 'H(i) = i',
    what: 'the id itself, modulo the number of slots',
    rules: { requestHash: (i) => i },
  },
  { id: 'h-mixed', title: 'H mixed', what: 'H is the finalizer of MurmurHash3', rules: withH },
  { id: 'phi-mixed', title: 'Φ mixed', what: 'Φ is the finalizer of MurmurHash3', rules: withPhi },
  { id: 'both-mixed', title: 'H and Φ mixed', what: 'both are', rules: { ...withH, ...withPhi } },
  {
    id: 'both-more',
    title: `both, K = ${VIRTUALS_MORE}`,
    what: `both are, with ${VIRTUALS_MORE} virtual servers each`,
    rules: { ...withH, ...withPhi, virtuals: VIRTUALS_MORE },
  },
  {
    id: 'both-many',
    title: `both, K = ${VIRTUALS_MANY}, more slots`,
    what: `both are, with ${VIRTUALS_MANY} virtual servers each on ${SLOTS_MANY.toLocaleString('en')} slots`,
    rules: { ...withH, ...withPhi, virtuals: VIRTUALS_MANY, slots: SLOTS_MANY },
  },
];

/** The names that Ringmaster gives its replicas. */
export function serverNames(servers: number): string[] {
  return Array.from({ length: servers }, (_, i) => `server-${i + 1}`);
}

/** How a variant places the same ids on so many servers. */
export interface Placed {
  readonly servers: number;
  /** requests of each server, in order; undefined: its virtual servers have no room */
  readonly counts: readonly number[] | undefined;
}

export interface VariantResult extends Variant {
  readonly placed: readonly Placed[];
}

/** Each variant for each number of servers. O(variants × numbers × (2^20 + ids)): some ms for each pair. */
export function compareVariants(ids: readonly number[], numbers: readonly number[]): VariantResult[] {
  const keys = ids.map(String);
  return VARIANTS.map((variant) => ({
    ...variant,
    placed: numbers.map((servers) => {
      const map = mapOf(variant.rules, servers);
      const counts =
        map &&
        countsOf(
          keys.map((key) => map.owner(key)),
          serverNames(servers),
        );
      return { servers, counts };
    }),
  }));
}

function mapOf(rules: Partial<CourseRules>, servers: number): Course | undefined {
  const { slots, virtuals } = { ...COURSE_RULES, ...rules };
  return servers * virtuals > slots ? undefined : Course.of(serverNames(servers), rules);
}

/** The assignment's map of so many servers, looked at. */
export interface Anatomy {
  readonly servers: number;
  /** by slot, whose virtual server is in it; null: nobody's */
  readonly table: readonly (string | null)[];
  /** the slots that are the longest way without a virtual server, and whose they are therefore */
  readonly gap: {
    readonly from: number;
    readonly to: number;
    readonly length: number;
    readonly owner: string;
  };
  /** of the slots that requests reach, how many are in it */
  readonly reachedInGap: number;
  /** virtual servers whose slot by Φ is that of another too */
  readonly colliding: number;
  /** part of all requests that each server has, exact, in order of servers */
  readonly shares: readonly number[];
  readonly balance: Balance;
}

/** The assignment's map with a Φ that has one fault less. */
export interface Repair {
  /** as it is written: Φ(i, j) = … */
  readonly formula: string;
  /** part of all requests that each of a few servers has, exact, in order of servers */
  readonly shares: readonly number[];
}

/** What a change of the map makes of the balance. */
export interface Cure {
  readonly hash: 'as given' | 'H mixed' | 'Φ mixed' | 'H and Φ mixed';
  readonly virtuals: number;
  readonly slots: number;
  readonly servers: number;
  /** of the shares; undefined: no room for so many virtual servers */
  readonly balance: Balance | undefined;
}

export interface Diagnosis {
  readonly slots: number;
  readonly virtuals: number;
  /** slots that H reaches, ascending */
  readonly reached: readonly number[];
  /** how many of the requests that H tells apart fall on one of them: most often, and at most */
  readonly hits: { readonly usual: number; readonly most: number };
  /** squares modulo `slots` there are, by formula; see {@link squaresModuloPowerOfTwo} */
  readonly squares: number;
  /** slots that H reaches in a table of so many */
  readonly larger: { readonly slots: number; readonly reached: number };
  /** for 1 server and on, in order */
  readonly anatomies: readonly Anatomy[];
  /** for a few servers: the virtual servers of each spread over the whole map, and each server's in another part of it */
  readonly repairs: { readonly spread: Repair; readonly apart: Repair };
  /** for a few servers of the assignment's Φ in a large table: the part of the busiest, and the longest gap over the slots */
  readonly large: { readonly busiest: number; readonly gap: number };
  /** for a few servers, with more and more virtual servers */
  readonly cures: readonly Cure[];
  /** for each number of servers, at the assignment's number of virtual servers and at a larger one */
  readonly byServers: readonly Cure[];
}

const HASHES = [
  ['as given', {}],
  ['H mixed', withH],
  ['Φ mixed', withPhi],
  ['H and Φ mixed', { ...withH, ...withPhi }],
] as const satisfies readonly (readonly [Cure['hash'], Partial<CourseRules>])[];

const SIZES = [
  { virtuals: COURSE_RULES.virtuals, slots: COURSE_RULES.slots },
  { virtuals: VIRTUALS_MORE, slots: COURSE_RULES.slots },
  { virtuals: VIRTUALS_MANY, slots: SLOTS_MANY },
] as const;

/** Looks at the assignment's map from all sides. About a second. */
export function diagnose(): Diagnosis {
  const { slots, virtuals } = COURSE_RULES;
  const reached = slotsReached();
  const numbers = Array.from({ length: DIAGNOSIS_SERVERS_MAX }, (_, i) => i + 1);
  return {
    slots,
    virtuals,
    reached,
    hits: hitsOf(),
    squares: squaresModuloPowerOfTwo(Math.log2(slots)),
    larger: { slots: SLOTS_MANY, reached: slotsReached({ slots: SLOTS_MANY, requests: SLOTS_MANY }).length },
    anatomies: numbers.map((servers) => anatomyOf(servers, reached)),
    repairs: { spread: repairOf(SPREAD), apart: repairOf(APART) },
    large: largeTable(),
    cures: HASHES.flatMap(([hash, rules]) => SIZES.map((size) => cureOf(hash, rules, size, FEW))),
    byServers: numbers.flatMap((servers) =>
      [virtuals, VIRTUALS_FOR_ALL].flatMap((each) =>
        HASHES.map(([hash, rules]) => cureOf(hash, rules, { virtuals: each, slots }, servers)),
      ),
    ),
  };
}

/** So far apart that nine go round 512 slots once. */
const SPREAD_STEP = 57;
/** A third of 512. */
const APART_STEP = 171;
const SPREAD = {
  formula: `i² + ${SPREAD_STEP} j`,
  serverHash: (i: number, j: number): number => i ** 2 + SPREAD_STEP * j,
};
const APART = {
  formula: `${APART_STEP} i + (j + 1)²`,
  serverHash: (i: number, j: number): number => APART_STEP * i + (j + 1) ** 2,
};

function repairOf({ formula, serverHash }: typeof SPREAD): Repair {
  const shares = Course.of(serverNames(FEW), { serverHash }).share();
  return { formula, shares: serverNames(FEW).map((name) => shares.get(name) ?? 0) };
}

function largeTable(): Diagnosis['large'] {
  const map = Course.of(serverNames(FEW), {
    virtuals: VIRTUALS_MANY,
    slots: SLOTS_MANY,
    requests: SLOTS_MANY,
  });
  return {
    busiest: Math.max(...map.share().values()),
    gap: longestGap(map.slotTable()).length / SLOTS_MANY,
  };
}

/**
 * How many values x² has modulo 2^k: (2^(k-1) + 5) / 3 where k is odd, (2^(k-1) + 4) / 3 where it is even, for k from 3
 * (Stangl, Counting squares in Z_n, Mathematics Magazine 69, 1996): odd squares are the 2^(k-3) numbers that are 1 modulo
 * 8, and even ones are 4 times a square modulo 2^(k-2).
 *
 * @param k from 3 to 52
 */
export function squaresModuloPowerOfTwo(k: number): number {
  return (2 ** (k - 1) + (k % 2 === 1 ? 5 : 4)) / 3;
}

function hitsOf(): Diagnosis['hits'] {
  const { requests, requestHash, slots } = COURSE_RULES;
  const hits = new Map<number, number>();
  for (let request = 0; request < requests; request++) {
    const slot = requestHash(request) % slots;
    hits.set(slot, (hits.get(slot) ?? 0) + 1);
  }
  const counts = [...hits.values()].sort((a, b) => a - b);
  return { usual: medianOf(counts) ?? 0, most: counts.at(-1) ?? 0 };
}

function cureOf(
  hash: Cure['hash'],
  rules: Partial<CourseRules>,
  size: Pick<CourseRules, 'virtuals' | 'slots'>,
  servers: number,
): Cure {
  // A polynomial tells no more requests apart than there are slots.
  const map = mapOf({ requests: size.slots, ...rules, ...size }, servers);
  return { hash, ...size, servers, balance: map && balanceOf([...map.share().values()]) };
}

function anatomyOf(servers: number, reached: readonly number[]): Anatomy {
  const names = serverNames(servers);
  const map = Course.of(names);
  const table = map.slotTable();
  const gap = longestGap(table);
  const inGap = (slot: number): boolean =>
    gap.from <= gap.to ? slot >= gap.from && slot <= gap.to : slot >= gap.from || slot <= gap.to;
  const shares = names.map((name) => map.share().get(name) ?? 0);
  return {
    servers,
    table,
    gap,
    reachedInGap: reached.filter(inGap).length,
    colliding: collidingOf(servers),
    shares,
    balance: balanceOf(shares),
  };
}

/** From the slot after a virtual server to the next one, which owns it all. */
function longestGap(table: readonly (string | null)[]): Anatomy['gap'] {
  const taken = [...table.keys()].filter((slot) => table[slot] !== null);
  let best = { from: 0, to: 0, length: 0, owner: '' };
  for (const [i, to] of taken.entries()) {
    const before = taken[(i + taken.length - 1) % taken.length] as number;
    const length = (to - before + table.length) % table.length || table.length;
    if (length > best.length)
      best = { from: (before + 1) % table.length, to, length, owner: table[to] as string };
  }
  return best;
}

function collidingOf(servers: number): number {
  const { virtuals, slots, serverHash } = COURSE_RULES;
  const wanted = Array.from({ length: servers * virtuals }, (_, i) => {
    return serverHash(Math.floor(i / virtuals) + 1, i % virtuals) % slots;
  });
  const times = new Map<number, number>();
  for (const slot of wanted) times.set(slot, (times.get(slot) ?? 0) + 1);
  return wanted.filter((slot) => (times.get(slot) ?? 0) > 1).length;
}
