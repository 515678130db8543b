/**
 * Silence: a replica that takes requests and answers none of them, though it answers its heartbeats. To wait for the
 * timeout of each request would take long, since that has to be enough for the slowest; how slow replies are is seen.
 * Whether it is silence, or work that takes its time for once, a second opinion tells.
 */

/** Requests that wait at one instance, at least, for its silence to mean something; fewer where it may not have so many. */
const WAITING_MIN = 5;
/** It has to last for so much longer than the slowest reply of late, and for so long at least. */
const SLOWEST_FACTOR = 10;
const SILENCE_MIN_MS = 2000;
/** "Of late" is one to two of these. */
const WINDOW_MS = 30_000;

/** How slow replies are, whoever sends them. */
export class Pace {
  #slowestMs = 0;
  #slowestBeforeMs = 0;
  #windowEndsMs = 0;

  /** A reply began `tookMs` after its request was sent. */
  replied(tookMs: number, nowMs: number): void {
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + WINDOW_MS;
      this.#slowestBeforeMs = this.#slowestMs;
      this.#slowestMs = 0;
    }
    if (tookMs > this.#slowestMs) this.#slowestMs = tookMs;
  }

  /** A silence that lasts for so long, in ms, is worth a second opinion. */
  get silenceMaxMs(): number {
    return Math.max(SILENCE_MIN_MS, SLOWEST_FACTOR * Math.max(this.#slowestMs, this.#slowestBeforeMs));
  }
}

/** The requests that wait for one instance to begin its reply. */
export class Silence {
  readonly #waitingMin: number;
  #waiting = 0;
  #sinceMs = Number.POSITIVE_INFINITY;

  /** `inFlightMax`: requests that there may be at once. */
  constructor(inFlightMax: number) {
    this.#waitingMin = Math.min(WAITING_MIN, inFlightMax);
  }

  /** Since when enough requests wait and none was replied to; Infinity where that is not so. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** A request is sent. */
  asked(nowMs: number): void {
    if (++this.#waiting === this.#waitingMin) this.#sinceMs = nowMs;
  }

  /** One of those that wait is replied to. */
  replied(nowMs: number): void {
    this.#sinceMs = --this.#waiting >= this.#waitingMin ? nowMs : Number.POSITIVE_INFINITY;
  }

  /** One waits no more, for another reason. */
  left(): void {
    if (--this.#waiting < this.#waitingMin) this.#sinceMs = Number.POSITIVE_INFINITY;
  }
}
