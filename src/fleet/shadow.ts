import { placementOf } from '../ring/algorithms.ts';
import { weightSumOf, type Algorithm, type Placement, type Site } from '../ring/placement.ts';

/** Replicas that have left the map and still have their part in what was compared; beyond that the first are forgotten. */
const GONE_MAX = 256;

/** Requests compared, by whose their keys were: by the map in force, and by the other. */
export interface OwnedCounts {
  readonly live: number;
  readonly shadow: number;
  /** How many were due to it, by the weights of those on the map when each came. */
  readonly due: number;
}

/** What was compared, of requests that have a key of their own. */
export interface ShadowCounts {
  readonly requests: number;
  /** Of those, the ones for which both maps name the same owner. */
  readonly agreements: number;
  readonly replicas: readonly (readonly [name: string, counts: OwnedCounts])[];
}

/** Another algorithm's map of the same replicas, asked beside the one in force, and never obeyed. */
export class Shadow {
  readonly hash: Algorithm;
  #placement: Placement | undefined;
  #requests = 0;
  #agreements = 0;
  readonly #replicas = new Map<string, { live: number; shadow: number; due: number }>();
  /** By whose weights requests are due to whom, and how many came since that was last reckoned. */
  #sites: readonly Site[] = [];
  #undivided = 0;

  constructor(hash: Algorithm) {
    this.hash = hash;
  }

  /** Its map; undefined where it can't make one of so many replicas. */
  get placement(): Placement | undefined {
    return this.#placement;
  }

  /** Of these replicas from here on. */
  show(sites: readonly Site[]): void {
    this.#divide();
    this.#sites = sites;
    try {
      this.#placement = placementOf(this.hash, sites);
    } catch (error) {
      // It must not keep the map in force from changing.
      if (!(error instanceof RangeError)) throw error;
      this.#placement = undefined;
    }
    const names = new Set(sites.map(({ name }) => name));
    const gone = [...this.#replicas.keys()].filter((name) => !names.has(name));
    for (const name of gone.slice(0, Math.max(0, gone.length - GONE_MAX))) this.#replicas.delete(name);
  }

  /** Compares the owner of one request's key. O(1) beside the lookup. */
  compare(key: string, owner: string): void {
    const other = this.#placement?.owner(key);
    if (other === undefined) return;
    this.#requests++;
    this.#undivided++;
    if (other === owner) this.#agreements++;
    this.#of(owner).live++;
    this.#of(other).shadow++;
  }

  /** What another process compared since it was last told. */
  add({ requests, agreements, replicas }: ShadowCounts): void {
    this.#requests += requests;
    this.#agreements += agreements;
    for (const [name, { live, shadow, due }] of replicas) {
      const counts = this.#of(name);
      counts.live += live;
      counts.shadow += shadow;
      counts.due += due;
    }
  }

  counts(): ShadowCounts {
    this.#divide();
    return {
      requests: this.#requests,
      agreements: this.#agreements,
      replicas: [...this.#replicas].map(([name, counts]) => [name, { ...counts }]),
    };
  }

  /** The same, which from here on is counted elsewhere. */
  take(): ShadowCounts {
    const counts = this.counts();
    this.#requests = this.#agreements = 0;
    this.#replicas.clear();
    return counts;
  }

  #divide(): void {
    if (this.#undivided === 0) return;
    const weightSum = weightSumOf(this.#sites);
    for (const { name, weight } of this.#sites) this.#of(name).due += (this.#undivided * weight) / weightSum;
    this.#undivided = 0;
  }

  #of(name: string): { live: number; shadow: number; due: number } {
    let counts = this.#replicas.get(name);
    if (counts === undefined) {
      counts = { live: 0, shadow: 0, due: 0 };
      this.#replicas.set(name, counts);
    }
    return counts;
  }
}
