import { Broken } from './rule.ts';
import type { World } from './world.ts';

/** What README.md says of passive health, written down a second time. */
const FAILURES_IN_A_ROW = 5;
const REST_FIRST_MS = 2000;
const OFF_RING_PART_MAX = 1 / 2;

/** Requests that failed in a row at one replica, in one stretch of time on the ring. */
export interface Run {
  failures: number;
  onTrial: boolean;
}

/** What may be taken off the ring by requests that fail, what has to be, and for how long. */
export class PassiveHealth {
  readonly #world: World;
  readonly #runs = new Map<string, Run>();
  /** Until when what has that port may not be back. */
  readonly #resting = new Map<number, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Another Ringmaster knows nothing of it. */
  forget(): void {
    this.#runs.clear();
    this.#resting.clear();
  }

  /** What a lease that is claimed now counts to. */
  runOf(name: string): Run {
    let run = this.#runs.get(name);
    if (run === undefined) {
      run = { failures: 0, onTrial: false };
      this.#runs.set(name, run);
    }
    return run;
  }

  offRing(name: string): void {
    if (this.#runs.size > 0) this.#runs.delete(name);
  }

  onRing(name: string, port: number, nowMs: number): void {
    if (this.#resting.size === 0) return;
    const untilMs = this.#resting.get(port);
    if (untilMs === undefined) return;
    if (nowMs < untilMs)
      throw new Broken('passive', `${name} is back ${untilMs - nowMs} ms before its rest is over`);
    this.#resting.delete(port);
    this.runOf(name).onTrial = true;
  }

  /** Carries out a report of requests that failed. */
  heed(report: () => void): void {
    const { fleet, clock } = this.#world;
    const ready = fleet.ring.names;
    report();
    if (fleet.ring.names === ready) return;
    const staying = fleet.replicas().filter(({ state }) => state !== 'draining');
    const off = staying.filter(({ state }) => state !== 'ready');
    if (off.length > staying.length * OFF_RING_PART_MAX)
      this.#world.breaks(
        'panic',
        `requests that failed have left ${staying.length - off.length} of ${staying.length} on the ring`,
      );
    for (const { name, state, address } of off)
      if (state === 'ejected' && address !== undefined && ready.includes(name))
        this.#resting.set(address.port, clock.now() + REST_FIRST_MS);
  }

  failed(name: string, run: Run): void {
    run.failures++;
    if (run.failures < (run.onTrial ? 1 : FAILURES_IN_A_ROW) || this.#runs.get(name) !== run) return;
    const staying = this.#world.fleet.replicas().filter(({ state }) => state !== 'draining');
    const off = staying.filter(({ state }) => state !== 'ready').length;
    const still = staying.some((one) => one.name === name && one.state === 'ready');
    if (still && off + 1 <= staying.length * OFF_RING_PART_MAX)
      throw new Broken(
        'passive',
        `${run.failures} requests in a row failed at ${name}, and it is on the ring`,
      );
  }

  answered(run: Run): void {
    run.failures = 0;
    run.onTrial = false;
  }
}
