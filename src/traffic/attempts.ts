import type { Lease } from '../fleet/member.ts';
import {
  betterThan,
  failureStatus,
  isFree,
  shouldRetry,
  type Asked,
  type Failure,
  type Verdict,
} from './retry.ts';
import type { RetryBudget } from './budget.ts';

/** The attempts at one request that brought no reply. */
export class Attempts {
  /** Replicas that are not asked again. */
  readonly tried = new Set<string>();
  /** Those that failed, and are to blame for it if another does better. */
  readonly #aside: { readonly lease: Lease; readonly betterBelow: number }[] = [];
  #counted = 0;
  #last: Failure = 'refused';
  /** Who was asked last; undefined: nobody yet. */
  lastTried: string | undefined;

  /** The status that tells a client which way the last one failed. */
  get status(): 502 | 504 {
    return failureStatus(this.#last);
  }

  /** Takes note of one more. */
  failed(replica: string, failure: Failure): void {
    this.tried.add(replica);
    this.lastTried = replica;
    this.#last = failure;
    if (!isFree(failure)) this.#counted++;
  }

  /** What the lease's replica did is compared with what the next does. */
  compare(lease: Lease, did: Failure | Verdict): void {
    lease.suspect();
    this.#aside.push({ lease, betterBelow: betterThan(did) });
  }

  /** The client gets a reply of that status from another. */
  answered(status: number): void {
    for (const { lease, betterBelow } of this.#aside) if (status < betterBelow) lease.failed();
  }

  /** Whether the next replica may be asked, as far as the request goes. */
  allow(request: Asked): boolean {
    return shouldRetry({ ...request, failure: this.#last, attempts: this.#counted });
  }

  /** Whether the next replica may be asked; where that costs something, it is taken from the budget. */
  mayGoOn(request: Asked, budget: RetryBudget, nowMs: number): boolean {
    return this.allow(request) && (isFree(this.#last) || budget.withdraw(nowMs));
  }
}
