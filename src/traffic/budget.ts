/** Of the requests that come in, so many may be sent once more. */
const RETRIES_PER_REQUEST = 0.2;
/** What is there besides, for a replica that takes all it has in flight along. */
const RESERVE = 1000;
/** The reserve fills again at this rate, where there are too few requests to do it. */
const RESERVE_PER_S = 20;

/**
 * How many retries there may be, so that a day on which most requests fail is not made worse by sending all of them
 * again: a bucket of tokens that each request adds a fifth of one to, and each retry takes one from.
 */
export class RetryBudget {
  #tokens = RESERVE;
  #filledMs: number;

  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  /** A request came in. */
  deposit(): void {
    this.#tokens = Math.min(RESERVE, this.#tokens + RETRIES_PER_REQUEST);
  }

  /** Whether there may be a retry now; if so it is counted. */
  withdraw(nowMs: number): boolean {
    this.#tokens = Math.min(RESERVE, this.#tokens + ((nowMs - this.#filledMs) / 1000) * RESERVE_PER_S);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
