import { EngineGone, NameInUse, StartFailed } from '../runtime.ts';

/** An engine that has not answered a call by then is taken for gone. */
const CALL_TIMEOUT_MS = 15_000;

/** Awaits an engine call. Throws EngineGone, NameInUse or StartFailed; `extraMs` is time that the call is meant to take. */
export async function call<T>(pending: Promise<T>, extraMs = 0): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new EngineGone(`no answer within ${CALL_TIMEOUT_MS + extraMs} ms`)),
    CALL_TIMEOUT_MS + extraMs,
  );
  try {
    return await Promise.race([pending, late.promise]);
  } catch (error) {
    throw engineError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** As `call`, but undefined where the engine says that there is no such thing. */
export async function found<T>(pending: Promise<T>): Promise<T | undefined> {
  return call(
    pending.catch((error: unknown) => (statusOf(error) === 404 ? undefined : Promise.reject(error))),
  );
}

/** As `call`, for an object that may have ended or gone already, which is as good as done. */
export async function unlessGone(pending: Promise<unknown>, extraMs = 0): Promise<void> {
  await call(
    pending.catch((error: unknown) => {
      // 304: stopped already. 404: removed already. 409: another removal is under way.
      const status = statusOf(error);
      if (status !== 304 && status !== 404 && status !== 409) throw error;
    }),
    extraMs,
  );
}

/** The HTTP status with which the engine refused; undefined when it did not answer at all. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

function engineError(error: unknown): Error {
  if (error instanceof EngineGone || error instanceof NameInUse || error instanceof StartFailed) return error;
  const message = error instanceof Error ? error.message : String(error);
  const status = statusOf(error);
  if (status === undefined) return new EngineGone(message);
  if (status === 409 && message.includes('is already in use')) return new NameInUse(message);
  return new StartFailed(message);
}
