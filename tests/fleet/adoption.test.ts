import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { adoption } from '../../src/fleet/adoption.ts';
import type { Instance } from '../../src/runtime/runtime.ts';

const SEED = 20260105;

describe('adoption', () => {
  test('of nothing is nothing', () => {
    expect(adoption([])).toEqual({ members: [], commit: [], stay: [], discard: [] });
  });

  test('takes members in joining order, whatever order and state the engine lists them in', () => {
    const found = [
      one('c', { order: 3, state: 'ended' }),
      one('a', { order: 1, state: 'paused' }),
      one('b', { order: 2 }),
    ];
    expect(namesOf(adoption(found).members)).toEqual(['a', 'b', 'c']);
  });

  test('an add that had begun to commit is committed whole', () => {
    const found = [
      one('b', { order: 2, join: 'add', committed: false }),
      one('a', { order: 1, join: 'add', committed: true }),
    ];
    expect(adoption(found)).toMatchObject({ commit: ['b'], discard: [] });
    expect(namesOf(adoption(found).members)).toEqual(['a', 'b']);
  });

  test('an add that had not begun to commit is discarded whole', () => {
    const found = [
      one('a', { join: 'first' }),
      one('b', { order: 2, join: 'add', committed: false }),
      one('c', { order: 3, join: 'add', committed: false }),
    ];
    const { members, commit, discard } = adoption(found);
    expect([namesOf(members), commit, namesOf(discard)]).toEqual([['a'], [], ['b', 'c']]);
  });

  const FIRST = { leaving: 'first' } as const;
  const OTHER = { leaving: 'other' } as const;
  test.each<[string, Instance[], stays: string[], members: string[]]>([
    ['that had marked the first only', [one('a', FIRST), one('b'), one('c')], ['a'], ['a', 'b', 'c']],
    ['that had not marked all', [one('a', FIRST), one('b', OTHER), one('c')], ['b', 'a'], ['a', 'b', 'c']],
    [
      'that had not begun to remove',
      [one('a', OTHER), one('b', FIRST), one('c', OTHER)],
      ['a', 'c', 'b'],
      ['a', 'b', 'c'],
    ],
    [
      'whose first has ended',
      [one('a', { ...FIRST, state: 'ended' }), one('b', OTHER)],
      ['b', 'a'],
      ['a', 'b'],
    ],
    ['that had removed the first', [one('b', OTHER), one('c', OTHER), one('d')], [], ['d']],
    ['that had removed all but one', [one('c', OTHER), one('d')], [], ['d']],
    ['of all', [one('b', OTHER), one('c', OTHER)], [], []],
    ['of which one has two instances', [one('b', OTHER), one('b', { id: '2' }), one('d')], [], ['d']],
    ['of which one has two instances and all stay', [one('a', FIRST), one('a', { id: '2' })], ['a'], ['a']],
  ])('a leave %s: all stay as long as the first is there, else none', (_, found, stays, members) => {
    for (const listed of [found, found.toReversed()]) {
      const adopted = adoption(listed);
      expect(adopted.stay).toEqual(stays);
      expect(namesOf(adopted.members)).toEqual(members);
      expect(new Set(namesOf(adopted.discard))).toEqual(
        new Set(namesOf(found).filter((name) => !members.includes(name))),
      );
    }
  });

  test('one that leaves is committed to those that were added with it, unless it goes', () => {
    const mate = one('b', { join: 'add', committed: false });
    const first = one('a', { join: 'add', ...FIRST });
    expect(adoption([first, mate])).toMatchObject({ commit: ['b'], stay: ['a'], discard: [] });
    const other = one('a', { join: 'add', ...OTHER });
    expect(adoption([other, mate])).toMatchObject({
      members: [],
      commit: [],
      stay: [],
      discard: [other, mate],
    });
  });

  test('members with one place, as of two that added at once, are in order of their names', () => {
    expect(namesOf(adoption([one('b'), one('a'), one('B')]).members)).toEqual(['B', 'a', 'b']);
  });

  // Two of one name, which an engine can hold after a call to it that timed out and succeeded all the same, became two
  // members: one of them was healed for ever beside the other, each start ending the other's instance.
  test('a name is one member: committed before uncommitted, running before ended', () => {
    const uncommitted = one('a', { id: '1', committed: false, join: 'add' });
    const ended = one('a', { id: '2', join: 'first', state: 'ended' });
    const paused = one('a', { id: '3', join: 'first', state: 'paused' });
    const running = one('a', { id: '4', join: 'first' });
    for (const found of [
      [uncommitted, ended, paused, running],
      [running, paused, ended, uncommitted],
    ])
      expect(adoption(found)).toEqual({ members: [running], commit: [], stay: [], discard: [] });
    expect(adoption([ended, paused]).members).toEqual([paused]);
    expect(adoption([ended, uncommitted])).toEqual({ members: [ended], commit: [], stay: [], discard: [] });
  });

  test('leaves nothing out: each name is a member or is discarded, and adds are whole', () => {
    const instance = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      order: fc.nat(6),
      join: fc.constantFrom('x', 'y', 'z'),
      committed: fc.boolean(),
      state: fc.constantFrom('running', 'paused', 'ended'),
      mark: fc.constantFrom(undefined, undefined, undefined, 'other', 'first'),
    });
    fc.assert(
      fc.property(fc.array(instance, { maxLength: 10 }), (found) => {
        const instances = found.map(({ mark, ...more }, i) => {
          const leaving = more.committed ? mark : undefined;
          return one(more.name, { ...more, leaving, id: String(i) });
        });
        const { members, commit, stay, discard } = adoption(instances);
        const known = [...namesOf(members), ...new Set(namesOf(discard))];
        expect(known.sort()).toEqual([...new Set(namesOf(instances))].sort());
        expect(new Set(namesOf(members)).size).toBe(members.length);
        expect(members.map((member) => member.order)).toEqual(
          members.map((member) => member.order).sort((a, b) => a - b),
        );
        expect(commit).toEqual(namesOf(members.filter((member) => !member.committed)));
        const committedJoins = new Set(members.map((member) => member.join));
        const stays = instances.some((each) => each.leaving === 'first');
        const marked = new Set(namesOf(instances.filter((each) => each.leaving !== undefined)));
        expect(new Set(stay)).toEqual(stays ? marked : new Set());
        for (const dropped of discard) {
          if (!stays && marked.has(dropped.name)) continue;
          expect(dropped.committed).toBe(false);
          expect(committedJoins.has(dropped.join)).toBe(false);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

function one(name: string, more: Partial<Instance> = {}): Instance {
  return {
    name,
    order: 1,
    join: 'first',
    committed: true,
    id: name,
    state: 'running',
    address: { host: '10.0.0.1', port: 5000 },
    ...more,
  };
}

function namesOf(instances: readonly Instance[]): string[] {
  return instances.map((instance) => instance.name);
}
