import { describe, expect, test } from 'bun:test';
import { SWAP_AT_ONCE_MEMBERS_MAX, type Follower, type ReadyReplica } from '../../src/fleet/crew.ts';
import { InvalidChange, UnknownReplica, type FleetError } from '../../src/fleet/errors.ts';
import {
  SLOW_START_FIRST_PART,
  SLOW_START_LARGE_STEPS_MAX,
  SLOW_START_STEPS_MAX,
} from '../../src/fleet/slow-start.ts';
import type { Weights } from '../../src/fleet/membership.ts';
import { EngineGone } from '../../src/runtime/runtime.ts';
import { endRigs, failure, member, Rig, type RigOptions } from './rig.ts';

endRigs();

const KEYS = Array.from({ length: 10_000 }, (_, key) => `${key}`);
const SLOW_START_MS = 32_000;

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  return rig;
}

const growing = (config: RigOptions['config'] = {}): Promise<Rig> =>
  opened({ config: { slowStartMs: SLOW_START_MS, ...config } });

function weigh({ clock, fleet }: Rig, weights: Weights): Promise<Weights> {
  return clock.until(fleet.weigh(weights));
}

function add({ clock, fleet }: Rig, weights: Weights): Promise<string[]> {
  const hostnames = Object.keys(weights);
  return clock.until(fleet.add({ n: hostnames.length, hostnames, weights }));
}

function owners({ fleet }: Rig): (string | undefined)[] {
  return KEYS.map((key) => fleet.owner(key));
}

/** Weights on the ring, by name. */
function onRing({ fleet }: Rig): Record<string, number> {
  return Object.fromEntries(fleet.ring.sites.map(({ name, weight }) => [name, weight]));
}

/** What became of the keys, as `from → to` each once. */
function moves(before: readonly (string | undefined)[], after: readonly (string | undefined)[]): Set<string> {
  return new Set(after.flatMap((to, i) => (to === before[i] ? [] : [`${before[i]} → ${to}`])));
}

function happenings({ fleet }: Rig, what: string): string[] {
  return fleet.journal
    .since(0)
    .filter((one) => one.what === what)
    .map(({ replica, why }) => `${replica}: ${why}`);
}

describe('weights at an add', () => {
  test('are those of the names that have one, on the ring and at the engine, and 1 otherwise', async () => {
    const rig = await opened();
    await rig.clock.until(rig.fleet.add({ n: 3, hostnames: ['a', 'b'], weights: { A: 3 } }));
    expect(onRing(rig)).toEqual({ a: 3, b: 1, 'server-1': 1, 'server-2': 1, 'server-3': 1, 'server-4': 1 });
    expect(rig.engine.live('a').spec.weight).toBe(3);
    expect(rig.view('a')).toMatchObject({ weight: 3, effectiveWeight: 3 });
    const share = owners(rig).filter((owner) => owner === 'a').length / KEYS.length;
    expect(share).toBeGreaterThan(0.33);
    expect(share).toBeLessThan(0.42);
  });

  test.each([
    ['0', { a: 0 }],
    ['101', { a: 101 }],
    ['a fraction', { a: 1.5 }],
    ['one that is not named', { b: 2 }],
    ['one that is there twice', { a: 2, A: 2 }],
  ])('are refused where they are %s, and nobody is added', async (_, weights) => {
    const rig = await opened();
    const calls = { ...rig.runtime.calls };
    const wish = { n: 1, hostnames: ['a'], weights };
    expect(await failure(rig.clock.until(rig.fleet.add(wish)))).toBeInstanceOf(InvalidChange);
    expect(rig.fleet.names()).toEqual(['server-1', 'server-2', 'server-3']);
    expect({ ...rig.runtime.calls }).toEqual(calls);
  });

  test('are refused where the algorithm has none', async () => {
    const rig = await opened({ config: { hash: 'course' } });
    expect(await failure(add(rig, { a: 2 }))).toBeInstanceOf(InvalidChange);
    expect(await failure(weigh(rig, { 'server-1': 2 }))).toBeInstanceOf(InvalidChange);
    expect(await add(rig, { a: 1 })).toContain('a');
  });

  test('are refused where all together would be too much', async () => {
    const names = Array.from({ length: 164 }, (_, i) => `r${i}`);
    const rig = await opened({ config: { replicas: 1, maxReplicas: 200 } });
    const weights = Object.fromEntries(names.map((name) => [name, 100]));
    const error = await failure(
      rig.clock.until(rig.fleet.add({ n: names.length, hostnames: names, weights })),
    );
    expect(error).toBeInstanceOf(InvalidChange);
    expect(error.message).toContain('16401');
    expect(rig.fleet.names()).toEqual(['server-1']);
  });

  test('are taken over by the next Ringmaster, and kept through a heal', async () => {
    const rig = await opened();
    await add(rig, { a: 3 });
    rig.crash();
    await rig.open();
    expect(onRing(rig)).toMatchObject({ a: 3, 'server-1': 1 });
    rig.engine.kill('a');
    await rig.clock.advance(2000);
    expect(rig.view('a')).toMatchObject({ state: 'ready', restarts: 1, weight: 3 });
    expect(onRing(rig)).toMatchObject({ a: 3 });
    expect(rig.engine.live('a').spec.weight).toBe(3);
  });

  // What went wrong: the map that could not be built threw in the middle of a step, and the fleet was no longer what it told.
  test('more replicas than the course map has room for are refused at the start', async () => {
    const rig = new Rig({ config: { hash: 'course', maxReplicas: 56 } });
    for (let i = 1; i <= 57; i++) rig.engine.plant(member(`server-${i}`, i));
    const error = await failure(rig.open());
    expect(error.message).toBe(
      '57 replicas are there, and HASH=course has room for 56: start with another HASH, or remove some with it first',
    );
    await rig.close(true);
  });

  test('that an engine holds are 1 where the algorithm has none', async () => {
    const rig = new Rig({ config: { hash: 'course' } });
    rig.engine.plant(member('a', 1, { weight: 3 }));
    await rig.open();
    expect(rig.view('a').weight).toBe(1);
  });
});

describe('weights that change while it runs', () => {
  test('move only keys that are due: towards who weighs more, from who weighs less, and back again', async () => {
    const rig = await opened();
    const first = owners(rig);
    expect(await weigh(rig, { 'SERVER-2': 2 })).toEqual({ 'server-1': 1, 'server-2': 2, 'server-3': 1 });
    const heavier = owners(rig);
    expect(moves(first, heavier)).toEqual(new Set(['server-1 → server-2', 'server-3 → server-2']));
    const moved = heavier.filter((owner, i) => owner !== first[i]).length / KEYS.length;
    // It had a third, and has a half.
    expect(Math.abs(moved - 1 / 6)).toBeLessThan(0.03);
    await weigh(rig, { 'server-2': 1 });
    expect(owners(rig)).toEqual(first);
  });

  test('are noted at the engine, for the next Ringmaster', async () => {
    const rig = await opened();
    await weigh(rig, { 'server-1': 5, 'server-2': 2 });
    rig.crash();
    await rig.open();
    expect(onRing(rig)).toEqual({ 'server-1': 5, 'server-2': 2, 'server-3': 1 });
  });

  test('are all as they were where the engine can not note one of them', async () => {
    const rig = await opened();
    rig.engine.weighFault = (name) => (name === 'server-2' ? new EngineGone('no answer') : undefined);
    const error = await failure(weigh(rig, { 'server-1': 5, 'server-2': 2 }));
    expect([(error as FleetError).status, error.message]).toEqual([
      503,
      'The engine that runs the replicas does not answer: no weight was changed',
    ]);
    expect(onRing(rig)).toEqual({ 'server-1': 1, 'server-2': 1, 'server-3': 1 });
    rig.crash();
    await rig.open();
    expect(onRing(rig)).toEqual({ 'server-1': 1, 'server-2': 1, 'server-3': 1 });
  });

  // What went wrong: the engine had nothing to note a weight at, and then started it anew with that of before.
  test('of one that is started anew while others are noted are noted at its new instance', async () => {
    const rig = await opened();
    rig.engine.kill('server-1');
    const pending = rig.fleet.weigh({ 'server-1': 5, 'server-2': 5 });
    rig.engine.latencyMs = () => 100;
    expect(await rig.clock.until(pending)).toMatchObject({ 'server-1': 5, 'server-2': 5 });
    await rig.clock.advance(5000);
    rig.engine.latencyMs = () => 0;
    rig.crash();
    await rig.open();
    expect(onRing(rig)).toEqual({ 'server-1': 5, 'server-2': 5, 'server-3': 1 });
  });

  test('of one that is being started again are noted at its new instance', async () => {
    const rig = await opened();
    rig.engine.startMs = () => 300;
    rig.engine.kill('server-1');
    await rig.clock.advance(150);
    await weigh(rig, { 'server-1': 5 });
    await rig.clock.advance(3000);
    expect(rig.view('server-1')).toMatchObject({ state: 'ready', weight: 5 });
    expect(rig.engine.live('server-1').spec.weight).toBe(5);
  });

  test('are told in the journal and the log, each that differs, and swap the ring once', async () => {
    const rig = await opened();
    const seen: (readonly ReadyReplica[])[] = [];
    const follower: Follower = {
      swapped: (ready) => void seen.push(ready),
      inForce: () => Promise.resolve(),
    };
    rig.fleet.follow(follower);
    await weigh(rig, { 'server-1': 2, 'server-2': 1, 'server-3': 5 });
    expect(happenings(rig, 'weighed')).toEqual(['server-1: weight 1 → 2', 'server-3: weight 1 → 5']);
    const told = rig.logged('info').filter(({ message }) => message === 'replica has another weight');
    expect(told.map(({ fields }) => fields)).toEqual([
      { replica: 'server-1', from: 1, to: 2 },
      { replica: 'server-3', from: 1, to: 5 },
    ]);
    expect(seen.map((ready) => ready.map(({ weight }) => weight))).toEqual([
      [1, 1, 1],
      [2, 1, 5],
    ]);
    expect(rig.fleet.standing().replicas).toMatchObject([
      { name: 'server-1', weight: 2, effectiveWeight: 2 },
      { name: 'server-2', weight: 1, effectiveWeight: 1 },
      { name: 'server-3', weight: 5, effectiveWeight: 5 },
    ]);
    // The same again is no news, and moves nothing.
    await weigh(rig, { 'server-1': 2 });
    expect(seen).toHaveLength(2);
    expect(happenings(rig, 'weighed')).toHaveLength(2);
  });

  test('change the digest of the map, and make it what it was when they are back', async () => {
    const rig = await opened();
    const { digest } = rig.fleet.standing();
    await weigh(rig, { 'server-1': 2 });
    expect(rig.fleet.standing().digest).not.toBe(digest);
    await weigh(rig, { 'server-1': 1 });
    expect(rig.fleet.standing().digest).toBe(digest);
  });

  test('are all in force or none', async () => {
    const rig = await opened();
    const { ring } = rig.fleet;
    expect(await failure(weigh(rig, { 'server-1': 2, nobody: 2 }))).toBeInstanceOf(UnknownReplica);
    expect(await failure(weigh(rig, { 'server-1': 2, 'server-2': 0 }))).toBeInstanceOf(InvalidChange);
    expect(rig.fleet.ring).toBe(ring);
    expect(rig.fleet.journal.count('weighed')).toBe(0);
  });

  test('wait for their turn: of one that is being added they are a member’s, of one that leaves nobody’s', async () => {
    const rig = await opened();
    const adding = rig.fleet.add({ n: 1, hostnames: ['a'] });
    expect(await weigh(rig, { a: 4 })).toMatchObject({ a: 4 });
    await adding;
    const removing = rig.fleet.remove({ n: 1, hostnames: ['a'] });
    expect(await failure(weigh(rig, { a: 2 }))).toBeInstanceOf(UnknownReplica);
    await rig.clock.until(removing);
  });

  test('are those of one that is off the ring, when it is back or healed', async () => {
    const rig = await opened();
    rig.engine.kill('server-2');
    await rig.clock.advance(0);
    expect(await weigh(rig, { 'server-2': 7 })).toMatchObject({ 'server-2': 7 });
    expect(rig.view('server-2')).toMatchObject({ weight: 7, effectiveWeight: 0 });
    await rig.clock.advance(2000);
    expect(onRing(rig)).toMatchObject({ 'server-2': 7 });
    // Its start was under way; the next is with what it has.
    rig.engine.kill('server-2');
    await rig.clock.advance(4000);
    expect(rig.view('server-2').restarts).toBe(2);
    expect(rig.engine.live('server-2').spec.weight).toBe(7);
  });

  test('resolve when they are in force at every follower', async () => {
    const rig = await opened();
    const waiting: (() => void)[] = [];
    rig.fleet.follow({
      swapped: () => {},
      inForce: () => new Promise((resolve) => void waiting.push(resolve)),
    });
    let done = false;
    void rig.fleet.weigh({ 'server-1': 2 }).then(() => (done = true));
    await rig.clock.advance(5000);
    expect(done).toBe(false);
    for (const resolve of waiting.splice(0)) resolve();
    await rig.clock.advance(0);
    expect(done).toBe(true);
    // At the end nobody is waited for that would not be told.
    const closing = rig.close();
    for (const resolve of waiting.splice(0)) resolve();
    await closing;
  });
});

describe('a slow start', () => {
  test('is none for the first replicas, nor where it is off', async () => {
    const rig = await growing();
    expect(onRing(rig)).toEqual({ 'server-1': 1, 'server-2': 1, 'server-3': 1 });
    expect(rig.clock.sleepers).toBeLessThanOrEqual(8);
    const off = await opened();
    await off.add(1, 'a');
    expect(onRing(off)).toMatchObject({ a: 1 });
  });

  test('begins with a part when the add is answered, takes keys with each step, and gives none away', async () => {
    const rig = await growing();
    const first = owners(rig);
    await add(rig, { a: 3 });
    expect(onRing(rig)).toEqual({
      a: 3 * SLOW_START_FIRST_PART,
      'server-1': 1,
      'server-2': 1,
      'server-3': 1,
    });
    expect(rig.view('a')).toMatchObject({ weight: 3, effectiveWeight: 3 * SLOW_START_FIRST_PART });
    let before = owners(rig);
    expect([...moves(first, before)].every((move) => move.endsWith('→ a'))).toBe(true);
    let { ring } = rig.fleet;
    let steps = 0;
    let weight = 3 * SLOW_START_FIRST_PART;
    for (let ms = 0; ms <= SLOW_START_MS; ms += 250) {
      await rig.clock.advance(250);
      if (rig.fleet.ring === ring) continue;
      ({ ring } = rig.fleet);
      steps++;
      const after = owners(rig);
      expect([...moves(before, after)].every((move) => move.endsWith('→ a'))).toBe(true);
      before = after;
      const { effectiveWeight } = rig.view('a');
      expect(effectiveWeight).toBeGreaterThan(weight);
      weight = effectiveWeight;
      // What is told of an owner is where its requests go.
      const lease = rig.fleet.claim('some key');
      expect(lease?.replica).toBe(rig.fleet.owner('some key') as string);
      lease?.release();
    }
    expect(steps).toBe(SLOW_START_STEPS_MAX);
    expect(onRing(rig)).toEqual({ a: 3, 'server-1': 1, 'server-2': 1, 'server-3': 1 });
    const grown = rig.fleet.ring;
    await rig.clock.advance(SLOW_START_MS);
    expect(rig.fleet.ring).toBe(grown);
  });

  test('tells followers of each step', async () => {
    const rig = await growing({ slowStartMs: 400 });
    const seen: number[] = [];
    const follower = {
      swapped: (ready: readonly ReadyReplica[]) =>
        void seen.push(ready.find(({ name }) => name === 'a')?.weight ?? 0),
      inForce: () => Promise.resolve(),
    };
    rig.fleet.follow(follower);
    await rig.add(1, 'a');
    await rig.clock.advance(150);
    const late: number[] = [];
    rig.fleet.follow({
      swapped: (ready) => void late.push(ready.find(({ name }) => name === 'a')?.weight ?? 0),
      inForce: () => Promise.resolve(),
    });
    // Who begins to follow meanwhile has the same ring as all others.
    expect(late.at(-1)).toBe(seen.at(-1) as number);
    expect(rig.view('a').effectiveWeight).toBe(seen.at(-1) as number);
    await rig.clock.advance(1000);
    expect(seen[0]).toBe(0);
    expect(seen[1]).toBe(SLOW_START_FIRST_PART);
    expect(seen.toSorted((a, b) => a - b)).toEqual(seen);
    expect([seen.at(-1), late.at(-1)]).toEqual([1, 1]);
  });

  test('is that of one with a new instance, which begins anew when it dies meanwhile', async () => {
    const rig = await growing();
    rig.engine.kill('server-2');
    await rig.clock.advance(1500);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
    expect(rig.view('server-2').effectiveWeight).toBeLessThan(0.15);
    await rig.clock.advance(SLOW_START_MS / 2);
    expect(rig.view('server-2').effectiveWeight).toBeGreaterThan(0.5);
    rig.engine.kill('server-2');
    await rig.clock.advance(0);
    expect(rig.view('server-2').effectiveWeight).toBe(0);
    await rig.clock.advance(4000);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 2 });
    expect(rig.view('server-2').effectiveWeight).toBeLessThan(0.2);
    await rig.clock.advance(SLOW_START_MS);
    expect(onRing(rig)).toEqual({ 'server-1': 1, 'server-2': 1, 'server-3': 1 });
  });

  test('is none of one that is back with the instance that it had, which has what it would have by then', async () => {
    const rig = await growing();
    rig.claim('server-2').unreachable();
    await rig.clock.advance(0);
    expect(rig.view('server-2').effectiveWeight).toBe(0);
    await rig.clock.advance(200);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 0, effectiveWeight: 1 });
    await rig.add(1, 'a');
    await rig.clock.advance(SLOW_START_MS / 2);
    rig.claim('a').unreachable();
    await rig.clock.advance(200);
    expect(rig.view('a').state).toBe('ready');
    expect(rig.view('a').effectiveWeight).toBeGreaterThan(0.5);
  });

  test('is none of those that the next Ringmaster takes over, but of what it has to start anew', async () => {
    const rig = await growing();
    await rig.add(1, 'a');
    rig.crash();
    rig.engine.kill('server-3');
    await rig.open();
    expect(onRing(rig)).toMatchObject({ a: 1, 'server-1': 1, 'server-2': 1 });
    await rig.clock.advance(1500);
    expect(rig.view('server-3').effectiveWeight).toBeLessThan(0.15);
  });

  test('is none where nobody is warm, so that not one has the keys of all', async () => {
    const rig = await growing({ replicas: 0 });
    await rig.add(1, 'a');
    await rig.clock.advance(1000);
    await rig.add(1, 'b');
    expect(onRing(rig)).toEqual({ a: 1, b: 1 });
    // By now they are.
    await rig.clock.advance(SLOW_START_MS);
    await rig.add(2, 'c', 'd');
    expect(onRing(rig)).toEqual({ a: 1, b: 1, c: SLOW_START_FIRST_PART, d: SLOW_START_FIRST_PART });
    for (const name of ['a', 'b', 'c', 'd']) rig.engine.kill(name);
    await rig.clock.advance(0);
    expect(onRing(rig)).toEqual({});
    await rig.clock.advance(4000);
    expect(onRing(rig)).toEqual({ a: 1, b: 1, c: 1, d: 1 });
  });

  test('goes on with another weight, which counts at once', async () => {
    const rig = await growing();
    await rig.add(1, 'a');
    await rig.clock.advance(SLOW_START_MS / 2);
    const { effectiveWeight } = rig.view('a');
    await weigh(rig, { a: 10 });
    expect(rig.view('a').weight).toBe(10);
    expect(rig.view('a').effectiveWeight).toBeCloseTo(10 * effectiveWeight, 0);
    await rig.clock.advance(SLOW_START_MS);
    expect(onRing(rig)).toMatchObject({ a: 10 });
  });

  test('leaves no timer behind, when who grew leaves or all ends', async () => {
    const rig = await growing();
    const sleepers = (): number => rig.clock.sleepers;
    const before = sleepers();
    await rig.add(1, 'a');
    // Its heartbeats, and the next step.
    expect(sleepers()).toBe(before + 2);
    await rig.remove(1, 'a');
    await rig.clock.advance(1000);
    expect(sleepers()).toBe(before);
    await rig.add(2, 'a', 'b');
    await rig.close();
    await rig.clock.advance(500);
    expect(sleepers()).toBe(0);
  });

  test('is in fewer steps where the ring is large', async () => {
    const size = SWAP_AT_ONCE_MEMBERS_MAX + 10;
    const rig = await growing({ replicas: size, maxReplicas: size + 1 });
    await rig.add(1, 'a');
    expect(rig.view('a').effectiveWeight).toBeLessThan(2 * SLOW_START_FIRST_PART);
    const rings = new Set<object>([rig.fleet.ring]);
    for (let ms = 0; ms <= SLOW_START_MS + 1000; ms += 250) {
      await rig.clock.advance(250);
      rings.add(rig.fleet.ring);
    }
    expect(rig.view('a').effectiveWeight).toBe(1);
    expect(rings.size).toBe(SLOW_START_LARGE_STEPS_MAX + 1);
  });
});
