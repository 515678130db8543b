import { balanceOf, medianOf } from './statistics.ts';
import type { Results } from './results.ts';

const HEAD = ['', 'largest/mean', 'deviation', 'moved', 'endpoints', 'back after', 'failed'] as const;

/** The table at the end: one line for each algorithm. */
export function summaryOf({ options, live }: Results): string {
  const rows = live.map(({ algorithm, even, grown, endpoints, kills }) => {
    const { largestOverMean, deviation } = balanceOf(even.counts);
    const moved = grown.flatMap((one) => one.moved ?? []);
    const back = medianOf(kills.map(({ healedMs }) => healedMs));
    const failed = [even, ...grown, ...kills].reduce((sum, one) => sum + one.failed, 0);
    return [
      algorithm,
      largestOverMean.toFixed(2),
      deviation.toFixed(0),
      moved.length === 0
        ? '-'
        : `${((moved.reduce((sum, one) => sum + one, 0) / moved.length) * 100).toFixed(0)} %`,
      `${endpoints.passed}/${endpoints.points.length}`,
      back === undefined ? '-' : `${back.toFixed(0)} ms`,
      String(failed),
    ];
  });
  const widths = HEAD.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${[
    `${options.requests} requests on 3 replicas; what moved for each one that joined; median time until a killed one is back`,
    line(HEAD),
    ...rows.map(line),
  ].join('\n')}\n`;
}
