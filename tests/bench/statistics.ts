/** The middle value, or the mean of the two in the middle; NaN of none. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that `share` of all are at or below (nearest rank); NaN of none. `sorted` goes up. */
export function quantileOf(sorted: Float64Array | readonly number[], share: number): number {
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.max(rank, 1) - 1] ?? Number.NaN;
}
