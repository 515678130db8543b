import { describe, expect, spyOn, test } from 'bun:test';
import {
  FleetError,
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  Unavailable,
  UnknownReplica,
} from '../../src/fleet/errors.ts';
import { namesOf } from '../../src/fleet/membership.ts';
import { CHANGES_WAITING_MAX } from '../../src/fleet/queue.ts';
import { Ring } from '../../src/ring/ring.ts';
import type { InstanceSpec } from '../../src/runtime/runtime.ts';
import { Chance } from './chance.ts';
import { endRigs, failure, member, Rig, type RigOptions } from './rig.ts';

endRigs();

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  return rig;
}

/** Who is marked as leaving, and as what, in the order of their names. */
function marks({ engine }: Rig): string {
  return engine
    .all()
    .filter(({ leaving }) => leaving !== undefined)
    .map(({ spec, leaving }) => `${spec.name} ${leaving}`)
    .sort()
    .join(', ');
}

/** What an error tells the API, and that it is meant for its eyes. */
async function refusal(pending: Promise<unknown>): Promise<FleetError> {
  const error = await failure(pending);
  expect(error).toBeInstanceOf(FleetError);
  return error as FleetError;
}

describe('plan', () => {
  test('says who will join and leave, by all members, ready or not, and changes nothing', async () => {
    const rig = await opened();
    rig.engine.live('server-2').health = 'refusing';
    for (let i = 0; i < 100 && rig.fleet.ring.names.includes('server-2'); i++) await rig.clock.advance(100);
    expect(rig.fleet.ring.names).not.toContain('server-2');
    const { calls } = rig.runtime;
    const before = [{ ...calls }, rig.states(), rig.held()];
    const plan = rig.fleet.plan({ join: { n: 2, hostnames: ['a'] }, leave: { n: 1, hostnames: [] } });
    expect(plan).toEqual({
      joining: ['a', 'server-3'],
      leaving: ['server-3'],
      before: ['server-1', 'server-2', 'server-3'].map((name) => ({ name, weight: 1 })),
      after: ['server-1', 'server-2', 'a', 'server-3'].map((name) => ({ name, weight: 1 })),
      hash: { before: 'ring', after: 'ring' },
    });
    expect([{ ...calls }, rig.states(), rig.held()]).toEqual(before);
  });

  // What went wrong: a leave that was under way was planned with, and the call that followed took another than was said.
  test('is of those who stay when one leaves just now, as the next call will find them', async () => {
    const rig = await opened();
    const lease = rig.claim('server-3');
    const leaving = rig.fleet.remove({ n: 1, hostnames: ['server-3'] });
    await rig.clock.advance(50);
    expect(rig.view('server-3').state).toBe('draining');
    const { leaving: next } = rig.fleet.plan({ leave: { n: 1, hostnames: [] } });
    expect(next).toEqual(['server-2']);
    expect(() => rig.fleet.plan({ leave: { n: 3, hostnames: [] } })).toThrow('Cannot remove 3 of 2');
    expect(() => rig.fleet.plan({ weigh: { 'server-3': 2 } })).toThrow('server-3 is not a replica');
    expect(rig.fleet.plan({ join: { n: 1, hostnames: ['server-3'] } }).joining).toEqual(['server-3']);
    const then = rig.fleet.remove({ n: 1, hostnames: [] });
    lease.release();
    await rig.clock.until(leaving);
    expect(await rig.clock.until(then)).toEqual(['server-1']);
  });

  test('names those that then join, and those that then leave', async () => {
    const rig = await opened();
    for (const change of [
      { n: 3, hostnames: ['server-5'] },
      { n: 2, hostnames: [] },
    ]) {
      const { after } = rig.fleet.plan({ join: change });
      expect(await rig.add(change.n, ...change.hostnames)).toEqual(namesOf(after));
    }
    const { after } = rig.fleet.plan({ leave: { n: 3, hostnames: ['SERVER-2'] } });
    expect(await rig.remove(3, 'SERVER-2')).toEqual(namesOf(after));
  });

  test('refuses as the change would, word for word', async () => {
    const rig = await opened({ config: { maxReplicas: 4 } });
    for (const join of [
      { n: 0, hostnames: [] },
      { n: 1, hostnames: ['a', 'b'] },
      { n: 1, hostnames: ['-'] },
      { n: 1, hostnames: ['server-1'] },
      { n: 2, hostnames: [] },
    ]) {
      const { status, message } = await refusal(rig.add(join.n, ...join.hostnames));
      expect(() => rig.fleet.plan({ join })).toThrow(message);
      expect(await refusal((async () => rig.fleet.plan({ join }))())).toMatchObject({ status });
    }
    for (const leave of [
      { n: 1, hostnames: ['a', 'b'] },
      { n: 1, hostnames: ['a'] },
      { n: 4, hostnames: [] },
    ]) {
      const { status, message } = await refusal(rig.remove(leave.n, ...leave.hostnames));
      expect(() => rig.fleet.plan({ leave })).toThrow(message);
      expect(await refusal((async () => rig.fleet.plan({ leave }))())).toMatchObject({ status });
    }
  });
});

describe('add', () => {
  test('starts all that were asked for, puts them on the ring at once when all are ready, and names the members', async () => {
    const rig = await opened();
    rig.engine.bootMs = ({ order }) => order * 300;
    const rings = spyOn(Ring, 'of');
    const adding = rig.fleet.add({ n: 3, hostnames: ['b', 'a'] });
    await rig.clock.advance(1600);
    // Two of three are ready by now, and not even they are in.
    expect(rings).toHaveBeenCalledTimes(0);
    expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
    expect(await rig.clock.until(adding)).toEqual(['server-1', 'server-2', 'server-3', 'b', 'a', 'server-4']);
    expect(rings).toHaveBeenCalledTimes(1);
    rings.mockRestore();
    expect(rig.fleet.ring.names).toEqual(rig.fleet.names().toSorted());
    expect(rig.engine.all().every((one) => one.committed)).toBe(true);
  });

  test('starts no more than eight at a time', async () => {
    const rig = await opened({ config: { replicas: 0 } });
    rig.engine.bootMs = () => 1000;
    const begun = new Set<string>();
    rig.engine.startFault = ({ name }) => void begun.add(name);
    const adding = rig.fleet.add({ n: 20, hostnames: [] });
    await rig.clock.advance(900);
    expect(begun.size).toBe(8);
    await rig.clock.until(adding);
    expect(begun.size).toBe(20);
  });

  test('generates names that are free, without regard to case', async () => {
    const rig = await opened({ config: { replicas: 1 } });
    expect(await rig.add(3, 'SERVER-2')).toEqual(['server-1', 'SERVER-2', 'server-3', 'server-4']);
    expect(await refusal(rig.add(1, 'Server-3'))).toBeInstanceOf(NameTaken);
    expect(rig.fleet.names()).toHaveLength(4);
  });

  test('is refused before anything is started where it could not be carried out', async () => {
    const rig = await opened({ config: { maxReplicas: 4 } });
    const { start } = rig.runtime.calls;
    expect(await refusal(rig.add(0))).toBeInstanceOf(InvalidChange);
    expect(await refusal(rig.add(1, 'a', 'b'))).toBeInstanceOf(InvalidChange);
    expect(await refusal(rig.add(1, '-'))).toBeInstanceOf(InvalidChange);
    expect(await refusal(rig.add(1, 'SERVER-1'))).toBeInstanceOf(NameTaken);
    expect(await refusal(rig.add(2))).toBeInstanceOf(TooManyReplicas);
    expect(rig.runtime.calls.start).toBe(start);
    expect(await rig.add(1)).toHaveLength(4);
  });

  interface Failing {
    readonly why: string;
    readonly status: number;
    breaks(rig: Rig): void;
  }
  const failing: readonly Failing[] = [
    {
      why: 'one cannot be started',
      status: 503,
      breaks: ({ engine }) => (engine.startFault = ({ name }) => (name === 'b' ? 'fails' : undefined)),
    },
    {
      why: 'one ends as soon as it starts',
      status: 503,
      breaks: ({ engine }) => (engine.startFault = ({ name }) => (name === 'c' ? 'ends' : undefined)),
    },
    {
      why: 'one ends as soon as it starts and nobody tells',
      status: 503,
      breaks: ({ engine }) => {
        engine.events = 'lost';
        engine.startFault = ({ name }) => (name === 'c' ? 'ends' : undefined);
      },
    },
    {
      why: 'one hangs in its start',
      status: 503,
      breaks: ({ engine }) => (engine.startFault = ({ name }) => (name === 'a' ? 'hangs' : undefined)),
    },
    {
      why: 'one takes longer than the start timeout to be started',
      status: 503,
      breaks: ({ engine }) => (engine.startMs = ({ name }) => (name === 'a' ? 40_000 : 0)),
    },
    {
      why: 'one never answers',
      status: 503,
      breaks: ({ engine }) => (engine.bootMs = ({ name }) => (name === 'b' ? Number.POSITIVE_INFINITY : 1)),
    },
    {
      why: 'one cannot be reached',
      status: 503,
      breaks: ({ engine }) =>
        (engine.startFault = ({ name }) => (name === 'b' ? 'has no address' : undefined)),
    },
    {
      why: 'a name is taken on the engine by something else',
      status: 409,
      breaks: ({ engine }) => engine.foreign.add('b'),
    },
    {
      why: 'a name is taken on the engine at the last moment',
      status: 409,
      breaks: ({ engine }) => (engine.renameFault = (name) => void (name === 'a' && engine.foreign.add('b'))),
    },
    {
      why: 'the commit fails half-way',
      status: 503,
      breaks: ({ engine }) =>
        (engine.renameFault = (name) => (name === 'b' ? new Error('disk full') : undefined)),
    },
    {
      why: 'one that was ready ends while others are started',
      status: 503,
      breaks: ({ engine, clock }) => {
        engine.bootMs = ({ name }) => (name === 'c' ? 500 : 1);
        void clock.sleep(250).then(() => engine.kill('a'));
      },
    },
    {
      why: 'one that was ready vanishes while others are started',
      status: 503,
      breaks: ({ engine, clock }) => {
        engine.bootMs = ({ name }) => (name === 'c' ? 500 : 1);
        void clock.sleep(250).then(() => engine.vanish('a'));
      },
    },
  ];
  for (const { why, status, breaks } of failing)
    test(`where ${why} it fails with ${status}, adds none and leaves nothing`, async () => {
      const rig = await opened();
      const ring = rig.fleet.ring;
      const before = rig.held();
      breaks(rig);
      const error = await refusal(rig.add(3, 'a', 'b', 'c'));
      expect(error.status).toBe(status as FleetError['status']);
      // What an engine said is for the log.
      expect(error.message).not.toMatch(/disk|image|answer \/heartbeat/);
      expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
      expect(rig.fleet.ring).toBe(ring);
      expect(rig.held()).toEqual(before);
      rig.engine.startFault = () => undefined;
      rig.engine.startMs = () => 0;
      rig.engine.bootMs = () => 1;
      rig.engine.renameFault = () => undefined;
      rig.engine.foreign.clear();
      expect(await rig.add(3, 'a', 'b', 'c')).toHaveLength(6);
    });

  // Those that were committed when the commit of another failed were removed one by one: what a Ringmaster that was
  // killed then had not removed yet were members to the next.
  test('one whose commit fails half-way is no member any more before the first of it is removed', async () => {
    const rig = await opened();
    rig.engine.renames.length = 0;
    rig.engine.renameFault = (name) => (name === 'b' ? new Error('disk full') : undefined);
    const committed: string[][] = [];
    rig.engine.removeFault = () =>
      void committed.push(rig.engine.all().flatMap((one) => (one.committed ? [one.spec.name] : [])));
    await refusal(rig.add(3, 'a', 'b', 'c'));
    expect(rig.engine.renames).toEqual(['a member', 'c member', 'a joining', 'c joining']);
    expect(committed).toEqual(Array.from({ length: 3 }, () => ['server-1', 'server-2', 'server-3']));
  });

  test('where it can’t be taken back at once that is done later, and none of it is removed before', async () => {
    const rig = await opened();
    rig.engine.renameFault = (name, as) =>
      name === 'b' || (name === 'a' && as === 'joining') ? new Error('disk full') : undefined;
    await refusal(rig.add(3, 'a', 'b', 'c'));
    // One that took a name of them would remove what has it, beside others that are still committed.
    expect((await refusal(rig.add(1, 'c'))).message).toContain('nothing was added');
    await rig.clock.advance(10_000);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3', 'a', 'b', 'c']);
    rig.engine.renameFault = () => undefined;
    await rig.clock.advance(10_000);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
    expect(rig.engine.renames.at(-1)).toBe('a joining');
  });

  test('where the engine goes away at any moment it adds none, and what it left is removed when the engine is back', async () => {
    for (let goneAtMs = 0; goneAtMs < 60; goneAtMs++) {
      const rig = await opened();
      rig.engine.latencyMs = () => 3;
      rig.engine.bootMs = () => 5;
      const adding = rig.fleet.add({ n: 3, hostnames: ['a', 'b', 'c'] });
      const error = failure(adding);
      await rig.clock.advance(goneAtMs);
      rig.engine.gone = true;
      expect(await rig.clock.until(error)).toBeInstanceOf(Unavailable);
      expect((await error).message).toContain('nothing was added');
      rig.check();
      expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
      rig.engine.gone = false;
      await rig.clock.advance(10_000);
      expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
      await rig.end();
    }
  });

  // Each of those that were given up on account of another was logged as a start of its own that had timed out.
  test('only the one that could not be started is in the log', async () => {
    const rig = await opened();
    rig.engine.startFault = ({ name }) => (name === 'b' ? 'fails' : 'hangs');
    await refusal(rig.add(5, 'a', 'b', 'c'));
    expect(rig.logged('warn').map((line) => line.fields)).toEqual([{ replica: 'b', why: 'no such image' }]);
  });

  // A look that had begun to remove a leftover of that name removed the new instance instead: a removal is by name, and
  // the engine is asked what has the name only when it gets there.
  test('under the name of a leftover that is just being removed succeeds', async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const chance = new Chance(seed);
      const rig = await opened();
      rig.engine.events = 'lost';
      rig.engine.latencyMs = () => (chance.happens(0.2) ? 200 : 1);
      await rig.clock.advance(4990 - rig.clock.now());
      rig.engine.plant(member('a', 9, { committed: false }));
      await rig.clock.advance(chance.below(300));
      expect(await rig.add(1, 'a')).toEqual(['server-1', 'server-2', 'server-3', 'a']);
      const { id } = rig.engine.live('a');
      await rig.clock.advance(10_000);
      expect(rig.engine.live('a').id).toBe(id);
      await rig.end();
    }
  });

  test('one that dies right after it has joined is a member that is healed', async () => {
    for (let killedAfterMs = 0; killedAfterMs < 20; killedAfterMs++) {
      const rig = await opened();
      rig.engine.latencyMs = () => 4;
      const outcome = rig.fleet.add({ n: 1, hostnames: ['a'] }).catch((error: Error) => error);
      while (!rig.engine.named('a').some((one) => one.committed)) await rig.clock.advance(1);
      await rig.clock.advance(killedAfterMs);
      rig.engine.kill('a');
      const names = await rig.clock.until(outcome);
      await rig.clock.advance(3000);
      rig.check();
      if (names instanceof Error) expect(rig.held()).not.toContain('a');
      else expect(rig.view('a').state).toBe('ready');
      await rig.end();
    }
  });
});

describe('remove', () => {
  test('takes the newest, or those that are named, and keeps the others in order', async () => {
    const rig = await opened({ config: { replicas: 6 } });
    expect(await rig.remove(1)).toEqual(['server-1', 'server-2', 'server-3', 'server-4', 'server-5']);
    // A heartbeat or the pause after it of each that is left, and the next look: no drain timeout any more.
    expect(rig.clock.sleepers).toBeLessThanOrEqual(6);
    expect(await rig.remove(2, 'server-2')).toEqual(['server-1', 'server-3', 'server-4']);
    expect(await rig.remove(1, 'SERVER-3')).toEqual(['server-1', 'server-4']);
    expect(rig.held()).toEqual(['server-1', 'server-4']);
    expect(await rig.remove(2)).toEqual([]);
    expect(rig.held()).toEqual([]);
    expect(rig.fleet.claim('key')).toBeUndefined();
    expect(await rig.add(1)).toEqual(['server-1']);
  });

  test('is refused before anything is drained where it could not be carried out', async () => {
    const rig = await opened();
    const ring = rig.fleet.ring;
    expect(await refusal(rig.remove(0))).toBeInstanceOf(InvalidChange);
    expect(await refusal(rig.remove(4))).toBeInstanceOf(InvalidChange);
    expect(await refusal(rig.remove(1, 'a', 'b'))).toBeInstanceOf(InvalidChange);
    expect(await refusal(rig.remove(2, 'server-1', 'nobody'))).toBeInstanceOf(UnknownReplica);
    expect(rig.fleet.ring).toBe(ring);
    expect(rig.runtime.calls.stop).toBe(0);
  });

  test('a draining replica gets no claim from that moment, and goes when its last lease is released', async () => {
    const rig = await opened();
    const leases = Array.from({ length: 50 }, (_, i) => rig.fleet.claim(`${i}`));
    const held = leases.filter((lease) => lease?.replica === 'server-3');
    expect(held.length).toBeGreaterThan(5);
    const removing = rig.fleet.remove({ n: 1, hostnames: [] });
    await rig.clock.advance(1);
    expect(rig.view('server-3')).toMatchObject({ state: 'draining', inFlight: held.length });
    for (let i = 0; i < 200; i++) expect(rig.fleet.claim(`${i}`)?.replica).not.toBe('server-3');
    await rig.clock.advance(5000);
    for (const lease of held.slice(1)) lease?.release();
    await rig.clock.advance(1000);
    expect(rig.held()).toContain('server-3');
    held[0]?.release();
    expect(await rig.clock.until(removing)).toEqual(['server-1', 'server-2']);
    expect(rig.held()).not.toContain('server-3');
    expect(rig.clock.now()).toBeLessThan(7000);
  });

  test('a lease that is not released is cut by the drain timeout, the time to end included', async () => {
    const rig = await opened();
    rig.engine.stopMs = () => Number.POSITIVE_INFINITY;
    rig.claim('server-3');
    const began = rig.clock.now();
    await rig.remove(1);
    expect(rig.clock.now() - began).toBe(10_000);
    expect(rig.held()).toEqual(['server-1', 'server-2']);
  });

  test('a drain timeout of 0 cuts at once', async () => {
    const rig = await opened({ config: { drainTimeoutMs: 0 } });
    rig.engine.stopMs = () => Number.POSITIVE_INFINITY;
    rig.claim('server-3');
    const began = rig.clock.now();
    await rig.remove(1);
    expect(rig.clock.now()).toBe(began);
  });

  test('with the engine gone it is refused before anything is drained', async () => {
    const rig = await opened();
    const ring = rig.fleet.ring;
    rig.engine.gone = true;
    const error = await refusal(rig.remove(2));
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toContain('nothing was removed');
    expect(rig.fleet.ring).toBe(ring);
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
  });

  // A leave that failed put its members where those wait that are to be started again: each live one was ended and
  // started anew, and with the engine still gone all of them stayed off the ring although they answered.
  test('where the engine goes away while it drains they stay, and are back on the ring without a restart', async () => {
    const rig = await opened();
    const before = rig.engine.all();
    for (const name of ['server-2', 'server-3']) rig.claim(name);
    const removing = refusal(rig.fleet.remove({ n: 2, hostnames: [] }));
    await rig.clock.advance(5000);
    rig.engine.gone = true;
    expect(await rig.clock.until(removing)).toBeInstanceOf(Unavailable);
    expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
    await rig.clock.advance(100);
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
    rig.engine.gone = false;
    await rig.clock.advance(10_000);
    expect(rig.engine.all()).toEqual(before);
    expect(rig.fleet.replicas().map((one) => one.restarts)).toEqual([0, 0, 0]);
  });

  test('of several, all are marked and drained before the first is removed, and the others after it', async () => {
    const rig = await opened({ config: { replicas: 5 } });
    rig.engine.latencyMs = () => 3;
    rig.engine.renames.length = 0;
    const lease = rig.claim('server-2');
    const steps: string[] = [];
    rig.engine.removeFault = (name) => void steps.push(`${name} goes, marked: ${marks(rig)}`);
    const removing = rig.fleet.remove({ n: 3, hostnames: ['server-4', 'server-2'] });
    await rig.clock.advance(5000);
    expect(rig.engine.renames).toEqual(['server-4 leaving first', 'server-2 leaving', 'server-5 leaving']);
    // The one that still drains holds up the others.
    expect([steps, rig.held().length]).toEqual([[], 5]);
    lease.release();
    expect(await rig.clock.until(removing)).toEqual(['server-1', 'server-3']);
    expect(steps).toEqual([
      'server-4 goes, marked: server-2 other, server-4 first, server-5 other',
      'server-2 goes, marked: server-2 other, server-5 other',
      'server-5 goes, marked: server-5 other',
    ]);
  });

  test('one alone is not marked', async () => {
    const rig = await opened();
    rig.engine.renames.length = 0;
    await rig.remove(1);
    expect(rig.engine.renames).toEqual([]);
  });

  test('the first is one that has a container, and where only one has there are no marks', async () => {
    const rig = await opened({ config: { replicas: 5 } });
    rig.engine.startFault = () => 'fails';
    rig.engine.vanish('server-2');
    await rig.clock.advance(100);
    rig.engine.renames.length = 0;
    await rig.remove(3, 'server-2', 'server-3', 'server-4');
    expect(rig.engine.renames).toEqual(['server-3 leaving first', 'server-4 leaving']);
    rig.engine.vanish('server-5');
    await rig.clock.advance(100);
    await rig.remove(2);
    expect(rig.engine.renames).toHaveLength(2);
    expect(rig.held()).toEqual([]);
  });

  const failing: readonly [string, (rig: Rig) => void][] = [
    [
      'the first can’t be marked',
      ({ engine }) =>
        (engine.renameFault = (_, as) => (as === 'leaving first' ? new Error('disk full') : undefined)),
    ],
    [
      'another can’t be marked',
      ({ engine }) =>
        (engine.renameFault = (name, as) =>
          name === 'server-1' && as === 'leaving' ? new Error('disk full') : undefined),
    ],
    [
      'the first can’t be removed',
      ({ engine }) =>
        (engine.removeFault = (name) => (name === 'server-3' ? new Error('device busy') : undefined)),
    ],
  ];
  test.each(failing)('where %s all of several stay, without a mark', async (_, breaks) => {
    const rig = await opened();
    const before = rig.engine.all();
    breaks(rig);
    const error = await refusal(rig.remove(3, 'server-3', 'server-2'));
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toContain('nothing was removed');
    expect(error.message).not.toMatch(/busy|full/);
    expect(marks(rig)).toBe('');
    rig.engine.removeFault = () => undefined;
    await rig.clock.advance(1000);
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
    expect(rig.engine.all()).toEqual(before);
    expect(rig.fleet.replicas().map((one) => one.restarts)).toEqual([0, 0, 0]);
  });

  test('marks that could not be taken back are as soon as they can be: of the first last, and before a heal', async () => {
    const rig = await opened();
    rig.engine.removeFault = () => new Error('device busy');
    rig.engine.renameFault = (_, as) => (as === 'member' ? new Error('disk full') : undefined);
    await refusal(rig.remove(3));
    expect(marks(rig)).toBe('server-1 other, server-2 other, server-3 first');
    rig.engine.removeFault = () => undefined;
    rig.engine.kill('server-3');
    await rig.clock.advance(3000);
    // Started anew it would have no mark, and the others would go with the next Ringmaster.
    expect(rig.runtime.calls.start).toBe(3);
    rig.engine.renames.length = 0;
    rig.engine.renameFault = () => undefined;
    await rig.clock.advance(30_000);
    expect(rig.engine.renames.toSpliced(2)).toEqual(['server-1 member', 'server-2 member']);
    expect(marks(rig)).toBe('');
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
  });

  // The removal of the first had failed by what was heard of it, and the others were left with marks that say: it is gone.
  test('where the first is gone although its removal failed, another is the first while the marks are taken back', async () => {
    const rig = await opened();
    rig.engine.renames.length = 0;
    rig.engine.removeFault = (name) => {
      if (name === 'server-3') rig.engine.vanish(name);
      return name === 'server-3' ? new Error('no answer') : undefined;
    };
    await refusal(rig.remove(3));
    expect(rig.engine.renames.slice(3)).toEqual([
      'server-1 leaving first',
      'server-2 member',
      'server-1 member',
    ]);
    rig.engine.removeFault = () => undefined;
    await rig.clock.advance(10_000);
    expect(rig.states()).toBe('server-1 ready, server-2 ready, server-3 ready');
  });

  // Once the first is gone a Ringmaster that is killed is followed by one that removes the others, too.
  test('one that can’t be removed after the first was has left, and is removed when it can be', async () => {
    const rig = await opened();
    rig.engine.removeFault = (name) => (name === 'server-2' ? new Error('device busy') : undefined);
    expect(await rig.remove(2)).toEqual(['server-1']);
    expect(rig.held()).toEqual(['server-1', 'server-2']);
    // With the marks of one more leave it would be taken for one of that.
    await rig.add(1, 'a');
    expect((await refusal(rig.remove(2))).message).toContain('nothing was removed');
    expect(await rig.remove(1)).toEqual(['server-1']);
    rig.engine.removeFault = () => undefined;
    await rig.clock.advance(10_000);
    expect(rig.held()).toEqual(['server-1']);
  });

  // An add of its name that failed marked it as joining; it had come with one who stays, and the next Ringmaster took it in.
  test('one that could not be removed yet is no member to the next Ringmaster, whatever was asked for meanwhile', async () => {
    const rig = await opened();
    rig.engine.removeFault = (name) => (name === 'server-3' ? new Error('device busy') : undefined);
    expect(await rig.remove(2, 'server-2', 'server-3')).toEqual(['server-1']);
    rig.engine.startFault = () => 'fails';
    await refusal(rig.add(2, 'server-2', 'server-3'));
    expect(rig.held()).toEqual(['server-1', 'server-3']);
    rig.crash();
    rig.engine.removeFault = () => undefined;
    rig.engine.startFault = () => undefined;
    await rig.open();
    expect(rig.fleet.names()).toEqual(['server-1']);
    expect(rig.held()).toEqual(['server-1']);
  });

  // What a Ringmaster had asked for before it died came late: the container of a member that the next one knew nothing of.
  test('what comes late with the join of a member is no member to the next Ringmaster once it is marked', async () => {
    const rig = await opened();
    const { spec } = rig.engine.live('server-1');
    rig.engine.removeFault = (name) => (name === 'late' ? new Error('device busy') : undefined);
    rig.engine.plant({ ...spec, name: 'late', order: 9 });
    await rig.clock.advance(6000);
    expect(rig.held()).toContain('late');
    rig.crash();
    rig.engine.removeFault = () => undefined;
    await rig.open();
    expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
    expect(rig.held()).toEqual(['server-1', 'server-2', 'server-3']);
  });

  test('where the engine goes away at any moment, all of them stay or all of them go', async () => {
    const outcomes = new Set<string>();
    for (let goneAtMs = 0; goneAtMs < 90; goneAtMs++) {
      const rig = await opened({ config: { replicas: 4 } });
      rig.engine.latencyMs = () => 3;
      const outcome = rig.fleet.remove({ n: 2, hostnames: ['server-2'] }).catch((error: Error) => error);
      await rig.clock.advance(goneAtMs);
      rig.engine.gone = true;
      const names = await rig.clock.until(outcome);
      rig.engine.gone = false;
      const stayed = names instanceof Error;
      outcomes.add(stayed ? 'stayed' : 'went');
      const expected = stayed ? ['server-1', 'server-2', 'server-3', 'server-4'] : ['server-1', 'server-3'];
      expect(rig.fleet.names()).toEqual(expected);
      await rig.clock.advance(10_000);
      expect(rig.states()).toBe(expected.map((name) => `${name} ready`).join(', '));
      expect(rig.held().toSorted()).toEqual(expected);
      expect(rig.engine.all().every((one) => one.leaving === undefined)).toBe(true);
      await rig.end();
    }
    expect(outcomes).toEqual(new Set(['stayed', 'went']));
  });

  test('one that is just being started again goes, and leaves nothing', async () => {
    for (let removedAfterMs = 0; removedAfterMs < 120; removedAfterMs += 2) {
      const chance = new Chance(removedAfterMs);
      const rig = await opened();
      rig.engine.latencyMs = () => (chance.happens(0.2) ? 60 : 3);
      rig.engine.bootMs = () => 60;
      rig.engine.kill('server-2');
      await rig.clock.advance(removedAfterMs);
      expect(await rig.remove(1, 'server-2')).toEqual(['server-1', 'server-3']);
      expect(rig.held()).toEqual(['server-1', 'server-3']);
      // Whoever has its name next is not disturbed by a start that had not been given up yet.
      expect(await rig.add(1, 'server-2')).toEqual(['server-1', 'server-3', 'server-2']);
      await rig.clock.advance(20_000);
      expect(rig.held()).toEqual(['server-1', 'server-3', 'server-2']);
      await rig.end();
    }
  });

  test('one whose start hangs goes, and leaves nothing', async () => {
    const rig = await opened();
    rig.engine.startFault = () => 'hangs';
    rig.engine.kill('server-2');
    await rig.clock.advance(100);
    expect(rig.view('server-2').state).toBe('starting');
    const began = rig.clock.now();
    expect(await rig.remove(1, 'server-2')).toEqual(['server-1', 'server-3']);
    expect(rig.clock.now()).toBe(began);
    expect(rig.held()).toEqual(['server-1', 'server-3']);
  });

  test('one that waits for its restart goes at once, and leaves nothing', async () => {
    const rig = await opened();
    rig.engine.startFault = () => 'fails';
    rig.engine.kill('server-2');
    await rig.clock.advance(20_000);
    expect(rig.view('server-2').state).toBe('waiting');
    const began = rig.clock.now();
    expect(await rig.remove(1, 'server-2')).toEqual(['server-1', 'server-3']);
    expect(rig.clock.now()).toBe(began);
    await rig.clock.advance(60_000);
    expect(rig.held()).toEqual(['server-1', 'server-3']);
  });

  test('one that waits for its restart goes on waiting where the leave fails', async () => {
    const rig = await opened();
    rig.engine.startFault = () => 'fails';
    rig.engine.kill('server-2');
    await rig.clock.advance(20_000);
    const { start } = rig.runtime.calls;
    rig.engine.removeFault = () => new Error('device busy');
    await refusal(rig.remove(2, 'server-2', 'server-3'));
    await rig.clock.advance(100);
    expect(rig.states()).toBe('server-1 ready, server-2 waiting, server-3 ready');
    expect(rig.runtime.calls.start).toBe(start);
    rig.engine.removeFault = () => undefined;
    rig.engine.startFault = () => undefined;
    await rig.clock.advance(30_000);
    expect(rig.view('server-2').state).toBe('ready');
  });

  test('one that dies while it drains is not started again', async () => {
    const rig = await opened();
    rig.claim('server-3');
    const removing = rig.fleet.remove({ n: 1, hostnames: [] });
    await rig.clock.advance(1000);
    rig.engine.kill('server-3');
    await rig.clock.until(removing);
    expect(rig.runtime.calls.start).toBe(3);
    expect(rig.held()).toEqual(['server-1', 'server-2']);
  });

  test('the same name can join again at once', async () => {
    const rig = await opened();
    const lease = rig.fleet.claim('key');
    const name = lease?.replica ?? '';
    const removing = rig.fleet.remove({ n: 1, hostnames: [name] });
    const adding = rig.fleet.add({ n: 1, hostnames: [name] });
    await rig.clock.advance(100);
    lease?.release();
    await rig.clock.until(removing);
    const names = await rig.clock.until(adding);
    expect(names.at(-1)).toBe(name);
    // What was held on the one before says nothing of the one that has its name now.
    lease?.unreachable();
    lease?.failed();
    lease?.release();
    expect(rig.view(name)).toMatchObject({ state: 'ready', inFlight: 0 });
  });
});

describe('changes at the same time', () => {
  test('two adds of the same name: the first has it, the other is told so', async () => {
    const rig = await opened();
    const first = rig.fleet.add({ n: 1, hostnames: ['a'] });
    const second = refusal(rig.fleet.add({ n: 2, hostnames: ['A'] }));
    expect(await rig.clock.until(first)).toEqual(['server-1', 'server-2', 'server-3', 'a']);
    expect(await rig.clock.until(second)).toBeInstanceOf(NameTaken);
    expect(rig.fleet.names()).toHaveLength(4);
  });

  test('two removals of the same name: the first has it, the other is told so', async () => {
    const rig = await opened();
    const first = rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
    const second = refusal(rig.fleet.remove({ n: 1, hostnames: ['server-2'] }));
    expect(await rig.clock.until(first)).toEqual(['server-1', 'server-3']);
    expect(await rig.clock.until(second)).toBeInstanceOf(UnknownReplica);
  });

  test('two adds that together are over the limit: the first is carried out, the other refused whole', async () => {
    const rig = await opened({ config: { maxReplicas: 6 } });
    const first = rig.fleet.add({ n: 2, hostnames: [] });
    const second = refusal(rig.fleet.add({ n: 2, hostnames: [] }));
    expect(await rig.clock.until(first)).toHaveLength(5);
    expect(await rig.clock.until(second)).toBeInstanceOf(TooManyReplicas);
  });

  test('each sees what those before it did, in the order of asking', async () => {
    const rig = await opened({ config: { replicas: 1 } });
    const { fleet } = rig;
    const results = await rig.clock.until(
      Promise.all([
        fleet.add({ n: 2, hostnames: ['a'] }),
        fleet.remove({ n: 1, hostnames: ['a'] }),
        fleet.add({ n: 2, hostnames: ['a'] }),
        fleet.remove({ n: 3, hostnames: [] }),
      ]),
    );
    expect(results).toEqual([
      ['server-1', 'a', 'server-2'],
      ['server-1', 'server-2'],
      ['server-1', 'server-2', 'a', 'server-3'],
      ['server-1'],
    ]);
  });

  test('one that fails does not keep the next from being carried out', async () => {
    const rig = await opened();
    rig.engine.startFault = ({ name }) => (name === 'bad' ? 'fails' : undefined);
    const bad = refusal(rig.fleet.add({ n: 1, hostnames: ['bad'] }));
    const good = rig.fleet.add({ n: 1, hostnames: ['good'] });
    expect(await rig.clock.until(bad)).toBeInstanceOf(Unavailable);
    expect(await rig.clock.until(good)).toHaveLength(4);
  });

  test('too many are told to come back', async () => {
    const rig = await opened();
    rig.engine.startFault = () => 'hangs';
    const waiting: Promise<FleetError>[] = [refusal(rig.fleet.add({ n: 1, hostnames: [] }))];
    rig.clock.settle();
    for (let i = 0; i < CHANGES_WAITING_MAX; i++)
      waiting.push(refusal(rig.fleet.remove({ n: 1, hostnames: ['x'] })));
    const refused = await refusal(rig.fleet.remove({ n: 1, hostnames: [] }));
    expect(refused).toBeInstanceOf(Unavailable);
    expect(refused.retryAfterS).toBe(1);
    const errors = await rig.clock.until(Promise.all(waiting));
    expect(errors.slice(1).every((error) => error instanceof UnknownReplica)).toBe(true);
    expect(rig.fleet.names()).toHaveLength(3);
  });

  test('however adds and removals meet, they have the effect of one after the other', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const chance = new Chance(seed);
      const rig = await opened({ tie: (count) => chance.below(count) });
      rig.engine.latencyMs = () => chance.below(8);
      rig.engine.bootMs = () => chance.below(200);
      rig.engine.startFault = () => (chance.happens(0.05) ? 'fails' : undefined);
      const taken: Promise<void>[] = [];
      let names = rig.fleet.names();
      const accept =
        (expected: (before: string[]) => string[]) =>
        (after: string[]): void => {
          expect(after).toEqual(expected(names));
          names = after;
        };
      for (let i = 0; i < 8; i++) {
        const n = 1 + chance.below(3);
        const change = { n, hostnames: chance.happens(0.5) ? [`r${chance.below(4)}`] : [] };
        const asked = chance.happens(0.55)
          ? rig.fleet.add(change).then(
              accept((before) => {
                const rest = rig.fleet.names().slice(before.length);
                expect(rest).toHaveLength(n);
                return [...before, ...rest];
              }),
            )
          : rig.fleet.remove(change).then(
              accept((before) => {
                const left = before.filter((name) => rig.fleet.names().includes(name));
                expect(left).toHaveLength(before.length - n);
                return left;
              }),
            );
        taken.push(asked.catch((error: unknown) => expect(error).toBeInstanceOf(FleetError)));
        await rig.clock.advance(chance.below(100));
        rig.check();
      }
      await rig.clock.until(Promise.all(taken));
      expect(rig.fleet.names()).toEqual(names);
      await rig.clock.advance(30_000);
      expect(rig.held().toSorted()).toEqual(names.toSorted());
      await rig.end();
    }
  });

  test('a place in joining order is never given twice', async () => {
    const rig = await opened();
    const orders = new Map<string, number>();
    rig.engine.startFault = ({ name, order }: InstanceSpec) => void orders.set(name, order);
    await rig.add(2, 'a', 'b');
    await rig.remove(1, 'b');
    await rig.add(2, 'c');
    expect(new Set(orders.values()).size).toBe(orders.size);
    expect(orders.get('c')).toBeGreaterThan(orders.get('b') ?? 0);
  });
});
