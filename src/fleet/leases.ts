import type { Lease } from './member.ts';

/** What a lease can be told of its replica; see Lease. */
export type News = 'onLost' | 'onLeaving' | 'onCut';

/**
 * Leases that are held, in no order: a set by a place that each lease knows, since one is taken and released with every
 * request.
 */
export class Leases {
  readonly #held: Lease[] = [];

  get size(): number {
    return this.#held.length;
  }

  /** Gives the news to all that are held, once to each; one that is released meanwhile does not want it any more. */
  tell(news: News): void {
    for (const lease of this.#held.slice()) {
      if (!this.#holds(lease)) continue;
      const told = lease[news];
      lease[news] = undefined;
      told?.();
    }
  }

  add(lease: Lease): void {
    lease.place = this.#held.length;
    this.#held.push(lease);
  }

  /** False where it is not held. */
  delete(lease: Lease): boolean {
    if (!this.#holds(lease)) return false;
    const place = lease.place as number;
    const last = this.#held.pop() as Lease;
    if (last !== lease) {
      this.#held[place] = last;
      last.place = place;
    }
    lease.place = undefined;
    return true;
  }

  #holds(lease: Lease): boolean {
    return lease.place !== undefined && this.#held[lease.place] === lease;
  }
}
