import { describe, expect, test } from 'bun:test';
import { Chance } from './chance.ts';
import { endRigs, member, Rig, type RigOptions } from './rig.ts';

endRigs();

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  return rig;
}

describe('an instance of ours that is no member', () => {
  test('is removed when the engine tells of it', async () => {
    const rig = await opened();
    rig.engine.plant(member('stray', 9));
    await rig.clock.advance(1);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
  });

  test('is removed also where nobody tells, in whatever state it is', async () => {
    for (const state of ['running', 'paused', 'ended'] as const) {
      const rig = await opened();
      rig.engine.events = 'lost';
      rig.engine.plant(member('stray', 9, { committed: false }), state);
      await rig.clock.advance(5000);
      expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
      await rig.end();
    }
  });

  test('is tried again where it cannot be removed, and others are not kept from it', async () => {
    const rig = await opened();
    rig.engine.removeFault = (name) => (name === 'stuck' ? new Error('device busy') : undefined);
    rig.engine.plant(member('stuck', 8));
    rig.engine.plant(member('stray', 9));
    await rig.clock.advance(20_000);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3', 'stuck']);
    rig.engine.removeFault = () => undefined;
    await rig.clock.advance(5000);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
  });

  // The looks waited for each removal: an engine that took its time over a few leftovers was not asked any more what had
  // become of the replicas.
  test('and takes long to remove does not put off the healing of replicas', async () => {
    const rig = await opened();
    rig.engine.removeMs = (name) => (name.startsWith('stray') ? 15_000 : 0);
    for (const name of ['stray-1', 'stray-2', 'stray-3']) rig.engine.plant(member(name, 9));
    await rig.clock.advance(100);
    rig.engine.deadAre = 'silent';
    rig.engine.kill('server-2');
    await rig.clock.advance(100);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
    await rig.clock.advance(15_000);
    expect(rig.held().toSorted()).toEqual(['server-1', 'server-2', 'server-3']);
    // Each look finds them again; one removal of each is enough.
    expect(rig.lines.filter((line) => line.message.includes('no member'))).toHaveLength(3);
  });

  test('is never one that joins, leaves or was just started, however old the list is that is looked at', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const chance = new Chance(seed);
      const rig = await opened({ tie: (count) => chance.below(count) });
      rig.engine.events = 'repeated';
      rig.engine.latencyMs = () => (chance.happens(0.1) ? 150 : chance.below(10));
      rig.engine.bootMs = () => chance.below(50);
      // Without anything that fails: whatever is removed here was not to be.
      for (let i = 0; i < 6; i++) {
        const n = 1 + chance.below(3);
        const change =
          chance.happens(0.6) || rig.fleet.names().length === 0
            ? rig.fleet.add({ n, hostnames: [] })
            : rig.fleet.remove({ n: 1, hostnames: [] });
        for (let step = 0; step < 10; step++) {
          rig.engine.tell();
          await rig.clock.advance(chance.below(30));
          rig.check();
        }
        await rig.clock.until(change);
        // Not one that is still being started again: that start would fail by right.
        const ready = rig.fleet.ring.names.filter((name) =>
          rig.engine.named(name).some((one) => one.state === 'running'),
        );
        const victim = chance.pick(ready);
        if (victim !== undefined && chance.happens(0.5)) rig.engine.kill(victim);
      }
      await rig.clock.advance(3000);
      expect(rig.fleet.replicas().every((one) => one.state === 'ready')).toBe(true);
      expect(rig.lines.filter((line) => line.message.includes('no member'))).toEqual([]);
      expect(rig.lines.filter((line) => line.message.includes('could not'))).toEqual([]);
      await rig.end();
    }
  });
});

describe('a look', () => {
  test('is shared by all who ask for one while another is under way', async () => {
    const rig = await opened();
    rig.engine.latencyMs = () => 10;
    const { list } = rig.runtime.calls;
    for (let i = 0; i < 1000; i++) rig.engine.tell();
    await rig.clock.advance(100);
    expect(rig.runtime.calls.list - list).toBe(2);
  });

  test('that comes while the engine is gone changes nothing, and is told of once', async () => {
    const rig = await opened();
    rig.engine.gone = true;
    await rig.clock.advance(60_000);
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
    rig.engine.gone = false;
    await rig.clock.advance(10_000);
    expect(rig.lines.filter((line) => line.message.includes('engine')).map((line) => line.message)).toEqual([
      'the engine does not answer: healing waits',
      'the engine answers again',
    ]);
  });

  test('takes no instance for dead that was started while the list was on its way', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = new Chance(seed);
      const rig = await opened({ tie: (count) => chance.below(count) });
      rig.engine.latencyMs = () => (chance.happens(0.3) ? 100 : 1);
      // One that is found dead by a look is replaced after that look; one that is silent is replaced beside it.
      if (chance.happens(0.5)) rig.engine.kill('server-2');
      else rig.engine.live('server-2').health = 'failing';
      for (let step = 0; step < 300; step++) {
        rig.engine.tell();
        await rig.clock.advance(chance.below(60));
      }
      expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
      await rig.end();
    }
  });
});
