import { hash32 } from './hash.ts';
import { sitesOf, type Arcs, type Placement, type Site } from './placement.ts';

/** What of the assignment may be otherwise. */
export interface CourseRules {
  /** slots of the map, 1 or more */
  readonly slots: number;
  /** slots that each replica takes: its virtual servers, 1 or more */
  readonly virtuals: number;
  /** how many different requests the map tells apart, numbered from 0: one is known by its number modulo this, at most 2^24 */
  readonly requests: number;
  /** H: where a request falls, a safe integer, taken modulo `slots` */
  readonly requestHash: (request: number) => number;
  /** Φ: where a virtual server would be, a safe integer, taken modulo `slots`; both are numbers from 0 */
  readonly serverHash: (server: number, virtual: number) => number;
}

/**
 * As the assignment gives it. As H and Φ are polynomials with integer coefficients, a number may be taken modulo 512
 * before: H(i) is the same, and nothing overflows.
 */
export const COURSE_RULES: CourseRules = Object.freeze({
  slots: 512,
  virtuals: 9,
  requests: 512,
  requestHash: (i: number) => i * i + 2 * i + 17,
  serverHash: (i: number, j: number) => i * i + j * j + 2 * j + 25,
});

/** With one more replica its virtual servers would not find a free slot each. */
export const COURSE_REPLICAS_MAX = Math.floor(COURSE_RULES.slots / COURSE_RULES.virtuals);

/** More than this many requests would make a table of more than 64 MiB. */
const REQUESTS_MAX = 2 ** 24;

const NOBODY = -1;

/**
 * The map of a well-known assignment in distributed systems, "Implementing a Customizable Load Balancer": consistent
 * hashing with 512 slots, K = 9 virtual servers for each server, H(i) = i² + 2i + 17 for requests and
 * Φ(i, j) = i² + j² + 2j + 25 for virtual servers, linear probing, and a request belongs to the first virtual server at
 * or clockwise after its slot. Immutable, and a function of the set of replicas alone.
 *
 * - A key that is the decimal text of a safe integer, such as `42` or `-7` but neither `042` nor `4.2`, is the request of
 *   that number; any other the one of its hash.
 * - A replica is the server of the number that its name ends in, `server-3` and `db3` of 3; leading zeros do not count.
 *   Without one, or beyond 2^53 - 1, it is the server of its name's hash modulo `requests`.
 * - Virtual servers are placed in the order of server numbers, names where these agree, all of one replica before the
 *   next, with j from 0. One whose slot is taken takes the next free one (+1, round the end).
 *
 * The assignment knows no weights: they are ignored. As a slot that is taken depends on who came before, joins and leaves
 * may move keys between two others: none where the highest number joins or leaves, else of `server-1` … `server-N` up to
 * 9 % of the requests to N = 20, and 31 % near 56. Shares are far from even, and that is what there is to be learnt: Φ(i, j)
 * is i² + (j + 1)² + 24, so that all virtual servers of a server are within 81 slots, and whoever is first behind the gap owns
 * it, 84 % of all requests with three servers; and H(i) is (i + 1)² + 16, so that requests reach only the 87 slots that are 16
 * above a square modulo 512, which more virtual servers can't make even.
 *
 * Memory: 4 bytes for each slot and for each request that is told apart, 4 KiB with the assignment's rules; and the names.
 */
export class Course implements Placement {
  readonly algorithm = 'course';
  readonly positions: number;
  readonly names: readonly string[];
  readonly sites: readonly Site[];
  readonly rules: CourseRules;

  /** by slot, the index of the replica whose virtual server is in it, or NOBODY */
  readonly #slots: Int32Array;
  /** by request, the index of its owner, or NOBODY */
  readonly #owners: Int32Array;

  private constructor(sites: readonly Site[], rules: CourseRules) {
    this.sites = sites;
    this.names = Object.freeze(sites.map(({ name }) => name));
    this.rules = rules;
    this.positions = rules.slots;
    this.#slots = slotsOf(sites, rules);
    const nextOwners = nextOwnersOf(this.#slots);
    this.#owners = Int32Array.from(
      { length: rules.requests },
      (_, request) => nextOwners[slotOf(rules.requestHash(request), rules)]!,
    );
  }

  /**
   * O(N log N + slots * N * K + requests); some microseconds with the assignment's rules.
   *
   * @param replicas in any order; of a name that comes twice the last counts
   * @param changes to {@link COURSE_RULES}
   * @throws RangeError for more replicas than there are slots for: {@link COURSE_REPLICAS_MAX} with the assignment's
   *   rules; and for rules out of range
   */
  static of(replicas: Iterable<string | Site>, changes: Partial<CourseRules> = {}): Course {
    const rules = Object.freeze({ ...COURSE_RULES, ...changes });
    for (const name of ['slots', 'virtuals', 'requests'] as const) {
      const value = rules[name];
      if (!Number.isInteger(value) || value < 1 || value > REQUESTS_MAX)
        throw new RangeError(
          `${name} of a course map is a whole number from 1 to ${REQUESTS_MAX}, not ${value}`,
        );
    }
    const sites = sitesOf(replicas);
    const most = Math.floor(rules.slots / rules.virtuals);
    if (sites.length > most) {
      throw new RangeError(
        `The course map has ${rules.slots} slots, which is room for ${most} replicas of ${rules.virtuals} each, not for ${sites.length}`,
      );
    }
    return new Course(sites, rules);
  }

  /** The number of the key's request, modulo `requests`: in [0, requests). O(length). */
  hash(key: string): number {
    return remainderOf(integerOf(key) ?? hash32(key), this.rules.requests);
  }

  /** The key's slot, H: in [0, slots). O(1) beyond the key's number. */
  positionOf(key: string): number {
    return slotOf(this.rules.requestHash(this.hash(key)), this.rules);
  }

  /** O(1) beyond the key's number. */
  owner(key: string): string | undefined {
    return this.names[this.#owners[this.hash(key)]!];
  }

  /** Clockwise from the key's slot, each replica when it is first met. O(slots). */
  preference(key: string, limit = this.names.length): string[] {
    const wanted = Math.min(limit, this.names.length);
    const found = new Set<number>();
    for (let slot = this.positionOf(key); found.size < wanted; slot = (slot + 1) % this.rules.slots) {
      if (this.#slots[slot] !== NOBODY) found.add(this.#slots[slot]!);
    }
    return Array.from(found, (owner) => this.names[owner]!);
  }

  /** The part of the requests that each replica owns: exact, 1 in sum unless there is no replica. O(requests). */
  share(): Map<string, number> {
    const owned = new Float64Array(this.names.length);
    if (owned.length > 0) for (const owner of this.#owners) owned[owner]!++;
    return new Map(this.names.map((name, i) => [name, owned[i]! / this.rules.requests]));
  }

  /** One for each request that is told apart. Copies; O(requests). */
  arcs(): Arcs {
    const { requests } = this.rules;
    const length = this.names.length === 0 ? 0 : requests;
    return {
      keyHash: 'request number',
      keySpace: requests,
      positions: Uint32Array.from({ length }, (_, request) => request),
      owners: Uint32Array.from(this.#owners.subarray(0, length)),
    };
  }

  /** By slot, whose virtual server is in it; null: nobody's. Copies; O(slots). */
  slotTable(): (string | null)[] {
    return Array.from(this.#slots, (owner) => this.names[owner] ?? null);
  }
}

/**
 * The slots that H reaches from any request, ascending: 87 of 512 with the assignment's rules. O(requests).
 *
 * @param changes to {@link COURSE_RULES}
 */
export function slotsReached(changes: Partial<CourseRules> = {}): number[] {
  const rules = { ...COURSE_RULES, ...changes };
  const reached = new Uint8Array(rules.slots);
  for (let request = 0; request < rules.requests; request++)
    reached[slotOf(rules.requestHash(request), rules)] = 1;
  return [...reached.keys()].filter((slot) => reached[slot] === 1);
}

/**
 * The number of the server that a replica's name stands for: what it ends in, or else a hash of the whole. O(length).
 *
 * @param requests modulo which a hash is taken, 1 or more
 * @returns a safe integer from 0
 */
export function serverNumberOf(name: string, requests: number = COURSE_RULES.requests): number {
  let digitsAt = name.length;
  while (digitsAt > 0 && isDigit(name.charCodeAt(digitsAt - 1))) digitsAt--;
  const number = digitsAt === name.length ? NaN : Number(name.slice(digitsAt));
  return Number.isSafeInteger(number) ? number : hash32(name) % requests;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function slotsOf(sites: readonly Site[], rules: CourseRules): Int32Array {
  const slots = new Int32Array(rules.slots).fill(NOBODY);
  // Sites are sorted by name, and sorting keeps that order where numbers agree.
  const servers = sites
    .map(({ name }, owner) => ({ owner, number: serverNumberOf(name, rules.requests) }))
    .sort((a, b) => a.number - b.number);
  for (const { owner, number } of servers) {
    for (let virtual = 0; virtual < rules.virtuals; virtual++) {
      let slot = slotOf(rules.serverHash(number % rules.requests, virtual), rules);
      while (slots[slot] !== NOBODY) slot = (slot + 1) % rules.slots;
      slots[slot] = owner;
    }
  }
  return slots;
}

/** By slot, who is first at or clockwise after it. */
function nextOwnersOf(slots: Int32Array): Int32Array {
  const owners = Int32Array.from(slots);
  let next = NOBODY;
  for (let i = 2 * owners.length - 1; i >= 0; i--) {
    const slot = i % owners.length;
    if (slots[slot] !== NOBODY) next = slots[slot]!;
    owners[slot] = next;
  }
  return owners;
}

function slotOf(hash: number, { slots }: CourseRules): number {
  return remainderOf(hash, slots);
}

/** Never negative, unlike `%`. */
function remainderOf(number: number, divisor: number): number {
  const remainder = number % divisor;
  return remainder < 0 ? remainder + divisor : remainder + 0;
}

/** Only in its one canonical form, so that no two keys that differ are the same by chance. */
function integerOf(key: string): number | undefined {
  if (key.length === 0 || key.length > '-9007199254740991'.length) return undefined;
  const number = Number(key);
  return Number.isSafeInteger(number) && String(number) === key ? number : undefined;
}
