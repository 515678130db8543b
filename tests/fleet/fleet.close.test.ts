import { describe, expect, test } from 'bun:test';
import { Unavailable } from '../../src/fleet/errors.ts';
import { Chance } from './chance.ts';
import { endRigs, failure, member, Rig, type RigOptions } from './rig.ts';

endRigs();

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  return rig;
}

describe('close', () => {
  test('drains and removes all, and refuses what comes later', async () => {
    const rig = await opened();
    const lease = rig.claim('server-2');
    void rig.fleet.close(false);
    rig.clock.settle();
    expect(rig.fleet.claim('key')).toBeUndefined();
    expect(await failure(rig.fleet.add({ n: 1, hostnames: [] }))).toBeInstanceOf(Unavailable);
    expect(rig.held()).toContain('server-2');
    lease.release();
    await rig.close();
    expect(rig.held()).toEqual([]);
    expect(rig.fleet.names()).toEqual([]);
    for (const change of [
      rig.fleet.add({ n: 1, hostnames: [] }),
      rig.fleet.remove({ n: 1, hostnames: [] }),
    ]) {
      const error = await failure(change);
      expect(error).toBeInstanceOf(Unavailable);
      expect(error.message).toContain('shutting down');
    }
  });

  test('cuts what is not released by the drain timeout', async () => {
    const rig = await opened();
    rig.engine.stopMs = () => Number.POSITIVE_INFINITY;
    rig.claim('server-2');
    const began = rig.clock.now();
    await rig.close();
    expect(rig.clock.now() - began).toBe(10_000);
    expect(rig.held()).toEqual([]);
  });

  // It waited for the leave under way, up to its whole drain timeout, and then for another one of its own.
  test('takes no longer where a leave is under way', async () => {
    const rig = await opened();
    rig.engine.stopMs = () => Number.POSITIVE_INFINITY;
    for (const name of rig.fleet.names()) rig.claim(name);
    const removing = rig.fleet.remove({ n: 1, hostnames: [] });
    await rig.clock.advance(4000);
    const began = rig.clock.now();
    await rig.close();
    expect(rig.clock.now() - began).toBeLessThanOrEqual(10_000);
    expect(await removing).toEqual(['server-1', 'server-2']);
    expect(rig.held()).toEqual([]);
  });

  // The second removal, by force, outlived the close: the caller had been told that nothing was removed, and the next
  // Ringmaster took in a replica that ended a moment later.
  test('that is forced while a removal fails says what becomes of the replica, and nothing ends later', async () => {
    const rig = await opened();
    let removals = 0;
    rig.engine.removeMs = () => 1000;
    rig.engine.removeFault = () => (removals++ === 0 ? new Error('device busy') : undefined);
    const removing = rig.fleet.remove({ n: 1, hostnames: [] }).catch(() => rig.fleet.names());
    await rig.clock.advance(10);
    const closing = rig.fleet.close(true);
    await rig.clock.advance(500);
    rig.fleet.force();
    await rig.clock.until(closing);
    const held = rig.held();
    expect(await removing).toEqual(held);
    await rig.clock.advance(5000);
    expect(rig.held()).toEqual(held);
    await rig.close(true);
  });

  // The removal by force was still under way when the close had ended, and ended what the next Ringmaster had started
  // under the same name.
  test('that is forced leaves no removal behind that would end what is started after it', async () => {
    const rig = await opened();
    rig.engine.stopMs = () => 1000;
    const closing = rig.fleet.close(false);
    await rig.clock.advance(900);
    rig.engine.latencyMs = () => 300;
    rig.fleet.force();
    await rig.clock.advance(50);
    rig.engine.latencyMs = () => 0;
    await rig.clock.until(closing);
    for (const name of ['server-1', 'server-2', 'server-3']) rig.engine.plant(member(name, 1));
    await rig.clock.advance(5000);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
    for (const name of rig.held()) rig.engine.vanish(name);
    await rig.close();
  });

  test('is cut short by force, wherever it is', async () => {
    for (const forcedAfterMs of [0, 5000, 9000]) {
      const rig = await opened();
      rig.engine.stopMs = () => Number.POSITIVE_INFINITY;
      rig.claim('server-2');
      void rig.fleet.close(false);
      await rig.clock.advance(forcedAfterMs);
      const began = rig.clock.now();
      rig.fleet.force();
      await rig.clock.advance(1);
      // The engine still counts down the time that it gave the container; the fleet has ended it by then.
      expect(rig.held()).toEqual([]);
      await rig.close();
      expect(rig.clock.now() - began).toBeLessThanOrEqual(2000);
      await rig.end();
    }
  });

  // Whoever closed second put members that were leaving through the state table once more, which it does not list:
  // it was told that not every replica could be removed, and closed the runtime under the one that was removing them.
  test('twice at the same time is once', async () => {
    const rig = await opened();
    rig.engine.latencyMs = () => 5;
    const lease = rig.claim('server-2');
    const closing = Promise.all([rig.fleet.close(false), rig.fleet.close(true)]);
    await rig.clock.advance(100);
    lease.release();
    await rig.clock.until(closing);
    await rig.close();
    expect(rig.held()).toEqual([]);
    expect(rig.runtime.calls.close).toBe(1);
    expect(rig.logged('error')).toEqual([]);
  });

  test('comes to its end with the engine gone, and says what it could not do', async () => {
    const rig = await opened();
    rig.engine.gone = true;
    await rig.close();
    expect(rig.logged('error')).toHaveLength(1);
    expect(rig.runtime.calls.close).toBe(1);
    expect(rig.held()).toHaveLength(3);
  });

  test('drains while the engine takes long to remove what nobody wants, and ends after that', async () => {
    const rig = await opened();
    rig.engine.removeMs = (name) => (name === 'stray' ? 15_000 : 0);
    rig.engine.plant(member('stray', 9));
    await rig.clock.advance(100);
    void rig.fleet.close(false);
    rig.clock.settle();
    expect(rig.fleet.claim('key')).toBeUndefined();
    await rig.clock.advance(10);
    expect(rig.held()).toEqual(['stray']);
    expect(rig.runtime.calls.close).toBe(0);
    await rig.close();
    expect(rig.held()).toEqual([]);
  });

  test('lets a look that is under way end before the runtime is closed', async () => {
    const rig = await opened({ config: { replicas: 0 } });
    rig.engine.latencyMs = () => 50;
    rig.engine.plant(member('stray', 1));
    await rig.clock.advance(60);
    await rig.close();
    expect(rig.held()).toEqual([]);
  });

  test('gives up what is being started, and refuses the changes that wait', async () => {
    const rig = await opened();
    rig.engine.bootMs = () => 5000;
    const adding = failure(rig.fleet.add({ n: 1, hostnames: [] }));
    const waiting = failure(rig.fleet.remove({ n: 1, hostnames: [] }));
    await rig.clock.advance(100);
    await rig.close();
    for (const error of [await adding, await waiting]) {
      expect(error).toBeInstanceOf(Unavailable);
      expect(error.message).toContain('shutting down');
    }
    expect(rig.logged('warn')).toEqual([]);
    expect(rig.held()).toEqual([]);
  });

  test('while members die, start and wait for their restart leaves nothing', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = new Chance(seed);
      const rig = await opened({ config: { replicas: 6 }, tie: (count) => chance.below(count) });
      rig.engine.latencyMs = () => chance.below(20);
      rig.engine.bootMs = () => chance.below(300);
      rig.engine.startFault = () => chance.pick(['fails', 'hangs', 'ends', undefined, undefined]);
      for (const name of rig.fleet.names()) {
        rig.engine.kill(name);
        await rig.clock.advance(chance.below(400));
      }
      await rig.close();
      expect(rig.held()).toEqual([]);
      expect(rig.clock.now()).toBeLessThan(15_000);
      await rig.end();
    }
  });
});

describe('close that keeps', () => {
  test('leaves the instances to the next start, which finds them as they were', async () => {
    const rig = await opened({ config: { replicas: 4 } });
    await rig.remove(1, 'server-2');
    const before = rig.engine.all();
    rig.claim('server-1');
    await rig.close(true);
    expect(rig.clock.now()).toBeLessThan(100);
    expect(rig.engine.all()).toEqual(before);
    rig.restart();
    await rig.open();
    expect(rig.fleet.names()).toEqual(['server-1', 'server-3', 'server-4']);
    expect(rig.engine.all()).toEqual(before);
  });

  test('does not take the heartbeats that it calls off for missed ones', async () => {
    const rig = await opened({ config: { heartbeatFailures: 1 }, heartbeatLatencyMs: () => 400 });
    for (let beat = 0; beat < 5; beat++) await rig.clock.advance(130);
    await rig.close(true);
    expect(rig.fleet.ring.names).toEqual(['server-1', 'server-2', 'server-3']);
  });

  test('has no effect where instances do not outlive us', async () => {
    const rig = await opened({ durable: false });
    await rig.close(true);
    expect(rig.held()).toEqual([]);
  });
});

describe('close at any moment', () => {
  const latencies = (seed: number): Rig => {
    const chance = new Chance(seed);
    const rig = new Rig({ config: { replicas: 2 }, tie: (count) => chance.below(count) });
    rig.engine.latencyMs = () => chance.below(10);
    rig.engine.bootMs = () => chance.below(60);
    return rig;
  };

  test('of an open that starts replicas leaves nothing, and the open fails', async () => {
    for (let afterMs = 0; afterMs < 60; afterMs++) {
      const rig = latencies(afterMs);
      const opening = rig.fleet.open().then(
        () => 'opened',
        (error: unknown) => error,
      );
      await rig.clock.advance(afterMs);
      await rig.close();
      const outcome = await opening;
      if (outcome !== 'opened') expect(outcome).toBeInstanceOf(Unavailable);
      expect(rig.held()).toEqual([]);
      await rig.end();
    }
  });

  // What `open` adopted after `close` had ended was supervised for ever, and never removed.
  test('of an open that adopts replicas leaves nothing', async () => {
    for (let afterMs = 0; afterMs < 60; afterMs++) {
      const rig = latencies(afterMs);
      rig.engine.plant(member('a', 1));
      rig.engine.plant(member('b', 2), 'ended');
      rig.engine.plant(member('c', 3, { join: 'half' }));
      rig.engine.plant(member('d', 4, { join: 'half', committed: false }));
      rig.engine.plant(member('e', 5, { join: 'none', committed: false }));
      const opening = rig.fleet.open().then(
        () => 'opened',
        (error: unknown) => error,
      );
      await rig.clock.advance(afterMs);
      await rig.close();
      const outcome = await opening;
      if (outcome !== 'opened') expect(outcome).toBeInstanceOf(Unavailable);
      // Refused before it began it has not even asked what is there.
      if (afterMs > 0) expect(rig.held()).toEqual([]);
      await rig.end();
    }
  });

  test('of an add leaves nothing', async () => {
    for (let afterMs = 0; afterMs < 100; afterMs += 2) {
      const rig = latencies(afterMs);
      await rig.open();
      const adding = rig.fleet.add({ n: 3, hostnames: ['a'] }).then(
        (names) => names,
        (error: unknown) => error,
      );
      await rig.clock.advance(afterMs);
      await rig.close();
      const outcome = await adding;
      if (!Array.isArray(outcome)) expect(outcome).toBeInstanceOf(Unavailable);
      expect(rig.held()).toEqual([]);
      await rig.end();
    }
  });

  test('of a removal leaves nothing', async () => {
    for (let afterMs = 0; afterMs < 60; afterMs += 2) {
      const rig = latencies(afterMs);
      await rig.open();
      const lease = rig.claim('server-2');
      const removing = rig.fleet.remove({ n: 1, hostnames: [] }).then(
        (names) => names,
        (error: unknown) => error,
      );
      await rig.clock.advance(afterMs);
      void rig.fleet.close(false);
      lease.release();
      await rig.close();
      const outcome = await removing;
      if (!Array.isArray(outcome)) expect(outcome).toBeInstanceOf(Unavailable);
      expect(rig.held()).toEqual([]);
      await rig.end();
    }
  });
});
