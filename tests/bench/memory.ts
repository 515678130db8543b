import type { CrowdOrder } from './crowd.ts';
import type { Driver } from './driver.ts';
import type { Started } from './stage.ts';
import { rssBytesOf } from './usage.ts';

/** What a crowd of idle connections costs. */
export interface Memory {
  /** Resident in all its processes, before the first connection. */
  readonly startMb: number;
  /** Above that, with the crowd connected and silent. */
  readonly aboveStartMb: number;
  /** How large the crowd was when that was read. */
  readonly connections: number;
  readonly firstError: string | undefined;
}

const BYTES_PER_MB = 1e6;
/** Settled is what has changed by less than this over as many looks. */
const SETTLED_BYTES = 256 * 1024;
const SETTLED_LOOKS = 5;
const LOOK_INTERVAL_MS = 200;
/** What has not settled by then is read as it is. */
const SETTLE_MS_MAX = 6000;

/** Measures a process that was just started; undefined where this machine does not tell. */
export async function measureMemory(
  started: Started,
  driver: Driver,
  order: CrowdOrder,
): Promise<Memory | undefined> {
  const start = await settledRss(started);
  if (start === undefined) return undefined;
  const gathered = await driver.gather(order);
  const crowded = await settledRss(started);
  const { open, firstError } = await driver.count();
  await driver.drop();
  if (crowded === undefined) return undefined;
  return {
    startMb: start / BYTES_PER_MB,
    aboveStartMb: (crowded - start) / BYTES_PER_MB,
    connections: open,
    firstError: gathered.firstError ?? firstError,
  };
}

async function settledRss(started: Started): Promise<number | undefined> {
  const looks: number[] = [];
  const deadlineMs = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const rss = rssBytesOf(started.pids());
    if (rss === undefined) return undefined;
    looks.push(rss);
    const last = looks.slice(-SETTLED_LOOKS);
    const settled = last.length === SETTLED_LOOKS && Math.max(...last) - Math.min(...last) < SETTLED_BYTES;
    if (settled || performance.now() > deadlineMs) return rss;
    await Bun.sleep(LOOK_INTERVAL_MS);
  }
}
