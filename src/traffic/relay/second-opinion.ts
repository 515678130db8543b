import { Flaw } from '../http1/head.ts';
import type { Place } from '../place.ts';
import type { RelayContext } from './context.ts';
import type { Pool } from './pool.ts';
import { writeRequestHead, type Sender } from './request-fields.ts';
import type { RequestId } from './request-id.ts';
import type { Upstream, UpstreamUser } from './upstream.ts';

/** A safe request without a body that waits for its reply. */
export interface Waiting {
  readonly method: string;
  readonly sender: Sender;
  readonly requestId: RequestId;
  /** Its head as it came, from `start` on. */
  readonly bytes: Buffer;
  readonly start: number;
}

/**
 * The same request put to another replica while the first says nothing: only that tells silence from work that takes
 * its time. The reply is read as far as its status, and nobody gets it.
 */
export class SecondOpinion implements UpstreamUser {
  readonly #context: RelayContext;
  readonly #waiting: Waiting;
  readonly #place: Place<Pool>;
  readonly #onGood: () => void;
  #upstream: Upstream | undefined;
  #part: Buffer | undefined;

  /** `onGood` is called when the other replica answers with success (RFC 9110, section 15.3). */
  constructor(context: RelayContext, waiting: Waiting, place: Place<Pool>, onGood: () => void) {
    this.#context = context;
    this.#waiting = waiting;
    this.#place = place;
    this.#onGood = onGood;
    const { lease } = place;
    // Nobody's reply depends on it: whatever is to become of the replica need not wait.
    lease.onLost = lease.onLeaving = lease.onCut = () => this.end();
    this.#upstream = place.flight.take(this, -1);
  }

  /** Nobody wants to know any more; safe to call again. */
  end(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.leave('cut');
    this.#place.release();
  }

  connected(): void {
    const { requestHead, scratch } = this.#context;
    const { bytes, start, sender, requestId } = this.#waiting;
    requestHead.read(bytes, start, bytes.length);
    scratch.reset();
    writeRequestHead(scratch, requestHead, sender, requestId, this.#place.lease.address);
    this.#upstream?.send(scratch.bytes, 0, scratch.length);
  }

  fromUpstream(received: Buffer): void {
    const { replyHead } = this.#context;
    const bytes = this.#part === undefined ? received : Buffer.concat([this.#part, received]);
    for (let at = 0; ; at = replyHead.end) {
      const result = replyHead.read(bytes, at, bytes.length, this.#waiting.method);
      if (result instanceof Flaw) return this.end();
      if (!result) {
        this.#part = bytes.subarray(at);
        return;
      }
      const { status } = replyHead;
      if (status >= 100 && status < 200) continue;
      this.end();
      if (status >= 200 && status < 300) this.#onGood();
      return;
    }
  }

  unconnected(): void {
    this.#gone();
  }

  upstreamTook(): void {}

  upstreamEnded(): void {
    this.end();
  }

  upstreamClosed(): void {
    this.#gone();
  }

  #gone(): void {
    this.#upstream = undefined;
    this.#place.release();
  }
}
