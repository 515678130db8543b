import { Unavailable } from './errors.ts';

/** Changes that may wait behind the one under way; more are told to come back. */
export const CHANGES_WAITING_MAX = 64;

/** Runs changes one after the other, in the order of asking. */
export class ChangeQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** Resolves or rejects as `change` does. Rejects with Unavailable when the queue is full or closed. */
  run<T>(change: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Unavailable('Ringmaster is shutting down'));
    if (this.#waiting >= CHANGES_WAITING_MAX)
      return Promise.reject(
        new Unavailable(`${CHANGES_WAITING_MAX} changes are waiting already: ask again later`),
      );
    this.#waiting++;
    const turn = this.#last.then(() => {
      this.#waiting--;
      if (this.#closed) throw new Unavailable('Ringmaster is shutting down');
      return change();
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Refuses what has not begun; resolves when the change under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}
