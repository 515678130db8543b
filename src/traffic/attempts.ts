import type { Lease } from '../fleet/member.ts';
import {
  failureStatus,
  isComparable,
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
  /** Those whose replies were failing ones, and who are to blame for it if another does better. */
  readonly #blamed: Lease[] = [];
  #counted = 0;
  #last: Failure = 'refused';

  /** The status that tells a client which way the last one failed. */
  get status(): 502 | 504 {
    return failureStatus(this.#last);
  }

  /** Takes note of one more. */
  failed(replica: string, failure: Failure): void {
    this.tried.add(replica);
    this.#last = failure;
    if (!isFree(failure)) this.#counted++;
  }

  /** The reply of that lease's replica is put aside for that of the next. */
  putAside(lease: Lease, verdict: Verdict): void {
    if (verdict === 'fails') this.#blamed.push(lease);
  }

  /** One that is asked after them has done better. */
  blame(): void {
    for (const lease of this.#blamed) lease.failed();
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

/** What a reply tells that the client gets, of its own replica and of those before it. */
export function judge(
  verdict: Verdict,
  {
    lease,
    attempts,
    asked,
  }: { readonly lease: Lease; readonly attempts: Attempts | undefined; readonly asked: Asked },
): void {
  if (verdict === 'answers') attempts?.blame();
  // Where it could have been compared, and was with no better, or there is no other: it may be the request's own fault.
  else if (verdict === 'fails' && !isComparable(asked)) lease.failed();
}
