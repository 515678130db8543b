/** So many may do something at once; who comes when all lanes are taken waits, in the order of coming. */
export class Lanes {
  /** Each is given the lane of one that has left it. */
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(lanes: number) {
    this.#free = lanes;
  }

  /** Runs `act` in a lane. Undefined, and not run, where `signal` aborts before one is free; otherwise is what `act` is. */
  async run<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (signal.aborted) return undefined;
    if (this.#free > 0) this.#free--;
    else if (!(await this.#turn(signal))) return undefined;
    try {
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  /** Whether a lane was given before `signal` aborted. */
  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(come), 1);
        resolve(false);
      };
      const come = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      this.#waiting.push(come);
      signal.addEventListener('abort', leave);
    });
  }
}
