import type { Lease } from '../fleet/member.ts';
import type { Address } from '../runtime/runtime.ts';

/** One request's place at a replica: its lease, and its part in what may be in flight there. */
export class Place {
  readonly #leave: () => void;
  #held = true;

  constructor(
    readonly lease: Lease,
    leave: () => void,
  ) {
    this.#leave = leave;
  }

  /** Whether the request is still in flight there. */
  get held(): boolean {
    return this.#held;
  }

  /** Ends the hold; safe to call again. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.lease.onCut = undefined;
    this.#leave();
    this.lease.release();
  }
}

/** Places at the instances of replicas, so many at each. */
export class Places {
  readonly #max: number;
  readonly #taken = new WeakMap<Address, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes one. Where there is none the lease is released. */
  take(lease: Lease): Place | undefined {
    const { address } = lease;
    const taken = this.#taken.get(address) ?? 0;
    if (taken >= this.#max) {
      lease.release();
      return undefined;
    }
    this.#taken.set(address, taken + 1);
    return new Place(lease, () => this.#taken.set(address, (this.#taken.get(address) ?? 1) - 1));
  }
}
