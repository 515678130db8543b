import type { Address, Instance, InstanceSpec, Mark } from '../../src/runtime/runtime.ts';
import { marked, NameInUse, StartFailed } from '../../src/runtime/runtime.ts';
import type { FakeClock } from './fake-clock.ts';

/** What becomes of a start, once the engine is asked to carry it out. */
export type StartFault =
  /** It is refused. */
  | 'fails'
  /** It ends by its being given up only. */
  | 'hangs'
  /** The instance ends as soon as it runs. */
  | 'ends'
  | 'has no address'
  | undefined;

/** How a running instance takes heartbeats. */
export type Health = 'well' | 'failing' | 'silent' | 'refusing';

/** One container, as the engine holds it. */
export interface Container {
  spec: InstanceSpec;
  readonly id: string;
  readonly address: Address | undefined;
  /** When it begins to answer. */
  answersAtMs: number;
  committed: boolean;
  leaving: Instance['leaving'];
  state: Instance['state'];
  health: Health;
  /** Whether requests fail there, however heartbeats fare. */
  erring: boolean;
  /** When its end or its pause was told of; undefined where it was not. */
  toldMs: number | undefined;
}

/** What happens to the news of a change. */
export type Events = 'told' | 'lost' | 'repeated' | 'late';

/**
 * An engine that holds containers: the part of the world that outlives a Ringmaster. Tests change it behind the
 * fleet's back; a FakeRuntime is the fleet's way to it.
 */
export class FakeEngine {
  /** What one way of a call takes, to the engine or back from it, in ms. */
  latencyMs: () => number = () => 0;
  /** How long a container takes from its start until it answers, in ms. */
  bootMs: (spec: InstanceSpec) => number = () => 1;
  /** How long the engine takes over a start before it runs, in ms, whether it is given up or not. */
  startMs: (spec: InstanceSpec) => number = () => 0;
  /** How long a container that is asked to end takes to do so, in ms. */
  stopMs: (name: string) => number = () => 0;
  /** How long the engine takes to remove a container, in ms. */
  removeMs: (name: string) => number = () => 0;
  startFault: (spec: InstanceSpec) => StartFault = () => undefined;
  /** Thrown when the container of that name is to be renamed, which is how it gets its mark. */
  renameFault: (name: string, as: Mark) => Error | undefined = () => undefined;
  /** Thrown when the weight of the container of that name is to be noted. */
  weighFault: (name: string) => Error | undefined = () => undefined;
  /** Thrown when the containers of that name are to be removed. */
  removeFault: (name: string) => Error | undefined = () => undefined;
  events: Events = 'told';
  /** How much later late news are told, in ms. */
  lateMs: () => number = () => 1000;
  /** Told of each container that is about to be ended on request of one who lives. */
  ending: (container: Container) => void = () => {};
  /** How the address of a container that is no more takes a heartbeat: a process's port refuses, a container's is silent. */
  deadAre: 'refusing' | 'silent' = 'refusing';
  /** Whether it answers nothing at all. */
  gone = false;
  /** Names that something else has. */
  readonly foreign = new Set<string>();
  /** Heartbeats that were sent to its containers. */
  heartbeats = 0;
  /** Names of what was taken away behind the fleet's back, or changed by a call of one who had died, until it is seen to. */
  readonly tampered = new Set<string>();
  /** Names of what was marked, or made as a member's, by a call that came in after its sender's death, since somebody cleared it. */
  readonly late = new Set<string>();
  /** Names whose weight was noted last for one who had died by then. */
  readonly weighedLate = new Set<string>();
  readonly watchers = new Set<() => void>();
  /** Each that a container was given a new name for, and as what. */
  readonly renames: string[] = [];
  /** What must never happen, should it have. */
  readonly violations: string[] = [];
  readonly #clock: FakeClock;
  readonly #containers = new Map<string, Container>();
  /** All that ever were: no port is given twice. */
  readonly #byPort = new Map<number, Container>();
  #nextId = 1;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  all(): Container[] {
    return [...this.#containers.values()];
  }

  named(name: string): Container[] {
    const found: Container[] = [];
    for (const one of this.#containers.values()) if (one.spec.name === name) found.push(one);
    return found;
  }

  /** The one container of that name that has not ended; throws where there is none. */
  live(name: string): Container {
    const found = this.named(name).find((one) => one.state !== 'ended');
    if (found === undefined) throw new Error(`No container of ${name} is alive`);
    return found;
  }

  /** Who has the address, dead or alive. */
  at({ port }: Address): Container | undefined {
    const found = this.#byPort.get(port);
    return found !== undefined && this.#containers.has(found.id) ? found : undefined;
  }

  /** Whose address it is, or was. */
  whose({ port }: Address): string | undefined {
    return this.#byPort.get(port)?.spec.name;
  }

  /** Ends a container, as a crash would. */
  kill(name: string): void {
    this.#change(name, 'ended');
  }

  /** Ends and removes a container. */
  vanish(name: string): void {
    const one = this.#change(name, 'ended');
    this.#containers.delete(one.id);
    if (this.named(name).length === 0) this.tampered.add(name);
    // Its end decides for all that leave with it, of whom not each may be marked yet.
    if (one.leaving !== 'first') return;
    for (const { spec, leaving } of this.all()) if (leaving === 'other') this.tampered.add(spec.name);
  }

  pause(name: string): void {
    this.#change(name, 'paused');
  }

  resume(name: string): void {
    this.#change(name, 'running');
  }

  /** When the end or the pause of what has that port was told of. */
  toldMs(port: number): number | undefined {
    return this.#byPort.get(port)?.toldMs;
  }

  /** What a run of ours left behind, or another Ringmaster. */
  plant(spec: InstanceSpec, state: Instance['state'] = 'running'): Container {
    // It makes good nothing of what was taken away before.
    const wasTampered = this.tampered.has(spec.name);
    const one = this.create(spec, undefined);
    if (wasTampered) this.tampered.add(spec.name);
    this.run(one, undefined);
    one.state = state;
    return one;
  }

  /** A container that does not run yet; `late`: who asked for it has died since. Throws NameInUse or StartFailed. */
  create(spec: InstanceSpec, fault: StartFault, late = false): Container {
    if (spec.committed && this.foreign.has(spec.name)) throw new NameInUse(`${spec.name} is not ours`);
    if (fault === 'fails') throw new StartFailed('no such image');
    const number = this.#nextId++;
    const container: Container = {
      spec,
      id: `container-${number}`,
      address: fault === 'has no address' ? undefined : { host: '10.0.0.1', port: number },
      answersAtMs: Infinity,
      committed: spec.committed,
      leaving: undefined,
      state: 'ended',
      health: 'well',
      erring: false,
      toldMs: undefined,
    };
    this.#containers.set(container.id, container);
    this.tampered.delete(spec.name);
    if (late && spec.committed) this.late.add(spec.name);
    this.#byPort.set(number, container);
    this.tell();
    return container;
  }

  /** Throws StartFailed. */
  run(container: Container, fault: StartFault): void {
    const { spec, id } = container;
    if (!this.#containers.has(id)) throw new StartFailed(`no such container: ${id}`);
    if (this.named(spec.name).some((one) => one.state !== 'ended'))
      this.violations.push(`two containers of ${spec.name} are alive`);
    container.answersAtMs = this.#clock.now() + this.bootMs(spec);
    if (fault !== 'ends') container.state = 'running';
    this.tell();
  }

  /** Gives whether the container is there; `late`: who asked for it has died since. Throws NameInUse or the planned fault. */
  rename(id: string, as: Mark, late = false): boolean {
    const one = this.#containers.get(id);
    if (one === undefined) return false;
    const { name } = one.spec;
    const fault = this.renameFault(name, as);
    if (fault !== undefined) throw fault;
    if (as === 'member' && this.foreign.has(name)) throw new NameInUse(`${name} is not ours`);
    Object.assign(one, marked(as));
    const decided = as === 'leaving' && !this.all().some(({ leaving }) => leaving === 'first');
    if (late || decided) this.tampered.add(name);
    else this.tampered.delete(name);
    if (late) this.late.add(name);
    this.renames.push(`${name} ${as}`);
    this.tell();
    return true;
  }

  /** Gone already is success; `late`: who asked for it has died since. Throws the planned fault. */
  weigh(id: string, weight: number, late = false): void {
    const one = this.#containers.get(id);
    if (one === undefined) return;
    const fault = this.weighFault(one.spec.name);
    if (fault !== undefined) throw fault;
    one.spec = { ...one.spec, weight };
    if (late) this.weighedLate.add(one.spec.name);
    else this.weighedLate.delete(one.spec.name);
  }

  /** Gone already is success; `late`: who asked for it has died since. Throws the planned fault. */
  remove(id: string, late = false): void {
    const one = this.#containers.get(id);
    if (one === undefined) return;
    const fault = this.removeFault(one.spec.name);
    if (fault !== undefined) throw fault;
    if (one.state !== 'ended' && !late) this.ending(one);
    this.#containers.delete(id);
    if (late) this.tampered.add(one.spec.name);
    this.tell();
  }

  tell(): void {
    if (this.events === 'lost' || this.gone) return;
    const tell = (): void => {
      for (const wake of this.watchers) wake();
    };
    if (this.events === 'late') void this.#clock.sleep(this.lateMs()).then(tell);
    else for (let times = this.events === 'repeated' ? 3 : 1; times > 0; times--) queueMicrotask(tell);
  }

  #change(name: string, state: Instance['state']): Container {
    const one = this.live(name);
    one.state = state;
    const told = state !== 'running' && !this.gone && (this.events === 'told' || this.events === 'repeated');
    one.toldMs = told ? this.#clock.now() : undefined;
    this.tell();
    return one;
  }
}
