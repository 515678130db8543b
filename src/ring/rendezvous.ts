import { hash32, mix32 } from './hash.ts';
import { indicesByWeight, sitesOf, weightSumOf, type Placement, type Site } from './placement.ts';

/** Goes before a name for its second hash, so that names which agree in one hash do not in the other. */
const SECOND_PREFIX = '^';

const KEY_SPACE = 2 ** 32;

/** So many of an order are found without a sort of all. */
const SHORT_MAX = 16;

/** Replicas of one weight, in the order of their names; what is at one place of the columns belongs together. */
interface Group {
  readonly weight: number;
  /** as indices into the placement's names */
  readonly members: Uint32Array;
  readonly firstHashes: Int32Array;
  readonly secondHashes: Int32Array;
}

/**
 * Rendezvous or highest-random-weight hashing (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
 * 1998), with weights by the Logarithmic Method of Schindelhauer and Schomaker ("Weighted Distributed Hash Tables", SPAA
 * 2005): each replica has a score for each key, -w / ln h of a hash h in (0, 1) of the two, and the highest owns it.
 * Immutable, and a function of the set of replicas alone.
 *
 * As -ln h is exponentially distributed, a replica owns w / W of the keys; who joins, leaves or changes its weight takes
 * its due part from each of the others, in proportion to their weights, and no key moves between two others. There is no
 * table: shares deviate by the sampling of the keys alone, and for that each lookup asks every replica.
 *
 * A key is known by its 32-bit hash, which is mixed twice with one of two hashes of the replica's name: once is not
 * enough, as names whose hashes differ in one bit would order keys alike.
 *
 * Memory: some 80 bytes per replica.
 */
export class Rendezvous implements Placement {
  readonly algorithm = 'rendezvous';
  readonly positions = KEY_SPACE;
  readonly names: readonly string[];
  readonly sites: readonly Site[];

  // Not frozen, as JavaScriptCore is slow to read a frozen array.
  readonly #byIndex: readonly string[];
  readonly #groups: readonly Group[];

  private constructor(sites: readonly Site[]) {
    this.sites = sites;
    this.#byIndex = sites.map(({ name }) => name);
    this.names = Object.freeze([...this.#byIndex]);
    this.#groups = groupsOf(sites);
  }

  /**
   * O(N log N).
   *
   * @param replicas in any order; by its name alone, one has weight 1; of a name that comes twice the last counts
   */
  static of(replicas: Iterable<string | Site>): Rendezvous {
    return new Rendezvous(sitesOf(replicas));
  }

  /** MurmurHash3 of the key, in [0, 2^32). O(length). */
  hash(key: string): number {
    return hash32(key);
  }

  /** The hash itself: each has an order of preference of its own. O(length). */
  positionOf(key: string): number {
    return hash32(key);
  }

  /**
   * O(N), some 2 ns for each replica: where weights are equal, the larger hash is the higher score, so only one logarithm
   * is taken for each different weight.
   */
  owner(key: string): string | undefined {
    const hash = hash32(key) | 0;
    const groups = this.#groups;
    if (groups.length === 1) return this.#byIndex[groups[0]!.members[bestOf(groups[0]!, hash)]!];
    let owner = -1;
    let highest = 0;
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!;
      const best = bestOf(group, hash);
      const score = scoreOf(group, best, hash);
      const member = group.members[best]!;
      // Of equal scores the smaller name's, whose index is smaller.
      if (score < highest || (score === highest && member > owner)) continue;
      highest = score;
      owner = member;
    }
    return this.#byIndex[owner];
  }

  /** By score. O(N log N), and O(N) for a few: up to {@link SHORT_MAX}. */
  preference(key: string, limit = this.names.length): string[] {
    if (limit < 1) return [];
    const owner = limit === 1 ? this.owner(key) : undefined;
    if (owner !== undefined) return [owner];
    const hash = hash32(key) | 0;
    const scores = new Float64Array(this.names.length);
    for (const group of this.#groups) {
      for (let i = 0; i < group.members.length; i++) scores[group.members[i]!] = scoreOf(group, i, hash);
    }
    if (limit <= SHORT_MAX) return bestFew(scores, limit).map((member) => this.#byIndex[member]!);
    const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
    return Array.from(order.subarray(0, limit), (member) => this.#byIndex[member]!);
  }

  /**
   * The part of the key space that each replica owns: w / W, what hashes without a flaw give it; 1 in sum, to the last
   * bits of a float, unless there is no replica. O(N).
   */
  share(): Map<string, number> {
    const weightSum = weightSumOf(this.sites);
    return new Map(this.sites.map(({ name, weight }) => [name, weight / weightSum]));
  }
}

/** Which have the highest scores, in their order; of equal ones the smaller index first. */
function bestFew(scores: Float64Array, limit: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (best.length === limit && score <= scores[best[limit - 1]!]!) continue;
    let at = best.length < limit ? best.length : limit - 1;
    while (at > 0 && scores[best[at - 1]!]! < score) {
      best[at] = best[at - 1]!;
      at--;
    }
    best[at] = i;
  }
  return best;
}

function groupsOf(sites: readonly Site[]): Group[] {
  return [...indicesByWeight(sites)].map(([weight, members]) => ({
    weight,
    members: Uint32Array.from(members),
    firstHashes: Int32Array.from(members, (i) => hash32(sites[i]!.name)),
    secondHashes: Int32Array.from(members, (i) => hash32(SECOND_PREFIX + sites[i]!.name)),
  }));
}

/** Which member of the group has the largest hash with the key, the first of several. */
function bestOf({ firstHashes, secondHashes }: Group, hash: number): number {
  let best = 0;
  let largest = -1;
  for (let i = 0; i < firstHashes.length; i++) {
    const mixed = mix32(mix32(hash ^ firstHashes[i]!) + secondHashes[i]!);
    if (mixed <= largest) continue;
    largest = mixed;
    best = i;
  }
  return best;
}

/** -w / ln h, in (0, infinity). The middle of the hash's 2^-32, so that it is neither 0 nor 1. */
function scoreOf({ weight, firstHashes, secondHashes }: Group, i: number, hash: number): number {
  const mixed = mix32(mix32(hash ^ firstHashes[i]!) + secondHashes[i]!);
  return -weight / Math.log((mixed + 0.5) / KEY_SPACE);
}
