import type { Log } from '../log.ts';
import type { Journal } from './journal.ts';
import { reasonOf } from './refusal.ts';

export interface EngineWordOptions {
  /** What the operator calls it. */
  readonly engine: string;
  /** What does not happen while it is away. */
  readonly consequence: string;
  readonly log: Log;
  readonly journal: Journal;
}

/** Whether the engine answered when it was asked last; told when that changes. */
export class EngineWord {
  readonly #options: EngineWordOptions;
  #answers = true;

  constructor(options: EngineWordOptions) {
    this.#options = options;
  }

  get answers(): boolean {
    return this.#answers;
  }

  failed(error: unknown): void {
    const { engine, consequence, log, journal } = this.#options;
    if (!this.#answers) return;
    this.#answers = false;
    log.warn({ why: reasonOf(error) }, `${engine} does not answer: ${consequence}`);
    journal.record('', 'engine away', reasonOf(error));
  }

  answered(): void {
    const { engine, log, journal } = this.#options;
    if (this.#answers) return;
    this.#answers = true;
    log.info({}, `${engine} answers again`);
    journal.record('', 'engine back', 'answers again');
  }
}
