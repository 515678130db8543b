/** How evenly requests came to servers. */
export interface Balance {
  /** requests per server, 0 or more */
  readonly mean: number;
  /** standard deviation of the requests per server, of these servers and no sample of more: the divisor is N */
  readonly deviation: number;
  /** the busiest server over the mean: 1 where all have the same, N where one has all; 0 without a request */
  readonly largestOverMean: number;
  /** the busiest server's part of all requests, 0 to 1 */
  readonly largestShare: number;
}

/** O(N). All 0 where there is no server. */
export function balanceOf(counts: readonly number[]): Balance {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return { mean: 0, deviation: 0, largestOverMean: 0, largestShare: 0 };
  const mean = total / counts.length;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length;
  const largest = Math.max(...counts);
  return {
    mean,
    deviation: Math.sqrt(variance),
    largestOverMean: largest / mean,
    largestShare: largest / total,
  };
}

/**
 * The deviation among servers to be expected where each request goes to a server by the toss of a coin: the root of the
 * mean of (x - M/N)², of which each server's expectation is the binomial variance M p (1 - p) and the square of how far
 * its expected part, M p, is from M/N (Feller, An Introduction to Probability Theory, vol. 1, chapter IX).
 *
 * @param requests M, 0 or more
 * @param shares the part of the requests that each server can expect, 1 in sum; 1/N each gives √(M (N - 1)) / N
 */
export function expectedDeviation(requests: number, shares: readonly number[]): number {
  if (shares.length === 0) return 0;
  const due = requests / shares.length;
  const squares = shares.map((share) => requests * share * (1 - share) + (requests * share - due) ** 2);
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / shares.length);
}

/**
 * How likely it is that chance alone is at least as uneven, 0 to 1, where every server is as likely for each request:
 * Pearson's chi-squared test with N - 1 degrees of freedom (Pearson 1900). Small: it is not chance, it is the map. It
 * means little with fewer than some five requests per server. 1 of fewer than two servers or no request.
 *
 * O(N).
 */
export function chanceOf(counts: readonly number[]): number {
  const { mean, deviation } = balanceOf(counts);
  if (counts.length < 2 || mean === 0) return 1;
  return upperGamma((counts.length - 1) / 2, (counts.length * deviation ** 2) / mean / 2);
}

/**
 * The regularized upper incomplete gamma function Q(a, x) for a that is a multiple of 1/2, by
 * Q(a + 1, x) = Q(a, x) + xᵃ e⁻ˣ / Γ(a + 1) from Q(1, x) = e⁻ˣ and Q(1/2, x) = erfc(√x) (DLMF 8.8.6, 8.4.6).
 */
function upperGamma(a: number, x: number): number {
  const isWhole = Number.isInteger(a);
  let order = isWhole ? 1 : 0.5;
  let sum = isWhole ? Math.exp(-x) : erfc(Math.sqrt(x));
  let term = isWhole ? x * Math.exp(-x) : 2 * Math.sqrt(x / Math.PI) * Math.exp(-x);
  for (; order < a; order++) {
    sum += term;
    term *= x / (order + 1);
  }
  return Math.min(1, sum);
}

/** The complementary error function of x ≥ 0, to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function erfc(x: number): number {
  const t = 1 / (1 + 0.327_591_1 * x);
  const polynomial =
    t *
    (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
  return polynomial * Math.exp(-x * x);
}

/** N equal parts. */
export function evenShares(servers: number): number[] {
  return Array.from({ length: servers }, () => 1 / servers);
}

/** The middle value, or the mean of the two in the middle; undefined of none. O(n log n). */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}

/** How many of `owners` each of `names` is, in the order of `names`. */
export function countsOf(owners: readonly (string | undefined)[], names: readonly string[]): number[] {
  const counts = new Map(names.map((name) => [name, 0]));
  for (const owner of owners) {
    const count = owner === undefined ? undefined : counts.get(owner);
    if (owner !== undefined && count !== undefined) counts.set(owner, count + 1);
  }
  return [...counts.values()];
}

/** The part of keys whose owner is another than before, 0 to 1; what is at one place of both lists is one key's. */
export function movedShare(
  before: readonly (string | undefined)[],
  after: readonly (string | undefined)[],
): number {
  if (before.length === 0) return 0;
  return before.filter((owner, i) => owner !== after[i]).length / before.length;
}
