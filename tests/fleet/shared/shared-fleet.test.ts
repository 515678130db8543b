import { describe, expect, test } from 'bun:test';
import {
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  Unavailable,
  UnknownReplica,
} from '../../../src/fleet/errors.ts';
import { membersOf } from '../../../src/fleet/shared/seats.ts';
import { failure } from '../rig.ts';
import { endSharedRigs, QUIET_MS, SharedRig } from './shared-rig.ts';

endSharedRigs();

const FIRST = ['server-1', 'server-2', 'server-3'];

async function opened(...options: ConstructorParameters<typeof SharedRig>): Promise<SharedRig> {
  const rig = new SharedRig(...options);
  await rig.open();
  return rig;
}

describe('several Ringmasters', () => {
  test('that start at once start the first replicas once', async () => {
    const rig = await opened();
    for (const { fleet } of rig.running) expect(fleet.names()).toEqual(FIRST);
    expect(rig.swarm.created).toBe(3);
    await rig.settle();
  });

  test('have the same map when an add through any of them is answered, and one digest for it', async () => {
    const rig = await opened();
    for (const host of [0, 1, 2]) {
      const names = await rig.add(host, 2, `of-${host}`);
      for (const { fleet } of rig.running) {
        expect(fleet.names()).toEqual(names);
        expect(fleet.standing().digest).toBe(rig.fleet(host).standing().digest);
      }
    }
    expect(rig.members).toHaveLength(9);
    await rig.settle();
  });

  test('each keep what they send within its bound, count what is hot, and compare a second algorithm', async () => {
    const rig = await opened(2, { loadFactor: 1.25, shadowHash: 'maglev' });
    for (const { fleet } of rig.running) {
      const leases = Array.from({ length: 24 }, () => fleet.claim('key'));
      const counts = fleet.replicas().map(({ inFlight }) => inFlight);
      // ceil(1.25 * 24 / 3) = 10.
      expect(Math.max(...counts)).toBe(10);
      expect(counts.reduce((sum, count) => sum + count)).toBe(24);
      expect(fleet.choices.hot().keys.map(({ key, known }) => [key, known?.owner])).toEqual([
        ['key', fleet.owner('key') as string],
      ]);
      expect(fleet.choices.shadow()?.requests).toBe(24);
      for (const lease of leases) lease?.release();
    }
    await rig.settle();
  });

  test('have the same map when a removal is answered, and the replica is gone', async () => {
    const rig = await opened();
    await rig.remove(1, 2, 'server-1');
    for (const { fleet } of rig.running) expect(fleet.names()).toEqual(['server-2']);
    expect([...rig.swarm.services.keys()]).toEqual(['server-2']);
    await rig.settle();
  });

  test('plan alike, by all members, change nothing by it, and do what was planned', async () => {
    const rig = await opened();
    await rig.add(0, 1, 'a');
    const { roster } = rig.swarm;
    for (const { fleet } of rig.running) {
      expect(fleet.plan({ join: { n: 2, hostnames: ['b'] } })).toEqual({
        joining: ['b', 'server-4'],
        leaving: [],
        before: [...FIRST, 'a'].map((name) => ({ name, weight: 1 })),
        after: [...FIRST, 'a', 'b', 'server-4'].map((name) => ({ name, weight: 1 })),
        hash: { before: 'ring', after: 'ring' },
      });
      expect(fleet.plan({ leave: { n: 2, hostnames: ['server-1'] } }).leaving).toEqual(['server-1', 'a']);
      expect(() => fleet.plan({ join: { n: 1, hostnames: ['A'] } })).toThrow(NameTaken);
      expect(() => fleet.plan({ join: { n: 61, hostnames: [] } })).toThrow(TooManyReplicas);
    }
    expect(rig.swarm.roster).toEqual(roster);
    expect(await rig.add(1, 2, 'b')).toEqual([...FIRST, 'a', 'b', 'server-4']);
    await rig.settle();
  });

  test('explain alike whose a key is, and each by what it sees who gets its requests', async () => {
    const rig = await opened();
    const [first, ...others] = rig.running.map(({ fleet }) => fleet);
    const keys = Array.from({ length: 100 }, (_, i) => String(i));
    for (const key of keys) {
      const { home, owner, goesTo, passedOver } = first!.explain(key);
      expect([home, owner, goesTo, passedOver]).toEqual([owner, first!.owner(key), owner, []]);
    }
    const lost = first!.owner('42') as string;
    const lease = first!.claim('42');
    lease?.unreachable();
    lease?.release();
    const here = first!.explain('42');
    expect([here.home, here.owner]).toEqual([lost, lost]);
    expect(here.goesTo).toBe(here.preference[1] as string);
    expect(here.passedOver.map(({ replica, reason }) => [replica, reason])).toEqual([[lost, 'ejected']]);
    for (const other of others) {
      const there = other.explain('42');
      expect([there.owner, there.goesTo, there.passedOver]).toEqual([lost, lost, []]);
    }
    await rig.settle();
  });

  test.each([0, 1, 5, 40])(
    'that add the same name at once, with %i ms from one to the engine: one does, the others are told that it is taken',
    async (latencyMs) => {
      const rig = await opened();
      rig.swarm.latencyMs = () => latencyMs;
      const outcomes = await rig.clock.until(
        Promise.allSettled(rig.running.map(({ fleet }) => fleet.add({ n: 2, hostnames: ['b', 'a'] }))),
      );
      const refused = outcomes.filter((one) => one.status === 'rejected').map((one) => one.reason as Error);
      expect(refused).toHaveLength(2);
      for (const error of refused) expect(error).toBeInstanceOf(NameTaken);
      expect(rig.members).toEqual([...FIRST, 'b', 'a']);
      await rig.settle();
    },
  );

  test('that add without names at once each add another', async () => {
    const rig = await opened();
    await rig.clock.until(Promise.all(rig.running.map(({ fleet }) => fleet.add({ n: 2, hostnames: [] }))));
    expect(rig.members).toHaveLength(9);
    expect(new Set(rig.members).size).toBe(9);
    await rig.settle();
  });

  test('that remove without names at once each remove another', async () => {
    const rig = await opened(3, { replicas: 6 });
    await rig.clock.until(Promise.all(rig.running.map(({ fleet }) => fleet.remove({ n: 1, hostnames: [] }))));
    expect(rig.members).toEqual(FIRST);
    await rig.settle();
  });

  test('that add at once stay within the limit of replicas together', async () => {
    const rig = await opened(3, { maxReplicas: 6 });
    const outcomes = await rig.clock.until(
      Promise.allSettled(rig.running.map(({ fleet }) => fleet.add({ n: 2, hostnames: [] }))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(rig.members).toHaveLength(5);
  });

  test('a name that something else has on the Swarm is refused, and nothing is left', async () => {
    const rig = await opened();
    rig.swarm.foreign.add('taken');
    expect(await failure(rig.add(0, 3, 'a', 'taken'))).toBeInstanceOf(NameTaken);
    expect(rig.members).toEqual(FIRST);
    await rig.settle();
  });
});

describe('a leave', () => {
  test('waits for what another Ringmaster has in flight', async () => {
    const rig = await opened();
    const lease = rig.claim(2, 'server-3');
    let done = false;
    const removal = rig.fleet(0).remove({ n: 1, hostnames: ['server-3'] });
    void removal.then(() => (done = true));
    await rig.clock.advance(2000);
    expect({ done, members: rig.members }).toEqual({ done: false, members: ['server-1', 'server-2'] });
    expect(rig.swarm.services.has('server-3')).toBe(true);
    for (const { fleet } of rig.running) expect(fleet.names()).toEqual(['server-1', 'server-2']);
    lease.release();
    await rig.clock.until(removal);
    expect(rig.swarm.services.has('server-3')).toBe(false);
    await rig.settle();
  });

  test('sends elsewhere, before it cuts, what may go there', async () => {
    const rig = await opened();
    const lease = rig.claim(2, 'server-3');
    const told: string[] = [];
    lease.onLost = () => {
      told.push('lost');
      lease.release();
    };
    lease.onCut = () => told.push('cut');
    await rig.remove(0, 1, 'server-3');
    expect(told).toEqual(['lost']);
  });

  test('cuts it, there, when the time to drain is over', async () => {
    const rig = await opened();
    const lease = rig.claim(2, 'server-3');
    let cutMs: number | undefined;
    lease.onCut = () => {
      cutMs = rig.clock.now();
      lease.release();
    };
    const beganMs = rig.clock.now();
    await rig.remove(0, 1, 'server-3');
    expect((cutMs as number) - beganMs).toBeWithin(5000, 10_000);
    expect(rig.clock.now() - beganMs).toBeLessThan(12_000);
  });

  test('is finished by another where its Ringmaster dies', async () => {
    const rig = await opened();
    const lease = rig.claim(0, 'server-2');
    void rig.fleet(0).remove({ n: 2, hostnames: ['server-2'] });
    await rig.clock.advance(500);
    rig.crash(0);
    lease.release();
    rig.restart(0);
    await rig.clock.until(rig.fleet(0).open());
    expect(rig.members).toEqual(['server-1']);
    await rig.settle();
  });
});

describe('an add', () => {
  test('of which the Ringmaster dies is taken back by the others', async () => {
    for (const afterMs of [1, 5, 50, 200, 304]) {
      const rig = await opened();
      void rig.fleet(1).add({ n: 3, hostnames: ['a'] });
      await rig.clock.advance(afterMs);
      rig.crash(1);
      // It is missed when it has been silent for long enough, or when it is back.
      await rig.clock.advance(2 * QUIET_MS);
      expect([FIRST, [...FIRST, 'a', 'server-4', 'server-5']]).toContainEqual(rig.members);
      await rig.settle();
    }
  });

  test('of a replica that its Ringmaster does not reach, and another does, succeeds', async () => {
    const rig = await opened(3, { startTimeoutMs: 10_000 });
    const reaches = rig.swarm.reaches.bind(rig.swarm);
    // Hosts 0 and 1 hear of each other, and of host 2, but no packet goes from a container to one of the other.
    let apart = true;
    rig.swarm.reaches = (from, to) => !(apart && from + to === 1) && reaches(from, to);
    rig.swarm.hasQuorum = () => true;
    const names = await rig.add(0, 3);
    expect(names).toHaveLength(6);
    const map = names.toSorted().join();
    expect(rig.maps()).toEqual([map, map, map]);
    const hosts = [...rig.swarm.tasks].map(({ host }) => host);
    expect(hosts.toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
    await rig.clock.advance(10_000);
    expect(rig.fleet(0).ring.names).toHaveLength(4);
    expect(rig.fleet(2).ring.names).toHaveLength(6);
    apart = false;
    await rig.settle();
  });

  test('of which nobody hears that it was committed is taken back as soon as it can be', async () => {
    const rig = await opened();
    const change = rig.swarm.change.bind(rig.swarm);
    rig.swarm.change = (next) => {
      const before = rig.members.length;
      const roster = change(next);
      // The very moment that it is committed.
      if (rig.members.length > before) rig.swarm.cut(0);
      return roster;
    };
    expect(await failure(rig.add(0, 2, 'a'))).toBeInstanceOf(Unavailable);
    rig.swarm.change = change;
    expect(rig.members).toContain('a');
    rig.swarm.mend(0);
    await rig.settle();
    expect(rig.members).toEqual(FIRST);
  });

  test('that can not be carried out leaves nothing', async () => {
    const rig = await opened(3, { startTimeoutMs: 2000 });
    const add = rig.fleet(0).add({ n: 2, hostnames: ['a'] });
    await rig.clock.advance(50);
    for (const task of rig.swarm.tasks) if (task.name === 'a') task.silent = true;
    expect(await failure(rig.clock.until(add))).toBeInstanceOf(Unavailable);
    expect(rig.members).toEqual(FIRST);
    await rig.settle();
  });
});

describe('a replica', () => {
  test('whose process ends keeps its keys on the map, and is followed to where it is started again', async () => {
    const rig = await opened();
    const before = rig.maps();
    rig.swarm.crash('server-2');
    for (let ms = 0; ms < 10_000; ms += 100) {
      await rig.clock.advance(100);
      expect(rig.maps()).toEqual(before);
      rig.check();
    }
    for (const { fleet } of rig.running) {
      expect(fleet.ring.names).toEqual(FIRST);
      const told = fleet.journal.since(0).filter(({ replica }) => replica === 'server-2');
      expect(told.map(({ what }) => what).slice(-3)).toEqual(['died', 'restarting', 'healed']);
    }
    expect(rig.swarm.created).toBe(3);
  });

  test('that answers nobody is replaced, once', async () => {
    const rig = await opened();
    const task = rig.swarm.services.get('server-2')?.task;
    if (task !== undefined) task.silent = true;
    await rig.settle();
    expect(rig.swarm.services.get('server-2')?.task?.id).toBe('task-4');
  });

  test('that one Ringmaster alone does not reach is not', async () => {
    const rig = await opened();
    const reaches = rig.swarm.reaches.bind(rig.swarm);
    const host = rig.swarm.services.get('server-2')?.task?.host;
    const cutOff = host === 0 ? 1 : 0;
    // Between those two hosts only.
    rig.swarm.reaches = (from, to) =>
      !(from !== to && [from, to].every((one) => [host, cutOff].includes(one))) && reaches(from, to);
    const { id } = rig.swarm.services.get('server-2')?.task ?? { id: '' };
    await rig.clock.advance(QUIET_MS);
    expect(rig.swarm.services.get('server-2')?.task?.id).toBe(id);
    expect(rig.fleet(cutOff).ring.names).not.toContain('server-2');
    const [map, ...others] = rig.maps();
    expect(others).toEqual([map as string, map as string]);
    rig.swarm.reaches = reaches;
    await rig.settle();
  });

  test('whose service is taken away by hand is made again, by one of them', async () => {
    const rig = await opened();
    rig.swarm.remove('server-1');
    await rig.settle();
    expect(rig.members).toEqual(FIRST);
    expect(rig.swarm.created).toBe(4);
  });

  test('that nobody has a seat for is removed', async () => {
    const rig = await opened();
    rig.swarm.create({ name: 'stray', order: 9, join: 'x', committed: true });
    await rig.settle();
    expect(rig.swarm.services.has('stray')).toBe(false);
  });
});

describe('a host', () => {
  test('that dies takes no answer with it: the others name the same owners all the time', async () => {
    const rig = await opened(3, { replicas: 6 });
    const before = rig.maps().slice(0, 2);
    rig.swarm.kill(2);
    rig.crash(2);
    for (let ms = 0; ms < 30_000; ms += 50) {
      await rig.clock.advance(50);
      expect(rig.maps()).toEqual(before);
      rig.check();
    }
    await rig.settle();
  });

  test('that is cut off stops to name owners before an add elsewhere is answered, and is right when it is back', async () => {
    const rig = await opened(3, { replicas: 6 });
    rig.swarm.cut(2);
    await rig.clock.advance(100);
    const names = await rig.add(0, 1, 'new');
    const map = names.toSorted().join();
    expect(rig.maps()).toEqual([map, map, 'cut off']);
    await rig.clock.advance(30_000);
    expect(rig.maps()).toEqual([map, map, 'cut off']);
    rig.swarm.mend(2);
    for (let ms = 0; ms < 5000; ms += 10) {
      await rig.clock.advance(10);
      expect([map, 'cut off']).toContain(rig.maps()[2] as string);
      rig.check();
    }
    await rig.settle();
  });

  test('that is back takes no other replica for the one that had its address before', async () => {
    const rig = await opened(3, { replicas: 6 });
    const onHost = (host: number) => [...rig.swarm.tasks].filter((task) => task.host === host);
    rig.swarm.cut(2);
    await rig.clock.advance(6000);
    // They get addresses that are new, and after a while others get those that they had.
    for (const { name } of [...onHost(0), ...onHost(1)]) rig.swarm.crash(name);
    await rig.clock.advance(8000);
    await rig.add(0, 4);
    // Heartbeats go through before the Swarm has told where everybody is.
    rig.swarm.latencyMs = () => 700;
    rig.swarm.mend(2);
    for (let ms = 0; ms < 6000; ms += 10) {
      await rig.clock.advance(10);
      rig.check();
    }
    await rig.settle();
  });

  test('that is cut off in a removal removes nobody who has joined since, under the same name', async () => {
    const rig = await opened(3, { drainTimeoutMs: 100_000 });
    const lease = rig.claim(0, 'server-3');
    const removal = rig.fleet(0).remove({ n: 1, hostnames: ['server-3'] });
    await rig.clock.advance(1000);
    rig.swarm.cut(0);
    // The others give it up, finish what it has begun, and add another of that name.
    await rig.clock.advance(25_000);
    await rig.add(1, 1, 'server-3');
    const task = rig.swarm.services.get('server-3')?.task;
    rig.swarm.mend(0);
    await rig.clock.advance(5000);
    lease.release();
    await rig.clock.until(removal);
    expect(rig.members).toEqual(FIRST);
    expect(rig.swarm.services.get('server-3')?.task).toBe(task);
    await rig.settle();
  });

  test('that is cut off refuses changes, and has changed nothing', async () => {
    const rig = await opened();
    rig.swarm.cut(2);
    await rig.clock.advance(100);
    expect(await failure(rig.add(2, 1, 'a'))).toBeInstanceOf(Unavailable);
    expect(await failure(rig.remove(2, 1, 'server-1'))).toBeInstanceOf(Unavailable);
    rig.swarm.mend(2);
    await rig.settle();
    expect(rig.members).toEqual(FIRST);
  });
});

describe('a Ringmaster', () => {
  test('that ends leaves the replicas to the others; the last removes them', async () => {
    const rig = await opened();
    for (const { runtime } of rig.running) runtime.dismissed = 'not its part';
    await rig.close(1);
    await rig.close(0);
    expect(rig.members).toEqual(FIRST);
    await rig.close(2);
    expect([...rig.swarm.services.keys()]).toEqual([]);
    expect(rig.swarm.roster).toMatchObject({ seats: [], ringmasters: {} });
  });

  test('that ends at the same moment as all others leaves nothing either', async () => {
    const rig = await opened();
    for (const { runtime } of rig.running) runtime.dismissed = 'not its part';
    await rig.clock.until(Promise.all(rig.running.map(({ fleet }) => fleet.close(false))));
    expect([...rig.swarm.services.keys()]).toEqual([]);
    expect(rig.swarm.roster).toMatchObject({ seats: [], ringmasters: {} });
    for (const host of [0, 1, 2]) rig.lives[host] = undefined;
  });

  test('that ends when it does not hear another leaves the replicas to that one, if it lives', async () => {
    for (const lives of [true, false]) {
      const rig = await opened(2);
      for (const { runtime } of rig.running) runtime.dismissed = 'not its part';
      const other = rig.fleet(1);
      // It follows the Swarm, and its port is closed to us.
      const reaches = rig.swarm.reaches.bind(rig.swarm);
      rig.swarm.hasQuorum = () => true;
      rig.swarm.reaches = (from, to) => from === to || (from + to !== 1 && reaches(from, to));
      if (!lives) rig.crash(1);
      await rig.clock.advance(5000);
      await rig.close(0);
      expect(rig.members).toEqual(lives ? FIRST : []);
      if (lives) expect(other.names()).toEqual(FIRST);
    }
  });

  test('that takes long to start the first replicas is not taken for gone meanwhile', async () => {
    const rig = new SharedRig(3, { startTimeoutMs: 60_000 });
    // Nobody answers before it has opened.
    const standing = rig.running.map(({ fleet }) => fleet.standing.bind(fleet));
    const opened = rig.running.map(() => false);
    for (const [i, { fleet }] of rig.running.entries())
      fleet.standing = () => {
        const { digest, revision, ...rest } = (standing[i] as typeof fleet.standing)();
        return opened[i] === true ? { digest, revision, ...rest } : { ...rest, digest: 'none', revision: -1 };
      };
    const change = rig.swarm.change.bind(rig.swarm);
    let struck = 0;
    rig.swarm.change = (next) => {
      const before = Object.keys(rig.swarm.roster.ringmasters).length;
      const roster = change(next);
      if (Object.keys(roster.ringmasters).length < before) struck++;
      return roster;
    };
    const create = rig.swarm.create.bind(rig.swarm);
    rig.swarm.create = (spec) => {
      create(spec);
      const task = rig.swarm.services.get(spec.name)?.task;
      if (task !== undefined) task.answersAtMs = rig.clock.now() + 25_000;
    };
    await rig.clock.until(
      Promise.all(
        rig.running.map(({ fleet }, i) =>
          fleet.open().then(() => {
            opened[i] = true;
          }),
        ),
      ),
    );
    expect({ created: rig.swarm.created, struck }).toEqual({ created: 3, struck: 0 });
    expect(rig.members).toEqual(FIRST);
    for (const [i, { fleet }] of rig.running.entries()) fleet.standing = standing[i] as typeof fleet.standing;
    await rig.settle();
  });

  test('that is a part of the Swarm leaves them to its next run, unless it was taken away for good', async () => {
    const rig = await opened(1);
    await rig.close(0);
    expect(rig.members).toEqual(FIRST);
    const life = rig.restart(0);
    await rig.clock.until(life.fleet.open());
    expect(rig.swarm.created).toBe(3);
    life.runtime.dismissed = 'yes';
    await rig.close(0);
    expect([...rig.swarm.services.keys()]).toEqual([]);
  });

  test('that is to keep them does', async () => {
    const rig = await opened(1);
    rig.life(0).runtime.dismissed = 'yes';
    await rig.close(0, true);
    expect(rig.members).toEqual(FIRST);
  });

  test('that starts where it does not reach a replica begins without it, soon, and with the same map', async () => {
    const rig = await opened();
    const [map] = rig.maps();
    rig.crash(1);
    const task = rig.swarm.services.get('server-2')?.task;
    if (task !== undefined) task.silent = true;
    const beganMs = rig.clock.now();
    await rig.clock.until(rig.restart(1).fleet.open());
    expect(rig.clock.now() - beganMs).toBeLessThan(3000);
    expect(rig.maps()).toEqual([map, map, map] as string[]);
    expect(rig.fleet(1).ring.names).toEqual(['server-1', 'server-3']);
    await rig.settle();
  });

  test('that is killed and started again has the same map', async () => {
    const rig = await opened();
    const [map] = rig.maps();
    rig.crash(1);
    await rig.clock.advance(3000);
    await rig.clock.until(rig.restart(1).fleet.open());
    expect(rig.maps()).toEqual([map, map, map] as string[]);
    await rig.settle();
  });

  test('is forgotten when it has been silent for long, and back when it is heard again', async () => {
    const rig = await opened();
    rig.swarm.cut(1);
    await rig.clock.advance(2 * QUIET_MS);
    expect(Object.keys(rig.swarm.roster.ringmasters).sort()).toEqual(['host-0', 'host-2']);
    rig.swarm.mend(1);
    await rig.settle();
    expect(Object.keys(rig.swarm.roster.ringmasters).sort()).toEqual(['host-0', 'host-1', 'host-2']);
  });
});

test('a disagreement that lasts is told, and its end', async () => {
  const rig = await opened();
  const { fleet, lines } = rig.life(0);
  const other = rig.fleet(1);
  const standing = other.standing.bind(other);
  other.standing = () => ({ ...standing(), digest: 'another' });
  await rig.clock.advance(10_000);
  expect(fleet.standing().disagreementMs).toBeWithin(8000, 10_001);
  const told = () => lines.filter(({ message }) => message.includes('map')).map(({ level }) => level);
  expect(told()).toEqual(['warn']);
  other.standing = standing;
  await rig.clock.advance(5000);
  expect(told()).toEqual(['warn', 'info']);
  expect(membersOf(rig.swarm.roster)).toHaveLength(3);
});

describe('weights that several Ringmasters share', () => {
  const weights = (rig: SharedRig): Record<string, number>[] =>
    rig.running.map(({ fleet }) =>
      Object.fromEntries(fleet.standing().map.sites.map(({ name, weight }) => [name, weight])),
    );
  const digests = (rig: SharedRig): Set<string> =>
    new Set(rig.running.map(({ fleet }) => fleet.standing().digest));

  test('are in force everywhere when an add or a change of them is answered', async () => {
    const rig = await opened();
    await rig.clock.until(rig.fleet(0).add({ n: 1, hostnames: ['a'], weights: { a: 3 } }));
    const added = { a: 3, 'server-1': 1, 'server-2': 1, 'server-3': 1 };
    expect(weights(rig)).toEqual([added, added, added]);
    const before = digests(rig);
    expect(before.size).toBe(1);
    const { revision } = rig.swarm.roster;
    expect(await rig.clock.until(rig.fleet(1).weigh({ 'SERVER-2': 2, a: 3 }))).toEqual({
      'server-1': 1,
      'server-2': 2,
      'server-3': 1,
      a: 3,
    });
    const after = { ...added, 'server-2': 2 };
    expect(weights(rig)).toEqual([after, after, after]);
    expect(digests(rig).size).toBe(1);
    expect(digests(rig)).not.toEqual(before);
    expect(rig.swarm.roster.revision).toBe(revision + 1);
    for (const { fleet } of rig.running) {
      expect(fleet.ring.sites.find(({ name }) => name === 'server-2')?.weight).toBe(2);
      const told = fleet.journal.since(0).filter(({ what }) => what === 'weighed');
      expect(told.map(({ replica, why }) => [replica, why])).toEqual([['server-2', 'weight 1 → 2']]);
    }
    await rig.settle();
  });

  test('are those of the roster for one that comes later, and for what is made again', async () => {
    const rig = await opened();
    await rig.clock.until(rig.fleet(0).weigh({ 'server-2': 5 }));
    rig.crash(1);
    const { fleet } = rig.restart(1);
    await rig.clock.until(fleet.open());
    expect(weights(rig)[1]).toEqual({ 'server-1': 1, 'server-2': 5, 'server-3': 1 });
    rig.swarm.remove('server-2');
    await rig.settle();
    expect(rig.swarm.services.get('server-2')?.spec.weight).toBe(5);
    expect(weights(rig)[0]).toEqual({ 'server-1': 1, 'server-2': 5, 'server-3': 1 });
  });

  test('are all in force or none', async () => {
    const rig = await opened();
    const { roster } = rig.swarm;
    expect(await failure(rig.clock.until(rig.fleet(0).weigh({ 'server-1': 2, nobody: 2 })))).toBeInstanceOf(
      UnknownReplica,
    );
    expect(await failure(rig.clock.until(rig.fleet(0).weigh({ 'server-1': 101 })))).toBeInstanceOf(
      InvalidChange,
    );
    const wish = { n: 1, hostnames: ['a'], weights: { a: 0 } };
    expect(await failure(rig.clock.until(rig.fleet(0).add(wish)))).toBeInstanceOf(InvalidChange);
    expect(rig.swarm.roster).toBe(roster);
    await rig.settle();
  });

  test('can not be changed by one that is cut off, which says so', async () => {
    const rig = await opened();
    rig.swarm.cut(0);
    const error = await failure(rig.clock.until(rig.fleet(0).weigh({ 'server-1': 2 })));
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toEndWith('no weight was changed');
    expect(weights(rig)[1]).toEqual({ 'server-1': 1, 'server-2': 1, 'server-3': 1 });
    rig.swarm.mend(0);
    await rig.settle();
  });
});

describe('a slow start at several Ringmasters', () => {
  const SLOW_START_MS = 20_000;
  const effective = (rig: SharedRig, name: string): (number | undefined)[] =>
    rig.running.map(({ fleet }) => fleet.replicas().find((one) => one.name === name)?.effectiveWeight);

  test('is one at each of them, of where requests go, while all tell the owners of the whole weights', async () => {
    const rig = await opened(3, { slowStartMs: SLOW_START_MS });
    for (const name of FIRST) expect(effective(rig, name)).toEqual([1, 1, 1]);
    const names = await rig.add(1, 1, 'a');
    expect(names).toContain('a');
    await rig.clock.advance(1000);
    for (const weight of effective(rig, 'a')) {
      expect(weight).toBeGreaterThanOrEqual(1 / 16);
      expect(weight).toBeLessThan(0.3);
    }
    for (const { fleet } of rig.running) {
      const sites = fleet.standing().map.sites;
      expect(sites.find(({ name }) => name === 'a')?.weight).toBe(1);
      expect(fleet.standing().replicas.find(({ name }) => name === 'a')).toMatchObject({ weight: 1 });
    }
    await rig.clock.advance(SLOW_START_MS + 1000);
    expect(effective(rig, 'a')).toEqual([1, 1, 1]);
    await rig.settle();
  });

  test('is none at one that comes to what is there, and one of what is started anew', async () => {
    const rig = await opened(3, { slowStartMs: SLOW_START_MS });
    rig.crash(2);
    await rig.clock.until(rig.restart(2).fleet.open());
    await rig.clock.advance(1000);
    for (const name of FIRST) expect(effective(rig, name)).toEqual([1, 1, 1]);
    rig.swarm.crash('server-1');
    await rig.clock.advance(5000);
    for (const weight of effective(rig, 'server-1')) {
      expect(weight).toBeGreaterThan(0);
      expect(weight).toBeLessThan(0.5);
    }
    await rig.settle();
  });
});
