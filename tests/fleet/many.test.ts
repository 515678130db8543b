import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Balance } from '../../src/config.ts';
import { SWAP_AT_ONCE_MEMBERS_MAX, SWAP_GAP_MS } from '../../src/fleet/crew.ts';
import { PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import { silentLog } from '../../src/log.ts';
import { InstantRuntime } from '../runtime/instant-runtime.ts';
import { FakeClock } from './fake-clock.ts';

setDefaultTimeout(60_000);

const INTERVAL_MS = 1000;
const BEAT_MS = 2;

interface World {
  readonly fleet: Fleet;
  readonly clock: FakeClock;
  readonly runtime: InstantRuntime;
  /** How many were on the ring, each time that it was swapped. */
  readonly swaps: number[];
  /** When heartbeats began. */
  readonly begun: number[];
  most: number;
  /** Whether replicas take heartbeats and never answer. */
  hang: boolean;
}

/** A fleet of so many, all of which came with one add. */
async function fleetOf(size: number, balance: Partial<Balance> = {}): Promise<World> {
  const clock = new FakeClock();
  let port = 0;
  let underWay = 0;
  const runtime = new InstantRuntime(() => ({ host: '127.0.0.1', port: ++port }));
  const fleet = new Fleet({
    runtime,
    clock,
    heartbeat: async (_address, _path, deadlineMs, signal) => {
      world.begun.push(clock.now());
      world.most = Math.max(world.most, ++underWay);
      const { hang } = world;
      await clock.sleep(hang ? deadlineMs : BEAT_MS, signal);
      underWay--;
      return hang ? 'failed' : 'answered';
    },
    log: silentLog,
    config: {
      replicas: 0,
      maxReplicas: size,
      heartbeatPath: '/heartbeat',
      heartbeatIntervalMs: INTERVAL_MS,
      heartbeatFailures: 3,
      startTimeoutMs: 30_000,
      drainTimeoutMs: 10_000,
      slowStartMs: 0,
      ...PLAIN_BALANCE,
      ...balance,
    },
  });
  const world: World = { fleet, clock, runtime, swaps: [], begun: [], most: 0, hang: false };
  await clock.until(fleet.open());
  fleet.follow({ swapped: (ready) => void world.swaps.push(ready.length), inForce: () => Promise.resolve() });
  world.swaps.length = 0;
  await clock.until(fleet.add({ n: size, hostnames: [] }));
  return world;
}

describe('a fleet of many', () => {
  test('takes an add of however many as one swap of the ring', async () => {
    for (const size of [10, SWAP_AT_ONCE_MEMBERS_MAX + 100]) {
      const { fleet, clock, swaps } = await fleetOf(size);
      expect(swaps).toEqual([size]);
      await clock.until(fleet.close(false));
    }
  });

  test('gathers the deaths of many for one swap, and until then sends nothing to the dead', async () => {
    const size = SWAP_AT_ONCE_MEMBERS_MAX + 100;
    const world = await fleetOf(size);
    const { fleet, clock, runtime, swaps } = world;
    swaps.length = 0;
    const dead = new Set(fleet.names().slice(0, 50));
    const start = runtime.start.bind(runtime);
    runtime.start = async (spec) => {
      await clock.sleep(10_000);
      return start(spec);
    };
    for (const name of dead) runtime.kill(name);
    clock.settle();
    expect(swaps).toEqual([]);
    for (let key = 0; key < 2000; key++) {
      const lease = fleet.claim(`${key}`);
      expect(dead.has(lease?.replica as string)).toBe(false);
      lease?.release();
    }
    await clock.advance(SWAP_GAP_MS);
    expect(swaps).toEqual([size - dead.size]);
    await clock.advance(20_000);
    await clock.until(fleet.close(false));
  });

  test('keeps all within their bounds while a swap is due, of those that are not dead', async () => {
    const size = SWAP_AT_ONCE_MEMBERS_MAX + 100;
    const { fleet, clock, runtime } = await fleetOf(size, { loadFactor: 1.5 });
    const dead = fleet.names().slice(0, size - 10);
    const before = Array.from({ length: 200 }, (_, key) => fleet.claim(`${key}`));
    for (const name of dead) runtime.kill(name);
    clock.settle();
    const alive = fleet.names().slice(size - 10);
    const inFlight = (): number[] =>
      fleet
        .replicas()
        .filter(({ name }) => alive.includes(name))
        .map((view) => view.inFlight);
    for (let key = 0; key < 100; key++) {
      const lease = fleet.claim('one');
      const sum = inFlight().reduce((all, each) => all + each);
      const got = fleet.replicas().find(({ name }) => name === lease?.replica)?.inFlight;
      expect(alive).toContain(lease?.replica as string);
      expect(got).toBeLessThanOrEqual(Math.ceil((1.5 * sum) / alive.length));
      before.push(lease);
    }
    for (const lease of before) lease?.release();
    await clock.until(fleet.close(false));
  });

  test('swaps at once for each change while it is small', async () => {
    const { fleet, clock, runtime, swaps } = await fleetOf(10);
    swaps.length = 0;
    runtime.kill('server-4');
    clock.settle();
    expect(swaps).toEqual([9]);
    await clock.until(fleet.close(false));
  });

  test('spreads its heartbeats over the interval', async () => {
    const size = 1000;
    const { fleet, clock, begun } = await fleetOf(size);
    await clock.advance(3 * INTERVAL_MS);
    begun.length = 0;
    await clock.advance(INTERVAL_MS);
    expect(begun.length).toBeWithin(size - 10, size + 11);
    const slots = Array.from({ length: 20 }, () => 0);
    for (const ms of begun) slots[Math.floor((ms % INTERVAL_MS) / 50)]!++;
    // Each has a twentieth, give or take what chance does to 50.
    for (const count of slots) expect(count).toBeWithin(20, 90);
    await clock.until(fleet.close(false));
  });

  test('has a bounded number of heartbeats under way, also when none is answered', async () => {
    const world = await fleetOf(1500);
    const { fleet, clock } = world;
    world.hang = true;
    world.most = 0;
    await clock.advance(5000);
    expect(world.most).toBe(1024);
    world.hang = false;
    await clock.advance(60_000);
    expect(fleet.replicas().filter(({ state }) => state !== 'ready')).toEqual([]);
    await clock.until(fleet.close(false));
  });
});
