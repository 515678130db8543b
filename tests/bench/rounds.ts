import type { Driver } from './driver.ts';
import type { Target } from './connection.ts';
import type { LoadFigures } from './load.ts';
import type { Pace } from './pace.ts';
import type { Started } from './stage.ts';
import { medianOf } from './statistics.ts';
import { treeOf } from './usage.ts';

/** What is loaded in turn with others. */
export interface Contestant extends Target {
  readonly name: string;
  readonly path: string;
  /** Its process; undefined for one whose cost is not asked for. */
  readonly process: Started | undefined;
}

/** Rounds of one contestant, in the order of the rounds. */
export interface Course {
  readonly name: string;
  readonly requestsPerSecond: readonly number[];
  readonly p50Ms: readonly number[];
  readonly p99Ms: readonly number[];
  /** CPU time of its processes for one request; undefined where it is not known. */
  readonly cpuMicros: readonly number[] | undefined;
  /** What of it they spent themselves, the rest being the kernel's. */
  readonly userMicros: readonly number[] | undefined;
  /** Share of one core that its processes used: under 1, it was the load that was too slow for it. */
  readonly busy: readonly number[] | undefined;
  /** Cores that others kept busy meanwhile. */
  readonly othersCores: readonly number[];
  readonly errors: number;
  readonly firstError: string | undefined;
}

/** A just-in-time compiler has done most of its work after some ten thousand requests. */
const FIRST_WARM_UP_MS = 3000;
const WARM_UP_MS = 300;
const CONNECTIONS = 64;
/** More than a system does by itself. */
const OTHERS_CORES_MAX = 0.1;

/** Loads all of them one after the other in each round, so that what disturbs the machine disturbs them all. */
export async function measureRounds(
  contestants: readonly Contestant[],
  driver: Driver,
  { rounds, seconds }: Pace,
): Promise<Course[]> {
  const load = (contestant: Contestant, warmUpMs: number, durationMs: number): Promise<LoadFigures> =>
    driver.load({
      port: contestant.port,
      path: contestant.path,
      bodyBytes: contestant.bodyBytes,
      connections: CONNECTIONS,
      warmUpMs,
      durationMs,
      pids: contestant.process?.pids() ?? [],
      ownPids: treeOf(process.pid),
    });
  const figures = new Map(contestants.map((contestant) => [contestant, [] as LoadFigures[]]));
  for (const contestant of contestants) await load(contestant, FIRST_WARM_UP_MS, 0);
  for (let round = 0; round < rounds; round++) {
    // None is always the first, nor always behind the same one.
    const shift = round % contestants.length;
    for (const contestant of [...contestants.slice(shift), ...contestants.slice(0, shift)])
      figures.get(contestant)?.push(await load(contestant, WARM_UP_MS, seconds * 1000));
  }
  return contestants.map((contestant) => courseOf(contestant.name, figures.get(contestant) ?? []));
}

export function courseOf(name: string, rounds: readonly LoadFigures[]): Course {
  const cpu = rounds.flatMap(({ cpu: one }) => (one === undefined ? [] : [one]));
  const known = cpu.length === rounds.length && cpu.some(({ seconds }) => seconds > 0);
  return {
    name,
    requestsPerSecond: rounds.map(({ requests, seconds }) => requests / seconds),
    p50Ms: rounds.map(({ p50Ms }) => p50Ms),
    p99Ms: rounds.map(({ p99Ms }) => p99Ms),
    cpuMicros: known ? rounds.map(({ requests }, i) => (cpu[i]!.seconds / requests) * 1e6) : undefined,
    userMicros: known ? rounds.map(({ requests }, i) => (cpu[i]!.userSeconds / requests) * 1e6) : undefined,
    busy: known ? rounds.map(({ seconds }, i) => cpu[i]!.seconds / seconds) : undefined,
    othersCores: rounds.flatMap(({ othersCores }) => (othersCores === undefined ? [] : [othersCores])),
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
    firstError: rounds.find(({ firstError }) => firstError !== undefined)?.firstError,
  };
}

/** Says so where the machine was shared with others enough to blur the figures. */
export function disturbanceTexts(courses: readonly Course[]): string[] {
  const cores = courses.flatMap(({ othersCores }) => othersCores);
  const disturbed = cores.filter((one) => one > OTHERS_CORES_MAX).length;
  return disturbed > 0
    ? [
        `Others were at work in ${disturbed} of ${cores.length} measurements: a quiet machine gives better ones.`,
      ]
    : [];
}

/** Median over the rounds of `own` divided by `other` of the same round; undefined where either was not measured. */
export function ratioOf(
  own: readonly number[] | undefined,
  other: readonly number[] | undefined,
): number | undefined {
  if (own === undefined || other === undefined) return undefined;
  return medianOf(own.map((value, round) => value / other[round]!));
}
