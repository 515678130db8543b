import { describe, expect, test } from 'bun:test';
import type { Lease } from '../../src/fleet/member.ts';
import { FAILURES_IN_A_ROW, REST_FIRST_MS, RESTS_MAX, restMs } from '../../src/fleet/outlier.ts';
import { endRigs, Rig, type RigOptions } from './rig.ts';

endRigs();

const INTERVAL_MS = 1000;
/** More than a heartbeat and its answer take. */
const SOON_MS = 50;

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  await rig.clock.advance(1500);
  return rig;
}

/** Requests that fail, one after the other, each with a lease of its own; fewer where the replica leaves the ring before. */
function fail(rig: Rig, name: string, times = FAILURES_IN_A_ROW): void {
  for (let i = 0; i < times && rig.view(name).state === 'ready'; i++) {
    const lease = rig.claim(name);
    lease.failed();
    lease.release();
  }
}

function answer(rig: Rig, name: string): void {
  const lease = rig.claim(name);
  lease.answered();
  lease.release();
}

async function rested(rig: Rig, times = 1): Promise<void> {
  await rig.clock.advance(restMs(times) + INTERVAL_MS + SOON_MS);
}

describe('a replica whose requests fail though it answers heartbeats', () => {
  test('is off the ring with the last of so many in a row, before any heartbeat', async () => {
    const rig = await opened();
    const { heartbeats } = rig.engine;
    fail(rig, 'server-2', FAILURES_IN_A_ROW - 1);
    expect(rig.view('server-2').state).toBe('ready');
    fail(rig, 'server-2', 1);
    expect(rig.view('server-2').state).toBe('ejected');
    expect(rig.fleet.ring.names).toEqual(['server-1', 'server-3']);
    expect(rig.engine.heartbeats).toBe(heartbeats);
    rig.check();
  });

  test('stays where one was answered in between', async () => {
    const rig = await opened();
    for (let round = 0; round < 5; round++) {
      fail(rig, 'server-2', FAILURES_IN_A_ROW - 1);
      answer(rig, 'server-2');
    }
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('tells the requests that wait for it to look elsewhere', async () => {
    const rig = await opened();
    const waiting = rig.claim('server-2');
    let lost = 0;
    waiting.onLost = () => lost++;
    fail(rig, 'server-2');
    expect(lost).toBe(1);
    // What they report of it now is no news.
    waiting.failed();
    expect(rig.view('server-2').state).toBe('ejected');
  });

  test('rests, and is back with the first heartbeat that it answers then', async () => {
    const rig = await opened();
    fail(rig, 'server-2');
    await rig.clock.advance(REST_FIRST_MS - 1);
    expect(rig.view('server-2').state).toBe('ejected');
    await rig.clock.advance(1 + SOON_MS);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 0 });
  });

  test('rests as long where heartbeats are rare', async () => {
    const rig = await opened({ config: { heartbeatIntervalMs: 3_600_000 } });
    fail(rig, 'server-2');
    await rig.clock.advance(REST_FIRST_MS + SOON_MS);
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('is not back as long as it does not answer, and is replaced as any that does not', async () => {
    const rig = await opened();
    fail(rig, 'server-2');
    rig.engine.live('server-2').health = 'failing';
    await rig.clock.advance(REST_FIRST_MS + SOON_MS);
    expect(rig.view('server-2').state).toBe('ejected');
    await rig.clock.advance(10_000);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
  });

  test('is on trial when it is back: one request more that fails, and it rests for twice as long', async () => {
    const rig = await opened({ owns: false });
    fail(rig, 'server-2');
    await rested(rig);
    fail(rig, 'server-2', 1);
    expect(rig.view('server-2').state).toBe('ejected');
    await rig.clock.advance(restMs(2) - SOON_MS);
    expect(rig.view('server-2').state).toBe('ejected');
    await rested(rig);
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('is on trial no more once a request was answered', async () => {
    const rig = await opened({ owns: false });
    fail(rig, 'server-2');
    await rested(rig);
    answer(rig, 'server-2');
    fail(rig, 'server-2', FAILURES_IN_A_ROW - 1);
    expect(rig.view('server-2').state).toBe('ready');
    fail(rig, 'server-2', 1);
    expect(rig.view('server-2').state).toBe('ejected');
  });

  test('is replaced when rests have not helped, and is on no trial then', async () => {
    const rig = await opened();
    for (let times = 1; times <= RESTS_MAX; times++) {
      fail(rig, 'server-2');
      expect(rig.view('server-2')).toMatchObject({ state: 'ejected', restarts: 0 });
      await rested(rig, times);
    }
    const { id } = rig.engine.live('server-2');
    fail(rig, 'server-2');
    await rig.clock.advance(500);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
    expect(rig.engine.live('server-2').id).not.toBe(id);
    fail(rig, 'server-2', FAILURES_IN_A_ROW - 1);
    expect(rig.view('server-2').state).toBe('ready');
    // And begins with the shortest rest.
    fail(rig, 'server-2', 1);
    await rested(rig);
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('is never replaced where somebody else runs it: it rests ever longer', async () => {
    const rig = await opened({ owns: false });
    for (let times = 1; times <= 8; times++) {
      fail(rig, 'server-2');
      expect(rig.view('server-2').state).toBe('ejected');
      await rig.clock.advance(restMs(times) - SOON_MS);
      expect(rig.view('server-2').state).toBe('ejected');
      await rested(rig);
      expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 0 });
    }
  });

  test('begins anew when it was well for a minute', async () => {
    const rig = await opened();
    fail(rig, 'server-2');
    await rested(rig);
    answer(rig, 'server-2');
    await rig.clock.advance(60_000);
    fail(rig, 'server-2');
    await rested(rig);
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('is not blamed for what its instance before it did', async () => {
    const rig = await opened();
    const old: Lease[] = Array.from({ length: 2 * FAILURES_IN_A_ROW }, () => rig.claim('server-2'));
    rig.engine.kill('server-2');
    await rig.clock.advance(500);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
    for (const lease of old) lease.failed();
    expect(rig.view('server-2').state).toBe('ready');
  });
});

describe('of the members', () => {
  test.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [7, 3],
  ])('%d, no more than %d are ejected since requests fail', async (replicas, most) => {
    const rig = await opened({ config: { replicas } });
    for (const name of rig.fleet.names()) fail(rig, name);
    const ready = rig.fleet.replicas().filter(({ state }) => state === 'ready');
    expect(ready).toHaveLength(replicas - most);
    expect(rig.logged('warn').filter(({ message }) => message.includes('stays on the ring'))).toHaveLength(
      replicas - most,
    );
  });

  test('who is dead counts', async () => {
    const rig = await opened({ config: { replicas: 4 } });
    rig.engine.startFault = () => 'fails';
    rig.engine.kill('server-1');
    rig.engine.kill('server-2');
    await rig.clock.advance(100);
    fail(rig, 'server-3');
    expect(rig.view('server-3').state).toBe('ready');
  });

  test('who leaves does not', async () => {
    const rig = await opened({ config: { replicas: 4 } });
    const held = rig.claim('server-1');
    const leaving = rig.fleet.remove({ n: 2, hostnames: ['server-1', 'server-2'] });
    await rig.clock.advance(100);
    fail(rig, 'server-3');
    expect(rig.states()).toBe('server-1 draining, server-2 draining, server-3 ejected, server-4 ready');
    fail(rig, 'server-4');
    expect(rig.view('server-4').state).toBe('ready');
    held.release();
    await rig.clock.until(leaving);
  });

  test('one that stays for lack of others leaves when there are some', async () => {
    const rig = await opened();
    fail(rig, 'server-1');
    fail(rig, 'server-2');
    expect(rig.states()).toBe('server-1 ejected, server-2 ready, server-3 ready');
    await rested(rig);
    answer(rig, 'server-1');
    fail(rig, 'server-2', 1);
    expect(rig.states()).toBe('server-1 ready, server-2 ejected, server-3 ready');
  });

  test('none is kept that refuses connections or misses heartbeats', async () => {
    const rig = await opened();
    for (const name of rig.fleet.names()) {
      rig.engine.live(name).health = 'refusing';
      rig.claim(name).unreachable();
    }
    expect(rig.fleet.ring.names).toEqual([]);
  });
});

test('no more than 8 are started again at once', async () => {
  const rig = await opened({ config: { replicas: 20 } });
  rig.engine.startMs = () => 1000;
  const before = rig.runtime.calls.start;
  for (const name of rig.fleet.names()) rig.engine.kill(name);
  await rig.clock.advance(500);
  expect(rig.runtime.calls.start - before).toBe(8);
  await rig.clock.advance(1000);
  expect(rig.runtime.calls.start - before).toBe(16);
  await rig.clock.advance(2000);
  expect(rig.fleet.replicas().filter(({ state }) => state === 'ready')).toHaveLength(20);
});
