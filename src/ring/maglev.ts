import { hash32 } from './hash.ts';
import { indicesByWeight, sitesOf, type Arcs, type Placement, type Site } from './placement.ts';

/**
 * Slots of the table, a prime: the smaller size of the paper (§5.3), which keeps shares of equal replicas within 1 % of
 * the mean for up to 655 of them, and a table of 128 KiB in a CPU core's second cache.
 */
export const MAGLEV_SLOTS = 65_537;

/** A slot names its owner in 16 bits; and with more replicas than slots some would own nothing. */
export const MAGLEV_REPLICAS_MAX = 2 ** 16 - 1;

/** Goes before a name for its second hash, so that names which agree in one hash do not in the other. */
const SKIP_PREFIX = '^';

const KEY_SPACE = 2 ** 32;

const FREE = 0xffff;

/**
 * Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, §3.4): a
 * table of 65,537 slots, of which the replicas in turn take the next free one, each in an order of its own. Immutable,
 * and a function of the set of replicas alone.
 *
 * In proportion to its weight a replica has more turns: after the first, which all have so that nobody is without a slot,
 * the k-th is due at (k + 1/2) / weight, the rule of Webster and Sainte-Laguë for seats. So of W in all a replica has
 * 65,537 w / W slots, to the nearest whole number or the one beside it; each has one at least for up to 65,535.
 *
 * Shares are more even than on a ring, at the price of some needless moves: where one of N joins or leaves, some slots
 * change hands between two others, as the turns at which they are reached have changed. Where `server-N+1` joins
 * `server-1` … `server-N`, that is none or 0.01 % of the keys for N = 1 and 2, 0.06 % for 3, 0.2 % for 10, 0.6 % for 100, and
 * at most 1.1 % for any N up to 1000 (460); with unlike weights 1.2 %. Two names that have the same skip, one pair of 65,536
 * by chance, go through the slots in one order and exchange more: 3 % of the keys in one case of nine replicas.
 *
 * Memory: 128 KiB, and some 70 bytes per replica.
 */
export class Maglev implements Placement {
  readonly algorithm = 'maglev';
  readonly positions = MAGLEV_SLOTS;
  readonly names: readonly string[];
  readonly sites: readonly Site[];

  // Not frozen, as JavaScriptCore is slow to read a frozen array.
  readonly #byIndex: readonly string[];

  /** by slot, who owns it; without replicas all are FREE */
  readonly #table: Uint16Array;

  private constructor(sites: readonly Site[]) {
    this.sites = sites;
    this.#byIndex = sites.map(({ name }) => name);
    this.names = Object.freeze([...this.#byIndex]);
    this.#table = tableOf(sites);
  }

  /**
   * Expected O(M log M) for the M slots, and O(N log N) for N replicas: some 2 to 8 ms.
   *
   * @param replicas in any order; by its name alone, one has weight 1; of a name that comes twice the last counts
   * @throws RangeError for more than {@link MAGLEV_REPLICAS_MAX} names
   */
  static of(replicas: Iterable<string | Site>): Maglev {
    const sites = sitesOf(replicas);
    if (sites.length > MAGLEV_REPLICAS_MAX) {
      throw new RangeError(`Maglev has room for ${MAGLEV_REPLICAS_MAX} replicas, not for ${sites.length}`);
    }
    return new Maglev(sites);
  }

  /** MurmurHash3 of the key, in [0, 2^32). O(length). */
  hash(key: string): number {
    return hash32(key);
  }

  /** The key's slot, an integer in [0, 65,537). O(1) beyond the hash. */
  positionOf(key: string): number {
    return slotOf(hash32(key));
  }

  /** O(1) beyond the hash. */
  owner(key: string): string | undefined {
    return this.#byIndex[this.#table[slotOf(hash32(key))]!];
  }

  /**
   * The owner, and then who owns the slots that follow, each replica when it is first met. O(M) at most for the M slots;
   * expected O(N log N) for all of N replicas of equal weight.
   */
  preference(key: string, limit = this.names.length): string[] {
    const wanted = Math.min(limit, this.names.length);
    const found: string[] = [];
    const isFound = new Uint8Array(this.names.length);
    for (let slot = this.positionOf(key); found.length < wanted; slot++) {
      if (slot === MAGLEV_SLOTS) slot = 0;
      const owner = this.#table[slot]!;
      if (isFound[owner] === 1) continue;
      isFound[owner] = 1;
      found.push(this.#byIndex[owner]!);
    }
    return found;
  }

  /** The part of the key space that each replica owns: exact, 1 in sum unless there is no replica. O(M + N). */
  share(): Map<string, number> {
    const owned = new Float64Array(this.names.length);
    if (owned.length > 0)
      for (let slot = 0; slot < MAGLEV_SLOTS; slot++)
        owned[this.#table[slot]!]! += endOf(slot) - (slot === 0 ? -1 : endOf(slot - 1));
    return new Map(this.names.map((name, i) => [name, owned[i]! / KEY_SPACE]));
  }

  /** One arc for each slot. Copies; O(M). */
  arcs(): Arcs {
    const slots = this.names.length === 0 ? 0 : MAGLEV_SLOTS;
    return {
      keyHash: 'murmur3',
      keySpace: KEY_SPACE,
      positions: Uint32Array.from({ length: slots }, (_, slot) => endOf(slot)),
      owners: Uint32Array.from(this.#table.subarray(0, slots)),
    };
  }
}

/**
 * By multiplication and not by remainder (Lemire, "Fast Random Integer Generation in an Interval", 2018): so a slot
 * is an arc of the 2^32 hashes, all of which are as long, within one. A product of 49 bits is exact.
 */
function slotOf(hash: number): number {
  return Math.floor((hash * MAGLEV_SLOTS) / KEY_SPACE);
}

/** The last hash of a slot's arc. */
function endOf(slot: number): number {
  return Math.ceil(((slot + 1) * KEY_SPACE) / MAGLEV_SLOTS) - 1;
}

function tableOf(sites: readonly Site[]): Uint16Array {
  const table = new Uint16Array(MAGLEV_SLOTS).fill(FREE);
  if (sites.length === 0) return table;
  // The paper's `offset` and `skip`. The table's size is prime, so each skip leads to every slot.
  const next = Uint32Array.from(sites, ({ name }) => slotOf(hash32(name)));
  const skips = Uint32Array.from(
    sites,
    ({ name }) => 1 + Math.floor((hash32(SKIP_PREFIX + name) * (MAGLEV_SLOTS - 1)) / KEY_SPACE),
  );
  let left = MAGLEV_SLOTS;
  for (const members of turnsOf(sites)) {
    for (let i = 0; i < members.length && left > 0; i++) {
      const member = members[i]!;
      const skip = skips[member]!;
      let slot = next[member]!;
      while (table[slot] !== FREE) {
        slot += skip;
        if (slot >= MAGLEV_SLOTS) slot -= MAGLEV_SLOTS;
      }
      table[slot] = member;
      next[member] = slot;
      left--;
    }
    if (left === 0) break;
  }
  return table;
}

/**
 * Who takes a slot in turn, in groups of equal weight, by name within each; of groups whose turns are due at one time the
 * lighter is first. At least as many turns as there are slots: some may be left over.
 */
function turnsOf(sites: readonly Site[]): Uint32Array[] {
  const groups = [...indicesByWeight(sites)]
    .sort(([weight], [other]) => weight - other)
    .map(([weight, members]) => ({ weight, members: Uint32Array.from(members) }));
  const weightSum = groups.reduce((sum, { weight, members }) => sum + weight * members.length, 0);
  // By then a replica has had its first turn and floor(w t - 1/2) more: in sum the slots there are, and more.
  const horizon = (MAGLEV_SLOTS + sites.length) / weightSum;
  const due: { readonly at: number; readonly group: number }[] = [];
  for (const [group, { weight }] of groups.entries()) {
    due.push({ at: 0, group });
    for (let turn = 1; turn + 0.5 <= weight * horizon; turn++) due.push({ at: (turn + 0.5) / weight, group });
  }
  due.sort((a, b) => a.at - b.at || a.group - b.group);
  return due.map(({ group }) => groups[group]!.members);
}
