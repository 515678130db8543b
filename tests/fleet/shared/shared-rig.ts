import { afterEach, expect, setDefaultTimeout } from 'bun:test';
import { PLAIN_BALANCE } from '../../../src/fleet/chooser.ts';
import type { Clock } from '../../../src/fleet/clock.ts';
import type { FleetOptions } from '../../../src/fleet/fleet.ts';
import type { Heartbeat } from '../../../src/fleet/heartbeat.ts';
import { Unavailable } from '../../../src/fleet/errors.ts';
import type { Lease } from '../../../src/fleet/member.ts';
import type { AskPeer } from '../../../src/fleet/shared/peers.ts';
import { SharedFleet } from '../../../src/fleet/shared/shared-fleet.ts';
import { namesOf } from '../../../src/fleet/membership.ts';
import { membersOf } from '../../../src/fleet/shared/seats.ts';
import type { Log } from '../../../src/log.ts';
import { FakeClock } from '../fake-clock.ts';
import { FakeSwarm, FakeSwarmRuntime } from './fake-swarm.ts';

const PATIENCE_MS = 60_000;
/** Long enough for anything that is under way to come to its end, and for a host to be given up. */
export const QUIET_MS = 60_000;

export interface Life {
  readonly host: number;
  readonly fleet: SharedFleet;
  readonly runtime: FakeSwarmRuntime;
  readonly lines: { readonly level: keyof Log; readonly message: string }[];
  alive: boolean;
}

/** Several Ringmasters in a world of fakes, one on each host of a Swarm. */
export class SharedRig {
  readonly clock: FakeClock;
  readonly swarm: FakeSwarm;
  /** By host; undefined where none runs. */
  readonly lives: (Life | undefined)[] = [];
  readonly #config: Partial<FleetOptions['config']>;

  constructor(
    hosts = 3,
    config: Partial<FleetOptions['config']> = {},
    clockOptions: ConstructorParameters<typeof FakeClock>[0] = {},
  ) {
    this.clock = new FakeClock(clockOptions);
    this.swarm = new FakeSwarm(this.clock, hosts);
    this.#config = config;
    for (let host = 0; host < hosts; host++) this.lives.push(this.begin(host));
    rigs.add(this);
  }

  life(host: number): Life {
    const life = this.lives[host];
    if (life === undefined) throw new Error(`No Ringmaster runs on host ${host}`);
    return life;
  }

  fleet(host: number): SharedFleet {
    return this.life(host).fleet;
  }

  /** All that run. */
  get running(): Life[] {
    return this.lives.filter((life) => life !== undefined);
  }

  async open(): Promise<void> {
    await this.clock.until(Promise.all(this.running.map(({ fleet }) => fleet.open())));
  }

  add(host: number, n: number, ...hostnames: string[]): Promise<string[]> {
    return this.clock.until(this.fleet(host).add({ n, hostnames }));
  }

  remove(host: number, n: number, ...hostnames: string[]): Promise<string[]> {
    return this.clock.until(this.fleet(host).remove({ n, hostnames }));
  }

  /** A Ringmaster dies where it stands. */
  crash(host: number): void {
    const life = this.life(host);
    life.alive = false;
    life.runtime.die();
    this.lives[host] = undefined;
  }

  /** A new one, not opened yet. */
  restart(host: number): Life {
    const life = this.begin(host);
    this.lives[host] = life;
    return life;
  }

  async close(host: number, keep = false): Promise<void> {
    await this.clock.until(this.fleet(host).close(keep));
    this.lives[host] = undefined;
  }

  /** The members, as the Swarm has them. */
  get members(): string[] {
    return namesOf(membersOf(this.swarm.roster));
  }

  /** What each tells of who owns the keys: the names of its map, or that it can't say. */
  maps(): string[] {
    return this.running.map(({ fleet }) => {
      try {
        fleet.owner('key');
      } catch (error) {
        if (error instanceof Unavailable) return 'cut off';
        throw error;
      }
      return fleet.standing().map.names.join();
    });
  }

  /** A lease at that host of that replica. */
  claim(host: number, name: string): Lease {
    for (let key = 0; key < 10_000; key++) {
      if (this.fleet(host).ring.owner(`${key}`) !== name) continue;
      const lease = this.fleet(host).claim(`${key}`);
      if (lease !== undefined) return lease;
    }
    throw new Error(`${name} owns no key`);
  }

  /** What must hold at every moment. */
  check(): void {
    expect(this.swarm.violations).toEqual([]);
    for (const { fleet, host } of this.running)
      for (const { name, state, address } of fleet.replicas()) {
        if (state !== 'ready' || address === undefined) continue;
        const task = this.swarm.at(address);
        // A request would be answered by another than the one that it was for.
        if (task !== undefined && this.swarm.reaches(host, task.host)) expect(task.name).toBe(name);
      }
  }

  /** What must hold when all have been left alone for a while. */
  async settle(): Promise<void> {
    await this.clock.advance(QUIET_MS);
    this.check();
    const map = this.members.toSorted().join();
    expect(this.maps()).toEqual(this.running.map(() => map));
    for (const { fleet } of this.running) {
      expect(fleet.names()).toEqual(this.members);
      expect(fleet.replicas().filter(({ state }) => state !== 'ready')).toEqual([]);
      expect(fleet.standing().leaving).toEqual([]);
      expect(fleet.standing().disagreementMs).toBe(0);
    }
    expect([...this.swarm.services.keys()].sort()).toEqual(this.members.toSorted());
    expect(namesOf(this.swarm.roster.seats).sort()).toEqual(this.members.toSorted());
  }

  async end(): Promise<void> {
    rigs.delete(this);
    for (const { host } of this.running) await this.close(host, true);
    // Nobody sleeps for ever.
    await this.clock.advance(QUIET_MS * 3);
    expect({ sleepers: this.clock.sleepers, watchers: this.swarm.watchers.size }).toEqual({
      sleepers: 0,
      watchers: 0,
    });
  }

  begin(host: number): Life {
    const lines: Life['lines'] = [];
    const log = (level: keyof Log) => (_fields: object, message: string) =>
      void lines.push({ level, message });
    const clock: Clock = {
      now: () => this.clock.now(),
      sleep: async (ms, signal) => {
        await this.clock.sleep(ms, signal);
        if (!life.alive) await new Promise<never>(() => {});
      },
    };
    const runtime = new FakeSwarmRuntime(this.swarm, clock, host);
    const fleet = new SharedFleet({
      runtime,
      clock,
      heartbeat: this.#heartbeat(host, clock),
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
        ...this.#config,
      },
      port: 5000,
      ask: this.#ask(host, clock),
    });
    const life: Life = { host, fleet, runtime, lines, alive: true };
    return life;
  }

  #heartbeat(host: number, clock: Clock): Heartbeat {
    return async (address, _path, deadlineMs, signal) => {
      await clock.sleep(1, signal);
      const task = this.swarm.at(address);
      const answers =
        task !== undefined &&
        this.swarm.reaches(host, task.host) &&
        !task.silent &&
        this.clock.now() >= task.answersAtMs;
      if (!answers) await clock.sleep(deadlineMs, signal);
      return answers && !signal.aborted ? 'answered' : 'failed';
    };
  }

  #ask(host: number, clock: Clock): AskPeer {
    return async (url, deadlineMs, signal) => {
      await clock.sleep(1, signal);
      const asked = this.running.find(({ host: other }) => url === `http://host-${other}:5000`);
      if (asked === undefined || !this.swarm.reaches(host, asked.host)) {
        await clock.sleep(deadlineMs, signal);
        return undefined;
      }
      const { digest, revision, replicas, reached, leaving, peers } = asked.fleet.standing();
      // Its port does not answer yet.
      if (revision < 0) return undefined;
      return {
        digest,
        revision,
        ready: new Set(replicas.flatMap(({ name, state }) => (state === 'ready' ? [name] : []))),
        reached: new Set(reached),
        leaving: new Set(leaving.map(({ name }) => name)),
        others: new Map(
          peers.flatMap(({ url: known, heard }) =>
            heard === undefined ? [] : [[known, heard.revision] as const],
          ),
        ),
      };
    };
  }
}

const rigs = new Set<SharedRig>();

/** Ends each test's rigs after it. To be called in each file that uses them. */
export function endSharedRigs(): void {
  setDefaultTimeout(PATIENCE_MS);
  afterEach(async () => {
    for (const rig of rigs) await rig.end();
  });
}
