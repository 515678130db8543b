/*
 * What is promised on a machine that has time, with heartbeats as they are by default: one a second, three that may be
 * missed, a second for each.
 */
export const KILL_NOTICED_MS = 1000;
export const SILENCE_NOTICED_MS = 3 * 1000 + 1000;
/** From when it was noticed, or from when its cause was gone. */
export const HEALED_MS = 5000;
/**
 * Figures are printed as they are, and judged with this much to spare: a machine that is shared may stand still for
 * seconds, which is no fault of Ringmaster's, while what is broken is never noticed or healed at all.
 */
export const SPARE = 4;
