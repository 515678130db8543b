import { Arena, scriptPath } from './arena.ts';
import { BACKEND_REPLY_BODY_BYTES } from './backend-reply.ts';
import type { Pace } from './pace.ts';
import type { Program } from './peers/program.ts';
import { ringmaster } from './peers/ringmaster.ts';
import { digits, tableOf, type BenchReport } from './report.ts';
import { disturbanceTexts, measureRounds, ratioOf, type Contestant, type Course } from './rounds.ts';
import { medianOf } from './statistics.ts';

const PATH = '/home';
const ALONE = 'nobody looks on';

interface Watched {
  readonly name: string;
  readonly pages: number;
  readonly env: Readonly<Record<string, string>>;
  /** What it may cost, as a multiple of what the same costs with nobody there. */
  readonly goal: number | undefined;
}

const WAYS: readonly Watched[] = [
  { name: ALONE, pages: 0, env: {}, goal: undefined },
  { name: 'one page, scraped', pages: 1, env: {}, goal: 1.03 },
  { name: '16 pages, scraped', pages: 16, env: {}, goal: undefined },
  { name: 'ACCESS_LOG=0.01', pages: 0, env: { ACCESS_LOG: '0.01' }, goal: 1.03 },
  { name: 'ACCESS_LOG=1', pages: 0, env: { ACCESS_LOG: '1' }, goal: undefined },
];

interface WatchedRow extends Course {
  readonly cpuRatio: number | undefined;
  readonly goal: number | undefined;
}

/** What it costs the port for traffic that somebody looks on, or that requests are logged. */
export function benchWatched(pace: Pace): Promise<BenchReport> {
  return Arena.with(async (arena) => {
    const contestants: Contestant[] = [];
    for (const { name, pages, env } of WAYS) {
      const { started, ports } = await arena.start(withEnv(env), ringmaster.version() ?? '', PATH);
      const argv = [process.execPath, scriptPath('onlookers-process.ts'), String(ports[1]), String(pages)];
      if (pages > 0) arena.stage.start(`${name}: onlookers`, { argv }, 'others');
      const [port = 0] = ports;
      contestants.push({ name, port, process: started, path: PATH, bodyBytes: BACKEND_REPLY_BODY_BYTES });
    }
    const courses = await measureRounds(contestants, arena.driver, pace);
    const rows = courses.map((course, i): WatchedRow => ({
      ...course,
      cpuRatio: ratioOf(course.cpuMicros, courses[0]?.cpuMicros),
      goal: WAYS[i]?.goal,
    }));
    return {
      notes: [arena.pinText, ...disturbanceTexts(rows)],
      table: tableOf(
        [
          { title: '', cell: ({ name }) => name },
          { title: 'µs CPU', cell: ({ cpuMicros }) => digits(cpuMicros && medianOf(cpuMicros), 1) },
          { title: 'x nobody', cell: ({ cpuRatio }) => digits(cpuRatio, 3) },
          { title: 'requests/s', cell: ({ requestsPerSecond }) => digits(medianOf(requestsPerSecond), 0) },
          { title: 'p99 ms', cell: ({ p99Ms }) => digits(medianOf(p99Ms), 2) },
          { title: 'errors', cell: ({ errors }) => String(errors) },
        ],
        rows,
      ),
      rows,
      goals: rows.flatMap(({ name, cpuRatio, goal }) =>
        goal === undefined
          ? []
          : [
              {
                name: `CPU per request, ${name} / ${ALONE}`,
                measured: cpuRatio ?? Number.NaN,
                bound: 'at most' as const,
                goal,
              },
            ],
      ),
    };
  });
}

function withEnv(env: Readonly<Record<string, string>>): Program {
  return {
    ...ringmaster,
    setUp: (place) => {
      const setUp = ringmaster.setUp(place);
      return { ...setUp, env: { ...setUp.env, ...env } };
    },
  };
}
