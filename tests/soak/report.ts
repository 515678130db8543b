import type { Fault } from './schedule.ts';
import type { Trend } from './trend.ts';

export interface PortFigures {
  readonly port: string;
  readonly gets: number;
  /** Without the right reply, and never to be so: GETs may be sent to any replica. */
  readonly failed: number;
  /** GETs that a client sent again since the worker that had its connection was killed. */
  readonly again: number;
  readonly posts: number;
  /** Without the right reply, as it may be: what a replica may have had is not sent to another. */
  readonly postsFailed: number;
  /** What was wrong with the first that failed. */
  readonly told: readonly string[];
}

export interface FaultDone {
  readonly fault: Fault;
  /** Whom it befell; empty for Ringmaster itself. */
  readonly whom: string;
  readonly atMs: number;
  /** After the fault itself was over, until all members were served by as before; undefined: in vain waited for. */
  readonly healedMs: number | undefined;
}

export interface ProcessFigures {
  readonly name: string;
  readonly pid: number;
  readonly samples: number;
  readonly residentMb: Trend;
  readonly descriptors: Trend;
}

export interface Descriptors {
  readonly start: number;
  readonly end: number;
}

export interface Report {
  readonly seed: number;
  readonly runtime: string;
  readonly workers: number;
  readonly seconds: number;
  /** Whether it was ended before its time. */
  readonly interrupted: boolean;
  readonly ports: readonly PortFigures[];
  /** POSTs that reached replicas, and those that did so more than once. */
  readonly arrived: number;
  readonly doubled: number;
  readonly changes: number;
  /** Changes that were refused as they had to be, since there was no engine. */
  readonly refused: number;
  /** Answers to changes, or states after them, that were not as they had to be. */
  readonly wrong: readonly string[];
  readonly faults: readonly FaultDone[];
  readonly processes: readonly ProcessFigures[];
  /** Of all processes of Ringmaster, before the load and after it. */
  readonly descriptors: Descriptors;
  /** What the log tells of bugs. */
  readonly bugs: readonly string[];
  readonly exitStatus: number;
  /** What was still there after the exit. */
  readonly left: readonly string[];
}

/** Why the run is a failure; empty where it is none. */
export function flawsOf(report: Report): string[] {
  const { ports, doubled, wrong, faults, descriptors, bugs, exitStatus, left } = report;
  const flaws: string[] = [];
  for (const { port, gets, failed, told } of ports) {
    if (gets === 0) flaws.push(`no request was answered on ${port}`);
    if (failed > 0) flaws.push(`${failed} idempotent requests failed on ${port}: ${told.join('; ')}`);
  }
  if (doubled > 0) flaws.push(`${doubled} POSTs arrived more than once`);
  for (const one of wrong) flaws.push(`members are not as expected: ${one}`);
  for (const { fault, whom, healedMs } of faults)
    if (healedMs === undefined) flaws.push(`not healed: ${[fault, whom].join(' ').trim()}`);
  if (descriptors.end > descriptors.start)
    flaws.push(`${descriptors.end} descriptors are open after the load, ${descriptors.start} were before it`);
  for (const one of bugs) flaws.push(`the log tells of a bug: ${one}`);
  if (exitStatus !== 0) flaws.push(`Ringmaster ended with status ${exitStatus}`);
  if (left.length > 0) flaws.push(`left behind: ${left.join(', ')}`);
  return flaws;
}

const UNHEALED = 'not healed';

/** For people. */
export function textOf(report: Report): string {
  const { seed, runtime, workers, seconds, interrupted, changes, refused, arrived, doubled } = report;
  const flaws = flawsOf(report);
  const healed = report.faults.filter(({ healedMs }) => healedMs !== undefined).length;
  return [
    `soak: ${seconds.toFixed(0)} s${interrupted ? ', interrupted' : ''}, RUNTIME=${runtime}, WORKERS=${workers}, --seed ${seed}`,
    ...report.ports.map(
      ({ port, gets, failed, again, posts, postsFailed }) =>
        `port ${port}: ${gets} GETs, ${failed} failed, ${again} sent again by their clients; ${posts} POSTs answered, ${postsFailed} not as they should`,
    ),
    `POSTs that reached a replica: ${arrived}, more than once: ${doubled}`,
    `changes: ${changes} made, ${refused} refused while there was no engine, ${report.wrong.length} wrong`,
    `faults: ${report.faults.length} done, ${healed} healed`,
    ...report.faults.map(
      ({ fault, whom, atMs, healedMs }) =>
        `  at ${(atMs / 1000).toFixed(0)} s ${fault} ${whom}: ${healedMs === undefined ? UNHEALED : `healed after ${healedMs.toFixed(0)} ms`}`,
    ),
    ...report.processes.map(
      ({ name, pid, samples, residentMb, descriptors }) =>
        `${name} (${pid}, ${samples} samples): memory ${trendText(residentMb, 1)} MB, descriptors ${trendText(descriptors, 0)}`,
    ),
    `descriptors in all: ${report.descriptors.start} before the load, ${report.descriptors.end} after it`,
    `exit status ${report.exitStatus}, left behind: ${report.left.length === 0 ? 'nothing' : report.left.join(', ')}`,
    ...(flaws.length === 0 ? ['good'] : flaws.map((flaw) => `NOT GOOD: ${flaw}`)),
    '',
  ].join('\n');
}

function trendText({ first, last, most, perHour }: Trend, digits: number): string {
  const sign = perHour < 0 ? '' : '+';
  return `${first.toFixed(digits)} to ${last.toFixed(digits)}, at most ${most.toFixed(digits)}, ${sign}${perHour.toFixed(1)} per hour`;
}
