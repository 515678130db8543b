import { call as engineCall, statusOf } from '../docker/engine.ts';
import { EngineGone } from '../runtime.ts';

/** Who has lost a race that often has met something other than a race. */
export const RACES_MAX = 100;
/** Between two tries, at random: those who have met once are not to meet again. */
const RACE_PAUSE_MAX_MS = 30;

/**
 * Awaits a call of the Swarm. Throws EngineGone, StartFailed. Without a majority of its managers the Swarm refuses with
 * a 5xx, as it does where it does not know: then nothing is known of what was asked, as if no one had answered.
 */
export function call<T>(pending: Promise<T>): Promise<T> {
  return engineCall(
    pending.catch((error: unknown) => {
      const { status, message } = refusal(error);
      throw status >= 500 ? new EngineGone(message) : error;
    }),
  );
}

/** As `call`, but undefined where the Swarm says that there is no such thing. */
export function found<T>(pending: Promise<T>): Promise<T | undefined> {
  return unless(pending, ({ status }) => status === 404);
}

/** As `call`, but undefined where something has the name already. */
export function made<T>(pending: Promise<T>): Promise<T | undefined> {
  return unless(pending, ({ status }) => status === 409);
}

/** As `call`, for a change of one version of an object: false where it has another by now, or is no more. */
export async function updated(pending: Promise<unknown>): Promise<boolean> {
  const outrun = ({ status, message }: Refusal): boolean =>
    status === 404 || message.includes('update out of sequence');
  return (
    (await unless(
      pending.then(() => true),
      outrun,
    )) ?? false
  );
}

/** For an update: told apart for dockerode, which otherwise says all of it again in the query. */
export function updateOf(version: number | undefined, spec: object): object {
  return { _query: { version }, _body: spec };
}

/** Undefined from `attempt`: somebody was faster, and it is tried again with what is there now. Throws EngineGone. */
export async function untilWon<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < RACES_MAX; tries++) {
    const won = await attempt();
    if (won !== undefined) return won;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * RACE_PAUSE_MAX_MS));
  }
  throw new EngineGone(`somebody else was faster ${RACES_MAX} times`);
}

interface Refusal {
  /** 0: no answer at all. */
  readonly status: number;
  readonly message: string;
}

function refusal(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : String(error);
  return { status: statusOf(error) ?? 0, message };
}

function unless<T>(pending: Promise<T>, expected: (refusal: Refusal) => boolean): Promise<T | undefined> {
  return call<T | undefined>(
    pending.catch((error: unknown) => {
      if (expected(refusal(error))) return undefined;
      throw error;
    }),
  );
}
