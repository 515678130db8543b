import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, LabError } from './errors.ts';
import { answererOf } from './load.ts';
import type { Subject } from './subject.ts';

/** How often it is asked how far the replica is. */
const POLL_MS = 5;
/** Clients that send requests meanwhile. */
const CLIENTS = 4;
/** A replica that is not back by then will not come back. */
const RECOVERY_TIMEOUT_MS = 120_000;

export interface Kill {
  readonly victim: string;
  /** From the kill to when Ringmaster knows, ms; undefined: it was back before that could be seen. */
  readonly noticedMs: number | undefined;
  /** From the kill to when it is ready again, under its name, ms. */
  readonly healedMs: number;
  /** From the kill to its first reply to a key of its own, ms; undefined: it owns no key of the sample. */
  readonly answersMs: number | undefined;
  /** Requests that were sent meanwhile, and those of them that did not get a greeting. */
  readonly sent: number;
  readonly failed: number;
}

export interface Killing {
  readonly subject: Pick<Subject, 'kill' | 'stateOf' | 'traffic'>;
  readonly victim: string;
  /** Of the requests that go on meanwhile. */
  readonly ids: readonly number[];
  /** An id that the victim owns; undefined: there is none. */
  readonly ownId: number | undefined;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/**
 * Kills a replica while requests go on, and watches it come back. Times are known to the interval of the asking.
 *
 * @throws LabError where it does not come back; Interrupted where `signal` is aborted
 */
export async function killAndWatch(killing: Killing): Promise<Kill> {
  const { subject, ids, victim } = killing;
  const count = { sent: 0, failed: 0, over: false };
  const client = async (): Promise<void> => {
    while (!count.over) {
      const id = ids[count.sent++ % ids.length] as number;
      if ((await answererOf(subject.traffic, id)) === undefined) count.failed++;
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  let times: Times;
  try {
    times = await timesOf(killing);
  } finally {
    count.over = true;
    // What is still under way may fail too.
    await Promise.all(clients);
  }
  return { victim, ...times, sent: count.sent, failed: count.failed };
}

type Times = Pick<Kill, 'noticedMs' | 'healedMs' | 'answersMs'>;

async function timesOf({ subject, victim, ownId, signal, now }: Killing): Promise<Times> {
  const beganMs = now();
  const sinceMs = (): number => now() - beganMs;
  await subject.kill(victim);
  let noticedMs: number | undefined;
  let healedMs: number | undefined;
  let answersMs: number | undefined;
  for (;;) {
    if (signal.aborted) throw new Interrupted('interrupted');
    if (sinceMs() > RECOVERY_TIMEOUT_MS)
      throw new LabError(`${victim} was killed, and was not back after ${RECOVERY_TIMEOUT_MS / 1000} s`);
    const ready = (await subject.stateOf(victim)) === 'ready';
    if (!ready) noticedMs ??= sinceMs();
    if (ready && noticedMs !== undefined) healedMs ??= sinceMs();
    if (ownId !== undefined) {
      const own = (await answererOf(subject.traffic, ownId)) === victim;
      // Another answers until it is back, so what follows its own reply was healed before, seen or not.
      if (!own) noticedMs ??= sinceMs();
      else if (noticedMs !== undefined) {
        answersMs ??= sinceMs();
        healedMs ??= answersMs;
      }
    }
    if (healedMs !== undefined && (ownId === undefined || answersMs !== undefined))
      return { noticedMs, healedMs, answersMs };
    await sleep(POLL_MS);
  }
}
