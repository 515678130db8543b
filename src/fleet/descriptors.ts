import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';

/** A connection that failed for want of a descriptor may be told of when there are some again. */
const TOLD_LATE_MS = 1000;

let spentAtMs = Number.NEGATIVE_INFINITY;

/**
 * Whether this process has no descriptor left, or had none a moment ago. A connection that fails then says nothing of the
 * replica: the platform calls it refused all the same.
 */
export function descriptorsSpent(): boolean {
  try {
    closeSync(openSync(devNull, 'r'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EMFILE' || code === 'ENFILE') spentAtMs = performance.now();
  }
  return performance.now() - spentAtMs < TOLD_LATE_MS;
}
