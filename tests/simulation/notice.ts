import { healthAt } from '../fleet/fake-heartbeat.ts';
import { Broken } from './rule.ts';
import { HEARTBEAT_FAILURES, HEARTBEAT_INTERVAL_MS } from './limits.ts';
import type { World } from './world.ts';

/** What one way of a call to the engine takes: mostly little, now and then that much. */
const ENGINE_LATENCY_MAX_MS = 300;
/** One that can't answer is off the ring by then: the heartbeat under way, and as many more as may be missed. */
const NOTICED_MAX_MS = (HEARTBEAT_FAILURES + 1.1) * HEARTBEAT_INTERVAL_MS + 100;
/** And by then where the engine has told of it: two lists, each there and back. */
const TOLD_MAX_MS = 4 * ENGINE_LATENCY_MAX_MS + 50;

/** How soon a fleet has to notice that a replica can't answer, and what brings one back. */
export class Notice {
  readonly #world: World;
  /** Since when what is on the ring has not been able to answer, by port. */
  readonly #down = new Map<number, number>();
  /** Of what is off the ring, by port, whether it could answer at any time since. */
  readonly #well = new Map<number, boolean>();
  #goneMs = -Infinity;

  constructor(world: World) {
    this.#world = world;
  }

  /** Another Ringmaster begins. */
  forget(): void {
    this.#down.clear();
    this.#well.clear();
  }

  /** To be called with each look at the fleet. */
  look(): void {
    if (this.#world.engine.gone) this.#goneMs = this.#world.clock.now();
  }

  offRing(port: number, ejected: boolean): void {
    if (this.#down.size > 0) this.#down.delete(port);
    if (ejected && this.#well.get(port) !== true) this.#well.set(port, this.#isWell(port));
  }

  onRing(name: string, port: number): void {
    const isWell = this.#isWell(port);
    if (this.#well.size > 0) {
      if (this.#well.get(port) === false && !isWell)
        throw new Broken(
          'noticed',
          `${name} is back on the ring, and has not answered since it was taken off`,
        );
      this.#well.delete(port);
    }
    if (!isWell) this.#mustBeNoticed(name, port);
    else if (this.#down.size > 0) this.#down.delete(port);
  }

  #mustBeNoticed(name: string, port: number): void {
    const { clock, engine, closing } = this.#world;
    const nowMs = clock.now();
    const sinceMs = this.#down.get(port);
    if (sinceMs === undefined) this.#down.set(port, nowMs);
    // One that closes looks no more.
    if (sinceMs === undefined || closing !== undefined) return;
    if (nowMs - sinceMs > NOTICED_MAX_MS)
      throw new Broken('noticed', `${name} is on the ring, and has not answered for ${nowMs - sinceMs} ms`);
    const toldMs = engine.toldMs(port);
    // What was told before it came onto the ring was told of one that nobody knew yet.
    if (toldMs === undefined || toldMs < sinceMs || this.#goneMs >= toldMs) return;
    if (nowMs - toldMs > TOLD_MAX_MS)
      throw new Broken('noticed', `${name} is on the ring ${nowMs - toldMs} ms after its end was told`);
  }

  #isWell(port: number): boolean {
    const { engine, clock } = this.#world;
    return healthAt(engine, { host: '', port }, clock.now()) === 'well';
  }
}
