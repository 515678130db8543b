import type { Clock } from '../../../src/fleet/clock.ts';
import type { Follower, OffReplica, ReadyReplica } from '../../../src/fleet/crew.ts';
import type { Fleet } from '../../../src/fleet/fleet.ts';
import type { Order, StayReport } from '../../../src/traffic/workers/messages.ts';
import { FleetMirror } from '../../../src/traffic/workers/mirror.ts';
import { EMPTY_RING, nextCopy } from '../../../src/traffic/workers/ring-copy.ts';
import { StandingLeases } from '../../../src/traffic/workers/standing.ts';

type RingOrder = Order & { readonly type: 'ring' | 'news' };

export interface MirroredFleetOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** How long the next message is under way; messages of one direction do not overtake each other. */
  readonly delayMs: () => number;
}

/** A fleet and one mirror of it, with a channel in between that takes its time. */
export class MirroredFleet implements Follower {
  readonly mirror = new FleetMirror((report) => this.#up.send(report));
  readonly leases: StandingLeases;
  /** Reports that have arrived, for who wants to count them. */
  readonly reports: StayReport[] = [];
  readonly #down: Channel<RingOrder>;
  readonly #up: Channel<StayReport>;
  #ring = EMPTY_RING;
  #shown = 0;
  #waiting: { readonly version: number; readonly resolve: () => void }[] = [];

  constructor({ fleet, clock, delayMs }: MirroredFleetOptions) {
    this.#down = new Channel(clock, delayMs, (order) => {
      if (order.type === 'ring') this.mirror.show(order.ring);
      else this.mirror.tell(order.stay, order.news);
    });
    this.#up = new Channel(clock, delayMs, (report) => this.#hear(report));
    this.leases = new StandingLeases({
      fleet,
      tell: (stay, news) => this.#down.send({ type: 'news', stay, news }),
    });
    fleet.follow(this);
  }

  /** Whether there is nothing under way. */
  get quiet(): boolean {
    return this.#down.empty && this.#up.empty;
  }

  swapped(ready: readonly ReadyReplica[], off: readonly OffReplica[]): void {
    this.#ring = nextCopy(this.#ring, ready, off);
    this.leases.hold(this.#ring);
    this.#down.send({ type: 'ring', ring: this.#ring });
  }

  inForce(): Promise<void> {
    const { version } = this.#ring;
    if (this.#shown >= version) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ version, resolve });
    });
  }

  #hear(report: StayReport): void {
    this.reports.push(report);
    this.leases.apply(report);
    if (report.type !== 'shows') return;
    this.#shown = report.version;
    const done = this.#waiting.filter(({ version }) => version <= this.#shown);
    this.#waiting = this.#waiting.filter(({ version }) => version > this.#shown);
    for (const { resolve } of done) resolve();
  }
}

class Channel<T> {
  readonly #messages: string[] = [];
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #arrive: (message: T) => void;
  #pumping = false;

  constructor(clock: Clock, delayMs: () => number, arrive: (message: T) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#arrive = arrive;
  }

  get empty(): boolean {
    return this.#messages.length === 0;
  }

  send(message: T): void {
    this.#messages.push(JSON.stringify(message));
    if (!this.#pumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    for (let next = this.#messages[0]; next !== undefined; next = this.#messages[0]) {
      await this.#clock.sleep(this.#delayMs());
      this.#messages.shift();
      this.#arrive(JSON.parse(next) as T);
    }
    this.#pumping = false;
  }
}
