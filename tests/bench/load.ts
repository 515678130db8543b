import { Connection, requestsFor, type ConnectionEvents, type Target } from './connection.ts';
import { quantileOf } from './statistics.ts';
import { cpuOf, machineSeconds, type Cpu } from './usage.ts';

export interface LoadOrder extends Target {
  /** Path of every request; `?id=` and a number follow. */
  readonly path: string;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** Processes whose CPU time is counted. */
  readonly pids: readonly number[];
  /** All processes of the bench, these included: what else the machine does is done for others. */
  readonly ownPids: readonly number[];
}

export interface LoadFigures {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** User and system time of the processes; undefined where this machine does not tell. */
  readonly cpu: Cpu | undefined;
  /** Cores that others kept busy, 0 on a quiet machine. */
  readonly othersCores: number | undefined;
  /** Requests without a right reply, those while warming up included. */
  readonly errors: number;
  readonly firstError: string | undefined;
}

const DISTINCT_REQUESTS = 16_384;
/** A server that fails this often is not measured any further. */
const ERRORS_MAX = 1000;
const ERROR_PAUSE_MS = 10;
/** For the replies that are under way when the time is over. */
const LAST_REPLIES_MS = 5000;

/** A closed loop: each connection sends its next request when the reply to the last is there and right. */
export class Load implements ConnectionEvents {
  readonly #order: LoadOrder;
  readonly #requests: readonly Uint8Array[];
  readonly #connections = new Set<Connection>();
  readonly #broken = Promise.withResolvers<void>();
  #drained: (() => void) | undefined;
  #next = 0;
  #latencies = new Float64Array(1 << 18);
  #count = 0;
  #errors = 0;
  #firstError: string | undefined;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#requests = requestsFor(order.path, order.port, DISTINCT_REQUESTS);
  }

  async run(): Promise<LoadFigures> {
    const { connections, warmUpMs, durationMs } = this.#order;
    await Promise.all(Array.from({ length: connections }, () => this.#connect()));
    await this.#pass(warmUpMs);
    this.#count = 0;
    const before = this.#clocks();
    const startMs = performance.now();
    await this.#pass(durationMs);
    const seconds = (performance.now() - startMs) / 1000;
    const after = this.#clocks();
    const latencies = this.#latencies.slice(0, this.#count).sort();
    await this.#drain();
    return {
      requests: latencies.length,
      seconds,
      p50Ms: quantileOf(latencies, 0.5),
      p99Ms: quantileOf(latencies, 0.99),
      ...spent(before, after, seconds),
      errors: this.#errors,
      firstError: this.#firstError,
    };
  }

  replied(connection: Connection, latencyMs: number): void {
    if (this.#count === this.#latencies.length) {
      const longer = new Float64Array(this.#count * 2);
      longer.set(this.#latencies);
      this.#latencies = longer;
    }
    this.#latencies[this.#count++] = latencyMs;
    if (!connection.open) return;
    if (this.#drained === undefined) return this.#ask(connection);
    connection.end();
    this.#forget(connection);
  }

  failed(connection: Connection, why: string): void {
    this.#forget(connection);
    this.#failed(why);
  }

  closed(connection: Connection): void {
    this.#forget(connection);
    if (this.#drained === undefined) void this.#connect();
  }

  #clocks(): Clocks {
    const { pids, ownPids } = this.#order;
    return { measured: cpuOf(pids), own: cpuOf(ownPids), machineSeconds: machineSeconds() };
  }

  async #connect(): Promise<void> {
    try {
      const connection = await Connection.open(this.#order, this);
      if (this.#drained !== undefined) return connection.end();
      this.#connections.add(connection);
      this.#ask(connection);
    } catch (error) {
      this.#failed((error as Error).message);
    }
  }

  #ask(connection: Connection): void {
    connection.ask(this.#requests[this.#next++ % DISTINCT_REQUESTS]!);
  }

  #failed(why: string): void {
    this.#errors++;
    this.#firstError ??= why;
    if (this.#errors >= ERRORS_MAX) return this.#broken.resolve();
    if (this.#drained === undefined) setTimeout(() => void this.#connect(), ERROR_PAUSE_MS);
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#drained?.();
  }

  async #pass(ms: number): Promise<void> {
    await Promise.race([Bun.sleep(ms), this.#broken.promise]);
  }

  /** Lets every connection have its last reply: a request that hangs is an error like any other. */
  async #drain(): Promise<void> {
    const drained = Promise.withResolvers<void>();
    this.#drained = drained.resolve;
    if (this.#connections.size === 0) return;
    const deadline = setTimeout(drained.resolve, LAST_REPLIES_MS);
    await drained.promise;
    clearTimeout(deadline);
    for (const connection of this.#connections) connection.fail('no reply');
  }
}

interface Clocks {
  readonly measured: Cpu | undefined;
  readonly own: Cpu | undefined;
  readonly machineSeconds: number | undefined;
}

function spent(before: Clocks, after: Clocks, seconds: number): Pick<LoadFigures, 'cpu' | 'othersCores'> {
  const cpu = difference(after.measured, before.measured);
  const own = difference(after.own, before.own);
  if (own === undefined || after.machineSeconds === undefined || before.machineSeconds === undefined)
    return { cpu, othersCores: undefined };
  const others = after.machineSeconds - before.machineSeconds - own.seconds;
  return { cpu, othersCores: Math.max(others / seconds, 0) };
}

function difference(after: Cpu | undefined, before: Cpu | undefined): Cpu | undefined {
  if (after === undefined || before === undefined) return undefined;
  return {
    seconds: after.seconds - before.seconds,
    userSeconds: after.userSeconds - before.userSeconds,
  };
}
