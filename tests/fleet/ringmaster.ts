import type { Clock } from '../../src/fleet/clock.ts';
import { Fleet, type FleetOptions } from '../../src/fleet/fleet.ts';
import type { Heartbeat } from '../../src/fleet/heartbeat.ts';
import type { FakeRuntime } from './fake-runtime.ts';

/** One life of a Ringmaster: a fleet, and all that it hears of the world. */
export class Ringmaster {
  readonly fleet: Fleet;
  readonly runtime: FakeRuntime;
  #dead = false;

  /** `make` is for who tests that a fleet which breaks a rule is found out. */
  constructor(
    options: FleetOptions & { readonly runtime: FakeRuntime },
    make: (options: FleetOptions) => Fleet = (each) => new Fleet(each),
  ) {
    this.runtime = options.runtime;
    this.fleet = make({
      ...options,
      clock: this.#mortalClock(options.clock),
      heartbeat: this.#mortalHeartbeat(options.heartbeat),
    });
  }

  /** From here on nothing that it waits for comes. */
  die(): void {
    this.#dead = true;
    this.runtime.cut();
  }

  #mortalClock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        if (this.#dead) await new Promise<never>(() => {});
      },
    };
  }

  #mortalHeartbeat(heartbeat: Heartbeat): Heartbeat {
    return async (...heart) => {
      const result = await heartbeat(...heart);
      return this.#dead ? new Promise<never>(() => {}) : result;
    };
  }
}
