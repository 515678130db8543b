import type { AccessLog } from './access-log.ts';
import { CLIENT_GONE, NOBODY, type ReplicaTally, type Tally } from './tally.ts';

export interface AccountOptions {
  readonly tally: Tally;
  /** Undefined where this request gets no line of the log. */
  readonly accessLog: AccessLog | undefined;
  readonly request: Request;
  readonly requestId: string;
  /** Address of who is connected. */
  readonly peer: string;
}

/** One request of the control port, as it is counted and perhaps logged: at its end, which it has once. */
export class Account {
  readonly #options: AccountOptions;
  readonly #beganMs = performance.now();
  /** Who was asked last. */
  #replica = NOBODY;
  #askedBefore = false;
  #ended = false;

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  asks(replica: string): void {
    if (this.#replica !== NOBODY && this.#replica !== replica) {
      this.#options.tally.of(this.#replica).retried();
      this.#askedBefore = true;
    }
    this.#replica = replica;
  }

  /** The client has the whole of the replica's reply. */
  answered(status: number): void {
    const tally = this.#ends(status);
    if (tally === undefined) return;
    tally.answered(status, performance.now() - this.#beganMs);
    if (this.#askedBefore) tally.failedOver();
  }

  /** The client sees that the reply breaks off. */
  broke(status: number): void {
    this.#ends(status)?.brokeOff(status);
  }

  clientGone(): void {
    this.#ends(CLIENT_GONE)?.counted(CLIENT_GONE);
  }

  /** The client is told so by us. */
  refused(status: number): void {
    this.#ends(status)?.answered(status, performance.now() - this.#beganMs);
  }

  /** Where to count it; undefined where it was over before. */
  #ends(status: number): ReplicaTally | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    const { tally, accessLog, request, requestId, peer } = this.#options;
    const replica = this.#replica === NOBODY ? undefined : this.#replica;
    accessLog?.write({
      plane: 'control',
      requestId,
      method: request.method,
      path: request.url,
      replica,
      status,
      tookMs: performance.now() - this.#beganMs,
      peer,
    });
    return tally.of(this.#replica);
  }
}
