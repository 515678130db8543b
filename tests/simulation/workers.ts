import type { Follower, OffReplica, ReadyReplica } from '../../src/fleet/crew.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { News } from '../../src/fleet/leases.ts';
import type { Order, StayReport } from '../../src/traffic/workers/messages.ts';
import { FleetMirror } from '../../src/traffic/workers/mirror.ts';
import { EMPTY_RING, nextCopy, type RingCopy } from '../../src/traffic/workers/ring-copy.ts';
import { StandingLeases } from '../../src/traffic/workers/standing.ts';
import type { FakeClock } from '../fleet/fake-clock.ts';
import { Pipe } from './pipe.ts';

export interface WorkersOptions {
  readonly fleet: Fleet;
  readonly clock: FakeClock;
  readonly count: number;
  /** What a message from one process to another takes, in ms. */
  readonly latencyMs: () => number;
  /** Carries out what a report asks of the fleet. */
  readonly apply: (report: StayReport, act: () => void) => void;
  /** Told of what is thrown by whoever is sent something. */
  readonly failed: (error: unknown) => void;
}

/** One run of a worker: here the leases that its requests have in the fleet, there its copy of the ring. */
export class Worker {
  readonly mirror: FleetMirror;
  /** What it was sent of each stay, whether it has heard it yet or not. */
  readonly told = new Map<string, News[]>();
  /** By which its claims are made. */
  copy = EMPTY_RING;
  readonly #leases: StandingLeases;
  readonly #orders: Pipe<Order>;
  readonly #reports: Pipe<StayReport>;
  readonly #waiting: { readonly version: number; readonly resolve: () => void }[] = [];
  #shown = 0;
  alive = true;

  constructor({ fleet, clock, latencyMs, apply, failed }: WorkersOptions, ring: RingCopy) {
    this.mirror = new FleetMirror((report) => this.#reports.send(report));
    this.#orders = new Pipe({ clock, latencyMs, failed, deliver: (order) => this.#obey(order) });
    this.#reports = new Pipe({
      clock,
      latencyMs,
      failed,
      deliver: (report) => {
        if (report.type === 'shows') this.#shows(report.version);
        else apply(report, () => this.#leases.apply(report));
      },
    });
    this.#leases = new StandingLeases({
      fleet,
      tell: (stay, news) => {
        this.told.set(stay, [...(this.told.get(stay) ?? []), news]);
        this.#orders.send({ type: 'news', stay, news });
      },
    });
    this.show(ring);
  }

  show(ring: RingCopy): void {
    this.#leases.hold(ring);
    this.#orders.send({ type: 'ring', ring });
  }

  inForce(version: number): Promise<void> {
    if (!this.alive || this.#shown >= version) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ version, resolve });
    });
  }

  /** It dies, and all that it has in flight with it. */
  kill(): void {
    this.alive = false;
    this.#orders.cut();
    this.#reports.cut();
    this.#leases.releaseAll();
    for (const { resolve } of this.#waiting) resolve();
  }

  #obey(order: Order): void {
    if (order.type === 'ring') {
      this.copy = order.ring;
      this.mirror.show(order.ring);
    } else if (order.type === 'news') this.mirror.tell(order.stay, order.news);
  }

  #shows(version: number): void {
    this.#shown = version;
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if ((this.#waiting[i]?.version ?? 0) <= version) this.#waiting.splice(i, 1)[0]?.resolve();
  }
}

/** Worker processes that follow a fleet, as src/traffic/workers runs them, without the processes. */
export class Workers implements Follower {
  readonly running: Worker[] = [];
  /** The first copy that each member was in. */
  readonly since = new Map<string, number>();
  readonly #options: WorkersOptions;
  readonly #unfollow: () => void;
  #ring = EMPTY_RING;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#unfollow = options.fleet.follow(this);
    for (let i = 0; i < options.count; i++) this.running.push(new Worker(options, this.#ring));
  }

  swapped(ready: readonly ReadyReplica[], off: readonly OffReplica[]): void {
    this.#ring = nextCopy(this.#ring, ready, off);
    for (const { name } of ready) if (!this.since.has(name)) this.since.set(name, this.#ring.version);
    for (const worker of this.running) if (worker.alive) worker.show(this.#ring);
  }

  async inForce(): Promise<void> {
    const { version } = this.#ring;
    await Promise.all(this.running.map((worker) => worker.inForce(version)));
  }

  /** These are the members now. */
  left(names: readonly string[]): void {
    for (const name of this.since.keys()) if (!names.includes(name)) this.since.delete(name);
  }

  /** Another takes the place of that one. */
  replace(i: number): void {
    this.running[i]?.kill();
    this.running[i] = new Worker(this.#options, this.#ring);
  }

  /** All end. */
  close(): void {
    for (const worker of this.running) worker.kill();
    this.#unfollow();
  }
}
