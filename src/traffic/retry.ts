/** Replicas that are tried after the first one failed to reply; those that refuse the connection do not count. */
export const RETRIES_MAX = 2;

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** What became of one attempt to get a reply out of a replica. */
export type Failure =
  /** No connection: the replica has not seen a byte. */
  | 'refused'
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
  /** Attempts so far that may have reached a replica. */
  readonly reached: number;
}

/** Whether the next replica in ring order may be asked. A request that may have been acted on is never sent twice unless that does no harm. */
export function shouldRetry({ method, failure, bodyWhole, reached }: Attempt): boolean {
  if (!bodyWhole) return false;
  if (failure === 'refused') return true;
  return IDEMPOTENT.has(method) && reached <= RETRIES_MAX;
}

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/** The status that tells a client which way the last attempt failed. */
export function failureStatus(failure: Failure): 502 | 504 {
  return failure === 'silent' || failure === 'lost' ? 504 : 502;
}
