import { expect, setDefaultTimeout, test } from 'bun:test';
import { flawsOf, textOf } from './report.ts';
import type { PlaceKind } from './place.ts';
import { soak } from './soak.ts';

setDefaultTimeout(600_000);

const MINUTES = 1;

/** One minute of `bun run soak`. */
export function soaksForAMinute(runtime: PlaceKind, workers: number, seed: number): void {
  test(`one minute, ${runtime}, WORKERS=${workers}: six changes and two faults, and nothing goes wrong`, async () => {
    const signal = new AbortController().signal;
    const report = await soak({ minutes: MINUTES, runtime, workers, seed, signal, tell: () => {} });
    process.stdout.write(textOf(report));
    expect(flawsOf(report)).toEqual([]);
    expect(report.changes + report.refused).toBe(6);
    expect(report.faults).toHaveLength(2);
    expect(report.processes.map(({ name }) => name).sort()).toContain('Ringmaster');
    if (workers > 1) expect(report.processes.length).toBeGreaterThan(workers);
    for (const { gets, posts } of report.ports) expect(Math.min(gets, posts)).toBeGreaterThan(100);
    // Each POST that was answered had arrived.
    const answered = report.ports.reduce((sum, { posts }) => sum + posts, 0);
    expect(report.arrived).toBeGreaterThan(answered / 2);
  });
}
