import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { placementOf } from '../ring/algorithms.ts';
import type { Clusters } from '../runtime/docker/clusters.ts';
import type { Terminal } from '../terminal.ts';
import type { Belongings } from './belongings.ts';
import { compareVariants, diagnose, FEW } from './course-study.ts';
import { filesOf } from './csv.ts';
import { Interrupted, LabError } from './errors.ts';
import { grade } from './grade/grade.ts';
import { POINTS } from './grade/points.ts';
import { randomIds } from './ids.ts';
import { clearedText, clearLeftovers, openEngine } from './leftovers.ts';
import { load, type Answers } from './load.ts';
import type { LabAlgorithm, LabOptions } from './options.ts';
import { Progress } from './progress.ts';
import { killAndWatch, type Kill } from './recovery.ts';
import { reportOf } from './report.ts';
import type { Grown, LiveResult, Measured, Results } from './results.ts';
import { countsOf, movedShare } from './statistics.ts';
import { Subject } from './subject.ts';
import { summaryOf } from './summary.ts';

/** Replicas of one algorithm that are killed, each once: who dies again soon is started later with each time. */
const KILLS_MAX = 5;
const ENDPOINT_TIMEOUT_MS = 60_000;
/** What else takes time, in requests that take as long. */
const START_UNITS = 3000;
const KILL_UNITS = 1000;
const POINT_UNITS = 200;
const STUDY_UNITS = 5000;

export interface Run {
  readonly options: LabOptions;
  readonly terminal: Terminal;
  /** Aborted: what was started is ended, and no report is written. */
  readonly signal: AbortSignal;
  /** Milliseconds that only ever grow. */
  readonly now: () => number;
  readonly date: Date;
  /** Has what was started and is not yet ended. */
  readonly belongings: Belongings;
}

/**
 * Runs the analyses, writes the report with its CSV files, and says where.
 *
 * @throws LabError in words for who runs it; Interrupted where `signal` is aborted
 */
export async function runLab({ options, terminal, signal, now, date, belongings }: Run): Promise<void> {
  await folder(options.out);
  const engine = options.runtime === 'process' ? undefined : await openEngine();
  if (engine !== undefined) terminal.print(clearedText(await clearLeftovers(engine, { signal, now })));
  const progress = new Progress({ total: unitsOf(options), terminal, now });
  try {
    const results = await study({ options, signal, now, date, progress, belongings, engine });
    await writeFile(join(options.out, 'report.html'), reportOf(results));
    for (const [name, text] of filesOf(results)) await writeFile(join(options.out, name), text);
    progress.end();
    terminal.print(summaryOf(results));
    terminal.print(`\nreport: ${join(options.out, 'report.html')}, with CSV files beside it\n`);
  } finally {
    progress.end();
  }
}

interface Study extends Omit<Run, 'terminal'> {
  readonly progress: Progress;
  readonly engine: Clusters | undefined;
}

async function study(setting: Study): Promise<Results> {
  const { options, signal, now, date, progress, belongings, engine } = setting;
  const live: LiveResult[] = [];
  const ids = randomIds(options.requests, options.seed);
  for (const algorithm of options.algorithms) {
    progress.stage(`${algorithm}: starting Ringmaster`);
    const subject = await Subject.start({
      algorithm,
      runtime: options.runtime,
      replicas: FEW,
      signal,
      belongings,
      engine,
    });
    await closing(subject, async () => {
      progress.advance(START_UNITS);
      live.push(await new Experiment({ subject, options, ids, signal: subject.halted, now, progress }).run());
    });
  }
  progress.stage('computing the assignment with other hash functions');
  const numbers = numbersOf(options);
  const variants = compareVariants(
    ids,
    numbers.includes(FEW) ? numbers : [FEW, ...numbers].sort((a, b) => a - b),
  );
  const diagnosis = diagnose();
  progress.advance(STUDY_UNITS);
  if (signal.aborted) throw new Interrupted('interrupted');
  return { options, date: date.toISOString(), live, numbers, variants, diagnosis };
}

/**
 * Ends the Ringmaster when `work` is done, or has failed.
 *
 * @throws LabError also on what may be left; where it has ended by itself, whatever has failed because of that says so
 */
async function closing(subject: Subject, work: () => Promise<void>): Promise<void> {
  const failed = await work().then(
    () => undefined,
    async (error: Error) => (await subject.whyHalted()) ?? error,
  );
  try {
    await subject.close();
  } catch (error) {
    if (!(failed instanceof LabError)) throw error;
    throw new LabError(`${failed.message}\n${(error as Error).message}`);
  }
  if (failed !== undefined) throw failed;
}

interface Setting extends Omit<Study, 'date' | 'belongings' | 'engine'> {
  readonly subject: Subject;
  readonly ids: readonly number[];
}

/** The analyses of one algorithm, on one Ringmaster. */
class Experiment {
  readonly #setting: Setting;
  readonly #algorithm: LabAlgorithm;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#algorithm = setting.subject.algorithm;
  }

  async run(): Promise<LiveResult> {
    const even = await this.#even();
    const endpoints = await this.#endpoints();
    const grown = await this.#grow();
    const kills = await this.#kills();
    return {
      algorithm: this.#algorithm,
      runtime: this.#setting.subject.runtime,
      even,
      grown,
      endpoints,
      kills,
    };
  }

  async #even(): Promise<Measured> {
    this.#stage(`A-1, ${this.#setting.ids.length} requests on ${FEW} replicas`);
    const names = await this.#setting.subject.scaleTo(FEW);
    return this.#measured(names, await this.#load());
  }

  async #endpoints() {
    const { subject, signal, now, progress } = this.#setting;
    this.#stage('A-3, every endpoint');
    const onPoint = (): void => progress.advance(POINT_UNITS);
    const verdict = await grade({ url: subject.url, timeoutMs: ENDPOINT_TIMEOUT_MS, now, signal, onPoint });
    if (signal.aborted) throw new Interrupted('interrupted');
    return verdict;
  }

  async #grow(): Promise<Grown[]> {
    const { subject, options } = this.#setting;
    const found: Grown[] = [];
    let before: readonly (string | undefined)[] | undefined;
    for (const replicas of numbersOf(options)) {
      this.#stage(`A-2, ${this.#setting.ids.length} requests on ${replicas} replicas`);
      const names = await subject.scaleTo(replicas);
      const answers = await this.#load();
      const moved = before && movedShare(before, answers.owners);
      found.push({ ...this.#measured(names, answers), moved });
      before = answers.owners;
    }
    return found;
  }

  async #kills(): Promise<Kill[]> {
    const { subject, ids, signal, now, progress } = this.#setting;
    const names = await subject.names();
    const map = this.#map(names);
    const owned = new Map(ids.map((id) => [map.owner(String(id)), id]));
    const kills: Kill[] = [];
    for (const victim of names.slice(0, KILLS_MAX)) {
      this.#stage(`A-3, ${victim} is killed`);
      kills.push(await killAndWatch({ subject, victim, ids, ownId: owned.get(victim), signal, now }));
      progress.advance(KILL_UNITS);
    }
    return kills;
  }

  #load(): Promise<Answers> {
    const { subject, ids, signal, now, progress } = this.#setting;
    return load({ caller: subject.traffic, ids, signal, now, onReply: () => progress.advance(1) });
  }

  #measured(names: readonly string[], { owners, failed, elapsedMs }: Answers): Measured {
    const { ids } = this.#setting;
    const map = this.#map(names);
    const shares = map.share();
    return {
      names,
      counts: countsOf(owners, names),
      failed,
      astray: owners.filter((owner, i) => owner !== undefined && owner !== map.owner(String(ids[i]))).length,
      shares: names.map((name) => shares.get(name) ?? 0),
      elapsedMs,
    };
  }

  #map(names: readonly string[]) {
    return placementOf(
      this.#algorithm,
      names.map((name) => ({ name, weight: 1 })),
    );
  }

  #stage(text: string): void {
    const { signal, progress } = this.#setting;
    if (signal.aborted) throw new Interrupted('interrupted');
    progress.stage(`${this.#algorithm}: ${text}`);
  }
}

function numbersOf({ replicas: [from, to] }: Pick<LabOptions, 'replicas'>): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function unitsOf(options: LabOptions): number {
  const numbers = numbersOf(options);
  const kills = Math.min(KILLS_MAX, options.replicas[1]) * KILL_UNITS;
  const each = START_UNITS + (1 + numbers.length) * options.requests + POINTS.length * POINT_UNITS + kills;
  return options.algorithms.length * each + STUDY_UNITS;
}

/** Before anything is measured: else an hour's work could find no place. */
async function folder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    const report = join(path, 'report.html');
    const made = await open(report, 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await made?.close();
    // Who is interrupted finds the report of the time before, or none.
    if (made === undefined) await writeFile(report, '', { flag: 'a' });
    else await rm(report);
  } catch (error) {
    throw new LabError(
      `The folder ${path} can not be written to (${(error as Error).message}): give another --out`,
    );
  }
}
