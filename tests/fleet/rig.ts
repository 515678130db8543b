import { afterAll, afterEach, expect, setDefaultTimeout } from 'bun:test';
import { PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import type { ReplicaView } from '../../src/fleet/crew.ts';
import type { Fleet, FleetOptions } from '../../src/fleet/fleet.ts';
import type { Lease } from '../../src/fleet/member.ts';
import type { Log } from '../../src/log.ts';
import type { InstanceSpec } from '../../src/runtime/runtime.ts';
import { FakeClock, type FakeClockOptions } from './fake-clock.ts';
import { FakeEngine } from './fake-engine.ts';
import { fakeHeartbeat } from './fake-heartbeat.ts';
import { FakeRuntime } from './fake-runtime.ts';
import { Ringmaster } from './ringmaster.ts';

/** For a test: virtual time costs none, but many seeds do on a busy machine. */
const PATIENCE_MS = 60_000;
/** More than any timer of a fleet lasts: what sleeps beyond that was forgotten. */
const LONGEST_TIMER_MS = 120_000;

export interface RigOptions {
  readonly config?: Partial<FleetOptions['config']>;
  readonly durable?: boolean;
  /** False: the engine's containers stand for servers that somebody else runs. */
  readonly owns?: boolean;
  readonly tie?: FakeClockOptions['tie'];
  readonly heartbeatLatencyMs?: () => number;
}

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: object;
  readonly atMs: number;
}

/** A fleet in a world of fakes, and that world: an engine, time and a log. */
export class Rig {
  readonly clock: FakeClock;
  readonly engine: FakeEngine;
  readonly lines: LogLine[] = [];
  readonly #options: RigOptions;
  #ringmaster: Ringmaster;
  #closed = false;

  constructor(options: RigOptions = {}) {
    this.#options = options;
    this.clock = new FakeClock(options.tie === undefined ? {} : { tie: options.tie });
    this.engine = new FakeEngine(this.clock);
    this.#ringmaster = this.#start();
    if (!ending)
      throw new Error('Nobody would end this rig: a file that uses rigs calls endRigs() at its top');
    rigs.add(this);
  }

  get fleet(): Fleet {
    return this.#ringmaster.fleet;
  }

  get runtime(): FakeRuntime {
    return this.#ringmaster.runtime;
  }

  open(): Promise<void> {
    return this.clock.until(this.fleet.open());
  }

  add(n: number, ...hostnames: string[]): Promise<string[]> {
    return this.clock.until(this.fleet.add({ n, hostnames }));
  }

  remove(n: number, ...hostnames: string[]): Promise<string[]> {
    return this.clock.until(this.fleet.remove({ n, hostnames }));
  }

  close(keep = false): Promise<void> {
    this.#closed = true;
    return this.clock.until(this.fleet.close(keep));
  }

  /** Ringmaster dies where it stands, and the next one, not opened yet, finds what the engine holds. */
  crash(): void {
    this.#ringmaster.die();
    this.restart();
  }

  /** A new Ringmaster, not opened yet, on the same engine. */
  restart(): void {
    this.#ringmaster = this.#start();
    this.#closed = false;
  }

  view(name: string): ReplicaView {
    const view = this.fleet.replicas().find((one) => one.name === name);
    if (view === undefined) throw new Error(`${name} is no member`);
    return view;
  }

  /** A lease of that replica, by the first of some keys that it owns. */
  claim(name: string): Lease {
    for (let key = 0; key < 10_000; key++) {
      if (this.fleet.ring.owner(`${key}`) !== name) continue;
      const lease = this.fleet.claim(`${key}`);
      if (lease !== undefined) return lease;
    }
    throw new Error(`${name} owns no key`);
  }

  /** Each replica with its state, in joining order. */
  states(): string {
    return this.fleet
      .replicas()
      .map(({ name, state }) => `${name} ${state}`)
      .join(', ');
  }

  /** Names of all that the engine holds, in the order of their making. */
  held(): string[] {
    return this.engine.all().map((one) => one.spec.name);
  }

  /** Lines of one level that were logged, for who wants to see why. */
  logged(level: keyof Log): LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }

  /** What must hold at every moment, whatever goes on. */
  check(): void {
    expect(this.engine.violations).toEqual([]);
    const views = this.fleet.replicas();
    const ready = views.filter((one) => one.state === 'ready');
    expect(this.fleet.ring.names).toEqual(ready.map((one) => one.name).sort());
    for (const { address } of ready) expect(address).toBeDefined();
    expect(views.map((one) => one.name)).toEqual(this.fleet.names());
    expect(new Set(views.map((one) => one.name.toLowerCase())).size).toBe(views.length);
    expect(views.filter((one) => one.state === 'gone')).toEqual([]);
  }

  /** Closes what is still open, and looks for what should have ended with it. */
  async end(): Promise<void> {
    rigs.delete(this);
    this.check();
    // A test that made the engine fail is over; what is asked now is whether all comes to its end.
    this.engine.gone = false;
    if (!this.#closed) {
      await this.close();
      expect(this.held()).toEqual([]);
    }
    await this.clock.advance(LONGEST_TIMER_MS);
    expect({ sleepers: this.clock.sleepers, watchers: this.engine.watchers.size }).toEqual({
      sleepers: 0,
      watchers: 0,
    });
    expect(this.engine.violations).toEqual([]);
  }

  #start(): Ringmaster {
    const { config, durable, owns, heartbeatLatencyMs } = this.#options;
    const { clock, engine } = this;
    const log = (level: keyof Log) => (fields: object, message: string) =>
      void this.lines.push({ level, message, fields, atMs: clock.now() });
    return new Ringmaster({
      runtime: new FakeRuntime({
        engine,
        clock,
        ...(durable === undefined ? {} : { durable }),
        ...(owns === undefined ? {} : { owns }),
      }),
      clock,
      heartbeat: fakeHeartbeat({
        engine,
        clock,
        ...(heartbeatLatencyMs === undefined ? {} : { latencyMs: heartbeatLatencyMs }),
      }),
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      config: {
        replicas: 3,
        maxReplicas: 64,
        heartbeatPath: '/heartbeat',
        heartbeatIntervalMs: 1000,
        heartbeatFailures: 3,
        startTimeoutMs: 30_000,
        drainTimeoutMs: 10_000,
        slowStartMs: 0,
        ...PLAIN_BALANCE,
        ...config,
      },
    });
  }
}

const rigs = new Set<Rig>();
let ending = false;

/**
 * Ends each test's rigs after it, which is half of what they test. To be called in each file that uses them: hooks of a
 * module that several files import are those of the first file alone, and its module is loaded once.
 */
export function endRigs(): void {
  ending = true;
  setDefaultTimeout(PATIENCE_MS);
  afterEach(async () => {
    for (const rig of rigs) await rig.end();
  });
  afterAll(() => {
    ending = false;
  });
}

/** What the engine holds of an add that was committed. */
export function member(name: string, order: number, more: Partial<InstanceSpec> = {}): InstanceSpec {
  return { name, order, join: `join-${order}`, committed: true, ...more };
}

/** The error with which `pending` ends; throws when it does not. */
export async function failure(pending: Promise<unknown>): Promise<Error> {
  try {
    await pending;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`it failed with ${String(error)}, which is no Error`, { cause: error });
  }
  throw new Error('it did not fail');
}
