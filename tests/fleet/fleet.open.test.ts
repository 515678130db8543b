import { describe, expect, spyOn, test } from 'bun:test';
import { Unavailable } from '../../src/fleet/errors.ts';
import { Ring } from '../../src/ring/ring.ts';
import { EngineGone } from '../../src/runtime/runtime.ts';
import { Chance } from './chance.ts';
import type { Container } from './fake-engine.ts';
import { endRigs, failure, member, Rig } from './rig.ts';

endRigs();

describe('open, where the engine holds nothing of ours', () => {
  test('starts REPLICAS under server-1 and so on, and puts them on the ring at once, all of them', async () => {
    const rig = new Rig({ config: { replicas: 10 } });
    rig.engine.bootMs = ({ order }) => 1000 - order * 50;
    const rings = spyOn(Ring, 'of');
    await rig.open();
    expect(rings).toHaveBeenCalledTimes(1);
    rings.mockRestore();
    const names = Array.from({ length: 10 }, (_, i) => `server-${i + 1}`);
    expect(rig.fleet.names()).toEqual(names);
    expect(rig.fleet.ring.names).toEqual(names.toSorted());
    expect(rig.engine.all().every((one) => one.committed)).toBe(true);
  });

  test('starts none where REPLICAS is 0', async () => {
    const rig = new Rig({ config: { replicas: 0 } });
    await rig.open();
    expect(rig.fleet.names()).toEqual([]);
    expect(rig.fleet.claim('key')).toBeUndefined();
  });

  test('throws where one cannot be started, and leaves nothing', async () => {
    const rig = new Rig();
    rig.engine.startFault = ({ name }) => (name === 'server-2' ? 'fails' : undefined);
    expect(await failure(rig.open())).toBeInstanceOf(Unavailable);
    expect(rig.held()).toEqual([]);
    expect(rig.fleet.names()).toEqual([]);
  });

  test('throws where one never answers, once the start timeout is over', async () => {
    const rig = new Rig();
    rig.engine.bootMs = ({ name }) => (name === 'server-3' ? Number.POSITIVE_INFINITY : 10);
    expect(await failure(rig.open())).toBeInstanceOf(Unavailable);
    expect(rig.clock.now()).toBeGreaterThanOrEqual(30_000);
    expect(rig.held()).toEqual([]);
  });

  test('throws where the engine is gone', async () => {
    const rig = new Rig();
    rig.engine.gone = true;
    expect(await failure(rig.open())).toBeInstanceOf(EngineGone);
    expect(rig.fleet.names()).toEqual([]);
  });

  test('after close it is refused', async () => {
    const rig = new Rig();
    await rig.close();
    expect(await failure(rig.open())).toBeInstanceOf(Unavailable);
    expect(rig.held()).toEqual([]);
  });
});

describe('open, where the engine holds replicas of ours', () => {
  test('adopts them in joining order, and neither starts nor removes any', async () => {
    const rig = new Rig({ config: { replicas: 5 } });
    rig.engine.plant(member('b', 7));
    rig.engine.plant(member('c', 2));
    const before = rig.engine.all();
    await rig.open();
    expect(rig.fleet.names()).toEqual(['c', 'b']);
    expect(rig.states()).toBe('c ready, b ready');
    expect(rig.engine.all()).toEqual(before);
    expect(rig.runtime.calls).toMatchObject({ start: 0, stop: 0, mark: 0 });
  });

  test('what joins later has its place behind them, also for the one who adopts it in turn', async () => {
    const rig = new Rig();
    rig.engine.plant(member('late', 70));
    rig.engine.plant(member('early', 3));
    await rig.open();
    await rig.add(2, 'a');
    await rig.close(true);
    rig.restart();
    await rig.open();
    expect(rig.fleet.names()).toEqual(['early', 'late', 'a', 'server-1']);
  });

  test('brings back those that ended or are paused, under their own names, in their own places', async () => {
    const rig = new Rig();
    rig.engine.plant(member('ended', 1), 'ended');
    rig.engine.plant(member('paused', 2), 'paused');
    rig.engine.plant(member('well', 3));
    await rig.open();
    expect(rig.states()).toBe('ended ready, paused ready, well ready');
    // Of the chances to answer that others have, those found off the ring have the second half.
    expect(rig.clock.now()).toBeLessThan(4000);
    expect(rig.held().toSorted()).toEqual(['ended', 'paused', 'well']);
    for (const one of rig.engine.all()) expect(one.spec).toEqual(member(one.spec.name, one.spec.order));
  });

  test('starts one again that cannot be reached where it is', async () => {
    const rig = new Rig();
    rig.engine.plant(member('a', 1));
    rig.engine.create(member('b', 2), 'has no address');
    await rig.open();
    expect(rig.states()).toBe('a ready, b ready');
    expect(rig.runtime.calls.start).toBe(1);
  });

  test('does not wait longer than the start timeout for one that does not come back', async () => {
    const rig = new Rig();
    rig.engine.startFault = ({ name }) => (name === 'dead' ? 'hangs' : undefined);
    rig.engine.plant(member('dead', 1), 'ended');
    rig.engine.plant(member('well', 2));
    await rig.open();
    expect(rig.clock.now()).toBe(30_000);
    expect(rig.view('well').state).toBe('ready');
    expect(rig.view('dead').state).not.toBe('ready');
  });

  // The poll for "all are ready" lost its race against the start timeout and went on for ever, 50 times a second.
  test('leaves nothing waiting for one that does not come back', async () => {
    const rig = new Rig();
    rig.engine.bootMs = () => Number.POSITIVE_INFINITY;
    rig.engine.plant(member('dead', 1), 'paused');
    await rig.open();
    const wakes = rig.clock.wakes;
    await rig.clock.advance(10_000);
    // Two a second for the looks, heartbeats and polls of one replica that is coming up, and not 50 more.
    expect(rig.clock.wakes - wakes).toBeLessThan(150);
  });

  test('discards what an add that never committed left behind', async () => {
    const rig = new Rig();
    rig.engine.plant(member('a', 1));
    rig.engine.plant(member('b', 2, { join: 'crashed', committed: false }));
    rig.engine.plant(member('c', 3, { join: 'crashed', committed: false }), 'ended');
    await rig.open();
    expect(rig.fleet.names()).toEqual(['a']);
    expect(rig.held()).toEqual(['a']);
  });

  test('starts REPLICAS where all there was is such a leftover', async () => {
    const rig = new Rig();
    rig.engine.plant(member('server-2', 1, { committed: false }));
    await rig.open();
    expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
    expect(rig.held()).toHaveLength(3);
  });

  test('commits the rest of an add of which one was committed', async () => {
    const rig = new Rig();
    rig.engine.plant(member('a', 1, { join: 'crashed' }));
    rig.engine.plant(member('b', 2, { join: 'crashed', committed: false }));
    await rig.open();
    expect(rig.fleet.names()).toEqual(['a', 'b']);
    expect(rig.engine.all().every((one) => one.committed)).toBe(true);
    expect(rig.engine.renames).toEqual(['b member']);
  });

  test('takes back the marks of a leave that had removed none, the first’s last', async () => {
    const rig = new Rig();
    const leaving = { a: 'other', b: 'first', c: 'other' } as const;
    for (const [i, name] of (['a', 'b', 'c'] as const).entries())
      rig.engine.plant(member(name, i + 1)).leaving = leaving[name];
    await rig.open();
    expect(rig.states()).toBe('a ready, b ready, c ready');
    expect(rig.engine.renames).toEqual(['a member', 'c member', 'b member']);
    expect(rig.runtime.calls).toMatchObject({ start: 0, stop: 0 });
  });

  test('removes the rest of a leave that had removed the first', async () => {
    const rig = new Rig();
    for (const [i, name] of ['a', 'b', 'c'].entries())
      rig.engine.plant(member(name, i + 1)).leaving = name === 'a' ? undefined : 'other';
    await rig.open();
    expect(rig.states()).toBe('a ready');
    expect(rig.held()).toEqual(['a']);
  });

  test('takes back what the one before had asked for, and what comes in only now', async () => {
    const rig = new Rig();
    const planted = [1, 2, 3, 4].map((order) => rig.engine.plant(member(`r${order}`, order)));
    await rig.open();
    const [a, b, c, d] = planted as [Container, Container, Container, Container];
    rig.engine.rename(a.id, 'leaving');
    rig.engine.rename(b.id, 'leaving');
    rig.engine.rename(c.id, 'joining');
    rig.engine.renames.length = 0;
    await rig.clock.advance(10_000);
    expect(planted.map(({ committed, leaving }) => [committed, leaving])).toEqual(
      planted.map(() => [true, undefined]),
    );
    expect(rig.engine.renames).toEqual(['r3 member', 'r1 leaving first', 'r2 member', 'r1 member']);
    expect(rig.held()).toContain(d.spec.name);
    expect(rig.runtime.calls).toMatchObject({ start: 0, stop: 0 });
  });

  // The engine's events were watched before its list had been read. Opening the stream of events wakes the watcher by
  // itself; the look that followed knew of no members yet, and removed every replica as one that nobody wanted.
  test('never takes them for instances that nobody wants, however slow the engine is', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const chance = new Chance(seed);
      const rig = new Rig();
      rig.engine.latencyMs = () => chance.below(20);
      rig.engine.plant(member('a', 1));
      rig.engine.plant(member('b', 2, { join: 'half' }));
      rig.engine.plant(member('c', 3, { join: 'half', committed: false }));
      rig.engine.plant(member('d', 4, { join: 'none', committed: false }));
      const wanted = rig.engine.all().slice(0, 3);
      await rig.open();
      await rig.clock.advance(20_000);
      expect(rig.engine.all()).toEqual(wanted);
      expect(rig.states()).toBe('a ready, b ready, c ready');
      await rig.end();
    }
  });
});

describe('open after a crash', () => {
  // Where an add has begun to commit, and where it has not, the next Ringmaster has to decide alike for all of it.
  test('finds all of an add that was under way or none of it, wherever it was', async () => {
    const seen = new Set<number>();
    for (let seed = 1; seed <= 150; seed++) {
      const chance = new Chance(seed);
      const rig = new Rig({ config: { replicas: 2 } });
      rig.engine.latencyMs = () => chance.below(10);
      rig.engine.bootMs = () => chance.below(100);
      await rig.open();
      // Never settles where the crash comes first.
      void rig.fleet.add({ n: 3, hostnames: ['x', 'y', 'z'] });
      await rig.clock.advance(50 + chance.below(150));
      rig.crash();
      await rig.open();
      const names = rig.fleet.names();
      expect([
        ['server-1', 'server-2'],
        ['server-1', 'server-2', 'x', 'y', 'z'],
      ]).toContainEqual(names);
      seen.add(names.length);
      expect(rig.held().toSorted()).toEqual(names.toSorted());
      await rig.end();
    }
    // Both were met, or the test tests nothing.
    expect(seen).toEqual(new Set([2, 5]));
  });

  // Of an add whose commit had failed, and of several that left, the next Ringmaster found those that the one before had
  // not come to yet.
  test.each<[string, (rig: Rig) => Promise<unknown>, string[]]>([
    [
      'an add that was being taken back',
      (rig) => {
        rig.engine.renameFault = (name, as) =>
          name === 'y' && as === 'member' ? new Error('disk full') : undefined;
        return rig.fleet.add({ n: 3, hostnames: ['x', 'y', 'z'] });
      },
      ['server-1', 'server-2', 'server-3', 'server-4', 'x', 'y', 'z'],
    ],
    [
      'a removal that was under way',
      (rig) => rig.fleet.remove({ n: 3, hostnames: ['server-2', 'server-4'] }),
      ['server-1'],
    ],
  ])('finds all of %s or none of it, wherever it was', async (_, change, after) => {
    const before = ['server-1', 'server-2', 'server-3', 'server-4'];
    const seen = new Set<number>();
    for (let seed = 1; seed <= 200; seed++) {
      const chance = new Chance(seed);
      const rig = new Rig({ config: { replicas: 4 }, tie: (count) => chance.below(count) });
      await rig.open();
      rig.engine.latencyMs = () => chance.below(10);
      rig.engine.removeMs = () => chance.below(60);
      // Never settles where the crash comes first.
      change(rig).catch(() => {});
      await rig.clock.advance(20 + chance.below(200));
      rig.crash();
      // What was on its way comes in first.
      await rig.clock.advance(100);
      rig.engine.renameFault = () => undefined;
      await rig.open();
      const names = rig.fleet.names();
      expect([before, after]).toContainEqual(names);
      seen.add(names.length);
      expect(rig.held().toSorted()).toEqual(names.toSorted());
      expect(rig.engine.all().every((one) => one.committed && one.leaving === undefined)).toBe(true);
      await rig.end();
    }
    // Both were met, or the test tests nothing.
    expect(seen).toEqual(new Set([before.length, after.length]));
  });
});
