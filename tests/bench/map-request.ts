import { Arena, scriptPath } from './arena.ts';
import { BACKEND_NAMES } from './backend-reply.ts';
import type { Pace } from './pace.ts';
import { ringmaster } from './peers/ringmaster.ts';
import { digits, tableOf, type BenchReport } from './report.ts';
import { disturbanceTexts, measureRounds, ratioOf, type Course } from './rounds.ts';
import { freePorts, untilAnswered } from './stage.ts';
import { medianOf } from './statistics.ts';

const PATH = '/map_request';
/** Every id of a load has six digits. */
const BODY_BYTES = JSON.stringify({ request_id: 100_000, mapped_server: BACKEND_NAMES[0] }).length;
const OURS = 'Ringmaster /map_request';
const BARE = 'bare Bun.serve';

interface MapRequestRow extends Course {
  /** Median over the rounds of this row's figure divided by that of the bare server. */
  readonly requestsRatio: number | undefined;
  readonly cpuRatio: number | undefined;
}

/** A lookup through the whole of the control port beside the least that Bun can answer with. */
export function benchMapRequest(pace: Pace): Promise<BenchReport> {
  return Arena.with(async (arena) => {
    const version = ringmaster.version() ?? '';
    const ours = await arena.start(ringmaster, version, '/home');
    const [port = 0] = await freePorts(1);
    const argv = [process.execPath, scriptPath('bare-server.ts'), String(port)];
    const bare = arena.stage.start(BARE, { argv }, 'measured');
    await untilAnswered(`http://127.0.0.1:${port}${PATH}`, bare);
    const contestant = { path: PATH, bodyBytes: BODY_BYTES };
    const courses = await measureRounds(
      [
        { ...contestant, name: OURS, port: ours.ports[1]!, process: ours.started },
        { ...contestant, name: BARE, port, process: bare },
      ],
      arena.driver,
      pace,
    );
    const rows = courses.map((course): MapRequestRow => {
      const base = courses[1]!;
      return {
        ...course,
        requestsRatio: ratioOf(course.requestsPerSecond, base.requestsPerSecond),
        cpuRatio: ratioOf(course.cpuMicros, base.cpuMicros),
      };
    });
    return reportOf(rows, arena.pinText);
  });
}

function reportOf(rows: readonly MapRequestRow[], pinText: string): BenchReport {
  const [ours] = rows;
  const median = (values: readonly number[] | undefined, count: number): string | undefined =>
    digits(values && medianOf(values), count);
  return {
    notes: [pinText, ...disturbanceTexts(rows)],
    table: tableOf(
      [
        { title: '', cell: ({ name }) => name },
        { title: 'requests/s', cell: ({ requestsPerSecond }) => median(requestsPerSecond, 0) },
        { title: 'x bare', cell: ({ requestsRatio }) => digits(requestsRatio, 2) },
        { title: 'core busy', cell: ({ busy }) => median(busy, 2) },
        { title: 'µs CPU', cell: ({ cpuMicros }) => median(cpuMicros, 1) },
        { title: 'own code', cell: ({ userMicros }) => median(userMicros, 1) },
        { title: 'x bare', cell: ({ cpuRatio }) => digits(cpuRatio, 2) },
        { title: 'p50 ms', cell: ({ p50Ms }) => median(p50Ms, 2) },
        { title: 'p99 ms', cell: ({ p99Ms }) => median(p99Ms, 2) },
        { title: 'errors', cell: ({ errors }) => String(errors) },
      ],
      rows,
    ),
    rows,
    goals: [
      {
        name: 'requests/s / bare Bun.serve',
        measured: ours?.requestsRatio ?? Number.NaN,
        bound: 'at least',
        goal: 0.85,
      },
      {
        // What requests/s would be if neither waited for the load.
        name: 'requests per CPU second / bare Bun.serve',
        measured: 1 / (ours?.cpuRatio ?? Number.NaN),
        bound: 'at least',
        goal: 0.85,
      },
      { name: 'errors', measured: ours?.errors ?? Number.NaN, bound: 'at most', goal: 0 },
    ],
  };
}
