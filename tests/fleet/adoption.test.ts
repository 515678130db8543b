import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { adoption } from '../../src/fleet/adoption.ts';
import type { Instance } from '../../src/runtime/runtime.ts';

const SEED = 20260105;

describe('adoption', () => {
  test('of nothing is nothing', () => {
    expect(adoption([])).toEqual({ members: [], commit: [], discard: [] });
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
      expect(adoption(found)).toEqual({ members: [running], commit: [], discard: [] });
    expect(adoption([ended, paused]).members).toEqual([paused]);
    expect(adoption([ended, uncommitted])).toEqual({ members: [ended], commit: [], discard: [] });
  });

  test('leaves nothing out: each name is a member or is discarded, and adds are whole', () => {
    const instance = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      order: fc.nat(6),
      join: fc.constantFrom('x', 'y', 'z'),
      committed: fc.boolean(),
      state: fc.constantFrom('running', 'paused', 'ended'),
    });
    fc.assert(
      fc.property(fc.array(instance, { maxLength: 10 }), (found) => {
        const instances = found.map((more, i) => one(more.name, { ...more, id: String(i) }));
        const { members, commit, discard } = adoption(instances);
        const known = [...namesOf(members), ...new Set(namesOf(discard))];
        expect(known.sort()).toEqual([...new Set(namesOf(instances))].sort());
        expect(new Set(namesOf(members)).size).toBe(members.length);
        expect(members.map((member) => member.order)).toEqual(
          members.map((member) => member.order).sort((a, b) => a - b),
        );
        expect(commit).toEqual(namesOf(members.filter((member) => !member.committed)));
        const committedJoins = new Set(members.map((member) => member.join));
        for (const dropped of discard) expect(dropped.committed).toBe(false);
        for (const dropped of discard) expect(committedJoins.has(dropped.join)).toBe(false);
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
