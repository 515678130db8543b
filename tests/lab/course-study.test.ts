import { describe, expect, test } from 'bun:test';
import {
  compareVariants,
  diagnose,
  DIAGNOSIS_SERVERS_MAX,
  serverNames,
  squaresModuloPowerOfTwo,
} from '../../src/lab/course-study.ts';
import { randomIds } from '../../src/lab/ids.ts';
import { balanceOf } from '../../src/lab/statistics.ts';
import { Course } from '../../src/ring/course.ts';

const diagnosis = diagnose();

/** The assignment's map by its own words, one step after the other, and nothing of ours. */
function ownersByHand(servers: number): number[] {
  const slots: number[] = Array.from({ length: 512 }, () => 0);
  for (let i = 1; i <= servers; i++)
    for (let j = 0; j < 9; j++) {
      let slot = (i * i + j * j + 2 * j + 25) % 512;
      while (slots[slot] !== 0) slot = (slot + 1) % 512;
      slots[slot] = i;
    }
  return Array.from({ length: 512 }, (_, request) => {
    let slot = (request * request + 2 * request + 17) % 512;
    while (slots[slot] === 0) slot = (slot + 1) % 512;
    return slots[slot] as number;
  });
}

describe('the diagnosis', () => {
  test('counts squares modulo powers of two as trying them does', () => {
    for (let k = 3; k <= 16; k++) {
      const squares = new Set(Array.from({ length: 2 ** k }, (_, x) => (x * x) % 2 ** k));
      expect(squaresModuloPowerOfTwo(k)).toBe(squares.size);
    }
  });

  test('finds the slots that are 16 above a square, and no others', () => {
    const expected = new Set(Array.from({ length: 512 }, (_, i) => (i * i + 16) % 512));
    expect([...diagnosis.reached]).toEqual([...expected].sort((a, b) => a - b));
    expect(diagnosis.reached.length).toBe(diagnosis.squares);
    expect(diagnosis.hits.most).toBe(32);
    expect(diagnosis.hits.usual).toBe(4);
  });

  test('knows each share for 1 to 10 servers as working it out by hand does', () => {
    expect(diagnosis.anatomies.map(({ servers }) => servers)).toEqual(
      Array.from({ length: DIAGNOSIS_SERVERS_MAX }, (_, i) => i + 1),
    );
    for (const { servers, shares, balance } of diagnosis.anatomies) {
      const owners = ownersByHand(servers);
      const expected = Array.from(
        { length: servers },
        (_, i) => owners.filter((owner) => owner === i + 1).length / 512,
      );
      expect([...shares]).toEqual(expected);
      expect(balance).toEqual(balanceOf(expected));
    }
  });

  test('finds the longest way without a virtual server, and whose it is', () => {
    for (const { servers, gap, table, reachedInGap } of diagnosis.anatomies) {
      const slots = Array.from({ length: gap.length }, (_, i) => (gap.from + i) % 512);
      expect(slots.at(-1)).toBe(gap.to);
      expect(slots.slice(0, -1).filter((slot) => table[slot] !== null)).toEqual([]);
      expect(table[gap.to]).toBe(gap.owner);
      expect(table[(gap.from + 511) % 512]).not.toBeNull();
      expect(reachedInGap).toBe(slots.filter((slot) => diagnosis.reached.includes(slot)).length);
      expect(table.filter((name) => name !== null)).toHaveLength(9 * servers);
    }
  });

  test('has every cure, and Φ is what cures most', () => {
    const cure = (hash: string, virtuals: number): number =>
      diagnosis.cures.find((one) => one.hash === hash && one.virtuals === virtuals)?.balance
        ?.largestOverMean ?? 0;
    expect(diagnosis.cures).toHaveLength(12);
    expect(cure('as given', 9)).toBeCloseTo(
      balanceOf([...Course.of(serverNames(3)).share().values()]).largestOverMean,
    );
    expect(cure('H mixed', 9)).toBeGreaterThan(2);
    expect(cure('Φ mixed', 9)).toBeLessThan(1.7);
    expect(cure('H and Φ mixed', 256)).toBeLessThan(1.1);
    expect(diagnosis.byServers).toHaveLength(10 * 2 * 4);
  });
});

// Each fault of Φ is enough by itself, so that no cure of one of them cures the map.
test('only servers that lie apart share evenly, however far their own pieces are spread', () => {
  const { repairs, large } = diagnose();
  expect(repairs.spread.shares[0]).toBeGreaterThan(0.8);
  expect(Math.max(...repairs.apart.shares)).toBeLessThan(0.4);
  expect(large.gap).toBeLessThan(0.01);
  expect(large.busiest).toBeGreaterThan(0.9);
});

describe('other hash functions', () => {
  const ids = randomIds(500, 1);
  const variants = compareVariants(ids, [3, 12]);

  test('place every id, and the map as given as Ringmaster does', () => {
    const map = Course.of(serverNames(3));
    const expected = serverNames(3).map((name) => ids.filter((id) => map.owner(String(id)) === name).length);
    expect(variants[0]?.placed[0]?.counts).toEqual(expected);
    for (const { placed } of variants)
      expect(placed[0]?.counts?.reduce((sum, count) => sum + count, 0)).toBe(500);
  });

  test('have no figures where virtual servers find no room', () => {
    const more = variants.find(({ id }) => id === 'both-more');
    expect(more?.placed.map(({ counts }) => counts === undefined)).toEqual([false, true]);
  });
});
