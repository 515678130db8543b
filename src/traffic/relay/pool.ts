import type { Address } from '../../runtime/runtime.ts';
import { Flight } from '../place.ts';
import { Pace, Silence } from '../silence.ts';
import type { Deadlines, Timed } from './deadlines.ts';
import type { KnownReply } from './known-heads.ts';
import { Upstream, type UpstreamUser } from './upstream.ts';

/** Connections to one replica that are kept without a request; further ones are closed after their reply. */
const IDLE_MAX = 256;

/** Connections to one instance that were given up and are still being tried: over this it answers nobody. */
const GIVEN_UP_MAX = 32;

/** Begins to connect; what comes of it is told to the upstream. */
export type Dial = (address: Address, upstream: Upstream) => void;

export interface PoolLimits {
  /** Connections to all replicas together, which is what descriptors there are for them. */
  readonly upstreamsMax: number;
  readonly connectTimeoutMs: number;
  readonly replicaInFlightMax: number;
}

/** The connections to one instance of a replica. */
export class Pool extends Flight implements Timed {
  /** When it was last looked whether some requests here can give way. */
  searchedMs = Number.NEGATIVE_INFINITY;
  /** When it has been silent for too long. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** The head of one of the last replies. */
  knownReply: KnownReply | undefined;
  readonly #silence: Silence;
  readonly #idle: Upstream[] = [];
  readonly #all = new Set<Upstream>();
  /** Attempts to connect that took too long. They can't be called off, and hold their descriptors until the kernel gives up. */
  #givenUp = 0;

  constructor(
    readonly address: Address,
    readonly pools: Pools,
  ) {
    super();
    this.#silence = new Silence(pools.limits.replicaInFlightMax);
  }

  get size(): number {
    return this.#all.size + this.#givenUp;
  }

  /** Whether another attempt to connect would only be one more that gets no answer. */
  get answersNobody(): boolean {
    return this.#givenUp >= GIVEN_UP_MAX && this.#idle.length === 0;
  }

  override asked(nowMs: number): void {
    this.#silence.asked(nowMs);
    this.#expectReply();
  }

  override replied(askedMs: number, nowMs: number): void {
    this.pools.pace.replied(nowMs - askedMs, nowMs);
    this.#silence.replied(nowMs);
    this.#expectReply();
  }

  override left(): void {
    this.#silence.left();
    this.#expectReply();
  }

  override vacated(): void {
    this.pools.forgetIfEmpty(this);
  }

  #expectReply(): void {
    this.deadlineMs = this.#silence.sinceMs + this.pools.pace.silenceMaxMs;
  }

  onDeadline(): void {
    const { deadlines, pace, onSilent } = this.pools;
    onSilent(this);
    // The answer may be that all is well, or the replica may have to stay for lack of others.
    this.deadlineMs = deadlines.nowMs + pace.silenceMaxMs;
  }

  /** The connection that was idle for the shortest time, or a new one; `idleMsMax`: what was idle for longer is not used. */
  take(user: UpstreamUser, idleMsMax: number): Upstream {
    const { nowMs } = this.pools.deadlines;
    const kept = this.#idle.at(-1);
    if (kept !== undefined && nowMs - kept.idleSinceMs <= idleMsMax) {
      this.#idle.pop();
      kept.begin(user);
      return kept;
    }
    const upstream = new Upstream(this, user);
    this.#all.add(upstream);
    this.pools.connections++;
    this.pools.dial(this.address, upstream);
    return upstream;
  }

  /** Takes a connection back whose exchange is over and left nothing behind. */
  keep(upstream: Upstream): void {
    if (this.#idle.length >= IDLE_MAX || this.pools.closed) return upstream.end();
    this.#idle.push(upstream);
  }

  /** Nobody waits any more for a connection that is still being tried. */
  giveUp(upstream: Upstream): void {
    this.#all.delete(upstream);
    this.#givenUp++;
  }

  /** What was given up has come to its end. */
  settled(): void {
    this.#givenUp--;
    this.pools.connections--;
    this.pools.forgetIfEmpty(this);
  }

  /** A connection is no more. */
  drop(upstream: Upstream): void {
    if (this.#all.delete(upstream)) this.pools.connections--;
    const at = this.#idle.indexOf(upstream);
    if (at >= 0) this.#idle.splice(at, 1);
    this.pools.forgetIfEmpty(this);
  }

  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /** Closes a connection that nobody uses. False where there is none. */
  closeIdle(): boolean {
    const [idle] = this.#idle;
    idle?.end();
    return idle !== undefined;
  }

  closeAll(): void {
    for (const upstream of this.#all) upstream.cut();
  }
}

/** A pool for each instance that has connections or requests: a replica that was started again has another address. */
export class Pools {
  closed = false;
  /** To all replicas. */
  connections = 0;
  readonly pace = new Pace();
  readonly #pools = new Map<Address, Pool>();

  constructor(
    readonly dial: Dial,
    readonly deadlines: Deadlines,
    readonly limits: PoolLimits,
    /** Called when requests wait at an instance, and it has replied to none for longer than it usually takes. */
    readonly onSilent: (pool: Pool) => void,
  ) {}

  of(address: Address): Pool {
    let pool = this.#pools.get(address);
    if (pool === undefined) {
      pool = new Pool(address, this);
      this.#pools.set(address, pool);
      this.deadlines.add(pool);
    }
    return pool;
  }

  /** Whether a request may be sent there: on a connection that is kept, on a new one, or on one instead of another's. */
  hasRoom(pool: Pool): boolean {
    if (pool.hasIdle || this.connections < this.limits.upstreamsMax) return true;
    for (const other of this.#pools.values()) if (other.closeIdle()) return true;
    return false;
  }

  /** Called when a connection or a request of the pool is gone. */
  forgetIfEmpty(pool: Pool): void {
    if (pool.size > 0 || pool.inFlight > 0 || this.#pools.get(pool.address) !== pool) return;
    this.#pools.delete(pool.address);
    this.deadlines.remove(pool);
  }

  closeAll(): void {
    this.closed = true;
    for (const pool of this.#pools.values()) pool.closeAll();
  }
}
