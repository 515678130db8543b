import { fileURLToPath } from 'node:url';
import { tableOf, type BenchReport } from './report.ts';
import type { BeatCost, FleetGrowth, RingGrowth } from './growth-process.ts';

const RING_SIZES = [10, 1000, 10_000, 100_000] as const;
const FLEET_SIZES = [10, 1000, 10_000] as const;
const BEATS = 5000;

/** What a ring of more replicas costs. Each size in a process of its own, so that none finds the memory of the one before. */
export async function benchRingGrowth(): Promise<BenchReport> {
  const rings: RingGrowth[] = [];
  for (const size of RING_SIZES) rings.push(await measured<RingGrowth>('ring', size));
  return {
    notes: ['memory is what there is beyond that of an empty process'],
    table: tableOf(
      [
        { title: 'replicas', cell: ({ size }: RingGrowth) => String(size) },
        { title: 'build ms', cell: ({ buildMs }) => buildMs.toFixed(0) },
        { title: 'memory MB', cell: ({ memoryMb }) => memoryMb.toFixed(0) },
        { title: 'lookup ns', cell: ({ lookupNs }) => lookupNs.toFixed(0) },
        { title: 'digest ms', cell: ({ digestMs }) => digestMs.toFixed(1) },
      ],
      rings,
    ),
    rows: rings,
    goals: [],
  };
}

/** What a fleet of more replicas costs, of fakes that answer their heartbeats soon. */
export async function benchFleetGrowth(): Promise<BenchReport> {
  const fleets: FleetGrowth[] = [];
  for (const size of FLEET_SIZES) fleets.push(await measured<FleetGrowth>('fleet', size));
  const { cpuUs } = await measured<BeatCost>('beat', BEATS);
  return {
    notes: [
      'an add of all at once; then heartbeats every second, for ten; then a tenth of them dies at once',
      `a heartbeat over a connection of its own takes ${cpuUs.toFixed(0)} us of CPU, which those of the fakes do not`,
    ],
    table: tableOf(
      [
        { title: 'replicas', cell: ({ size }: FleetGrowth) => String(size) },
        { title: 'add ms', cell: ({ addMs }) => addMs.toFixed(0) },
        { title: 'swaps', cell: ({ addSwaps }) => String(addSwaps) },
        { title: 'CPU s/s', cell: ({ cpuPerS }) => cpuPerS.toFixed(3) },
        { title: 'beats/s', cell: ({ beatsPerS }) => beatsPerS.toFixed(0) },
        { title: 'at once', cell: ({ beatsAtOnce }) => String(beatsAtOnce) },
        { title: 'in 10 ms', cell: ({ burst }) => String(burst) },
        { title: 'swaps of deaths', cell: ({ deathSwaps }) => String(deathSwaps) },
        { title: 'memory MB', cell: ({ memoryMb }) => memoryMb.toFixed(0) },
      ],
      fleets,
    ),
    rows: [...fleets, { cpuUs }],
    goals: fleets.slice(-1).flatMap(({ size, addSwaps, burst }) => [
      { name: `ring swaps for an add of ${size}`, measured: addSwaps, bound: 'at most', goal: 1 },
      {
        name: `heartbeats of ${size} in a full 10 ms (p99), over a hundredth of all`,
        measured: burst / (size / 100),
        bound: 'at most',
        goal: 3,
      },
    ]),
  };
}

async function measured<Growth>(what: 'ring' | 'fleet' | 'beat', size: number): Promise<Growth> {
  const script = fileURLToPath(new URL('growth-process.ts', import.meta.url));
  const child = Bun.spawn([process.execPath, '--no-orphans', script, what, String(size)], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const said = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${what} of ${size} could not be measured`);
  return JSON.parse(said) as Growth;
}
