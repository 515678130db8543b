import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { EMPTY_ROSTER, type Roster } from '../../../src/runtime/roster.ts';
import type { Mark } from '../../../src/runtime/runtime.ts';
import { decodeRoster, encodeRoster } from '../../../src/runtime/swarm/labels.ts';

const seat = { name: 'a', order: 3, join: 'one add', mark: 'member', by: '' } as const;
const MARKS: readonly Mark[] = ['joining', 'member', 'leaving first', 'leaving'];

const rosters: fc.Arbitrary<Roster> = fc.record({
  revision: fc.maxSafeNat(),
  seats: fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/),
      order: fc.maxSafeInteger(),
      join: fc.string({ unit: 'binary' }),
      weight: fc.integer({ min: 2, max: 100 }).map((n) => (n % 2 === 0 ? n : undefined)),
      mark: fc.constantFrom(...MARKS),
      by: fc.string({ unit: 'binary' }),
    }),
    { selector: (one) => one.name },
  ),
  ringmasters: fc.dictionary(
    fc.string({ unit: 'binary' }),
    fc.record({ run: fc.string(), url: fc.webUrl() }),
    {
      noNullPrototype: true,
    },
  ),
});
/** Entries, since `__proto__` is a key like any other but for who compares objects. */
const plain = ({ revision, seats, ringmasters }: Roster): object => [
  revision,
  [...seats].sort((a, b) => (a.name < b.name ? -1 : 1)),
  Object.entries(ringmasters).sort(([a], [b]) => (a < b ? -1 : 1)),
];

describe('the roster in labels', () => {
  test('what is written is what is read, also by way of JSON', () => {
    fc.assert(
      fc.property(rosters, (roster) => {
        const labels = JSON.parse(JSON.stringify(encodeRoster(roster))) as Record<string, string>;
        expect(plain(decodeRoster(labels))).toEqual(plain(roster));
      }),
    );
  });

  test('it is short, and each seat and each Ringmaster has its own', () => {
    const ringmasters = { 'node:5000': { run: 'r1', url: 'http://10.0.0.1:5000' } };
    expect(encodeRoster({ revision: 7, seats: [seat], ringmasters })).toEqual({
      revision: '7',
      'seat.a': '[3,"one add","member",""]',
      'peer.node:5000': '["r1","http://10.0.0.1:5000"]',
    });
    expect(encodeRoster(EMPTY_ROSTER)).toEqual({ revision: '0' });
  });

  test('a weight has a label of its own, so that a seat is read by who knows of no weights', () => {
    const seats = [seat, { ...seat, name: 'b', order: 4, weight: 1 }, { ...seat, name: 'c', weight: 3 }];
    const labels = encodeRoster({ revision: 7, seats, ringmasters: {} });
    expect(labels).toEqual({
      revision: '7',
      'seat.a': '[3,"one add","member",""]',
      'seat.b': '[4,"one add","member",""]',
      'seat.c': '[3,"one add","member",""]',
      'weight.c': '3',
    });
    const weights = decodeRoster(labels).seats.map(({ name, weight = 1 }) => [name, weight]);
    expect(weights).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 3],
    ]);
  });

  test.each(['0', '101', '1.5', '-1', '+2', '02', '2 ', '', 'x', '1e1'])(
    'the weight %p is none, and its seat is one of weight 1',
    (value) => {
      const labels = { 'seat.a': '[3,"one add","member",""]', 'weight.a': value };
      expect(decodeRoster(labels).seats).toEqual([seat]);
    },
  );

  test.each([
    ['a revision that is none', 'revision', 'x'],
    ['another label', 'ringmaster.cluster', 'x'],
    ['no JSON', 'seat.a', 'member'],
    ['no list', 'seat.a', '{"order":3}'],
    ['too little', 'seat.a', '[3,"j","member"]'],
    ['too much', 'seat.a', '[3,"j","member","",0]'],
    ['no name', 'seat.', '[3,"j","member",""]'],
    ['a name that no replica has', 'seat.-a', '[3,"j","member",""]'],
    ['an order that is none', 'seat.a', '["3","j","member",""]'],
    ['an order between two', 'seat.a', '[3.5,"j","member",""]'],
    ['a mark that is none', 'seat.a', '[3,"j","left",""]'],
    ['a join that is none', 'seat.a', '[3,null,"member",""]'],
    ['a weight without a seat', 'weight.a', '3'],
    ['a run that is none', 'seat.a', '[3,"j","member",7]'],
    ['a Ringmaster without an address', 'peer.k', '["r1"]'],
    ['a Ringmaster without a run', 'peer.k', '[null,"http://x"]'],
    ['nothing', 'peer.k', ''],
  ])('%s is no part of it', (_, label, value) => {
    expect(decodeRoster({ 'seat.a-b': '[3,"one add","member",""]', [label]: value })).toEqual({
      revision: 0,
      seats: [{ ...seat, name: 'a-b' }],
      ringmasters: {},
    });
  });
});
