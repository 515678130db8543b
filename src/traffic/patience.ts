import type { Place } from './place.ts';

/** Waits for the head of a reply: until its timeout, and until the replica has been silent for longer than it should. */
export class Patience {
  readonly #place: Place;
  readonly #timeoutMs: number;
  readonly #onOver: () => void;
  #timer: ReturnType<typeof setTimeout>;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  /** `onOver` is called when it was neither renewed nor ended for `timeoutMs`. */
  constructor(place: Place, timeoutMs: number, onOver: () => void) {
    this.#place = place;
    this.#timeoutMs = timeoutMs;
    this.#onOver = onOver;
    this.#timer = setTimeout(onOver, timeoutMs);
    this.#listen(performance.now());
  }

  /** The replica took some more of the request. */
  renew(): void {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onOver, this.#timeoutMs);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#silenceTimer);
  }

  /** Looks again when a silence that began at `sinceMs` will have lasted for too long. */
  #listen(sinceMs: number): void {
    const maxMs = this.#place.flight.pace.silenceMaxMs;
    if (this.#ended || maxMs >= this.#timeoutMs) return;
    this.#silenceTimer = setTimeout(
      () => {
        const nowMs = performance.now();
        const { silentSinceMs } = this.#place.flight;
        if (nowMs - silentSinceMs < maxMs) return this.#listen(Math.min(silentSinceMs, nowMs));
        this.#place.lease.failing();
        // It may have to stay for lack of others, and be worse off later.
        this.#listen(nowMs);
      },
      Math.max(0, sinceMs + maxMs - performance.now()),
    );
  }
}
