import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import type { Passed, Trace } from '../../src/fleet/chooser.ts';
import { Explainer, TOLD_MAX, type Known } from '../../src/fleet/explain.ts';
import type { ReplicaState } from '../../src/fleet/state.ts';
import { placementOf } from '../../src/ring/algorithms.ts';
import { Circle } from '../../src/ring/circle.ts';
import { ALGORITHMS, type Algorithm, type Placement } from '../../src/ring/placement.ts';

const SEED = 20261207;

interface World {
  readonly members: readonly Known[];
  readonly hash?: Algorithm;
  readonly owners?: 'ready' | 'members';
  readonly trace?: Trace;
  /** Of those that are ready, where it is not what follows from the members. */
  readonly ring?: Placement;
}

const one = (name: string, state: ReplicaState = 'ready', more: Partial<Known> = {}): Known => ({
  name,
  state,
  weight: 1,
  why: 'a reason',
  inFlight: 0,
  ...more,
});

/** An explainer of these members; who asks before is passed over, as a chooser has it. */
function explainerOf({ members, hash = 'ring', owners = 'ready', trace, ring: shown }: World): Explainer {
  const ring =
    shown ??
    placementOf(
      hash,
      members.filter(({ state }) => state === 'ready'),
    );
  return new Explainer({
    hash,
    members: () => members,
    member: (name) => members.find((member) => member.name === name),
    labelOf: () => undefined,
    ring: () => ring,
    owners,
    trace: (key, except) => {
      if (trace !== undefined) return trace;
      const order = ring.preference(key);
      const chosen = order.find((name) => except?.has(name) !== true);
      const before = chosen === undefined ? order : order.slice(0, order.indexOf(chosen));
      return { chosen, owner: order[0], passed: before.map((replica) => ({ replica, why: 'asked before' })) };
    },
  });
}

describe('of a key whose owner is ready', () => {
  test.each(ALGORITHMS)('%s tells what its map does with it, and nobody was passed over', (hash) => {
    const members = ['a', 'b', 'c', 'd'].map((name) => one(name));
    const map = placementOf(hash, members);
    for (const key of ['42', '', 'ключ', 'k'.repeat(10_000)]) {
      const found = explainerOf({ members, hash }).explain(key);
      expect(found).toEqual({
        key,
        hash: map.hash(key),
        algorithm: hash,
        position: map.positionOf(key),
        positions: map.positions,
        point: map instanceof Circle ? map.pointAt(map.hash(key)) : undefined,
        home: map.owner(key),
        owner: map.owner(key),
        goesTo: map.owner(key),
        preference: map.preference(key),
        passedOver: [],
        spreadOver: undefined,
      });
    }
  });
});

describe('who is not ready is passed over for its state', () => {
  const rows: readonly [state: ReplicaState, detail: string][] = [
    ['draining', 'it leaves, and has 3 in flight'],
    ['ejected', 'off the ring until it answers: a reason'],
    ['waiting', 'it is to be started again: a reason'],
    ['starting', 'it is being started: a reason'],
  ];
  for (const hash of ALGORITHMS)
    test.each(rows)(`${hash}: %s`, (state, detail) => {
      const names = ['a', 'b', 'c'];
      const key = '42';
      const home = placementOf(
        hash,
        names.map((name) => one(name)),
      ).owner(key) as string;
      const members = names.map((name) => (name === home ? one(name, state, { inFlight: 3 }) : one(name)));
      const found = explainerOf({ members, hash }).explain(key);
      const ready = placementOf(
        hash,
        members.filter((member) => member.state === 'ready'),
      );
      expect([found.home, found.owner, found.goesTo]).toEqual([home, ready.owner(key), ready.owner(key)]);
      expect(found.passedOver[0]).toEqual({ replica: home, reason: state, detail });
    });
});

describe('who is ready is passed over', () => {
  const members = ['a', 'b', 'c'].map((name) => one(name));
  const [first = '', second = '', third = ''] = placementOf('ring', members).preference('42');

  test('for its bound, as the choice says', () => {
    const passed: Passed[] = [
      { replica: first, why: 'over its bound', inFlight: 5, bound: 5 },
      { replica: second, why: 'over its bound', inFlight: 7, bound: 6 },
    ];
    const found = explainerOf({ members, trace: { chosen: third, owner: first, passed } }).explain('42');
    expect([found.owner, found.goesTo]).toEqual([first, third]);
    expect(found.passedOver).toEqual([
      {
        replica: first,
        reason: 'over its bound',
        detail: 'it has 5 in flight, and may have 5',
      },
      {
        replica: second,
        reason: 'over its bound',
        detail: 'it has 7 in flight, and may have 6',
      },
    ]);
  });

  test('as it was asked before, and where all were, nobody gets it', () => {
    const found = explainerOf({ members }).explain('42', new Set([first]));
    expect(found.goesTo).toBe(second);
    expect(found.passedOver.map(({ replica, reason }) => [replica, reason])).toEqual([
      [first, 'asked before'],
    ]);
    const none = explainerOf({ members }).explain('42', new Set([first, second, third]));
    expect([none.goesTo, none.owner, none.passedOver.length]).toEqual([undefined, first, 3]);
  });

  test('as the key is spread, and it is told over whom', () => {
    const passed: Passed[] = [{ replica: first, why: 'spread to another' }];
    const trace = { chosen: second, owner: first, passed, spread: [first, second] };
    const found = explainerOf({ members, trace }).explain('42');
    expect(found.spreadOver).toEqual([first, second]);
    expect(found.passedOver).toEqual([
      {
        replica: first,
        reason: 'spread to another',
        detail: 'the key is hot: its requests are spread, and another has less in flight for its weight',
      },
    ]);
  });

  test('as its share still grows', () => {
    const grows = members.map((member) => (member.name === first ? { ...member, weight: 2 } : member));
    const sites = grows.map(({ name, weight }) => ({ name, weight: name === first ? 0.25 : weight }));
    const found = explainerOf({
      members: grows,
      ring: placementOf('ring', sites),
      trace: { chosen: second, owner: second, passed: [] },
    }).explain('42');
    expect(found.passedOver).toEqual([
      { replica: first, reason: 'starting slowly', detail: 'it has 0.25 of its weight of 2' },
    ]);
  });

  test('as the map of those that are ready is another, which on a ring it never is', () => {
    const names = Array.from({ length: 12 }, (_, i) => `server-${i + 1}`);
    const others = names.map((name) => one(name, name === 'server-5' ? 'ejected' : 'ready'));
    for (const hash of ALGORITHMS) {
      const explainer = explainerOf({ members: others, hash });
      const reasons = new Set(
        Array.from({ length: 4000 }, (_, id) => explainer.explain(String(id))).flatMap(({ passedOver }) =>
          passedOver.map(({ reason }) => reason),
        ),
      );
      expect([hash, reasons.has('ejected')]).toEqual([hash, true]);
      if (hash === 'ring' || hash === 'rendezvous' || hash === 'nginx')
        expect([hash, ...reasons]).toEqual([hash, 'ejected']);
      if (hash === 'maglev') expect(reasons.has('another map')).toBeTrue();
    }
  });
});

describe('where nobody is ready', () => {
  test('nobody owns the key, and all were passed over', () => {
    const members = [one('a', 'waiting'), one('b', 'ejected')];
    for (const owners of ['ready', 'members'] as const) {
      const found = explainerOf({ members, owners }).explain('42');
      expect([found.owner, found.goesTo, found.passedOver.length]).toEqual([undefined, undefined, 2]);
      expect(found.home).toBe(found.preference[0] as string);
    }
  });

  test('and where there is no member, nobody is told of', () => {
    const found = explainerOf({ members: [] }).explain('42');
    expect([found.home, found.owner, found.goesTo, found.point]).toEqual(Array(4).fill(undefined));
    expect([found.preference, found.passedOver]).toEqual([[], []]);
  });
});

test('by the map of all members the owner is who it is, ready or not', () => {
  const members = [one('a'), one('b'), one('c')];
  const home = placementOf('ring', members).owner('42') as string;
  const now = members.map((member) => (member.name === home ? one(home, 'ejected') : member));
  const found = explainerOf({ members: now, owners: 'members' }).explain('42');
  expect([found.home, found.owner]).toEqual([home, home]);
  expect(found.goesTo).not.toBe(home);
});

test('who is passed over comes before who gets the request, in the failover order of all', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,6}$/), { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(fc.constantFrom<ReplicaState>('ready', 'ready', 'ejected', 'waiting', 'draining')),
      fc.constantFrom<Algorithm>('ring', 'rendezvous'),
      fc.string(),
      fc.nat(3),
      (names, states, hash, key, asked) => {
        const members = names.map((name) => one(name, states.next().value));
        const all = placementOf(hash, members);
        const order = all.preference(key);
        const except = new Set(order.slice(0, asked));
        const found = explainerOf({ members, hash }).explain(key, except);
        const ready = new Set(members.filter(({ state }) => state === 'ready').map(({ name }) => name));
        const goesTo = order.find((name) => ready.has(name) && !except.has(name));
        expect(found.goesTo).toBe(goesTo);
        expect(found.preference).toEqual(order);
        expect(found.passedOver.map(({ replica }) => replica)).toEqual(
          goesTo === undefined ? order : order.slice(0, order.indexOf(goesTo)),
        );
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
});

test(`no more than ${TOLD_MAX} are told of a long order`, () => {
  const members = Array.from({ length: 200 }, (_, i) => one(`s${i}`, i === 0 ? 'ready' : 'waiting'));
  const found = explainerOf({ members }).explain('7');
  expect([found.goesTo, found.preference.length, found.passedOver.length]).toEqual([
    's0',
    TOLD_MAX,
    TOLD_MAX,
  ]);
});

test('the map of all members is built again only where they, or their weights, have changed', () => {
  const members = [one('a'), one('b', 'ejected'), one('c')];
  let labels = 0;
  const explainer = new Explainer({
    hash: 'ring',
    members: () => members,
    member: (name) => members.find((member) => member.name === name),
    // Asked for once for each member of a map that is built.
    labelOf: () => void labels++,
    ring: () => placementOf('ring', [one('a'), one('c')]),
    owners: 'ready',
    trace: () => ({ chosen: 'a', owner: 'a', passed: [] }),
  });
  const steps = [
    () => {},
    () => {},
    () => members.splice(1, 1, one('b', 'waiting')),
    () => members.splice(1, 1, one('b', 'waiting', { weight: 2 })),
    () => members.push(one('d')),
    () => members.splice(0, 1),
  ];
  const built = steps.map((step) => {
    step();
    explainer.explain('42');
    return labels;
  });
  expect(built).toEqual([3, 3, 3, 6, 10, 13]);
});
