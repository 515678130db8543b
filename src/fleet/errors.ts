/**
 * What can go wrong between a caller and the fleet. Each class carries the HTTP status that `api/` answers with;
 * a message says what to do about it and never holds a path, a stack or what an engine said.
 */

export abstract class FleetError extends Error {
  abstract readonly status: 400 | 404 | 409 | 413 | 503;
  /** Seconds after which it is worth asking again; sent as Retry-After. */
  readonly retryAfterS: number | undefined = undefined;
}

/** The call itself is wrong: asking again with the same body can never succeed. */
export class InvalidChange extends FleetError {
  readonly status = 400;
}

export class UnknownReplica extends FleetError {
  readonly status = 404;
}

export class NameTaken extends FleetError {
  readonly status = 409;
}

export class TooManyReplicas extends FleetError {
  readonly status = 413;
}

/** The fleet, or the engine below it, cannot do it now. */
export class Unavailable extends FleetError {
  readonly status = 503;
  override readonly retryAfterS = 1;
}
