import { fileURLToPath } from 'node:url';
import type { Balance, Config } from '../../config.ts';
import { restartDelayMs, STABLE_AFTER_MS } from '../../fleet/backoff.ts';
import { systemClock } from '../../fleet/clock.ts';
import type { OffReplica, ReadyReplica } from '../../fleet/crew.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { Log } from '../../log.ts';
import { sumOfClients, type ClientCounts } from '../clients.ts';
import { LoopDelay } from '../loop-delay.ts';
import type { RelayConfig } from '../relay/context.ts';
import type { Tally } from '../tally.ts';
import type { CountsReport } from './messages.ts';
import { portToShare } from './port.ts';
import { EMPTY_RING, nextCopy } from './ring-copy.ts';
import { WorkerProcess } from './worker-process.ts';

/**
 * However often one dies, it is started again after this: fewer processes serve meanwhile, and where all have died nobody
 * has the port.
 */
const RESTART_DELAY_MAX_MS = 1000;

export interface WorkersOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** How many processes share the port. */
  readonly count: number;
  readonly fleet: Pick<Fleet, 'follow' | 'hold' | 'choices'>;
  readonly config: RelayConfig & Balance & Pick<Config, 'logLevel'>;
  readonly log: Log;
  /** Where what they count comes together. */
  readonly tally: Tally;
  /** Path of the program that each runs. */
  readonly program?: string;
}

/**
 * Opens a relay in each of several processes, all on one port. Resolves when each accepts connections; rejects with
 * the `code` of a port that can't be had, or with WorkerFailed, and then none is left behind.
 */
export async function openWorkers(options: WorkersOptions): Promise<Workers> {
  const workers = new Workers({ ...options, port: await portToShare(options.host, options.port) });
  try {
    await workers.open();
  } catch (error) {
    await workers.close();
    throw error;
  }
  return workers;
}

/** Relays in processes of their own. They claim by copies of the fleet's ring, and one that dies is replaced. */
export class Workers {
  readonly port: number;
  readonly #options: Required<WorkersOptions>;
  readonly #stopping = new AbortController();
  readonly #running: WorkerProcess[] = [];
  readonly #kept: Promise<void>[] = [];
  readonly #unfollow: () => void;
  readonly #loops = new Map<string, LoopDelay>();
  #ring = EMPTY_RING;

  constructor(options: WorkersOptions) {
    this.#options = {
      program: fileURLToPath(new URL('./worker.ts', import.meta.url)),
      ...options,
    };
    this.port = options.port;
    this.#unfollow = options.fleet.follow({
      swapped: (ready, off) => this.#show(ready, off),
      inForce: () => this.#inForce(),
    });
    for (let i = 0; i < options.count; i++) this.#running.push(this.#start(i));
  }

  /** Clients connected to any of them. */
  get connections(): number {
    return this.#running.reduce((sum, worker) => sum + worker.connections, 0);
  }

  /** The same by what they are there for, as told last. */
  clients(): ClientCounts {
    return sumOfClients(this.#running.map((worker) => worker.clients));
  }

  /** How long what is due waits in each, whichever process is in its place. */
  loops(): ReadonlyMap<string, LoopDelay> {
    return this.#loops;
  }

  /** Ids of the processes that run. */
  get pids(): number[] {
    return this.#running.flatMap((worker) => (worker.running ? (worker.pid ?? []) : []));
  }

  /** Resolves when each accepts connections; from then on one that ends is replaced. Rejects when one can't. */
  async open(): Promise<void> {
    await Promise.all(this.#running.map((worker) => worker.listening));
    for (const i of this.#running.keys()) this.#kept.push(this.#keep(i));
  }

  /** They accept no more, and finish what they have. */
  stop(): void {
    this.#stopping.abort();
    for (const worker of this.#running) worker.stop();
  }

  /** Cuts what is left; resolves when none runs. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.#running.map((worker) => worker.close()));
    await Promise.all(this.#kept);
    this.#unfollow();
  }

  #show(ready: readonly ReadyReplica[], off: readonly OffReplica[]): void {
    this.#ring = nextCopy(this.#ring, ready, off);
    for (const worker of this.#running) worker.show(this.#ring);
  }

  async #inForce(): Promise<void> {
    const { version } = this.#ring;
    await Promise.all(this.#running.map((worker) => worker.inForce(version)));
  }

  #start(i: number): WorkerProcess {
    const worker = i + 1;
    const loop = this.#loops.get(`worker-${worker}`) ?? new LoopDelay();
    this.#loops.set(`worker-${worker}`, loop);
    const counted = (report: CountsReport): void => {
      this.#options.tally.apply(report.tally);
      loop.apply(report.loop);
      this.#options.fleet.choices.heard(`worker-${worker}`, report.choices);
    };
    return new WorkerProcess({
      ...this.#options,
      port: this.port,
      worker,
      ring: () => this.#ring,
      counted,
    });
  }

  /** Sees to it that there is a worker in the place of each that ends, until they are stopped. */
  async #keep(i: number): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#stopping;
    let deaths = 0;
    for (;;) {
      const ended = this.#running[i] as WorkerProcess;
      const end = await ended.ended;
      if (signal.aborted) return;
      deaths = end.livedMs >= STABLE_AFTER_MS ? 1 : deaths + 1;
      const delayMs = Math.min(restartDelayMs(deaths), RESTART_DELAY_MAX_MS);
      log.warn({ worker: i + 1, pid: ended.pid, ...end, delayMs }, 'worker ended: another takes its place');
      await systemClock.sleep(delayMs, signal);
      if (signal.aborted) return;
      const started = this.#start(i);
      this.#running[i] = started;
      started.listening.then(
        () => log.info({ worker: i + 1, pid: started.pid }, 'worker accepts connections'),
        (error: Error) => log.warn({ worker: i + 1, why: error.message }, 'worker could not be started'),
      );
    }
  }
}
