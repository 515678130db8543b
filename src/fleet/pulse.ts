import type { Clock } from './clock.ts';

/** For so long an answer of the engine's counts, in ms: however many ask, it is asked twice a second. */
export const PULSE_FRESH_MS = 500;
/** What does not answer by then does not answer, in ms. */
export const PULSE_DEADLINE_MS = 1000;

export interface PulseOptions {
  readonly clock: Clock;
  /** Asks the engine something that it can answer at once; rejects where it does not answer. */
  readonly ask: () => Promise<unknown>;
}

/** Whether the engine answers, asked anew, and cheaply: one question at a time. */
export class Pulse {
  readonly #options: PulseOptions;
  #question: Promise<boolean> | undefined;
  #askedMs = 0;
  #answer: { readonly beats: boolean; readonly atMs: number } | undefined;

  constructor(options: PulseOptions) {
    this.#options = options;
  }

  /** Resolves within the deadline. Never rejects. */
  async beats(): Promise<boolean> {
    const { clock } = this.#options;
    const nowMs = clock.now();
    if (this.#answer !== undefined && nowMs - this.#answer.atMs < PULSE_FRESH_MS) return this.#answer.beats;
    // One that hangs is not asked again: a second would hang as well, and so would a hundredth.
    this.#question ??= this.#ask();
    const leftMs = this.#askedMs + PULSE_DEADLINE_MS - nowMs;
    if (leftMs <= 0) return false;
    const answered = new AbortController();
    const late = clock.sleep(leftMs, answered.signal).then(() => false);
    const beats = await Promise.race([this.#question, late]);
    answered.abort();
    return beats;
  }

  async #ask(): Promise<boolean> {
    const { clock, ask } = this.#options;
    this.#askedMs = clock.now();
    let beats = true;
    try {
      await ask();
    } catch {
      beats = false;
    }
    this.#answer = { beats, atMs: clock.now() };
    this.#question = undefined;
    return beats;
  }
}
