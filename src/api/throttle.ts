import type { Clock } from '../fleet/clock.ts';
import { Unavailable } from '../fleet/errors.ts';

/** Calls that may wait for their turn; more are told to come back. */
export const WAITING_MAX = 64;
/** After each turn, as many times as long as it took, the processor is left to others. */
const PAUSE_FACTOR = 4;

/** Gives calls that compute for long one turn after the other: while one does, nothing else goes on in its process. */
export class Throttle {
  readonly #clock: Clock;
  #free: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves or rejects as `work` does, when it has had its turn. Rejects with Unavailable where too many wait. */
  async run<T>(work: () => T): Promise<T> {
    if (this.#waiting >= WAITING_MAX)
      throw new Unavailable(`${WAITING_MAX} such calls are waiting already: ask again later`);
    this.#waiting++;
    const turn = this.#free;
    const over = Promise.withResolvers<void>();
    this.#free = over.promise;
    await turn;
    this.#waiting--;
    const beganMs = this.#clock.now();
    try {
      return work();
    } finally {
      const pauseMs = PAUSE_FACTOR * (this.#clock.now() - beganMs);
      void this.#clock.sleep(pauseMs).then(over.resolve);
    }
  }
}
