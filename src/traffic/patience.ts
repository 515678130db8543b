/** Calls `onOver` when it was neither renewed nor ended for `ms`. */
export class Patience {
  readonly #ms: number;
  readonly #onOver: () => void;
  #timer: ReturnType<typeof setTimeout>;
  #ended = false;

  constructor(ms: number, onOver: () => void) {
    this.#ms = ms;
    this.#onOver = onOver;
    this.#timer = setTimeout(onOver, ms);
  }

  renew(): void {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onOver, this.#ms);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}
