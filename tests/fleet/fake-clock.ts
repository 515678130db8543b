import { drainMicrotasks } from 'bun:jsc';
import type { Clock } from '../../src/fleet/clock.ts';

/** Wake-ups in a row without time going on; what sleeps that often for nothing would keep a CPU busy. */
const WAKES_AT_ONE_TIME_MAX = 5000;

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

export interface FakeClockOptions {
  /** Which of `count` sleepers that are due at the same time wakes first; without it, who slept first. */
  readonly tie?: (count: number) => number;
  /** Called each time that somebody has woken and all that follows from it has happened. */
  readonly woken?: () => void;
}

/**
 * Time that goes on only when it is told to. What is due wakes one at a time, in order, and everything that follows
 * from it without waiting has happened before the next one wakes: the same calls give the same run.
 */
export class FakeClock implements Clock {
  /** By due time, then by when they went to sleep. */
  readonly #sleepers: Sleeper[] = [];
  readonly #tie: (count: number) => number;
  readonly #woken: () => void;
  #nowMs = 0;
  #wakes = 0;
  #wakesNow = 0;
  #driven = false;

  constructor({ tie = () => 0, woken = () => {} }: FakeClockOptions = {}) {
    this.#tie = tie;
    this.#woken = woken;
  }

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`Nobody can sleep for ${ms} ms`);
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const wake = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#nowMs + ms, wake };
      // From the end: most sleep longer than those who sleep already.
      let after = this.#sleepers.length;
      while (after > 0 && (this.#sleepers[after - 1] as Sleeper).dueMs > sleeper.dueMs) after--;
      this.#sleepers.splice(after, 0, sleeper);
      signal?.addEventListener('abort', wake);
    });
  }

  /** How many sleep. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  /** How many have slept to the end of their time since the clock was made. */
  get wakes(): number {
    return this.#wakes;
  }

  /** When the next sleeper is due; undefined when nobody sleeps. */
  get nextDueMs(): number | undefined {
    return this.#sleepers[0]?.dueMs;
  }

  /** Lets everything happen that waits for no time. */
  settle(): void {
    drainMicrotasks();
  }

  /** Lets `ms` go by, and all that is due in it has happened when this returns. */
  pass(ms: number): void {
    this.#drive(() => {
      const target = this.#nowMs + ms;
      this.settle();
      for (let next = this.nextDueMs; next !== undefined && next <= target; next = this.nextDueMs)
        this.#wakeAt(next);
      this.#goTo(target);
    });
  }

  /** Lets time go by until `pending` has settled, then is what it is. Throws when that takes more than `limitMs`. */
  passUntil<T>(pending: Promise<T>, limitMs = 120_000): T {
    return this.#drive(() => {
      const outcomes: ({ readonly value: T } | { readonly error: unknown })[] = [];
      pending.then(
        (value) => outcomes.push({ value }),
        (error: unknown) => outcomes.push({ error }),
      );
      this.settle();
      const lastMs = this.#nowMs + limitMs;
      for (;;) {
        const [outcome] = outcomes;
        if (outcome !== undefined) {
          if ('error' in outcome) throw outcome.error;
          return outcome.value;
        }
        const next = this.nextDueMs;
        if (next === undefined)
          throw new Error('It waits for something that no passing of time brings about');
        if (next > lastMs) throw new Error(`It has not happened within ${limitMs} ms`);
        this.#wakeAt(next);
      }
    });
  }

  /** As `pass`, for who awaits. */
  async advance(ms: number): Promise<void> {
    this.pass(ms);
  }

  /** As `passUntil`, for who awaits. */
  async until<T>(pending: Promise<T>, limitMs?: number): Promise<T> {
    return this.passUntil(pending, limitMs);
  }

  /** One who lets time go by from within what happens meanwhile would see it jump. */
  #drive<T>(drive: () => T): T {
    if (this.#driven) throw new Error('Somebody else lets time go by already');
    this.#driven = true;
    try {
      return drive();
    } finally {
      this.#driven = false;
    }
  }

  #wakeAt(ms: number): void {
    this.#goTo(ms);
    this.#wakeOne(ms);
    this.settle();
    this.#woken();
  }

  #goTo(ms: number): void {
    if (ms > this.#nowMs) this.#wakesNow = 0;
    this.#nowMs = ms;
  }

  #wakeOne(dueMs: number): void {
    this.#wakes++;
    if (++this.#wakesNow > WAKES_AT_ONE_TIME_MAX)
      throw new Error(`Somebody wakes for ever at ${dueMs} ms: a loop without a pause`);
    let due = 0;
    while ((this.#sleepers[due]?.dueMs ?? Infinity) <= dueMs) due++;
    this.#sleepers[this.#tie(due)]?.wake();
  }
}
