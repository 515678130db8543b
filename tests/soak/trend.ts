/** A value at a time. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly most: number;
  /** By least squares; 0 of fewer than two times. */
  readonly perHour: number;
}

const HOUR_MS = 3_600_000;

/** How a value went from `sinceMs` on; undefined where there is no point. */
export function trendOf(points: readonly Point[], sinceMs: number): Trend | undefined {
  const counted = points.filter(({ atMs }) => atMs >= sinceMs);
  const [first, last] = [counted[0], counted.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  return {
    first: first.value,
    last: last.value,
    most: counted.reduce((most, { value }) => Math.max(most, value), first.value),
    perHour: slopeOf(counted) * HOUR_MS,
  };
}

/** Value per ms of the line that is nearest to all points, by the sum of squares. */
function slopeOf(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [atMs, value] = [mean((point) => point.atMs), mean((point) => point.value)];
  let [covariance, variance] = [0, 0];
  for (const point of points) {
    covariance += (point.atMs - atMs) * (point.value - value);
    variance += (point.atMs - atMs) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
