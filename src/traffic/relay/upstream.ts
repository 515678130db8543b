import type { Pool } from './pool.ts';
import { Wire, type WireSocket } from './wire.ts';

/** A kept connection is closed before servers with the usual 5 s would do it under our hands. */
const IDLE_MS_MAX = 4000;

/** Who uses a connection to a replica: an exchange, or the tunnel that came of it. */
export interface UpstreamUser {
  connected(): void;
  /** There was no connection; `refused`: nothing listens, and not: nothing answered in time. */
  unconnected(refused: boolean): void;
  fromUpstream(bytes: Buffer): void;
  /** It took some of the bytes that wait for it; with `all` it takes more. */
  upstreamTook(all: boolean): void;
  /** It will send no more; we may. */
  upstreamEnded(): void;
  /** It is gone, and `ended` was or was not called before. */
  upstreamClosed(): void;
}

/**
 * What becomes of a connection after its use: only one whose request and reply were both read to their ends can be kept.
 * With `drain` it is closed once it took what waits for it.
 */
export type Parting = 'keep' | 'end' | 'cut' | 'drain';

/** A connection to a replica. It serves one request at a time, and is kept for the next. */
export class Upstream extends Wire {
  idleSinceMs = 0;
  #user: UpstreamUser | undefined;
  #connected = false;
  #givenUp = false;

  constructor(
    readonly pool: Pool,
    user: UpstreamUser,
  ) {
    super(undefined);
    this.#user = user;
    const { deadlines, limits } = pool.pools;
    this.deadlineMs = deadlines.nowMs + limits.connectTimeoutMs;
    deadlines.add(this);
  }

  get connected(): boolean {
    return this.#connected;
  }

  begin(user: UpstreamUser): void {
    this.#user = user;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Somebody else speaks for the connection from here on. */
  handTo(user: UpstreamUser): void {
    this.#user = user;
  }

  leave(way: Parting): void {
    this.#user = undefined;
    if (!this.open) return;
    if (!this.#connected) {
      // It can't be called off: it is given up at the next look.
      this.deadlineMs = 0;
      return;
    }
    if (way === 'drain') {
      this.deadlineMs = this.pool.pools.deadlines.nowMs + IDLE_MS_MAX;
      return this.finish();
    }
    if (way === 'cut' || this.blocked) return this.cut();
    if (way === 'end') return this.end();
    this.unhold();
    const { deadlines } = this.pool.pools;
    this.idleSinceMs = deadlines.nowMs;
    this.deadlineMs = deadlines.nowMs + IDLE_MS_MAX;
    this.pool.keep(this);
  }

  onOpen(socket: WireSocket): void {
    this.socket = socket;
    this.#connected = true;
    // It took too long, or nobody wants it any more.
    if (!this.open || this.#user === undefined) {
      socket.terminate();
      if (this.#givenUp) this.#settle();
      else this.onClose();
      return;
    }
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#user.connected();
  }

  onConnectError(): void {
    if (this.#givenUp) this.#settle();
    else this.#fail(true);
  }

  onData(bytes: Buffer): void {
    // A reply that nobody asked for must never be taken for the next one's.
    if (this.#user === undefined) this.cut();
    else this.#user.fromUpstream(bytes);
  }

  onDrain(): void {
    const all = this.flush();
    this.#user?.upstreamTook(all);
  }

  onEnd(): void {
    if (this.#user === undefined) this.close();
    else this.#user.upstreamEnded();
  }

  onClose(): void {
    if (!this.open) return;
    this.#gone();
    const user = this.#user;
    this.#user = undefined;
    user?.upstreamClosed();
  }

  override onDeadline(): void {
    if (!this.#connected) this.#fail(false);
    else if (this.#user === undefined) this.close();
  }

  #fail(refused: boolean): void {
    if (!this.open) return;
    if (refused) this.#gone();
    else this.#giveUp();
    const user = this.#user;
    this.#user = undefined;
    user?.unconnected(refused);
  }

  #giveUp(): void {
    this.#givenUp = true;
    this.closed();
    this.pool.pools.deadlines.remove(this);
    this.pool.giveUp(this);
  }

  #settle(): void {
    this.#givenUp = false;
    this.pool.settled();
  }

  #gone(): void {
    this.closed();
    this.pool.pools.deadlines.remove(this);
    this.pool.drop(this);
  }
}
