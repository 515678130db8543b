/**
 * A replica whose caches are empty is not sent its whole share at once: its weight begins small and grows. As the points of a
 * ring and the scores of rendezvous hashing only gain with a weight, keys move towards who grows, and never away.
 */

/** The part of its weight that a replica begins with: enough for its caches to fill, and little for one that is still slow. */
export const SLOW_START_FIRST_PART = 1 / 16;
/** Steps in which the rest is added, at most: each is a map of its own. */
export const SLOW_START_STEPS_MAX = 32;
/** And where maps are so large that their swaps are put off. */
export const SLOW_START_LARGE_STEPS_MAX = 8;
/** From one step to the next, at least, in ms. */
export const SLOW_START_STEP_MIN_MS = 100;

export interface Growth {
  /** When all of it is there, above 0. */
  readonly weight: number;
  /** When it began, in ms. */
  readonly sinceMs: number;
  /** A moment by the same clock, not before that. */
  readonly nowMs: number;
  /** How long it takes, in ms; 0: no time at all. */
  readonly slowStartMs: number;
}

/**
 * The weight that the map is to have at that moment: linear from SLOW_START_FIRST_PART of it to all of it, which it is from
 * `slowStartMs` on. Never less at a later moment.
 */
export function slowStartWeight({ weight, sinceMs, nowMs, slowStartMs }: Growth): number {
  const passedMs = Math.max(0, nowMs - sinceMs);
  if (passedMs >= slowStartMs) return weight;
  const part = SLOW_START_FIRST_PART + (1 - SLOW_START_FIRST_PART) * (passedMs / slowStartMs);
  return weight * Math.min(1, part);
}

export interface StepTiming {
  readonly slowStartMs: number;
  /** How long the next of those that grow still takes, in ms. */
  readonly leftMs: number;
  /** Steps at most. */
  readonly stepsMax: number;
  /** How long nothing is swapped after a swap, at least, in ms. */
  readonly gapMs: number;
}

/** How long it is until the next step, in ms: none is later than the end of one that grows, but for the least gap. */
export function nextStepMs({ slowStartMs, leftMs, stepsMax, gapMs }: StepTiming): number {
  const stepMs = Math.min(Math.ceil(slowStartMs / stepsMax), leftMs);
  return Math.max(stepMs, gapMs, SLOW_START_STEP_MIN_MS);
}
