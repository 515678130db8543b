import { failureStatus, isFree, shouldRetry, type Asked, type Failure } from './retry.ts';
import type { RetryBudget } from './budget.ts';

/** The attempts at one request that brought no reply. */
export class Attempts {
  /** Replicas that are not asked again. */
  readonly tried = new Set<string>();
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

  /** Whether the next replica may be asked, as far as the request goes. */
  allow(request: Asked): boolean {
    return shouldRetry({ ...request, failure: this.#last, attempts: this.#counted });
  }

  /** Whether the next replica may be asked; where that costs something, it is taken from the budget. */
  mayGoOn(request: Asked, budget: RetryBudget, nowMs: number): boolean {
    return this.allow(request) && (isFree(this.#last) || budget.withdraw(nowMs));
  }
}
