import { run, type Failure, type RunOptions } from './run.ts';

/** Runs that a failure is worth; what is shortest by then has to do. */
const RUNS_MAX = 3000;

/**
 * The fewest steps of a seed that still break the same rule, by delta debugging (Zeller and Hildebrandt, "Simplifying
 * and Isolating Failure-Inducing Input", 2002): ever smaller parts are left out as long as that goes well.
 */
export function shrink(options: RunOptions, found: Failure): Failure {
  const search = new Search(options, found);
  let part = Math.ceil(found.steps.length / 2);
  while (part > 1) {
    search.leaveOut(part);
    part = Math.ceil(part / 2);
  }
  while (search.leaveOut(1));
  return search.best;
}

class Search {
  best: Failure;
  readonly #options: RunOptions;
  #runs = 0;

  constructor(options: RunOptions, found: Failure) {
    this.#options = options;
    this.best = found;
  }

  /** Tries to do without each `part` steps that follow each other; gives whether any could be left out. */
  leaveOut(part: number): boolean {
    const { length } = this.best.steps;
    // From the end: what comes later depends on what came before.
    for (let to = length; to > 0; to -= part) {
      const end = Math.min(to, this.best.steps.length);
      this.#try(this.best.steps.toSpliced(Math.max(0, end - part), Math.min(part, end)));
    }
    return this.best.steps.length < length;
  }

  #try(steps: readonly number[]): void {
    if (this.#runs++ >= RUNS_MAX) return;
    const { failure } = run({ ...this.#options, steps });
    if (failure?.rule === this.best.rule) this.best = failure;
  }
}
