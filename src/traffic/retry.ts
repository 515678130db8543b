/** Bytes of a request body that are kept to be sent again; one that has sent more goes to one replica only. */
export const KEPT_BYTES_MAX = 256 * 1024;

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** What became of one attempt to get a reply out of a replica. */
export type Failure =
  /** No connection: the replica has not seen a byte. */
  | 'refused'
  /** No connection was tried, since too many that were tried got no answer. */
  | 'unanswered'
  /** No connection in time: it has not seen a byte either, but another wait is not free. */
  | 'unconnected'
  /** Connected, and then it ended or replied with nonsense. */
  | 'broken'
  /** No reply in time. */
  | 'silent'
  /** The replica left the ring while the request waited. */
  | 'lost';

export interface Attempt {
  readonly method: string;
  readonly failure: Failure;
  /** Whether the body can be sent again from its first byte. */
  readonly bodyWhole: boolean;
  /** Attempts so far that are counted; see isFree. */
  readonly attempts: number;
  /** Attempts that there may be after the first. */
  readonly retries: number;
}

/** Whether the next replica in ring order may be asked. A request that may have been acted on is never sent twice unless that does no harm. */
export function shouldRetry({ method, failure, bodyWhole, attempts, retries }: Attempt): boolean {
  if (!bodyWhole) return false;
  if (isFree(failure)) return true;
  return attempts <= retries && (failure === 'unconnected' || IDEMPOTENT.has(method));
}

/** Whether the attempt cost nothing, neither time nor a byte sent, so that it is not counted. */
export function isFree(failure: Failure): boolean {
  return failure === 'refused' || failure === 'unanswered';
}

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/** The status that tells a client which way the last attempt failed. */
export function failureStatus(failure: Failure): 502 | 504 {
  return failure === 'refused' || failure === 'broken' ? 502 : 504;
}
