import { descriptorsOf, memoryOf, workersOf } from '../processes.ts';
import type { ProcessFigures } from './report.ts';
import { trendOf, type Point } from './trend.ts';

const INTERVAL_MS = 2000;
/** What comes before is code that is compiled and buffers that grow; of a short run a third. */
const WARM_UP_MS = 120_000;
const WARM_UP_PART_MAX = 1 / 3;
const MB = 1_000_000;

interface Series {
  readonly name: string;
  readonly pid: number;
  readonly residentMb: Point[];
  readonly descriptors: Point[];
}

/** Memory and descriptors of Ringmaster and its workers, now and then. */
export class Samples {
  readonly #pid: number;
  readonly #series = new Map<number, Series>();
  readonly #beganMs = performance.now();
  readonly #timer: Timer;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.#take(), INTERVAL_MS);
  }

  end(): ProcessFigures[] {
    clearInterval(this.#timer);
    const lastedMs = performance.now() - this.#beganMs;
    const sinceMs = Math.min(WARM_UP_MS, lastedMs * WARM_UP_PART_MAX);
    return [...this.#series.values()].flatMap(({ name, pid, residentMb, descriptors }) => {
      // A worker that came later warms up later.
      const ownSinceMs = sinceMs + (residentMb[0]?.atMs ?? 0);
      const [memory, open] = [trendOf(residentMb, ownSinceMs), trendOf(descriptors, ownSinceMs)];
      if (memory === undefined || open === undefined) return [];
      return [{ name, pid, samples: residentMb.length, residentMb: memory, descriptors: open }];
    });
  }

  async #take(): Promise<void> {
    const atMs = performance.now() - this.#beganMs;
    this.#note('Ringmaster', this.#pid, atMs);
    for (const pid of await workersOf(this.#pid)) this.#note('a worker', pid, atMs);
  }

  #note(name: string, pid: number, atMs: number): void {
    let descriptors: number;
    try {
      descriptors = descriptorsOf(pid);
    } catch {
      // It has ended meanwhile.
      return;
    }
    const series = this.#series.get(pid) ?? { name, pid, residentMb: [], descriptors: [] };
    this.#series.set(pid, series);
    series.residentMb.push({ atMs, value: memoryOf(pid).residentBytes / MB });
    series.descriptors.push({ atMs, value: descriptors });
  }
}
