/**
 * Passive health, also called outlier detection: what real requests tell of a replica that answers its heartbeats. Each
 * process that sends requests counts for itself; the fleet decides.
 */

/** Requests that have to fail in a row, with none answered in between. */
export const FAILURES_IN_A_ROW = 5;
/** How long a replica is off the ring when that happens for the first time; then doubling, for each time that it happens again. */
export const REST_FIRST_MS = 2000;
export const REST_MAX_MS = 60_000;
/** Rests that have not helped; then a replica of ours is replaced. One that was on the ring for STABLE_AFTER_MS begins anew. */
export const RESTS_MAX = 1;
/**
 * Of the members no more than this part may be off the ring for a replica to be ejected by what requests tell: where most
 * fail, it is hardly their own fault, and those that are left would get all of the load.
 */
export const PANIC_THRESHOLD = 0.5;

/** How long a replica is off the ring that is ejected for the `times`-th time in a row (1 or more), in ms. */
export function restMs(times: number): number {
  return Math.min(REST_MAX_MS, REST_FIRST_MS * 2 ** (times - 1));
}

/** Whether one of `members` may be ejected of whom `offRing` are off the ring already. Those that leave count as neither. */
export function mayEject({
  members,
  offRing,
}: {
  readonly members: number;
  readonly offRing: number;
}): boolean {
  return offRing + 1 <= members * PANIC_THRESHOLD;
}

/** The requests that failed since the last that was answered, as one process knows them. */
export class FailureRun {
  #failures = 0;
  #max: number;

  /** `onTrial`: it is just back from a rest, and the first request decides. */
  constructor(onTrial: boolean) {
    this.#max = onTrial ? 1 : FAILURES_IN_A_ROW;
  }

  /** Gives whether there are too many by now. */
  failed(): boolean {
    return ++this.#failures >= this.#max;
  }

  answered(): void {
    if (this.#failures > 0) this.#failures = 0;
    if (this.#max < FAILURES_IN_A_ROW) this.#max = FAILURES_IN_A_ROW;
  }
}
