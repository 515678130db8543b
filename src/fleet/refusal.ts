import { EngineGone, NameInUse } from '../runtime/runtime.ts';
import { FleetError, NameTaken, Unavailable } from './errors.ts';

/** What a caller is told of an error that ended a change: what follows from it, and nothing of what an engine said. */
export function refusal(error: unknown, consequence: string, closing: boolean): FleetError {
  if (error instanceof FleetError) return error;
  if (closing) return new Unavailable(`Ringmaster is shutting down: ${consequence}`);
  if (error instanceof EngineGone)
    return new Unavailable(`The engine that runs the replicas does not answer: ${consequence}`);
  if (error instanceof NameInUse)
    return new NameTaken(
      `A hostname is taken on the engine by something that is not a replica: ${consequence}`,
    );
  return new Unavailable(`A replica could not be started or stopped: ${consequence}, the log says why`);
}

/** For the log. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
