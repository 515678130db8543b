import { describe, expect, test } from 'bun:test';
import {
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  Unavailable,
  UnknownReplica,
} from '../../../src/fleet/errors.ts';
import {
  commit,
  dismiss,
  dismissAll,
  enroll,
  membersOf,
  orphaned,
  reserve,
  retract,
  reweigh,
  strike,
  takeOver,
} from '../../../src/fleet/shared/seats.ts';
import { namesOf } from '../../../src/fleet/membership.ts';
import { startedNaming } from '../../../src/runtime/naming.ts';
import { EMPTY_ROSTER, type Roster } from '../../../src/runtime/roster.ts';

const LIMITS = { maxReplicas: 5, naming: startedNaming };
const ONE = { by: 'run 1', join: 'join 1' };
const TWO = { by: 'run 2', join: 'join 2' };
const peer = (run: string) => ({ run, url: `http://${run}` });

const added = (roster: Roster, doer: typeof ONE, n: number, ...hostnames: string[]): Roster => {
  const reserved = reserve(roster, { n, hostnames }, LIMITS, doer);
  return commit(reserved, namesOf(reserved.seats.filter(({ join }) => join === doer.join)), doer);
};
const members = (roster: Roster): string => namesOf(membersOf(roster)).join();

describe('seats', () => {
  test('that are reserved are nobody’s yet, and taken all the same', () => {
    const roster = reserve(EMPTY_ROSTER, { n: 2, hostnames: ['a'] }, LIMITS, ONE);
    expect(members(roster)).toBe('');
    expect(namesOf(roster.seats)).toEqual(['a', 'server-1']);
    expect(() => reserve(roster, { n: 1, hostnames: ['A'] }, LIMITS, TWO)).toThrow(NameTaken);
    expect(namesOf(reserve(roster, { n: 1, hostnames: [] }, LIMITS, TWO).seats)).toContain('server-2');
    expect(() => reserve(roster, { n: 4, hostnames: [] }, LIMITS, TWO)).toThrow(TooManyReplicas);
  });

  test('are in the order of commitment, whoever began first', () => {
    const first = reserve(EMPTY_ROSTER, { n: 1, hostnames: ['a'] }, LIMITS, ONE);
    const second = added(first, TWO, 2, 'b');
    expect(members(second)).toBe('b,server-1');
    const both = commit(second, ['a'], ONE);
    expect(members(both)).toBe('b,server-1,a');
    expect(new Set(both.seats.map(({ order }) => order)).size).toBe(3);
    // Without names the newest leave.
    expect(members(dismiss(both, { n: 1, hostnames: [] }, startedNaming, 'run 1'))).toBe('b,server-1');
  });

  test('are committed all or none', () => {
    const roster = reserve(EMPTY_ROSTER, { n: 2, hostnames: ['a', 'b'] }, LIMITS, ONE);
    const without = { ...roster, seats: roster.seats.filter(({ name }) => name !== 'a') };
    expect(() => commit(without, ['a', 'b'], ONE)).toThrow(Unavailable);
    expect(members(commit(roster, ['a', 'b'], ONE))).toBe('a,b');
  });

  test('that were committed in doubt are taken back together', () => {
    const roster = added(added(EMPTY_ROSTER, ONE, 1), TWO, 2);
    const back = retract(roster, TWO);
    expect(members(back)).toBe('server-1');
    expect(back.seats.filter(({ by }) => by === TWO.by)).toHaveLength(2);
    expect(retract(EMPTY_ROSTER, TWO)).toBe(EMPTY_ROSTER);
  });

  test('are given up by name, and only by who is a member', () => {
    const roster = added(EMPTY_ROSTER, ONE, 3, 'a');
    const left = dismiss(roster, { n: 1, hostnames: ['A'] }, startedNaming, TWO.by);
    expect(members(left)).toBe('server-1,server-2');
    expect(left.seats.find(({ name }) => name === 'a')).toMatchObject({ mark: 'leaving', by: TWO.by });
    expect(() => dismiss(left, { n: 1, hostnames: ['a'] }, startedNaming, ONE.by)).toThrow(UnknownReplica);
    // Its name is free when it is gone, and not before.
    expect(() => reserve(left, { n: 1, hostnames: ['a'] }, LIMITS, ONE)).toThrow(NameTaken);
    expect(members(dismissAll(left, ONE.by))).toBe('');
  });
});

describe('weights of seats', () => {
  const weights = (roster: Roster): Record<string, number> =>
    Object.fromEntries(roster.seats.map(({ name, weight = 1 }) => [name, weight]));
  const wish = { n: 3, hostnames: ['a', 'b'], weights: { A: 3 } };
  const reserved = reserve(EMPTY_ROSTER, wish, LIMITS, ONE);
  const committed = commit(reserved, ['a', 'b', 'server-1'], ONE);

  test('are reserved, and stay through whatever becomes of the seat', () => {
    const all = { a: 3, b: 1, 'server-1': 1 };
    expect(weights(reserved)).toEqual(all);
    expect(weights(committed)).toEqual(all);
    expect(weights(retract(committed, ONE))).toEqual(all);
    expect(weights(dismissAll(committed, ONE.by))).toEqual(all);
  });

  test('are changed of members, by name without regard to case, and of nobody else', () => {
    const after = reweigh(committed, { B: 2 }, startedNaming);
    expect(weights(after)).toEqual({ a: 3, b: 2, 'server-1': 1 });
    expect(members(after)).toBe(members(committed));
    expect(reweigh(committed, { a: 3 }, startedNaming)).toBe(committed);
    expect(() => reweigh(committed, { nobody: 2 }, startedNaming)).toThrow(UnknownReplica);
    expect(() => reweigh(reserved, { a: 2 }, startedNaming)).toThrow(UnknownReplica);
  });

  test('are refused where all together are too much, with those of who joins just now', () => {
    const names = Array.from({ length: 170 }, (_, i) => `r${i}`);
    const many = { n: 163, hostnames: names.slice(0, 163) };
    const heavy = { ...many, weights: Object.fromEntries(many.hostnames.map((name) => [name, 100])) };
    const limits = { ...LIMITS, maxReplicas: 200 };
    const roster = reserve(EMPTY_ROSTER, heavy, limits, ONE);
    const more = (weight: number) => ({ n: 1, hostnames: ['z'], weights: { z: weight } });
    expect(reserve(roster, more(84), limits, TWO).seats).toHaveLength(164);
    expect(() => reserve(roster, more(85), limits, TWO)).toThrow(InvalidChange);
  });
});

describe('what a Ringmaster has begun and can not finish', () => {
  const begun = reserve(added(EMPTY_ROSTER, ONE, 1), { n: 2, hostnames: [] }, LIMITS, TWO);

  test('is an orphan when nobody of its run is there', () => {
    const both = enroll(enroll(begun, 'host 1', peer('run 1')), 'host 2', peer('run 2'));
    expect(orphaned(both)).toEqual([]);
    expect(namesOf(orphaned(enroll(both, 'host 2', peer('run 3'))))).toEqual(['server-2', 'server-3']);
    expect(namesOf(orphaned(strike(both, 'host 2', 'run 2')))).toEqual(['server-2', 'server-3']);
  });

  test('is taken over by the first who tries', () => {
    const [stale] = orphaned(begun);
    if (stale === undefined) throw new Error('nothing is orphaned');
    const mine = takeOver(begun, stale, 'run 4');
    expect(mine).not.toBe(begun);
    expect(takeOver(mine, stale, 'run 5')).toBe(mine);
  });
});

describe('a Ringmaster', () => {
  test('is struck off by its run: the next one of that place stays', () => {
    const roster = enroll(EMPTY_ROSTER, 'host 1', peer('run 2'));
    expect(strike(roster, 'host 1', 'run 1')).toBe(roster);
    expect(enroll(roster, 'host 1', peer('run 2'))).toBe(roster);
    expect(strike(roster, 'host 1', 'run 2').ringmasters).toEqual({});
  });
});
