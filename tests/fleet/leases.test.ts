import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { Leases } from '../../src/fleet/leases.ts';
import type { Lease } from '../../src/fleet/member.ts';
import { idleLease } from './lease.ts';

/** Those that get the news. */
function toldBy(leases: Leases, all: readonly Lease[]): Set<Lease> {
  const told = new Set<Lease>();
  for (const one of all) one.onLost = () => void told.add(one);
  leases.tell('onLost');
  return told;
}

test('whatever is taken and released in whatever order, it holds what a set would', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const all = Array.from({ length: 10 }, (_, i) => idleLease(String(i)));
      const leases = new Leases();
      const expected = new Set<Lease>();
      for (const [taken, i] of steps) {
        const one = all[i] as Lease;
        if (!taken) expect(leases.delete(one)).toBe(expected.delete(one));
        else if (!expected.has(one)) {
          leases.add(one);
          expected.add(one);
        }
        expect(leases.size).toBe(expected.size);
        expect(toldBy(leases, all)).toEqual(expected);
      }
    }),
    { seed: 20261122 },
  );
});

test('one that another holds is not taken from it', () => {
  const [mine, others] = [new Leases(), new Leases()];
  const [one, other] = [idleLease('1'), idleLease('2')];
  mine.add(one);
  others.add(other);
  expect(mine.delete(other)).toBe(false);
  expect(others.delete(other)).toBe(true);
  expect([mine.size, others.size]).toEqual([1, 0]);
});

test('news come once to each, and not to one that was released by another on account of them', () => {
  const leases = new Leases();
  const [one, other] = [idleLease('1'), idleLease('2')];
  const told: string[] = [];
  for (const each of [one, other]) leases.add(each);
  one.onCut = () => {
    told.push('one');
    leases.delete(other);
  };
  other.onCut = () => void told.push('other');
  leases.tell('onCut');
  leases.tell('onCut');
  expect(told).toEqual(['one']);
});
