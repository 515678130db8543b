/** Buckets to a doubling: a quantile that is read from them is at most an eighth too high. */
const BUCKETS_PER_OCTAVE = 8;
/** Upper bound of the first octave's first bucket, in ms; what is faster is counted there. */
const FIRST_MS = 0.0625;
/** Doublings: the last bucket ends at 131 s, and what is slower is counted there. */
const OCTAVES = 21;
export const LATENCY_BUCKETS = 1 + OCTAVES * BUCKETS_PER_OCTAVE;

/** The most that is counted in a bucket, in ms. Each power of two of FIRST_MS is such a bound. */
export function latencyBoundMs(bucket: number): number {
  const octave = Math.floor(bucket / BUCKETS_PER_OCTAVE);
  return FIRST_MS * 2 ** octave * (1 + (bucket % BUCKETS_PER_OCTAVE) / BUCKETS_PER_OCTAVE);
}

/** The bucket that `ms` is counted in: the first whose bound is not below it. */
export function latencyBucket(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  const octave = Math.min(OCTAVES - 1, 31 - Math.clz32(ms / FIRST_MS));
  const part = (ms / FIRST_MS / 2 ** octave - 1) * BUCKETS_PER_OCTAVE;
  return Math.min(LATENCY_BUCKETS - 1, octave * BUCKETS_PER_OCTAVE + Math.ceil(part));
}

/**
 * The latency that the part `quantile` (0 to 1) of all that is counted does not exceed, in ms: the bound of its bucket.
 * Undefined where nothing is counted.
 */
export function latencyQuantileMs(counts: ArrayLike<number>, quantile: number): number | undefined {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i] as number;
  if (total === 0) return undefined;
  const rank = Math.max(1, Math.ceil(total * quantile));
  let passed = 0;
  for (let i = 0; i < counts.length; i++) {
    passed += counts[i] as number;
    if (passed >= rank) return latencyBoundMs(i);
  }
  return undefined;
}
