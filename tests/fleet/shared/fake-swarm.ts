import { marked, NameInUse, StartFailed, EngineGone } from '../../../src/runtime/runtime.ts';
import type { Address, Instance, InstanceSpec, Mark, Runtime } from '../../../src/runtime/runtime.ts';
import { EMPTY_ROSTER, type Commons, type Roster } from '../../../src/runtime/roster.ts';
import { startedNaming } from '../../../src/runtime/naming.ts';
import type { Clock } from '../../../src/fleet/clock.ts';
import type { FakeClock } from '../fake-clock.ts';

/** How long the Swarm waits for a host that it hears nothing of, in ms. */
export const HOST_PATIENCE_MS = 10_000;
/** How long a task takes from its start until it answers, in ms. */
const BOOT_MS = 300;
/** How long the Swarm waits before it starts a task again, in ms. */
const RESTART_MS = 1000;
/** An address is not given again sooner after its task has ended, in ms. */
const ADDRESS_REST_MS = 5000;

export interface Task {
  readonly name: string;
  readonly id: string;
  readonly host: number;
  readonly address: Address;
  answersAtMs: number;
  /** Whether the Swarm takes it to run. */
  running: boolean;
  /** Whether it does. */
  alive: boolean;
  silent: boolean;
}

interface Service {
  spec: InstanceSpec;
  task: Task | undefined;
  /** Until when nothing is started. */
  notBeforeMs: number;
}

/** Three hosts that are one Swarm, as far as a fleet can tell: services, tasks, the roster, and who hears of whom. */
export class FakeSwarm {
  readonly services = new Map<string, Service>();
  /** All that are alive, also those that the Swarm has given up, on a host that it does not hear of. */
  readonly tasks = new Set<Task>();
  readonly watchers = new Map<() => void, number>();
  readonly violations: string[] = [];
  roster: Roster = EMPTY_ROSTER;
  created = 0;
  latencyMs: () => number = () => 1;
  /** Names of services that are somebody else's. */
  readonly foreign = new Set<string>();
  readonly #clock: FakeClock;
  readonly #hosts: readonly number[];
  readonly #cutSinceMs = new Map<number, number>();
  readonly #dead = new Set<number>();
  readonly #freedMs = new Map<number, number>();
  #ids = 0;
  #place = 0;

  constructor(clock: FakeClock, hosts: number) {
    this.#clock = clock;
    this.#hosts = Array.from({ length: hosts }, (_, i) => i);
  }

  get hosts(): number {
    return this.#hosts.length;
  }

  /** Whether what is on the one host reaches what is on the other. */
  reaches(from: number, to: number): boolean {
    if (this.#dead.has(from) || this.#dead.has(to)) return false;
    return from === to || !(this.#cutSinceMs.has(from) || this.#cutSinceMs.has(to));
  }

  /** Whether an engine there can speak for the Swarm: more than half of the hosts hear of each other. */
  hasQuorum(host: number): boolean {
    return this.#hosts.filter((one) => this.reaches(host, one)).length * 2 > this.#hosts.length;
  }

  cut(host: number): void {
    this.#cutSinceMs.set(host, this.#clock.now());
    void this.#clock.sleep(HOST_PATIENCE_MS).then(() => this.#giveUp(host));
  }

  mend(host: number): void {
    this.#cutSinceMs.delete(host);
    for (const task of this.tasks)
      if (task.host === host && this.services.get(task.name)?.task !== task) this.#end(task);
    // What ended, or was to be started, while nobody could see to it.
    for (const [name, { task }] of this.services) if (task?.running !== true) this.#restart(name);
    this.tell();
  }

  /** The host dies with all that is on it. */
  kill(host: number): void {
    this.#dead.add(host);
    for (const task of this.tasks) if (task.host === host) this.#end(task);
    void this.#clock.sleep(HOST_PATIENCE_MS).then(() => this.#giveUp(host));
  }

  /** A replica's process ends by itself. */
  crash(name: string): void {
    const task = this.services.get(name)?.task;
    if (task === undefined || !task.alive) return;
    this.#end(task);
    if (this.hasQuorum(task.host)) this.#restart(name);
  }

  /** Who has that address, and is there. */
  at(address: Address): Task | undefined {
    return [...this.tasks].find((task) => task.address.port === address.port);
  }

  create(spec: InstanceSpec): void {
    if (this.foreign.has(spec.name)) throw new NameInUse(`${spec.name} is not ours`);
    if (this.services.has(spec.name)) return;
    this.created++;
    this.services.set(spec.name, { spec, task: undefined, notBeforeMs: 0 });
    this.#schedule(spec.name);
    this.tell();
  }

  remove(name: string): void {
    const task = this.services.get(name)?.task;
    this.services.delete(name);
    if (task !== undefined && this.hasQuorum(task.host)) this.#end(task);
    this.tell();
  }

  replace(name: string, id: string): void {
    const service = this.services.get(name);
    if (service?.task?.id !== id) return;
    this.#end(service.task);
    this.#restart(name);
  }

  change(change: (roster: Roster) => Roster): Roster {
    const changed = change(this.roster);
    if (changed === this.roster) return changed;
    const next = { ...changed, revision: this.roster.revision + 1 };
    const names = next.seats.map(({ name }) => name.toLowerCase());
    if (new Set(names).size < names.length) this.violations.push(`two seats of one name: ${names.join()}`);
    const orders = next.seats.filter(({ mark }) => mark === 'member').map(({ order }) => order);
    if (new Set(orders).size < orders.length) this.violations.push(`two of one order: ${orders.join()}`);
    this.roster = next;
    this.tell();
    return next;
  }

  /** Wakes those who watch from a host that hears of it. */
  tell(): void {
    for (const [wake, host] of this.watchers) if (this.hasQuorum(host)) queueMicrotask(wake);
  }

  #giveUp(host: number): void {
    const sinceMs = this.#cutSinceMs.get(host);
    const gone =
      this.#dead.has(host) || (sinceMs !== undefined && this.#clock.now() - sinceMs >= HOST_PATIENCE_MS);
    const quorum = this.#hosts.some((one) => one !== host && this.hasQuorum(one));
    if (!gone || !quorum) return;
    for (const [name, service] of this.services) if (service.task?.host === host) this.#restart(name);
  }

  #restart(name: string): void {
    const service = this.services.get(name);
    if (service === undefined) return;
    if (service.task !== undefined) service.task.running = false;
    service.notBeforeMs = this.#clock.now() + RESTART_MS;
    void this.#clock.sleep(RESTART_MS).then(() => this.#schedule(name));
  }

  #schedule(name: string): void {
    const service = this.services.get(name);
    if (service === undefined || this.#clock.now() < service.notBeforeMs) return;
    if (service.task?.running === true) return;
    const hosts = this.#hosts.filter((host) => this.hasQuorum(host));
    const host = hosts[this.#place++ % hosts.length];
    if (host === undefined) return;
    const task: Task = {
      name,
      id: `task-${++this.#ids}`,
      host,
      address: { host: '10.0.1.1', port: this.#freePort() },
      answersAtMs: this.#clock.now() + BOOT_MS,
      running: true,
      alive: true,
      silent: false,
    };
    this.tasks.add(task);
    service.task = task;
  }

  /** The one that is free for the longest. */
  #freePort(): number {
    const taken = new Set([...this.tasks].map(({ address }) => address.port));
    for (let port = 1; ; port++) {
      const freedMs = this.#freedMs.get(port) ?? Number.NEGATIVE_INFINITY;
      if (!taken.has(port) && this.#clock.now() - freedMs >= ADDRESS_REST_MS) return port;
    }
  }

  #end(task: Task): void {
    task.alive = false;
    task.running = false;
    this.tasks.delete(task);
    this.#freedMs.set(task.address.port, this.#clock.now());
  }
}

/** The way of one Ringmaster to the Swarm, from the host that it is on. */
export class FakeSwarmRuntime implements Runtime {
  readonly kind = 'swarm';
  readonly durable = true;
  readonly owns = true;
  readonly naming = startedNaming;
  readonly commons: Commons;
  /** What `dismissed` says. */
  dismissed: 'yes' | 'no' | 'not its part' = 'no';
  closed: boolean | undefined;
  readonly #swarm: FakeSwarm;
  readonly #clock: Clock;
  readonly #host: number;
  readonly #unwatch = new Set<() => void>();

  /** `clock` is one that a dead Ringmaster hears nothing of. */
  constructor(swarm: FakeSwarm, clock: Clock, host: number) {
    this.#swarm = swarm;
    this.#clock = clock;
    this.#host = host;
    this.commons = {
      self: `host-${host}`,
      voters: swarm.hosts,
      url: (port) => `http://host-${host}:${port}`,
      read: () => this.#call(() => swarm.roster),
      change: (change) => this.#call(() => swarm.change(change)),
      replace: (name, id) => this.#call(() => swarm.replace(name, id)),
      dismissed: () => this.#call(() => this.dismissed),
    };
  }

  async list(): Promise<Instance[]> {
    const services = await this.#call(() =>
      [...this.#swarm.services.values()].map(({ spec, task }) => ({
        spec,
        task: task === undefined ? undefined : { ...task },
      })),
    );
    const { seats } = await this.commons.read();
    return services.map(({ spec, task }) => {
      const seat = seats.find(({ name }) => name === spec.name);
      return {
        ...spec,
        ...marked(seat?.mark ?? 'joining'),
        id: task?.id ?? `service ${spec.name}`,
        state: task?.running === true ? 'running' : 'ended',
        address: task?.address,
      };
    });
  }

  async start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance> {
    await this.#call(() => this.#swarm.create(spec));
    for (;;) {
      if (signal.aborted) {
        if (!spec.committed) await this.stop(spec.name);
        throw new StartFailed('was given up');
      }
      const found = (await this.list()).find(({ name }) => name === spec.name);
      if (found?.state === 'running') return found;
      await this.#clock.sleep(100, signal);
    }
  }

  async mark(names: readonly string[], as: Mark): Promise<string[]> {
    const { seats } = await this.commons.change((roster) => ({
      ...roster,
      seats: roster.seats.map((seat) => (names.includes(seat.name) ? { ...seat, mark: as } : seat)),
    }));
    return names.filter((name) => !seats.some((seat) => seat.name === name));
  }

  async stop(name: string): Promise<void> {
    const before = (await this.commons.read()).seats.find((seat) => seat.name === name);
    await this.#call(() => this.#swarm.remove(name));
    await this.commons.change((roster) => {
      const seats = roster.seats.filter((seat) => seat.name !== name || seat.join !== before?.join);
      return seats.length === roster.seats.length ? roster : { ...roster, seats };
    });
  }

  watch(wake: () => void): () => void {
    const { watchers } = this.#swarm;
    const told = (): void => wake();
    watchers.set(told, this.#host);
    const unwatch = (): void => void watchers.delete(told);
    this.#unwatch.add(unwatch);
    return unwatch;
  }

  /** As when the process dies that it belongs to. */
  die(): void {
    for (const unwatch of this.#unwatch) unwatch();
  }

  close(keep: boolean): Promise<void> {
    this.closed = keep;
    return Promise.resolve();
  }

  async #call<T>(act: () => T): Promise<T> {
    const { latencyMs } = this.#swarm;
    await this.#clock.sleep(latencyMs());
    if (!this.#swarm.hasQuorum(this.#host)) {
      await this.#clock.sleep(100);
      throw new EngineGone('the swarm has no leader');
    }
    const result = act();
    await this.#clock.sleep(latencyMs());
    // What was asked has been done, and nobody hears of it.
    if (!this.#swarm.hasQuorum(this.#host)) throw new EngineGone('the answer was lost');
    return result;
  }
}
