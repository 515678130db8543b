import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../../src/config.ts';
import { systemClock } from '../../../src/fleet/clock.ts';
import { Fleet } from '../../../src/fleet/fleet.ts';
import type { Log } from '../../../src/log.ts';
import type { Address } from '../../../src/runtime/runtime.ts';
import { openWorkers, type Workers } from '../../../src/traffic/workers/workers.ts';
import { InstantRuntime } from '../../runtime/instant-runtime.ts';
import { Tally } from '../../../src/traffic/tally.ts';

export const CLAIMING_WORKER = fileURLToPath(new URL('./claiming-worker.ts', import.meta.url));

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface WorkersRigOptions {
  readonly count?: number;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly program?: string | undefined;
  /** Where a replica is that is being started. */
  readonly serve?: (name: string) => Address;
}

/** A fleet of which nothing is real but time, and workers that are. */
export class WorkersRig {
  readonly lines: LogLine[] = [];
  readonly runtime: InstantRuntime;
  readonly fleet: Fleet;
  readonly tally = new Tally();
  readonly #options: WorkersRigOptions;
  readonly #log: Log;
  #workers: Workers | undefined;
  /** Replicas that do not answer their heartbeats. */
  readonly silent = new Set<string>();

  constructor(options: WorkersRigOptions = {}) {
    this.#options = options;
    let port = 0;
    this.runtime = new InstantRuntime(options.serve ?? (() => ({ host: '127.0.0.1', port: ++port })));
    const log = (level: keyof Log) => (fields: object, message: string) =>
      void this.lines.push({ level, message, fields: fields as LogLine['fields'] });
    this.#log = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    this.fleet = new Fleet({
      runtime: this.runtime,
      clock: systemClock,
      heartbeat: (address) => Promise.resolve(this.silent.has(this.#at(address)) ? 'failed' : 'answered'),
      log: this.#log,
      config: this.config,
    });
    rigs.add(this);
  }

  get config() {
    return parseConfig({
      HOST: '127.0.0.1',
      LOG_LEVEL: 'warn',
      ADMIN_TOKEN: 'never-told',
      ...this.#options.env,
    });
  }

  get workers(): Workers {
    if (this.#workers === undefined) throw new Error('open the rig first');
    return this.#workers;
  }

  get port(): number {
    return this.workers.port;
  }

  async open(): Promise<this> {
    await this.fleet.open();
    await this.openWorkers();
    return this;
  }

  async openWorkers(): Promise<void> {
    const { count = 2, port = 0, program = CLAIMING_WORKER } = this.#options;
    const { fleet, config, tally } = this;
    const log = this.#log;
    this.#workers = await openWorkers({ host: config.host, port, count, fleet, config, log, tally, program });
  }

  inFlight(name: string): number | undefined {
    return this.fleet.replicas().find((one) => one.name === name)?.inFlight;
  }

  /** Some key that the replica owns. */
  keyOf(name: string): string {
    for (let key = 0; key < 100_000; key++) if (this.fleet.ring.owner(`${key}`) === name) return `${key}`;
    throw new Error(`${name} owns no key`);
  }

  logged(message: string): LogLine[] {
    return this.lines.filter((line) => line.message.includes(message));
  }

  async end(): Promise<void> {
    rigs.delete(this);
    const pids = this.#workers?.pids ?? [];
    // First, so that what a test has left in flight there holds up nothing.
    await this.#workers?.close();
    await this.fleet.close(false);
    for (const pid of pids) if (!(await gone(pid))) throw new Error(`worker ${pid} is still there`);
  }

  #at(address: Address): string {
    const found = this.fleet.replicas().find((one) => one.address?.port === address.port);
    return found?.name ?? '';
  }
}

const rigs = new Set<WorkersRig>();

/** Ends what a test has opened; to be called after each. */
export async function endRigs(): Promise<void> {
  for (const rig of rigs) await rig.end();
}

/** Whether the process has ended. */
export async function gone(pid: number): Promise<boolean> {
  const stat = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => '');
  return stat === '' || stat.includes(') Z ');
}
