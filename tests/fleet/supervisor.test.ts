import { describe, expect, test } from 'bun:test';
import { RESTART_DELAY_MAX_MS, STABLE_AFTER_MS } from '../../src/fleet/backoff.ts';
import { Chance } from './chance.ts';
import { endRigs, Rig, type RigOptions } from './rig.ts';

endRigs();

/** Until then a replica's heartbeats have come to their own moment of the interval. */
const FIRST_GAP_MAX_MS = 1510;
const KEYS = Array.from({ length: 1000 }, (_, i) => `key ${i}`);

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  return rig;
}

/** Lets time go by, step by step, until it holds; says how long that took. */
async function elapses(rig: Rig, holds: () => boolean, limitMs = 60_000): Promise<number> {
  const beganMs = rig.clock.now();
  await rig.clock.advance(0);
  while (!holds()) {
    if (rig.clock.now() - beganMs > limitMs) throw new Error(`It has not come to hold within ${limitMs} ms`);
    await rig.clock.advance(1);
  }
  return rig.clock.now() - beganMs;
}

function owners(rig: Rig): Map<string, string | undefined> {
  return new Map(KEYS.map((key) => [key, rig.fleet.ring.owner(key)]));
}

describe('a replica that dies', () => {
  test('is off the ring at once, is back under its name in its place, and no key of another moves', async () => {
    const rig = await opened({ config: { replicas: 5 } });
    const before = owners(rig);
    const { spec, id } = rig.engine.live('server-2');
    rig.engine.bootMs = () => 100;
    rig.engine.kill('server-2');
    rig.clock.settle();
    expect(rig.fleet.ring.names).not.toContain('server-2');
    for (const [key, owner] of owners(rig))
      if (before.get(key) !== 'server-2') expect(owner).toBe(before.get(key));
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThan(200);
    expect(owners(rig)).toEqual(before);
    expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3', 'server-4', 'server-5']);
    expect(rig.engine.live('server-2').spec).toEqual({ ...spec, committed: true });
    expect(rig.engine.live('server-2').id).not.toBe(id);
    expect(rig.engine.live('server-2').committed).toBe(true);
    expect(rig.view('server-2').restarts).toBe(1);
  });

  test('is found by its next heartbeat where nobody tells of it', async () => {
    for (const end of ['kill', 'vanish'] as const) {
      const rig = await opened();
      rig.engine.events = 'lost';
      rig.engine[end]('server-2');
      const back = (): boolean =>
        rig.view('server-2').restarts === 1 && rig.view('server-2').state === 'ready';
      expect(await elapses(rig, back)).toBeLessThan(1100);
      await rig.end();
    }
  });

  test('is found by a look where neither news nor a heartbeat tell', async () => {
    const rig = await opened({ config: { heartbeatIntervalMs: 3_600_000, heartbeatFailures: 100 } });
    rig.engine.events = 'lost';
    rig.engine.deadAre = 'silent';
    rig.engine.vanish('server-2');
    expect(await elapses(rig, () => rig.view('server-2').restarts === 1)).toBeLessThan(5100);
  });

  test('dies once, however often and by however many that is told', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const chance = new Chance(seed);
      const rig = await opened({ tie: (count) => chance.below(count) });
      rig.engine.events = 'repeated';
      rig.engine.latencyMs = () => chance.below(30);
      rig.engine.bootMs = () => chance.below(100);
      await rig.clock.advance(chance.below(2000));
      const leases = [rig.claim('server-2'), rig.claim('server-2')];
      rig.engine.kill('server-2');
      await rig.clock.advance(chance.below(3));
      for (const lease of leases) lease.unreachable();
      await rig.clock.advance(3000);
      rig.check();
      expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
      expect(rig.runtime.calls.start).toBe(4);
      await rig.end();
    }
  });

  // The loop that was to start it again sat in a heartbeat to the dead instance until that heartbeat's deadline: an
  // address of a container that is no more does not refuse, it is silent.
  test('is started again at once, also while a heartbeat to it is under way', async () => {
    const rig = await opened({ heartbeatLatencyMs: () => 50 });
    rig.engine.deadAre = 'silent';
    const sent = rig.engine.heartbeats;
    await elapses(rig, () => rig.engine.heartbeats === sent + 3);
    rig.engine.kill('server-2');
    expect(await elapses(rig, () => rig.runtime.calls.start === 4)).toBe(0);
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThan(200);
  });

  // The news of its end came before the start had resolved, when nobody knew yet whose it was: until the next look that
  // comes by itself, up to five seconds later, it was asked for a heartbeat again and again.
  test('and whose next instance ends before it is ready is tried again without waiting for the start timeout', async () => {
    const rig = await opened();
    let starts = 0;
    rig.engine.startFault = () => (++starts === 1 ? 'ends' : undefined);
    rig.engine.kill('server-2');
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThan(1000);
    expect(starts).toBe(2);
  });

  test('and whose next instance ends while it is asked whether it is ready is tried again at once', async () => {
    const rig = await opened({ heartbeatLatencyMs: () => 50 });
    rig.engine.deadAre = 'silent';
    rig.engine.bootMs = () => 10_000;
    rig.engine.kill('server-2');
    await rig.clock.advance(520);
    rig.engine.kill('server-2');
    // The back-off of a second death, and nothing else.
    expect(await elapses(rig, () => rig.runtime.calls.start === 5)).toBe(500);
  });

  test('and whose next instance never answers is tried again after the start timeout', async () => {
    const rig = await opened({ config: { startTimeoutMs: 3000 } });
    let starts = 0;
    rig.engine.bootMs = () => (++starts === 1 ? Number.POSITIVE_INFINITY : 1);
    rig.engine.kill('server-2');
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeWithin(3500, 3700);
    expect(rig.held().toSorted()).toEqual(['server-1', 'server-2', 'server-3']);
  });

  test('and whose name something else took meanwhile is back when the name is free', async () => {
    const rig = await opened();
    rig.engine.foreign.add('server-2');
    rig.engine.kill('server-2');
    await rig.clock.advance(10_000);
    expect(rig.states()).toBe('server-1 ready, server-2 waiting, server-3 ready');
    rig.engine.foreign.clear();
    await rig.clock.advance(RESTART_DELAY_MAX_MS);
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('all of them at once are all back', async () => {
    const rig = await opened({ config: { replicas: 12 } });
    const before = owners(rig);
    for (const name of rig.fleet.names()) rig.engine.kill(name);
    rig.clock.settle();
    expect(rig.fleet.claim('key')).toBeUndefined();
    await rig.clock.advance(500);
    expect(owners(rig)).toEqual(before);
  });
});

describe('the back-off', () => {
  test('doubles for one that keeps dying, up to its maximum, and is over when it has been stable', async () => {
    const rig = await opened();
    await rig.clock.advance(2 * STABLE_AFTER_MS);
    const delayOfNext = async (): Promise<number> => {
      const { restarts } = rig.view('server-2');
      await rig.clock.advance(3000);
      rig.engine.kill('server-2');
      return elapses(rig, () => rig.view('server-2').restarts > restarts);
    };
    const delays: number[] = [];
    for (let death = 1; death <= 9; death++) delays.push(Math.round((await delayOfNext()) / 100) * 100);
    expect(delays).toEqual([0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    await rig.clock.advance(STABLE_AFTER_MS + 2000);
    expect(await delayOfNext()).toBeLessThan(100);
    expect(await delayOfNext()).toBeWithin(500, 600);
  });

  test('is not over for one that was off the ring meanwhile', async () => {
    const rig = await opened();
    rig.engine.kill('server-2');
    await rig.clock.advance(STABLE_AFTER_MS - 20_000);
    rig.engine.live('server-2').health = 'failing';
    await elapses(rig, () => rig.view('server-2').state === 'ejected');
    rig.engine.live('server-2').health = 'well';
    await rig.clock.advance(STABLE_AFTER_MS - 20_000);
    rig.engine.kill('server-2');
    expect(await elapses(rig, () => rig.view('server-2').restarts === 2)).toBeWithin(500, 600);
  });

  test('grows also where it is the start that fails', async () => {
    const rig = await opened();
    const startsAtMs: number[] = [];
    rig.engine.startFault = () => {
      startsAtMs.push(rig.clock.now());
      return 'fails';
    };
    rig.engine.kill('server-2');
    await rig.clock.advance(60_000);
    const gaps = startsAtMs.slice(1).map((atMs, i) => atMs - (startsAtMs[i] ?? 0));
    expect(gaps).toEqual([500, 1000, 2000, 4000, 8000, 16_000]);
  });

  test('is not cut short by news of others, nor by what still holds a lease', async () => {
    const rig = await opened();
    rig.engine.startFault = ({ name }) => (name === 'server-2' ? 'fails' : undefined);
    const lease = rig.claim('server-2');
    rig.engine.kill('server-2');
    await rig.clock.advance(20_000);
    const { start } = rig.runtime.calls;
    for (let i = 0; i < 100; i++) {
      lease.failed();
      lease.unreachable();
      rig.engine.tell();
      await rig.clock.advance(10);
    }
    expect(rig.runtime.calls.start).toBe(start);
  });
});

describe('a replica that misses its heartbeats', () => {
  test.each([
    ['silent', 3],
    ['failing', 2],
  ] as const)('because it is %s is off the ring after so many in a row', async (health, fullIntervals) => {
    const rig = await opened();
    await rig.clock.advance(FIRST_GAP_MAX_MS);
    rig.engine.live('server-2').health = health;
    const tookMs = await elapses(rig, () => rig.view('server-2').state === 'ejected');
    expect(tookMs).toBeWithin(fullIntervals * 1000 - 10, (fullIntervals + 1) * 1000 + 10);
    rig.engine.live('server-2').health = 'well';
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThan(2010);
    expect(rig.view('server-2').restarts).toBe(0);
  });

  test('is off the ring at the first that is refused', async () => {
    const rig = await opened();
    rig.engine.live('server-2').health = 'refusing';
    expect(await elapses(rig, () => rig.view('server-2').state === 'ejected')).toBeLessThan(1010);
    rig.engine.live('server-2').health = 'well';
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThan(1010);
  });

  test('but not so many in a row stays', async () => {
    const rig = await opened();
    await rig.clock.advance(FIRST_GAP_MAX_MS);
    for (let i = 0; i < 20; i++) {
      rig.engine.live('server-2').health = i % 3 === 2 ? 'well' : 'failing';
      await rig.clock.advance(1000);
      expect(rig.view('server-2').state).toBe('ready');
    }
  });

  test('and does not come back within as many again is replaced', async () => {
    const rig = await opened();
    const { id } = rig.engine.live('server-2');
    rig.engine.live('server-2').health = 'failing';
    await elapses(rig, () => rig.view('server-2').state === 'ejected');
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeWithin(2900, 3100);
    expect(rig.engine.live('server-2').id).not.toBe(id);
    expect(rig.held().toSorted()).toEqual(['server-1', 'server-2', 'server-3']);
  });

  test('has the number of them that was configured', async () => {
    const rig = await opened({ config: { heartbeatFailures: 1, heartbeatIntervalMs: 50 } });
    rig.engine.live('server-2').health = 'failing';
    expect(await elapses(rig, () => rig.view('server-2').state === 'ejected')).toBeLessThanOrEqual(60);
    expect(await elapses(rig, () => rig.view('server-2').restarts === 1)).toBeLessThanOrEqual(60);
  });

  test('is not taken for dead by a slow answer within the interval', async () => {
    const rig = await opened({ heartbeatLatencyMs: () => 450 });
    await rig.clock.advance(60_000);
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
    expect(rig.fleet.replicas().every((one) => one.restarts === 0)).toBe(true);
  });
});

describe('a paused replica', () => {
  // The answer to a heartbeat that was on its way when the engine told of the pause put the replica back on the ring: for
  // four seconds more requests went to one that answered nothing.
  test('that is paused while an answer of its own is on its way is off the ring, and stays so', async () => {
    const rig = await opened({ heartbeatLatencyMs: () => 40 });
    for (let atMs = 0; atMs < 1200; atMs += 20) {
      rig.engine.pause('server-2');
      await rig.clock.advance(1);
      expect(rig.view('server-2').state).toBe('ejected');
      await rig.clock.advance(100);
      expect(rig.view('server-2').state).toBe('ejected');
      rig.engine.resume('server-2');
      await rig.clock.advance(FIRST_GAP_MAX_MS + atMs);
      expect(rig.view('server-2').state).toBe('ready');
    }
  });
  test('is off the ring at once, and back when it goes on', async () => {
    const rig = await opened();
    rig.engine.pause('server-2');
    rig.clock.settle();
    expect(rig.view('server-2').state).toBe('ejected');
    await rig.clock.advance(1000);
    rig.engine.resume('server-2');
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThan(2010);
    expect(rig.view('server-2').restarts).toBe(0);
  });

  test('that does not go on is replaced', async () => {
    const rig = await opened();
    rig.engine.pause('server-2');
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeWithin(2000, 4100);
    expect(rig.view('server-2').restarts).toBe(1);
    expect(rig.engine.live('server-2').state).toBe('running');
  });
});

test('a heartbeat that is answered late never puts a draining replica back on the ring', async () => {
  for (let leavesAfterMs = 0; leavesAfterMs < 100; leavesAfterMs += 7) {
    const rig = await opened({ heartbeatLatencyMs: () => 45 });
    const lease = rig.claim('server-2');
    lease.unreachable();
    await rig.clock.advance(leavesAfterMs);
    const removing = rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
    for (let i = 0; i < 30; i++) {
      await rig.clock.advance(10);
      if (i > 0) expect(rig.fleet.ring.names).toEqual(['server-1', 'server-3']);
    }
    lease.release();
    await rig.clock.until(removing);
    await rig.end();
  }
});

describe('with the engine gone', () => {
  test('those that are ready go on, and who dies is back soon after the engine is', async () => {
    const rig = await opened();
    rig.engine.gone = true;
    rig.engine.kill('server-2');
    await rig.clock.advance(120_000);
    expect(rig.fleet.ring.names).toEqual(['server-1', 'server-3']);
    expect(rig.view('server-1').restarts + rig.view('server-3').restarts).toBe(0);
    rig.engine.gone = false;
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThanOrEqual(600);
  });

  // Each try while the engine was gone waited for the replica's back-off first: one that had died often before was
  // tried every 30 s only, and so long after the engine was back.
  test('one that died often before is back just as soon', async () => {
    const rig = await opened();
    rig.engine.startFault = () => 'fails';
    rig.engine.kill('server-2');
    await rig.clock.advance(40_000);
    rig.engine.startFault = () => undefined;
    rig.engine.gone = true;
    await rig.clock.advance(60_000);
    rig.engine.gone = false;
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThanOrEqual(600);
  });

  test('one whose start timed out over that has not died once more', async () => {
    const rig = await opened({ config: { startTimeoutMs: 1000 } });
    rig.engine.startFault = () => 'fails';
    rig.engine.kill('server-2');
    await rig.clock.advance(40_000);
    rig.engine.startFault = () => undefined;
    const { start } = rig.runtime.calls;
    rig.engine.latencyMs = () => 600;
    await elapses(rig, () => rig.runtime.calls.start > start);
    // By then the start has timed out, and its first call is on its way back.
    await rig.clock.advance(1100);
    rig.engine.gone = true;
    await rig.clock.advance(200);
    rig.engine.gone = false;
    rig.engine.latencyMs = () => 0;
    expect(await elapses(rig, () => rig.view('server-2').state === 'ready')).toBeLessThanOrEqual(600);
  });

  test('it is not asked without a pause', async () => {
    const rig = await opened();
    rig.engine.gone = true;
    rig.engine.kill('server-2');
    await rig.clock.advance(5000);
    const before = { ...rig.runtime.calls };
    await rig.clock.advance(10_000);
    expect(rig.runtime.calls.start - before.start).toBeLessThanOrEqual(21);
    expect(rig.runtime.calls.list - before.list).toBeLessThanOrEqual(3);
  });
});

test('with nothing to do there is one heartbeat an interval, one look every five seconds, and nothing else', async () => {
  const rig = await opened({ config: { replicas: 3 } });
  await rig.clock.advance(1000);
  const before = { wakes: rig.clock.wakes, heartbeats: rig.engine.heartbeats, list: rig.runtime.calls.list };
  await rig.clock.advance(60_000);
  expect(rig.engine.heartbeats - before.heartbeats).toBe(180);
  expect(rig.runtime.calls.list - before.list).toBe(12);
  // A heartbeat sleeps three times: there, back, and until the next.
  expect(rig.clock.wakes - before.wakes).toBe(180 * 3 + 12);
});

// A heartbeat that threw ended the loop of its replica without a word: it was never looked at again, and when it died
// it stayed a member that nobody started.
test('a bug that throws in the loop of a replica is in the log, and does not end the loop', async () => {
  let broken = false;
  const rig = await opened({
    heartbeatLatencyMs: () => {
      if (broken) throw new Error('bug');
      return 1;
    },
  });
  broken = true;
  await rig.clock.advance(3000);
  expect(rig.logged('error').length).toBeGreaterThan(3);
  broken = false;
  await rig.clock.advance(1000);
  rig.engine.kill('server-2');
  expect(await elapses(rig, () => rig.view('server-2').restarts === 1)).toBeLessThan(100);
});
