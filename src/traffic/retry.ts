/** Bytes of a request body that are kept to be sent again; one that has sent more goes to one replica only. */
export const KEPT_BYTES_MAX = 256 * 1024;

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
/** RFC 9110, section 9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Replies that speak against a replica: Internal Server Error, Bad Gateway, Service Unavailable, Gateway Timeout. */
const FAILING: ReadonlySet<number> = new Set([500, 502, 503, 504]);

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
  | 'lost'
  /** It replied, with a status that speaks against it: the next may do better. */
  | 'failing';

export interface Asked {
  readonly method: string;
  /** Whether the body can be sent again from its first byte. */
  readonly bodyWhole: boolean;
  /** Attempts that there may be after the first. */
  readonly retries: number;
}

export interface Attempt extends Asked {
  readonly failure: Failure;
  /** Attempts so far that are counted; see isFree. */
  readonly attempts: number;
}

/** Whether the next replica in ring order may be asked. A request that may have been acted on is never sent twice unless that does no harm. */
export function shouldRetry({ method, failure, bodyWhole, attempts, retries }: Attempt): boolean {
  if (!bodyWhole) return false;
  if (isFree(failure)) return true;
  if (attempts > retries) return false;
  if (failure === 'unconnected') return true;
  // What changes something and was refused by its owner must not be kept by another, where nobody looks for it.
  return (failure === 'failing' ? SAFE : IDEMPOTENT).has(method);
}

/**
 * Whether a failing reply can be compared with another replica's. Only that speaks against a replica: by itself the reply
 * may be the request's own fault, and whoever can send such requests could have replicas ejected.
 */
export function isComparable(asked: Asked): boolean {
  return shouldRetry({ ...asked, failure: 'failing', attempts: 1 });
}

/** What a reply tells of its replica. */
export type Verdict =
  | 'answers'
  /** It speaks against it. */
  | 'fails'
  /** It turns away what is too much for it, and says when to come back (RFC 9110, section 15.6.4): that is no fault. */
  | 'sheds';

export function verdictOf(status: number, retryAfter: boolean): Verdict {
  if (!FAILING.has(status)) return 'answers';
  return status === 503 && retryAfter ? 'sheds' : 'fails';
}

/**
 * The status below which another replica's reply is better than what one did, so that it was that one's fault, and not
 * the request's own. To a failing reply only success is: another may not have what the first one has. To none at all any
 * answer is.
 */
export function betterThan(did: Failure | Verdict): number {
  if (did === 'sheds') return 0;
  return did === 'fails' ? 400 : 500;
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
