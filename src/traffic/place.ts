import type { Lease } from '../fleet/member.ts';
import type { Address } from '../runtime/runtime.ts';
import { Silence } from './silence.ts';

/** What is in flight at one instance. */
class Flight {
  taken = 0;
  readonly silence = new Silence();
}

/** One request's place at a replica: its lease, and its part in what may be in flight there. */
export class Place {
  readonly #flight: Flight;
  #held = true;
  #waiting = false;

  constructor(
    readonly lease: Lease,
    flight: Flight,
  ) {
    this.#flight = flight;
    flight.taken++;
  }

  /** Whether the request is still in flight there. */
  get held(): boolean {
    return this.#held;
  }

  /** As Silence has it of all that wait there. */
  get silentSinceMs(): number {
    return this.#flight.silence.sinceMs;
  }

  /** A request that is whole is sent. */
  asked(nowMs: number): void {
    this.#waiting = true;
    this.#flight.silence.asked(nowMs);
  }

  /** A reply to it begins. */
  replied(nowMs: number): void {
    if (this.#waiting) this.#flight.silence.replied(nowMs);
    this.#waiting = false;
  }

  /** Ends the hold; safe to call again. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.lease.onCut = undefined;
    if (this.#waiting) this.#flight.silence.left();
    this.#flight.taken--;
    this.lease.release();
  }
}

/** Places at the instances of replicas, so many at each. */
export class Places {
  readonly #max: number;
  readonly #flights = new WeakMap<Address, Flight>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes one. Where there is none the lease is released. */
  take(lease: Lease): Place | undefined {
    let flight = this.#flights.get(lease.address);
    if (flight === undefined) {
      flight = new Flight();
      this.#flights.set(lease.address, flight);
    }
    if (flight.taken < this.#max) return new Place(lease, flight);
    lease.release();
    return undefined;
  }
}
