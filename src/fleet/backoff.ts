export const RESTART_DELAY_FIRST_MS = 500;
export const RESTART_DELAY_MAX_MS = 30_000;
/** A replica that has been ready for this long has shown that it can live: its next death counts as the first. */
export const STABLE_AFTER_MS = 60_000;

/**
 * How long to wait before a replica that died `deaths` times in a row (1 or more) is started again, in ms.
 * At once the first time, so that one crash costs as little as can be; then doubling from 0.5 s to 30 s, so that
 * one that dies at every start costs the engine next to nothing.
 */
export function restartDelayMs(deaths: number): number {
  if (deaths <= 1) return 0;
  return Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_FIRST_MS * 2 ** (deaths - 2));
}
