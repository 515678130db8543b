/** What is in flight at all replicas of one map. */
export interface LoadSum {
  inFlight: number;
}

/** Requests in flight at one replica, which count in a sum, too, while it is on a map. All in O(1). */
export class Load {
  #inFlight = 0;
  #sum: LoadSum | undefined;

  get inFlight(): number {
    return this.#inFlight;
  }

  /** `requests`: how many more they are, or fewer where it is below 0. */
  add(requests: number): void {
    this.#inFlight += requests;
    if (this.#sum !== undefined) this.#sum.inFlight += requests;
  }

  /** From here on it counts in that sum, which the sum of before does not have any more; undefined: in none. */
  countIn(sum: LoadSum | undefined): void {
    if (this.#sum !== undefined) this.#sum.inFlight -= this.#inFlight;
    this.#sum = sum;
    if (sum !== undefined) sum.inFlight += this.#inFlight;
  }
}
