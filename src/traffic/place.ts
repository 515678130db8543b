import type { Lease } from '../fleet/member.ts';

/** What is in flight at one instance; who wants to know more of it than a number listens. */
export class Flight {
  /** Requests that hold a place here. */
  inFlight = 0;

  /** A request is sent. */
  asked(_nowMs: number): void {}

  /** A reply begins to a request that was sent then. */
  replied(_askedMs: number, _nowMs: number): void {}

  /** A request that was sent waits no more, for another reason. */
  left(): void {}

  /** A place is free again. */
  vacated(): void {}
}

/** One request's place at a replica: its lease, and its part in what is in flight there. */
export class Place<In extends Flight = Flight> {
  #askedMs = -1;
  #held = true;

  constructor(
    readonly lease: Lease,
    readonly flight: In,
  ) {
    flight.inFlight++;
  }

  /** Whether the request is still in flight there. */
  get held(): boolean {
    return this.#held;
  }

  /** The request is sent whole: the replica owes the reply from now on. */
  asked(nowMs: number): void {
    if (this.#askedMs >= 0) return;
    this.#askedMs = nowMs;
    this.flight.asked(nowMs);
  }

  /** The reply begins. */
  replied(nowMs: number): void {
    if (this.#askedMs >= 0) this.flight.replied(this.#askedMs, nowMs);
    this.#askedMs = -1;
  }

  /** Gives the place to others, while the lease is held on. */
  vacate(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#askedMs >= 0) this.flight.left();
    this.#askedMs = -1;
    this.flight.inFlight--;
    this.flight.vacated();
  }

  /** Ends the hold; safe to call again. */
  release(): void {
    if (!this.#held) return;
    this.lease.onCut = undefined;
    this.lease.release();
    this.vacate();
  }
}
