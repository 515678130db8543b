/** How far apart two looks are, in ms; a deadline is met this much late at most. */
export const TICK_MS = 100;
/** A gap between two looks that is longer was no peer's fault: what they sent meanwhile is read first, once. */
const GAP_MS_MAX = 5 * TICK_MS;

export interface Timed {
  /** By the clock of Deadlines; Infinity for none. */
  deadlineMs: number;
  onDeadline(): void;
}

/** One timer for all connections: to move a deadline is to write a number. */
export class Deadlines {
  /** The time of the last look, in ms since some moment. */
  nowMs: number;
  readonly #timed = new Set<Timed>();
  readonly #clock: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #passedOver = false;

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.nowMs = clock();
    this.#timer = setInterval(() => this.look(), TICK_MS);
    this.#timer.unref();
  }

  add(timed: Timed): void {
    this.#timed.add(timed);
  }

  remove(timed: Timed): void {
    this.#timed.delete(timed);
  }

  look(): void {
    const nowMs = this.#clock();
    // Not twice: where every look is late, time still has to pass.
    const late = nowMs - this.nowMs > GAP_MS_MAX && !this.#passedOver;
    this.#passedOver = late;
    // Deadlines are set by the time of the last look, which may be a tick old: nobody gets less than was promised.
    const dueMs = nowMs - TICK_MS;
    this.nowMs = nowMs;
    if (late) return;
    for (const timed of this.#timed) if (timed.deadlineMs <= dueMs) timed.onDeadline();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timed.clear();
  }
}
