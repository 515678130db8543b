/** How often it is looked, in ms. */
const TICK_MS = 100;
/** Upper bounds, in ms, of what is counted together; what is more is counted after them. */
export const LOOP_DELAY_BOUNDS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export interface LoopDelayReport {
  /** Looks since the last report, by how late they were; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** How long what is due has to wait in this process: how late a timer of TICK_MS is each time. */
export class LoopDelay {
  readonly counts = new Float64Array(LOOP_DELAY_BOUNDS_MS.length + 1);
  sumMs = 0;
  #reported = new Float64Array(this.counts.length);
  #reportedSumMs = 0;

  /** Looks at the delay of this process from here on. Returns the way out. */
  watch(now: () => number = () => performance.now()): () => void {
    let lastMs = now();
    const timer = setInterval(() => {
      const nowMs = now();
      this.late(Math.max(0, nowMs - lastMs - TICK_MS));
      lastMs = nowMs;
    }, TICK_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  late(ms: number): void {
    const bound = LOOP_DELAY_BOUNDS_MS.findIndex((one) => ms <= one);
    (this.counts[bound < 0 ? LOOP_DELAY_BOUNDS_MS.length : bound] as number)++;
    this.sumMs += ms;
  }

  /** What came since the last report. */
  report(): LoopDelayReport {
    const counts = [...this.counts].map((count, i) => count - (this.#reported[i] as number));
    const sumMs = this.sumMs - this.#reportedSumMs;
    this.#reported = this.counts.slice();
    this.#reportedSumMs = this.sumMs;
    return { counts, sumMs };
  }

  apply({ counts, sumMs }: LoopDelayReport): void {
    for (const [i, count] of counts.entries()) (this.counts[i] as number) += count;
    this.sumMs += sumMs;
  }
}
