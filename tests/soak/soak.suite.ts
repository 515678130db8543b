import { expect, setDefaultTimeout, test } from 'bun:test';
import { flawsOf, textOf } from './report.ts';
import type { PlaceKind } from './place.ts';
import { soak } from './soak.ts';

setDefaultTimeout(600_000);

export interface Soaking {
  readonly runtime: PlaceKind;
  readonly workers: number;
  readonly seed: number;
  readonly minutes: number;
  /** What there is time for. */
  readonly changes: number;
  readonly faults: number;
}

/** A little of `bun run soak`. */
export function soaks({ changes, faults, ...options }: Soaking): void {
  const { minutes, runtime, workers } = options;
  test(`${minutes} min, ${runtime}, WORKERS=${workers}: ${changes} changes, ${faults} faults, and nothing goes wrong`, async () => {
    const signal = new AbortController().signal;
    const report = await soak({ ...options, signal, tell: () => {} });
    process.stdout.write(textOf(report));
    expect(flawsOf(report)).toEqual([]);
    expect(report.changes + report.refused).toBe(changes);
    expect(report.faults).toHaveLength(faults);
    expect(report.processes.map(({ name }) => name).sort()).toContain('Ringmaster');
    if (workers > 1) expect(report.processes.length).toBeGreaterThan(workers);
    for (const { gets, posts } of report.ports) expect(Math.min(gets, posts)).toBeGreaterThan(100);
    // Each POST that was answered had arrived.
    const answered = report.ports.reduce((sum, { posts }) => sum + posts, 0);
    expect(report.arrived).toBeGreaterThan(answered / 2);
  });
}
