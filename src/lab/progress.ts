import type { Terminal } from '../terminal.ts';

/** The bar, in columns. */
const BAR_COLUMNS = 20;
/** Before that much time and work nothing is said of how long it will take: it would jump. */
const ESTIMATE_FROM_MS = 2000;
const ESTIMATE_FROM_PART = 0.02;
/** How often the line is given anew. */
const STEP_MS = 100;

export interface ProgressOptions {
  /** All that is to be done, in units of one request. */
  readonly total: number;
  readonly terminal: Pick<Terminal, 'begin' | 'step' | 'end' | 'print'>;
  readonly now: () => number;
}

/** How far the lab is: one line that is written anew on a terminal, a line for each stage elsewhere. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #beganMs: number;
  readonly #rewrites: boolean;
  #done = 0;
  #stage = '';
  #shownMs = -STEP_MS;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#beganMs = options.now();
    this.#rewrites = options.terminal.begin('');
  }

  /** What is done from here on. */
  stage(text: string): void {
    this.#stage = text;
    if (!this.#rewrites) this.#options.terminal.print(`${this.#line()}\n`);
    else this.#show();
  }

  advance(units: number): void {
    this.#done += units;
    if (this.#options.now() - this.#shownMs >= STEP_MS) this.#show();
  }

  end(): void {
    this.#options.terminal.end();
  }

  #show(): void {
    this.#shownMs = this.#options.now();
    if (this.#rewrites) this.#options.terminal.step(this.#line());
  }

  #line(): string {
    const { total, now } = this.#options;
    const part = total === 0 ? 1 : Math.min(1, this.#done / total);
    return progressText({ part, stage: this.#stage, elapsedMs: now() - this.#beganMs, bar: this.#rewrites });
  }
}

export interface ProgressState {
  /** Of all that is to be done, 0 to 1. */
  readonly part: number;
  readonly stage: string;
  readonly elapsedMs: number;
  readonly bar: boolean;
}

/** What changes first, as what is last is cut where a terminal is narrow. */
export function progressText({ part, stage, elapsedMs, bar }: ProgressState): string {
  const filled = Math.round(part * BAR_COLUMNS);
  const drawn = bar ? `${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)} ` : '';
  const left = leftText(part, elapsedMs);
  return `${drawn}${String(Math.floor(part * 100)).padStart(3)} %${left} ${stage}`;
}

function leftText(part: number, elapsedMs: number): string {
  if (elapsedMs < ESTIMATE_FROM_MS || part < ESTIMATE_FROM_PART || part >= 1) return '';
  return ` (about ${durationText((elapsedMs * (1 - part)) / part)} left)`;
}

/** To the second below a minute, to the half minute above. */
export function durationText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  return `${Math.round(seconds / 30) / 2} min`;
}
