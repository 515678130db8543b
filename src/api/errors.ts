import { FleetError } from '../fleet/errors.ts';
import { ForwardError } from '../traffic/forward.ts';

/** What every error of the API looks like. */
export interface Failure {
  readonly message: string;
  readonly status: 'failure';
}

export type FailureStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 500 | 502 | 503 | 504;

/** A call that is refused before it reaches the fleet. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly status: FailureStatus,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Seconds after which it is worth asking again, where the error does not say. */
const RETRY_AFTER_S = 1;

/** What is known of an error that Elysia hands over: its own ones are told apart by their code. */
export interface Thrown {
  readonly code: unknown;
  readonly error: unknown;
}

/** The reply to an error: the one place where errors become statuses. What is not known here is a 500 that says nothing. */
export function failureReply(thrown: Thrown, requestId?: string): Response {
  const { status, message, headers, retryAfterS } = explain(thrown);
  const waitS = retryAfterS ?? (status === 503 ? RETRY_AFTER_S : undefined);
  const body: Failure = { message: `<Error> ${message}`, status: 'failure' };
  return Response.json(body, {
    status,
    headers: {
      ...headers,
      ...(waitS === undefined ? {} : { 'retry-after': String(waitS) }),
      ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
    },
  });
}

/** Whether the error is a bug of ours, to be logged whole. */
export function isUnexpected(thrown: Thrown): boolean {
  return explain(thrown).status === 500;
}

interface Explained {
  readonly status: FailureStatus;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly retryAfterS?: number | undefined;
}

function explain({ code, error }: Thrown): Explained {
  if (error instanceof Refusal || error instanceof FleetError || error instanceof ForwardError) return error;
  if (code === 'PARSE') return { status: 400, message: 'The body is not JSON' };
  if (code === 'VALIDATION' && isRequestValidation(error))
    return { status: 400, message: wrongInput(error.type, error.all[0]?.path) };
  if (code === 'INVALID_COOKIE_SIGNATURE') return { status: 400, message: 'The cookie is not valid' };
  return { status: 500, message: 'Something went wrong inside Ringmaster: its log has the details' };
}

interface RequestValidation {
  readonly type: string;
  readonly all: readonly { readonly path?: string; readonly message?: string }[];
}

/** A reply of ours that breaks its own schema is our bug, not the caller's. */
function isRequestValidation(error: unknown): error is RequestValidation {
  return (
    typeof error === 'object' &&
    error !== null &&
    'type' in error &&
    error.type !== 'response' &&
    'all' in error &&
    Array.isArray(error.all)
  );
}

/** A Map: a plain object would also know `constructor` and `__proto__`, which callers can send. */
const INPUT: ReadonlyMap<string, string> = new Map([
  ['n', 'n must be a whole number, 1 or more'],
  ['hostnames', 'hostnames must be a list of texts'],
  ['weights', 'weights must be whole numbers by name: {"a":3}'],
]);

/** What to say of the value at `path`, which is not what its schema says. */
export function wrongInput(type: string, path: string | undefined): string {
  const field = path?.split('/')[1] ?? '';
  const known = INPUT.get(field);
  if (known !== undefined) return known;
  if (type === 'body')
    return 'The body must be JSON with n and, if wished, hostnames: {"n":2,"hostnames":["a"]}';
  return 'The request has a value that is not allowed';
}
