/** Time as the fleet sees it; tests and the simulation bring their own. */
export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts: who sleeps looks at the signal, it never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done);
    }),
};
