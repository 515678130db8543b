import { fileURLToPath } from 'node:url';
import { ALGORITHMS } from '../../src/ring/placement.ts';
import { COURSE_REPLICAS_MAX } from '../../src/ring/course.ts';
import type { CountingCost, PlacementCost } from './placement-process.ts';
import { digits, tableOf, type BenchReport } from './report.ts';

const SIZES = [10, 100, 1000] as const;
/** Of those that are looked up in a table. */
const LARGE = 10_000;
const LOOKUP_NS_MAX = 100;
const KNOWN_NS_MAX = 150;
const TAKEN_OVER_NS_MAX = 500;

/**
 * What each algorithm costs, with replicas of weight 1 and keys like `user-123456`: each size in a process of its own, as
 * a server has one algorithm, and code that has met several is slower for each. Takes some twenty seconds of one core.
 */
export async function benchPlacement(): Promise<BenchReport> {
  const rows: PlacementCost[] = [];
  for (const algorithm of ALGORITHMS) {
    const sizes: readonly number[] =
      algorithm === 'course'
        ? [10, COURSE_REPLICAS_MAX]
        : algorithm === 'ring' || algorithm === 'maglev'
          ? [...SIZES, LARGE]
          : SIZES;
    for (const size of sizes) rows.push(await measured<PlacementCost>(algorithm, size));
  }
  const counting = await measured<CountingCost>('heavy-hitters', 0);
  return {
    notes: [
      'memory is what one more takes of the heap, its tables included',
      `to count a key for the heavy hitters takes ${digits(counting.knownNs, 0)} ns, and ${digits(counting.takenOverNs, 0)} ns where it takes over a counter`,
    ],
    table: tableOf(
      [
        { title: 'algorithm', cell: ({ name }: PlacementCost) => name },
        { title: 'replicas', cell: ({ size }) => String(size) },
        { title: 'lookup ns min', cell: ({ nsMin }) => digits(nsMin, 0) },
        { title: 'median', cell: ({ nsMedian }) => digits(nsMedian, 0) },
        { title: 'build ms', cell: ({ buildMs }) => digits(buildMs, 1) },
        { title: 'memory KB', cell: ({ memoryKb }) => digits(memoryKb, 0) },
        { title: 'largest / mean', cell: ({ largest }) => digits(largest, 3) },
      ],
      rows,
    ),
    rows: [...rows, counting],
    goals: [
      ...rows
        .filter(({ name, size }) => size === 1000 && (name === 'ring' || name === 'maglev'))
        .map(({ name, nsMedian }) => ({
          name: `lookup of ${name} with 1000 replicas, ns`,
          measured: nsMedian,
          bound: 'at most' as const,
          goal: LOOKUP_NS_MAX,
        })),
      { name: 'counting a known key, ns', measured: counting.knownNs, bound: 'at most', goal: KNOWN_NS_MAX },
      {
        name: 'counting a key that takes over a counter, ns',
        measured: counting.takenOverNs,
        bound: 'at most',
        goal: TAKEN_OVER_NS_MAX,
      },
    ],
  };
}

async function measured<Cost>(what: string, size: number): Promise<Cost> {
  const script = fileURLToPath(new URL('placement-process.ts', import.meta.url));
  const child = Bun.spawn([process.execPath, '--no-orphans', script, what, String(size)], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const said = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${what} of ${size} could not be measured`);
  return JSON.parse(said) as Cost;
}
