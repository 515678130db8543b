import type { FakeClock } from '../fleet/fake-clock.ts';

export interface PipeOptions<T> {
  readonly clock: FakeClock;
  readonly latencyMs: () => number;
  readonly deliver: (message: T) => void;
  /** Told of what `deliver` throws. */
  readonly failed: (error: unknown) => void;
}

/** A channel between two processes: what is sent arrives in its order, some time later, or never once it is cut. */
export class Pipe<T> {
  readonly #options: PipeOptions<T>;
  readonly #sent: T[] = [];
  #lastDueMs = 0;
  #cut = false;

  constructor(options: PipeOptions<T>) {
    this.#options = options;
  }

  send(message: T): void {
    if (this.#cut) return;
    const { clock, latencyMs, failed } = this.#options;
    const nowMs = clock.now();
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + latencyMs());
    this.#sent.push(message);
    clock
      .sleep(this.#lastDueMs - nowMs)
      .then(() => this.#arrive())
      .catch(failed);
  }

  cut(): void {
    this.#cut = true;
  }

  /** Whoever wakes first brings what was sent first. */
  #arrive(): void {
    if (!this.#cut) this.#options.deliver(this.#sent.shift() as T);
  }
}
