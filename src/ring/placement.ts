/** How keys are placed: what `HASH` may say. */
export const ALGORITHMS = ['ring', 'maglev', 'rendezvous', 'course', 'nginx', 'ketama'] as const;

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

/** Which replica owns which key: one fixed map, that never changes once built. */
export interface Placement {
  readonly algorithm: Algorithm;

  /** distinct replica names that the placement knows, sorted (code-unit order) */
  readonly names: readonly string[];

  /** the same replicas in the same order */
  readonly sites: readonly Site[];

  /** the replica that owns the key; undefined when there is no replica */
  owner(key: string): string | undefined;

  /**
   * distinct replicas in failover order, owner first; one that owns nothing may be missing
   *
   * @param limit how many at most, 0 or more; all of them by default
   */
  preference(key: string, limit?: number): string[];

  /** What the key is hashed to, an integer in [0, 2^32): all that the map knows of a key. */
  hash(key: string): number;

  /**
   * Where among `positions` the key's hash falls: a point's reach on a ring, an entry of a table; where each key has an
   * order of its own (rendezvous), the hash itself.
   *
   * @returns an integer in [0, positions)
   */
  positionOf(key: string): number;

  /** On a circle, how many points there are, those behind another at their position included. */
  readonly points?: number;

  /** How many positions there are: 2^32 on a ring, the size of the table elsewhere. */
  readonly positions: number;

  /**
   * The part of the key space that each replica owns: exact, where each key has an order of its own of ideal hashes; 1 in
   * sum unless there is no replica.
   */
  share(): Map<string, number>;

  /** The whole map; only where a hash has an owner and not, as in rendezvous hashing, each pair of key and replica a score. */
  arcs?(): Arcs;
}

/** The replicas as placements keep them: sorted by name, each once; of a name that comes twice the last counts. */
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
