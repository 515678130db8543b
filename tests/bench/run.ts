/**
 * `bun run bench`, or `bun run bench NAME…` for some: prints what was measured and writes it to
 * test-output/bench.json. `--rounds N` and `--seconds N` make those under load shorter or longer.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { benchFleetGrowth, benchRingGrowth } from './growth.ts';
import { machineText } from './machine.ts';
import { benchMapRequest } from './map-request.ts';
import { takePace, type Pace } from './pace.ts';
import { benchRelay } from './relay.ts';
import { benchPlacement } from './placement.ts';
import { type BenchReport, textOf } from './report.ts';
import { benchRing } from './ring.ts';
import { benchWatched } from './watched.ts';

const benches: Readonly<Record<string, (pace: Pace) => BenchReport | Promise<BenchReport>>> = {
  relay: benchRelay,
  watched: benchWatched,
  'map-request': benchMapRequest,
  ring: benchRing,
  placement: benchPlacement,
  'ring-growth': benchRingGrowth,
  'fleet-growth': benchFleetGrowth,
};

// What was started is ended on the way out, which a signal alone would not take.
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

const { pace, rest: wanted } = readArguments();
const date = new Date().toISOString().slice(0, 10);
const reports: Record<string, Omit<BenchReport, 'table'>> = {};
process.stdout.write(`${date}, ${machineText()}\n\n`);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const report = await bench(pace);
  const { notes, rows, goals } = report;
  reports[name] = { notes, rows, goals };
  process.stdout.write(`${name}\n\n${textOf(report)}\n`);
}

const output = new URL('../../test-output/', import.meta.url);
await mkdir(output, { recursive: true });
await writeFile(
  new URL('bench.json', output),
  `${JSON.stringify({ date, bun: process.versions.bun, cpu: cpus()[0]?.model, pace, reports }, null, 2)}\n`,
);

function readArguments(): ReturnType<typeof takePace> {
  try {
    const read = takePace(process.argv.slice(2));
    const unknown = read.rest.filter((name) => !Object.hasOwn(benches, name));
    if (unknown.length === 0) return read;
    return refuse(`There is no bench ${unknown.join(', ')}: only ${Object.keys(benches).join(', ')}`);
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(line: string): never {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}
