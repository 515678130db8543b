import { greeterOf } from './contract.ts';
import { Interrupted } from './errors.ts';
import type { Caller } from './exchange.ts';

/** Requests in flight at once. */
export const LOAD_CONCURRENCY = 64;
const REQUEST_TIMEOUT_MS = 10_000;

export interface Load {
  readonly caller: Pick<Caller, 'call'>;
  readonly ids: readonly number[];
  readonly signal: AbortSignal;
  /** Is called for each request that has come back. */
  readonly onReply: () => void;
  readonly now: () => number;
}

export interface Answers {
  /** Who answered each id, in the order of the ids; undefined: nobody. */
  readonly owners: readonly (string | undefined)[];
  readonly failed: number;
  readonly elapsedMs: number;
}

/**
 * `GET /home?id=` for each id, asynchronously: a bounded number at once, the next as soon as one has come back.
 *
 * @throws Interrupted where `signal` is aborted
 */
export async function load({ caller, ids, signal, onReply, now }: Load): Promise<Answers> {
  const owners: (string | undefined)[] = Array.from({ length: ids.length });
  const beganMs = now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < ids.length) {
      if (signal.aborted) throw new Interrupted('interrupted');
      const i = next++;
      owners[i] = await answererOf(caller, ids[i] as number);
      onReply();
    }
  };
  await Promise.all(Array.from({ length: Math.min(LOAD_CONCURRENCY, ids.length) }, client));
  return { owners, failed: owners.filter((owner) => owner === undefined).length, elapsedMs: now() - beganMs };
}

/** The server that greets for this id; undefined where none does. */
export async function answererOf(caller: Pick<Caller, 'call'>, id: number): Promise<string | undefined> {
  const came = await caller.call(`/home?id=${id}`, { timeoutMs: REQUEST_TIMEOUT_MS });
  return came.ok && came.status === 200 ? greeterOf(came.text) : undefined;
}
