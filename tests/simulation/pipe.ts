import type { FakeClock } from '../fleet/fake-clock.ts';

/** A channel between two processes: what is sent arrives in its order, some time later, or never once it is cut. */
export class Pipe<T> {
  readonly #clock: FakeClock;
  readonly #latencyMs: () => number;
  readonly #deliver: (message: T) => void;
  readonly #sent: T[] = [];
  #lastDueMs = 0;
  #cut = false;

  constructor(clock: FakeClock, latencyMs: () => number, deliver: (message: T) => void) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#deliver = deliver;
  }

  send(message: T): void {
    if (this.#cut) return;
    const nowMs = this.#clock.now();
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + this.#latencyMs());
    this.#sent.push(message);
    void this.#clock.sleep(this.#lastDueMs - nowMs).then(() => {
      // Whoever wakes first brings what was sent first.
      if (!this.#cut) this.#deliver(this.#sent.shift() as T);
    });
  }

  cut(): void {
    this.#cut = true;
  }
}
