import type { Fleet } from '../../fleet/fleet.ts';
import type { News } from '../../fleet/leases.ts';
import type { StandingLease } from '../../fleet/member.ts';
import type { StayReport } from './messages.ts';
import type { RingCopy } from './ring-copy.ts';

export interface StandingLeasesOptions {
  readonly fleet: Pick<Fleet, 'hold'>;
  /** Passes news of a replica on to the worker. */
  readonly tell: (stay: string, news: News) => void;
}

/**
 * The leases that one worker's requests are in the fleet: one for each stay, held from the moment that the worker is
 * told of it until it says that it has no request there and will make none; or until it is no more.
 */
export class StandingLeases {
  readonly #options: StandingLeasesOptions;
  readonly #leases = new Map<string, StandingLease>();

  constructor(options: StandingLeasesOptions) {
    this.#options = options;
  }

  /** To be called with each copy of the ring that the worker is sent, with no await before: who is on it is held. */
  hold({ stays }: RingCopy): void {
    const { fleet, tell } = this.#options;
    for (const { id, name } of stays) {
      if (this.#leases.has(id)) continue;
      const lease = fleet.hold(name);
      for (const news of ['onLost', 'onLeaving', 'onCut'] as const) lease[news] = () => tell(id, news);
      this.#leases.set(id, lease);
    }
  }

  /** Does what the worker's report asks of the fleet. One that comes after its stay was released is old news. */
  apply(report: StayReport): void {
    switch (report.type) {
      case 'failed':
        this.#leases.get(report.stay)?.[report.failure]();
        break;
      case 'inFlight':
        for (const [stay, requests] of report.requests) {
          const lease = this.#leases.get(stay);
          if (lease !== undefined) lease.requests = requests;
        }
        break;
      case 'released':
        this.#leases.get(report.stay)?.release();
        this.#leases.delete(report.stay);
        break;
      case 'shows':
        break;
    }
  }

  /** The worker is no more, and with it all that it had in flight. */
  releaseAll(): void {
    for (const lease of this.#leases.values()) lease.release();
    this.#leases.clear();
  }
}
