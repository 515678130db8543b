/** How keys are placed: what `HASH` may say. */
export const ALGORITHMS = ['ring', 'maglev', 'rendezvous', 'course', 'nginx', 'ketama'] as const;

/** One of {@link ALGORITHMS}. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** One replica as a placement knows it. */
export interface Site {
  readonly name: string;
  /** Its share of the keys as a multiple of the share of weight 1; above 0, and a whole number unless it starts slowly. */
  readonly weight: number;
  /** What the algorithms of other balancers hash in the place of its name: the server as their configuration writes it. */
  readonly label?: string | undefined;
}

/**
 * A map as arcs of what keys are hashed to: an arc begins after the one before it and ends with its position, and what is
 * behind the last belongs to the first. Of no arcs nobody owns anything.
 */
export interface Arcs {
  /** by what keys are hashed: two maps compare key by key where this and `keySpace` are the same */
  readonly keyHash: string;
  /** hashes are the integers below it, in [1, 2^32], each as likely as any other */
  readonly keySpace: number;
  /** ends of the arcs, in [0, keySpace), ascending; of those at one position the first counts */
  readonly positions: Uint32Array;
  /** whose each is, as an index into the placement's names */
  readonly owners: Uint32Array;
}

/**
 * Which replica owns which key: one fixed map, that never changes once built.
 *
 * In the costs below N is the number of replicas, p that of the points on a circle (`ring`, `nginx`, `ketama`), M the 65,537
 * slots of `maglev`, R the 512 slots and as many requests of `course`; a key of n bytes is hashed in O(n).
 */
export interface Placement {
  /** by which it was built */
  readonly algorithm: Algorithm;

  /** distinct replica names that the placement knows, sorted (code-unit order) */
  readonly names: readonly string[];

  /** the same replicas in the same order */
  readonly sites: readonly Site[];

  /** the replica that owns the key; undefined when there is no replica. Expected O(n), in `rendezvous` O(n + N). */
  owner(key: string): string | undefined;

  /**
   * distinct replicas in failover order, owner first; one that owns nothing may be missing
   *
   * Expected O(n + N log N) for all of N replicas of equal weight; whatever the weights O(n + N + p) at most, in `maglev`
   * O(n + N + M) and in `course` O(n + R). Few of them, up to 16, take O(n + N) in `rendezvous`, and on the others little more
   * than the walk past so many.
   *
   * @param limit how many at most, 0 or more; all of them by default
   */
  preference(key: string, limit?: number): string[];

  /** What the key is hashed to, an integer in [0, 2^32), in `course` in [0, R): all that the map knows of a key. O(n). */
  hash(key: string): number;

  /**
   * Where among `positions` the key's hash falls: a point's reach on a ring, an entry of a table; where each key has an
   * order of its own (rendezvous), the hash itself. O(n).
   *
   * @returns an integer in [0, positions)
   */
  positionOf(key: string): number;

  /** On a circle, how many points there are, those behind another at their position included: p. */
  readonly points?: number;

  /** How many positions there are: 2^32 on a ring, the size of the table elsewhere. */
  readonly positions: number;

  /**
   * The part of the key space that each replica owns: exact, where each key has an order of its own of ideal hashes; 1 in
   * sum unless there is no replica. O(N + p) on a circle, O(N + M) in `maglev`, O(N + R) in `course`, O(N) in `rendezvous`.
   */
  share(): Map<string, number>;

  /**
   * The whole map; only where a hash has an owner and not, as in rendezvous hashing, each pair of key and replica a score.
   * Copies; O(p) on a circle, O(M) in `maglev`, O(R) in `course`.
   */
  arcs?(): Arcs;
}

/**
 * The replicas as placements keep them: sorted by name (code-unit order), each once; of a name that comes twice the last
 * counts. Weights are not looked at. O(N log N).
 *
 * @param replicas in any order; by its name alone, one has weight 1
 */
export function sitesOf(replicas: Iterable<string | Site>): readonly Site[] {
  const byName = new Map<string, Site>();
  for (const one of replicas) {
    const site = typeof one === 'string' ? { name: one, weight: 1 } : one;
    byName.set(site.name, site);
  }
  return Object.freeze([...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
}

/** All weights in sum. O(N). */
export function weightSumOf(sites: readonly Site[]): number {
  return sites.reduce((sum, { weight }) => sum + weight, 0);
}

/** By each weight that there is, who has it, as indices into the sites, ascending. O(N). */
export function indicesByWeight(sites: readonly Site[]): Map<number, number[]> {
  const byWeight = new Map<number, number[]>();
  for (const [i, { weight }] of sites.entries()) {
    const indices = byWeight.get(weight);
    if (indices === undefined) byWeight.set(weight, [i]);
    else indices.push(i);
  }
  return byWeight;
}
