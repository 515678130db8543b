import { PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import type { ReplicaView } from '../../src/fleet/crew.ts';
import type { Fleet, FleetOptions } from '../../src/fleet/fleet.ts';
import { FleetError } from '../../src/fleet/errors.ts';
import { CHANGES_WAITING_MAX } from '../../src/fleet/queue.ts';
import type { Log } from '../../src/log.ts';
import { hash32 } from '../../src/ring/hash.ts';
import { Chance } from '../fleet/chance.ts';
import { FakeClock } from '../fleet/fake-clock.ts';
import { FakeEngine } from '../fleet/fake-engine.ts';
import { fakeHeartbeat } from '../fleet/fake-heartbeat.ts';
import { FakeRuntime } from '../fleet/fake-runtime.ts';
import { Ringmaster } from '../fleet/ringmaster.ts';
import { Clients } from './clients.ts';
import { History, same, shown, told, type Wish } from './history.ts';
import {
  DRAIN_TIMEOUT_MS,
  FIRST_MEMBERS,
  HEARTBEAT_FAILURES,
  HEARTBEAT_INTERVAL_MS,
  MEMBERS_MAX,
  START_TIMEOUT_MS,
} from './limits.ts';
import { Doubts } from './legacy.ts';
import { Notice } from './notice.ts';
import { PassiveHealth } from './passive.ts';
import { Broken, type Rule } from './rule.ts';
import { Scales } from './weights.ts';
import { Workers, type Worker } from './workers.ts';

/** Wake-ups of which nothing was told, from one look at everything to the next. */
const WAKES_UNWATCHED_MAX = 4;

export interface WorldOptions {
  readonly seed: number;
  /** Makes the fleet; for who tests that one which breaks a rule is found out. */
  readonly make?: ((options: FleetOptions) => Fleet) | undefined;
  /** Where each thing that happens is noted, for who wants to read it. */
  readonly trace?: string[] | undefined;
}

/** What there was of each. */
export interface Figures {
  accepted: number;
  refused: number;
  crashes: number;
}

/** One fleet in a world where anything may happen, and what is known of it from its answers alone. */
export class World {
  readonly clock: FakeClock;
  readonly engine: FakeEngine;
  readonly chance: Chance;
  readonly history = new History(MEMBERS_MAX);
  readonly clients: Clients;
  readonly passive: PassiveHealth;
  readonly doubts: Doubts;
  readonly scales: Scales;
  /** Whether callers ask for weights; where not, a seed's run is the one that it was before there were any. */
  readonly weighs: boolean;
  readonly figures: Figures = { accepted: 0, refused: 0, crashes: 0 };
  /** Calls that have no answer yet. */
  readonly asking = new Set<Promise<void>>();
  workers: Workers | undefined;
  /** How many worker processes follow the fleet. */
  readonly workerCount: number;
  /** What a message to or from a worker takes, in ms. */
  lagMs: () => number;
  /** Whether a Ringmaster is taking over what there is. */
  opening = false;
  /** Set while the fleet is being closed. */
  closing: { readonly beganMs: number; forced: boolean } | undefined;
  /** Whether the engine was told to fail at something, or to take long over it. */
  faulty = false;
  /** Of heartbeats and requests, the part that gets lost. */
  loss = 0;
  /** What one way of a heartbeat takes at most, beside what it takes always, in ms. */
  slownessMs = 0;
  readonly #options: WorldOptions;
  readonly #notice: Notice;
  readonly #broken: Broken[] = [];
  #digest = 0;
  #troubledMs = 0;
  #foreignMs = -Infinity;
  #unwatched = 0;
  #watchedRing: Fleet['ring'] | undefined;
  #life: Ringmaster;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.chance = new Chance(hash32(`world ${options.seed}`));
    this.clock = new FakeClock({
      tie: (count) => (count === 1 ? 0 : this.chance.below(count)),
      woken: () => this.#woken(),
    });
    this.engine = new FakeEngine(this.clock);
    this.engine.ending = (container) => this.clients.ending(container);
    this.clients = new Clients(this);
    this.passive = new PassiveHealth(this);
    this.doubts = new Doubts(this);
    this.scales = new Scales(this);
    this.weighs = options.seed % 4 === 1;
    this.#notice = new Notice(this);
    this.workerCount = options.seed % 2 === 0 ? 0 : 1 + (options.seed % 3);
    this.lagMs = () => this.chance.below(8);
    this.#life = this.#start();
  }

  get life(): Ringmaster {
    return this.#life;
  }

  get fleet(): Fleet {
    return this.#life.fleet;
  }

  /** Of all that was noted so far. */
  get digest(): number {
    return this.#digest;
  }

  readonly note = (what: string): void => {
    const line = `${this.clock.now()} ${what}`;
    this.#digest = hash32(line, this.#digest);
    this.#options.trace?.push(line);
  };

  /** What a request takes to its replica, in ms. */
  readonly latencyMs = (): number => 1 + this.chance.below(30);

  readonly losesRequest = (): boolean => this.chance.happens(this.loss);

  /** Takes note that a rule was broken, where throwing would tell the fleet. */
  breaks(rule: Rule, message: string): void {
    this.#broken.push(new Broken(rule, message));
  }

  /** Takes note of what was thrown where nobody would catch it. */
  readonly failed = (error: unknown): void => {
    if (error instanceof Broken) this.#broken.push(error);
    else this.breaks('bug', error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  /** A new Ringmaster, not opened yet, on the same engine. */
  restart(): void {
    this.#life = this.#start();
    this.workers = undefined;
    this.closing = undefined;
    this.#notice.forget();
    this.passive.forget();
  }

  /** The worker that `pick` says, dead or alive; undefined where there is none. */
  worker(pick: number): Worker | undefined {
    const running = this.workers?.running ?? [];
    return running[pick % running.length];
  }

  /** Its workers begin. */
  follow(): void {
    const { fleet, clock } = this;
    if (this.workerCount > 0)
      this.workers = new Workers({
        fleet,
        clock,
        count: this.workerCount,
        latencyMs: () => this.lagMs(),
        apply: (report, act) =>
          report.type === 'failed' && report.failure === 'failing' ? this.passive.heed(act) : act(),
        failed: this.failed,
      });
  }

  /** A caller asks for a change, and waits for its answer beside whatever else happens. */
  ask(wish: Wish): void {
    const { fleet, history } = this;
    this.note(`asked to ${told({ wish })}`);
    const full = history.pending.size + this.scales.waiting >= CHANGES_WAITING_MAX;
    const call = history.asked(wish);
    const askedMs = this.clock.now();
    const pending = fleet[wish.verb](wish).then(
      (names) =>
        this.answer(fleet, () => {
          this.note(`${told(call)}: ${shown(names)}`);
          this.#observe(fleet.replicas());
          history.accepted(call, names);
          if (wish.verb === 'add') this.scales.added(names.slice(-wish.n), wish);
          this.#mustBeInForce(wish.verb === 'add' ? names.slice(-wish.n) : []);
          this.figures.accepted++;
        }),
      (error: unknown) =>
        this.answer(fleet, () => {
          if (!(error instanceof FleetError)) throw error;
          this.note(`${told(call)}: ${error.status} ${error.message}`);
          const excused =
            error.status === 503
              ? full || this.closing !== undefined || this.#troubledMs >= askedMs
              : error.status === 409 && this.#foreignMs >= askedMs;
          if (error.status === 503) this.doubts.refused(wish);
          history.refused(call, error.status, excused);
          this.figures.refused++;
        }),
    );
    this.asking.add(pending);
    void pending.then(() => this.asking.delete(pending));
  }

  /** From here on 503 is an answer. */
  trouble(): void {
    this.#troubledMs = this.clock.now();
  }

  /** Whether there was anything since then that lets a call fail by right. */
  troubledSince(ms: number): boolean {
    return this.#inTrouble() || this.#troubledMs >= ms;
  }

  /** Most who wake change nothing: what is not told of by the fleet's log or its ring is seen a little later. */
  #woken(): void {
    this.#unwatched++;
    const { ring } = this.fleet;
    if (this.#unwatched >= WAKES_UNWATCHED_MAX || ring !== this.#watchedRing || this.#broken.length > 0)
      this.watch();
  }

  /** What must hold at every moment; gives what the fleet shows. */
  watch(): readonly ReplicaView[] {
    this.#unwatched = 0;
    this.#watchedRing = this.fleet.ring;
    const [broken] = this.#broken;
    if (broken !== undefined) throw broken;
    const { engine, fleet, clock } = this;
    if (engine.violations.length > 0) throw new Broken('one of a name', engine.violations.join(', '));
    const nowMs = clock.now();
    this.#notice.look();
    this.doubts.look();
    if (engine.foreign.size > 0) this.#foreignMs = nowMs;
    if (this.#inTrouble()) this.#troubledMs = nowMs;
    const views = fleet.replicas();
    const ready: string[] = [];
    for (const { name, state, address } of views) {
      if (state === 'gone') throw new Broken('ring', `${name} is gone, and a member`);
      if (state !== 'ready') {
        this.passive.offRing(name);
        if (address !== undefined) this.#notice.offRing(address.port, state === 'ejected');
        continue;
      }
      ready.push(name);
      if (address === undefined || engine.whose(address) !== name)
        throw new Broken('ring', `${name} is ready at an address that is not its own`);
      this.#notice.onRing(name, address.port);
      this.passive.onRing(name, address.port, nowMs);
    }
    const onRing = fleet.ring.names;
    if (ready.length !== onRing.length || !ready.every((name) => onRing.includes(name)))
      throw new Broken('ring', `ready are ${shown(ready)}, on the ring are ${shown(onRing)}`);
    this.scales.look(views);
    if (!this.opening && this.closing === undefined) this.#observe(views);
    return views;
  }

  /** What must hold after each step. */
  check(): void {
    const views = this.watch();
    for (const { replica, lost, leavingAtMs, at } of this.clients.held) {
      if (lost || leavingAtMs !== undefined || at !== undefined) continue;
      const state = views.find(({ name }) => name === replica)?.state;
      if (state !== 'ready' && state !== 'draining')
        throw new Broken('news', `a lease of ${replica} is not lost, and it is ${state ?? 'no member'}`);
    }
    if (this.workers !== undefined || this.closing !== undefined) return;
    for (const { name, inFlight } of views) {
      let held = 0;
      for (const { replica } of this.clients.held) if (replica === name) held++;
      if (held !== inFlight)
        throw new Broken(
          'in flight',
          `${name} has ${inFlight} requests in flight by its own word, and ${held}`,
        );
    }
  }

  #inTrouble(): boolean {
    return this.engine.gone || this.engine.events !== 'told' || this.faulty || this.loss > 0;
  }

  #observe(views: readonly ReplicaView[]): void {
    const { names: known } = this.history;
    if (views.length === known.length && views.every(({ name }, i) => name === known[i])) return;
    const names = views.map(({ name }) => name);
    this.note(`members are ${shown(names)}`);
    if (!same(names, this.fleet.names()))
      throw new Broken('history', `and by another word ${shown(this.fleet.names())}`);
    if (new Set(names.map((name) => name.toLowerCase())).size < names.length)
      throw new Broken('one of a name', `members are ${shown(names)}`);
    this.history.observe(names);
    this.clients.left(names);
    this.workers?.left(names);
  }

  #mustBeInForce(added: readonly string[]): void {
    const { workers } = this;
    for (const { alive, copy } of workers?.running ?? []) {
      // One that has just begun makes no claims yet.
      if (!alive || copy.version === 0) continue;
      const gone = copy.stays.find(({ name }) => !this.history.names.includes(name));
      if (gone !== undefined)
        throw new Broken('follower', `${gone.name} has left, and a worker sends it requests`);
      const late = added.find((name) => copy.version < (workers?.since.get(name) ?? 0));
      if (late !== undefined) throw new Broken('follower', `${late} has joined, and a worker does not know`);
    }
  }

  /** Takes the answer of a call to that fleet. */
  answer(fleet: Fleet, act: () => void): void {
    // Nobody hears what a Ringmaster says that has died.
    if (fleet !== this.fleet) return;
    try {
      act();
    } catch (error) {
      this.failed(error);
    }
  }

  #start(): Ringmaster {
    const { clock, engine } = this;
    const quiet = (): void => {
      this.#unwatched = WAKES_UNWATCHED_MAX;
    };
    const log: Log = {
      debug: quiet,
      info: quiet,
      warn: quiet,
      error: (fields, message) => this.#bug(fields, message),
    };
    return new Ringmaster(
      {
        runtime: new FakeRuntime({ engine, clock }),
        clock,
        heartbeat: fakeHeartbeat({
          engine,
          clock,
          latencyMs: () => 1 + this.chance.below(20 + this.slownessMs),
          lost: () => this.loss > 0 && this.chance.happens(this.loss),
        }),
        log,
        config: {
          replicas: FIRST_MEMBERS,
          maxReplicas: MEMBERS_MAX,
          heartbeatPath: '/heartbeat',
          heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
          heartbeatFailures: HEARTBEAT_FAILURES,
          startTimeoutMs: START_TIMEOUT_MS,
          drainTimeoutMs: DRAIN_TIMEOUT_MS,
          slowStartMs: 0,
          ...PLAIN_BALANCE,
        },
      },
      this.#options.make,
    );
  }

  #bug(fields: object, message: string): void {
    // Where an engine that fails keeps a replica from being removed at the end, that is said as an error.
    if (message === 'not every replica could be removed') return;
    const err = 'err' in fields ? `: ${String(fields.err)}` : '';
    this.breaks('bug', `${message}${err}`);
  }
}
