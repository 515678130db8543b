import { Arena } from './arena.ts';
import { BACKEND_NAMES, BACKEND_REPLY_BODY_BYTES } from './backend-reply.ts';
import { measureMemory, type Memory } from './memory.ts';
import type { Pace } from './pace.ts';
import { caddy } from './peers/caddy.ts';
import { haproxy } from './peers/haproxy.ts';
import { httpxy } from './peers/httpxy.ts';
import { nginx } from './peers/nginx.ts';
import type { Program } from './peers/program.ts';
import { ringmaster } from './peers/ringmaster.ts';
import { digits, tableOf, type BenchGoal, type BenchReport, type Column } from './report.ts';
import { disturbanceTexts, measureRounds, ratioOf, type Contestant, type Course } from './rounds.ts';
import { medianOf } from './statistics.ts';

interface RelayRow extends Course {
  readonly memory: Memory | undefined;
  /** This row's figure divided by that of a peer in the same round: median over the rounds. */
  readonly ratios: Readonly<Record<string, Ratios>>;
}

interface Ratios {
  readonly requestsPerSecond: number | undefined;
  readonly p99: number | undefined;
  readonly cpu: number | undefined;
}

interface Present {
  readonly program: Program;
  readonly version: string;
}

const PROGRAMS: readonly Program[] = [ringmaster, nginx, haproxy, caddy, httpxy];
/** Who the goals are about, and against whom. */
const RELAY = 'Ringmaster relay';
const RIVALS = ['nginx', 'HAProxy'] as const;
const NO_PROXY = 'no proxy';

const PATH = '/home';
const IDLE_CONNECTIONS = 10_000;
/** Files that a process has open apart from connections of the crowd. */
const OTHER_FILES = 512;
/** Ids that are asked for twice before anything is measured. */
const PLACEMENT_IDS = 30;

/** The relay and port 5000's forward path beside every proxy that this machine has. */
export function benchRelay(pace: Pace): Promise<BenchReport> {
  return Arena.with(async (arena) => {
    const present = PROGRAMS.flatMap((program) => {
      const version = program.version();
      return version === undefined ? [] : [{ program, version }];
    });
    const missing = PROGRAMS.filter((one) => !present.some(({ program }) => program === one));
    const crowd = Math.min(IDLE_CONNECTIONS, arena.stage.filesMax - OTHER_FILES);
    const memory = await measureIdle(arena, present, crowd);
    const courses = await measureLoaded(arena, present, pace);
    const rows = courses.map((course) => rowOf(course, courses, memory.get(course.name)));
    return {
      notes: [
        `${present.map(({ program, version }) => `${program.name} ${version}`).join(', ')}.`,
        ...missing.map(({ name }) => `${name} is not on this machine.`),
        arena.pinText,
        ...(crowd < IDLE_CONNECTIONS
          ? [`Only ${crowd} idle connections: a process may open ${arena.stage.filesMax} files (ulimit -Hn).`]
          : []),
        ...disturbanceTexts(rows),
        ...errorTexts(rows),
      ],
      table: tableOf(columnsOf(rows), rows),
      rows,
      goals: goalsOf(rows),
    };
  });
}

/** By entrance. Each has a process that nothing else was asked of before, and the machine to itself. */
async function measureIdle(
  arena: Arena,
  programs: readonly Present[],
  connections: number,
): Promise<Map<string, Memory>> {
  const measured = new Map<string, Memory>();
  for (const { program, version } of programs)
    for (const [i, entrance] of program.entrances.entries()) {
      const { started, ports } = await arena.start(program, version, PATH);
      const memory = await measureMemory(started, arena.driver, {
        port: ports[i]!,
        path: PATH,
        bodyBytes: BACKEND_REPLY_BODY_BYTES,
        connections,
      });
      if (memory !== undefined) measured.set(entrance, memory);
      await started.end();
    }
  return measured;
}

async function measureLoaded(arena: Arena, programs: readonly Present[], pace: Pace): Promise<Course[]> {
  const target = { path: PATH, bodyBytes: BACKEND_REPLY_BODY_BYTES };
  const contestants: Contestant[] = [];
  for (const { program, version } of programs) {
    const { started, ports } = await arena.start(program, version, PATH);
    for (const [i, name] of program.entrances.entries()) {
      const port = ports[i]!;
      await checkPlacement(name, port);
      contestants.push({ ...target, name, port, process: started });
    }
  }
  contestants.push({ ...target, name: NO_PROXY, port: arena.upstreams[0]!.port, process: undefined });
  return measureRounds(contestants, arena.driver, pace);
}

function errorTexts(rows: readonly RelayRow[]): string[] {
  return rows.flatMap(({ name, firstError, memory }) =>
    [firstError, memory?.firstError].flatMap((error) =>
      error === undefined ? [] : [`${name} failed, at first with: ${error}.`],
    ),
  );
}

/** A proxy that sends every id to one replica, or one id to several, would be measured doing something else. */
async function checkPlacement(name: string, port: number): Promise<void> {
  const owners = new Set<string>();
  for (let id = 0; id < PLACEMENT_IDS; id++) {
    const ask = async (): Promise<string> => {
      const reply = await fetch(`http://127.0.0.1:${port}${PATH}?id=${id}`, { keepalive: false });
      return reply.text();
    };
    const [first, second] = [await ask(), await ask()];
    if (first !== second) throw new Error(`${name} does not keep id ${id} at one replica`);
    owners.add(first);
  }
  if (owners.size !== BACKEND_NAMES.length)
    throw new Error(
      `${name} sent ${PLACEMENT_IDS} ids to ${owners.size} of ${BACKEND_NAMES.length} replicas`,
    );
}

function rowOf(course: Course, courses: readonly Course[], memory: Memory | undefined): RelayRow {
  const ratios = Object.fromEntries(
    RIVALS.flatMap((name): [string, Ratios][] => {
      const rival = courses.find((one) => one.name === name);
      if (rival === undefined) return [];
      return [
        [
          name,
          {
            requestsPerSecond: ratioOf(course.requestsPerSecond, rival.requestsPerSecond),
            p99: ratioOf(course.p99Ms, rival.p99Ms),
            cpu: ratioOf(course.cpuMicros, rival.cpuMicros),
          },
        ],
      ];
    }),
  );
  return { ...course, memory, ratios };
}

function columnsOf(rows: readonly RelayRow[]): Column<RelayRow>[] {
  const rivals = RIVALS.filter((name) => rows.some((row) => row.name === name));
  const median = (values: readonly number[] | undefined, count: number): string | undefined =>
    digits(values && medianOf(values), count);
  return [
    { title: '', cell: ({ name }) => name },
    { title: 'µs CPU', cell: ({ cpuMicros }) => median(cpuMicros, 1) },
    { title: 'own code', cell: ({ userMicros }) => median(userMicros, 1) },
    ...rivals.map((name) => ({
      title: `x ${name}`,
      cell: ({ ratios }: RelayRow) => digits(ratios[name]?.cpu, 2),
    })),
    { title: 'requests/s', cell: ({ requestsPerSecond }) => median(requestsPerSecond, 0) },
    { title: 'core busy', cell: ({ busy }) => median(busy, 2) },
    { title: 'p50 ms', cell: ({ p50Ms }) => median(p50Ms, 2) },
    { title: 'p99 ms', cell: ({ p99Ms }) => median(p99Ms, 2) },
    ...rivals.map((name) => ({
      title: `x ${name}`,
      cell: ({ ratios }: RelayRow) => digits(ratios[name]?.p99, 2),
    })),
    { title: 'MB at start', cell: ({ memory }) => digits(memory?.startMb, 0) },
    { title: 'MB more, idle', cell: ({ memory }) => digits(memory?.aboveStartMb, 1) },
    { title: 'connections', cell: ({ memory }) => digits(memory?.connections, 0) },
    { title: 'errors', cell: ({ errors }) => String(errors) },
  ];
}

function goalsOf(rows: readonly RelayRow[]): BenchGoal[] {
  const relay = rows.find(({ name }) => name === RELAY);
  if (relay === undefined) return [];
  const goal = (name: string, measured: number | undefined, most: number): BenchGoal[] =>
    measured === undefined ? [] : [{ name, measured, bound: 'at most', goal: most }];
  return [
    ...RIVALS.flatMap((rival) => goal(`CPU per request / ${rival}`, relay.ratios[rival]?.cpu, 1)),
    ...RIVALS.flatMap((rival) => goal(`p99 / ${rival}`, relay.ratios[rival]?.p99, 1.25)),
    ...goal(
      `MB above start with ${relay.memory?.connections} idle connections`,
      relay.memory?.aboveStartMb,
      60,
    ),
    ...goal('errors', relay.errors, 0),
  ];
}
