// @ts-check
import { describe, expect, test } from 'bun:test';
import { announcement, grouped, reasonOf, toneOf, whoOf } from '../../../src/dashboard/page/happenings.js';

/** @typedef {import('../../../src/dashboard/snapshot.ts').EventSnapshot} EventSnapshot */

let seq = 0;
/** @param {number} at @param {string} replica @param {EventSnapshot['what']} what @param {string} [why] @returns {EventSnapshot} */
const event = (at, replica, what, why = what) => ({ seq: ++seq, at, replica, what, why });

describe('events', () => {
  test('of one kind at one time are one group, and groups are newest first', () => {
    const groups = grouped([
      event(0, 'a', 'joined'),
      event(100, 'b', 'joined'),
      event(200, 'c', 'joined'),
      event(9000, 'a', 'died', 'exit code 137'),
    ]);
    expect(groups.map(({ what, replicas }) => [what, ...replicas])).toEqual([
      ['died', 'a'],
      ['joined', 'a', 'b', 'c'],
    ]);
  });

  test('far apart, for another reason, or of the same replica stay apart', () => {
    expect(grouped([event(0, 'a', 'joined'), event(5000, 'b', 'joined')])).toHaveLength(2);
    expect(grouped([event(0, 'a', 'died', 'x'), event(1, 'b', 'died', 'y')])).toHaveLength(2);
    expect(grouped([event(0, 'a', 'ejected'), event(1, 'a', 'ejected')])).toHaveLength(2);
  });

  test('of the engine are the engine’s', () => {
    const [group] = grouped([event(0, '', 'engine away')]);
    expect(group && whoOf(group)).toBe('Engine');
  });

  test('say why only where that says more', () => {
    expect(reasonOf({ what: 'joined', why: 'joined' })).toBe('');
    expect(reasonOf({ what: 'died', why: 'exit code 137' })).toBe('exit code 137');
  });

  test('of a kind that nobody knows yet are calm', () => {
    expect(toneOf('constructor')).toBe('calm');
    expect(toneOf('died')).toBe('bad');
  });
});

describe('what is read out', () => {
  test('is only what matters, as one sentence for each kind', () => {
    expect(
      announcement([
        event(0, 'a', 'died', 'x'),
        event(10, 'a', 'restarting'),
        event(900, 'a', 'healed'),
        event(1000, 'b', 'joined'),
        event(1001, 'c', 'joined'),
      ]),
    ).toBe('a died. a healed. b and c joined');
    expect(announcement([event(0, 'a', 'restarting'), event(0, 'a', 'draining')])).toBe('');
  });
});
