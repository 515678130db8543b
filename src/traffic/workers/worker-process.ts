import { spawn, type ChildProcess } from 'node:child_process';
import type { Balance, Config } from '../../config.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { Log } from '../../log.ts';
import type { RelayConfig } from '../relay/context.ts';
import { NO_CLIENTS, type ClientCounts } from '../clients.ts';
import type { CountsReport, Order, Report } from './messages.ts';
import { balanceOf, relayConfig } from './relay-config.ts';
import type { RingCopy } from './ring-copy.ts';
import { StandingLeases } from './standing.ts';

/** From its start until it accepts connections. */
const LISTEN_LIMIT_MS = 15_000;
/** A worker that has not put a copy of the ring in force by then sends requests to who is gone: it is ended. */
const SHOW_LIMIT_MS = 5000;
/** How often each is asked, so that one that hangs is found, and ended, though nothing changes. */
const ASK_INTERVAL_MS = 2000;
/** From the order to end until it is ended by force. */
const CLOSE_LIMIT_MS = 2000;
/** Variables that a worker gets from ours: what it has to know is sent to it, and never ADMIN_TOKEN. */
const ENVIRONMENT_PASSED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'TERM', 'NO_COLOR'] as const;

export interface WorkerProcessOptions {
  /** Which of the workers it is, from 1. */
  readonly worker: number;
  /** Path of its program. */
  readonly program: string;
  readonly host: string;
  readonly port: number;
  readonly fleet: Pick<Fleet, 'hold'>;
  readonly config: RelayConfig & Balance & Pick<Config, 'logLevel'>;
  readonly log: Log;
  /** The copy of the ring to begin with; asked when the worker is there to be told. */
  readonly ring: () => RingCopy;
  /** Told what the worker has counted since it was last told. */
  readonly counted: (report: CountsReport) => void;
}

/** A worker did not get as far as to listen, for a reason of its own; the log has what it said. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
}

/** How a process ended. */
export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: string | null;
  readonly livedMs: number;
}

/** One run of a worker. */
export class WorkerProcess {
  /**
   * Resolves when it accepts connections. Rejects when it never will: with the `code` of a port that can't be had, or
   * with WorkerFailed.
   */
  readonly listening: Promise<void>;
  readonly ended: Promise<ProcessEnd>;
  readonly #options: WorkerProcessOptions;
  readonly #child: ChildProcess;
  readonly #leases: StandingLeases;
  readonly #listening = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly #listenTimer: Timer;
  /** Who waits for a version of the ring to be in force. */
  readonly #waiting: { readonly version: number; readonly resolve: () => void }[] = [];
  readonly #startedMs = performance.now();
  #state: 'starting' | 'told' | 'ended' = 'starting';
  #sent = 0;
  #shown = 0;
  #showTimer: Timer | undefined;
  readonly #askTimer: Timer;
  #connections = 0;
  #clients = NO_CLIENTS;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.listening = this.#listening.promise;
    this.ended = this.#ended.promise;
    // Who waits for its end alone need not hear of it twice.
    this.listening.catch(() => {});
    this.#leases = new StandingLeases({
      fleet: options.fleet,
      tell: (stay, news) => this.#tell({ type: 'news', stay, news }),
    });
    // However this process ends, the kernel ends the worker with it; its channel, too, tells it so.
    this.#child = spawn(process.execPath, ['--no-orphans', '--no-env-file', options.program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: Object.fromEntries(ENVIRONMENT_PASSED.map((name) => [name, process.env[name]])),
    });
    this.#child.on('message', (report: Report) => this.#hear(report));
    this.#child.on('exit', (status, signal) => this.#end(status, signal));
    this.#child.on('disconnect', () => this.kill());
    this.#child.on('error', (error) => {
      if (this.pid === undefined) this.#end(null, null, error);
      else this.kill();
    });
    this.#listenTimer = setTimeout(() => this.#endFor('does not begin to listen'), LISTEN_LIMIT_MS);
    this.#askTimer = setInterval(() => this.#ask(), ASK_INTERVAL_MS);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#state !== 'ended';
  }

  /** Clients connected, as it reported last. */
  get connections(): number {
    return this.#connections;
  }

  /** The same by what they are there for. */
  get clients(): ClientCounts {
    return this.#clients;
  }

  /** Sends it a copy of the ring, with no await since the ring became that. One that starts asks for its own. */
  show(ring: RingCopy): void {
    if (this.#state !== 'told') return;
    this.#leases.hold(ring);
    this.#sends(ring.version);
    this.#tell({ type: 'ring', ring });
  }

  /** Resolves when no claim is made there by an older version: also when it ends. */
  inForce(version: number): Promise<void> {
    if (this.#state !== 'told' || this.#shown >= version) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ version, resolve });
    });
  }

  /** It accepts no more, and finishes what it has. */
  stop(): void {
    if (this.#state === 'told') this.#tell({ type: 'stop' });
    else this.kill();
  }

  /** Ends it and what it has; resolves when it has ended. */
  async close(): Promise<void> {
    if (this.#state === 'told') this.#tell({ type: 'close' });
    else this.kill();
    const timer = setTimeout(() => this.kill(), CLOSE_LIMIT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  kill(): void {
    if (this.#state !== 'ended') this.#child.kill('SIGKILL');
  }

  #hear(report: Report): void {
    if (this.#state === 'ended') return;
    switch (report.type) {
      case 'hello':
        return this.#open();
      case 'listening':
        clearTimeout(this.#listenTimer);
        return this.#listening.resolve();
      case 'refused':
        this.#listening.reject(Object.assign(new Error(report.message), { code: report.code }));
        return this.kill();
      case 'connections':
        this.#connections = report.connections;
        return;
      case 'counts':
        this.#clients = report.clients;
        return this.#options.counted(report);
      case 'shows':
        return this.#shows(report.version);
      default:
        return this.#leases.apply(report);
    }
  }

  #open(): void {
    const { worker, host, port, config, ring } = this.#options;
    const copy = ring();
    this.#state = 'told';
    this.#leases.hold(copy);
    this.#sends(copy.version);
    this.#tell({
      type: 'open',
      worker,
      host,
      port,
      config: relayConfig(config),
      balance: balanceOf(config),
      logLevel: config.logLevel,
      ring: copy,
    });
  }

  #ask(): void {
    // One that listens not yet has a limit of its own, and one that owes an answer is asked already.
    if (this.#state !== 'told' || this.#showTimer !== undefined) return;
    this.#sends(this.#sent);
    this.#tell({ type: 'ask' });
  }

  #sends(version: number): void {
    this.#sent = version;
    this.#showTimer ??= setTimeout(() => this.#endFor('does not answer'), SHOW_LIMIT_MS);
  }

  #shows(version: number): void {
    this.#shown = version;
    clearTimeout(this.#showTimer);
    this.#showTimer = undefined;
    // It is behind, but gets on.
    if (version < this.#sent) this.#sends(this.#sent);
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if ((this.#waiting[i]?.version ?? 0) <= version) this.#waiting.splice(i, 1)[0]?.resolve();
  }

  #tell(order: Order): void {
    // Where the channel is gone the process has ended, or is about to.
    if (this.#child.connected) this.#child.send(order, () => {});
  }

  #endFor(why: string): void {
    if (this.#state === 'ended') return;
    this.#options.log.error({ worker: this.#options.worker, pid: this.pid, why }, 'worker is ended by force');
    this.kill();
  }

  #end(status: number | null, signal: string | null, why?: Error): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#listenTimer);
    clearTimeout(this.#showTimer);
    clearInterval(this.#askTimer);
    this.#connections = 0;
    this.#clients = NO_CLIENTS;
    this.#leases.releaseAll();
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.length = 0;
    this.#listening.reject(new WorkerFailed(why?.message ?? 'A worker ended before it accepted connections'));
    this.#ended.resolve({ status, signal, livedMs: Math.round(performance.now() - this.#startedMs) });
  }
}
