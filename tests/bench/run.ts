/**
 * `bun run bench`, or `bun run bench NAME…` for some: prints what was measured and writes it to
 * test-output/bench.json.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { type BenchReport, textOf } from './report.ts';
import { benchRing } from './ring.ts';

const benches: Readonly<Record<string, () => BenchReport | Promise<BenchReport>>> = {
  ring: benchRing,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(', ')}: only ${Object.keys(benches).join(', ')}\n`);
  process.exit(1);
}

const reports: Record<string, BenchReport> = {};
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const report = await bench();
  reports[name] = report;
  process.stdout.write(`${name}\n\n${textOf(report)}\n`);
}

const output = new URL('../../test-output/', import.meta.url);
await mkdir(output, { recursive: true });
await writeFile(
  new URL('bench.json', output),
  `${JSON.stringify({ bun: process.versions.bun, cpu: cpus()[0]?.model, reports }, null, 2)}\n`,
);
