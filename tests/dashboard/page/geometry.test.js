// @ts-check
import { describe, expect, test } from 'bun:test';
import {
  KEY_SPACE,
  angleOf,
  between,
  decodeRing,
  fits,
  lensAt,
  ownerAt,
  pointAfter,
  positionAt,
  runsOf,
  sectorsOf,
  walk,
} from '../../../src/dashboard/page/geometry.js';
import { pointsOf } from '../../../src/dashboard/points.ts';
import { hash32 } from '../../../src/ring/hash.ts';
import { Ring } from '../../../src/ring/ring.ts';

const QUARTER = KEY_SPACE / 4;

/** @param {readonly (readonly [number, number])[]} points @param {readonly string[]} names */
function answer(points, names) {
  const bytes = (/** @type {Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>} */ array) =>
    Buffer.from(array.buffer).toString('base64');
  return {
    digest: 'd',
    names,
    positions: bytes(Uint32Array.from(points, ([position]) => position)),
    owners: bytes(Uint16Array.from(points, ([, owner]) => owner)),
  };
}

/** Three points: a's at a quarter, b's at a half, a's at three quarters. */
const map = decodeRing(
  answer(
    [
      [QUARTER, 0],
      [2 * QUARTER, 1],
      [3 * QUARTER, 0],
    ],
    ['a', 'b'],
  ),
);

describe('a ring as it is sent', () => {
  test('is read, also above 2^31', () => {
    expect([...map.positions]).toEqual([QUARTER, 2 * QUARTER, 3 * QUARTER]);
    expect([...map.owners]).toEqual([0, 1, 0]);
  });

  test('is refused where it can not be a ring', () => {
    const bad = [
      null,
      {},
      answer([[1, 2]], ['a', 'b']),
      answer(
        [
          [2, 0],
          [1, 0],
        ],
        ['a'],
      ),
      { ...answer([[1, 0]], ['a']), owners: '' },
    ];
    for (const one of bad) expect(() => decodeRing(one)).toThrow('ring');
  });

  test('is that of the server, whose points of several replicas may meet', () => {
    let met = 0;
    for (const count of [1, 2, 3, 30, 31, 64]) {
      const ring = Ring.of(Array.from({ length: count }, (_, i) => `server-${i + 1}`));
      const read = decodeRing({ digest: 'd', ...pointsOf(ring) });
      expect(read.positions).toHaveLength(count * 1024);
      met += read.positions.filter((position, i) => position === read.positions[i - 1]).length;
      for (let key = 0; key < 2000; key++) {
        const position = hash32(String(key));
        expect(ownerAt(read, position)).toBe(/** @type {string} */ (ring.ownerAt(position)));
      }
    }
    expect(met).toBeGreaterThan(0);
  });

  test('may have no point at all', () => {
    const none = decodeRing(answer([], []));
    expect(pointAfter(none, 5)).toBe(-1);
    expect(ownerAt(none, 5)).toBeUndefined();
    expect(runsOf(none, 10)).toEqual([]);
    expect(lensAt(none, 5)).toBeNull();
  });
});

describe('the walk clockwise', () => {
  test('ends at the first point at or after a key, over the top too', () => {
    expect([0, QUARTER, QUARTER + 1, 3 * QUARTER + 1].map((key) => pointAfter(map, key))).toEqual([
      0, 0, 1, 0,
    ]);
    expect(ownerAt(map, 2 * QUARTER)).toBe('b');
  });

  test('is as long as it is clockwise', () => {
    expect(walk(10, 15)).toBe(5);
    expect(walk(KEY_SPACE - 1, 4)).toBe(5);
    expect(walk(7, 7)).toBe(0);
  });
});

describe('the circle', () => {
  test('begins at twelve and goes clockwise', () => {
    expect(angleOf(0)).toBeCloseTo(-Math.PI / 2);
    expect(angleOf(QUARTER)).toBeCloseTo(0);
    for (const position of [0, 1, QUARTER + 5, KEY_SPACE - 1])
      expect(Math.abs(positionAt(angleOf(position)) - position)).toBeLessThan(10);
  });

  test('is cut into runs that leave nothing out', () => {
    expect(runsOf(map, 8)).toEqual([
      { owner: 0, from: 0, to: 2 },
      { owner: 1, from: 2, to: 4 },
      { owner: 0, from: 4, to: 8 },
    ]);
  });

  test('has sectors as large as the shares, whatever these add up to', () => {
    const sectors = sectorsOf([
      { name: 'a', share: 0.2 },
      { name: 'off', share: 0 },
      { name: 'b', share: 0.6 },
    ]);
    expect(sectors.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(sectors[1]?.from).toBeCloseTo(0);
    expect(sectors[1]?.to).toBeCloseTo((3 * Math.PI) / 2);
    expect(sectorsOf([{ name: 'a', share: 0 }])).toEqual([]);
  });

  test('changes by growing and shrinking', () => {
    const before = sectorsOf([
      { name: 'a', share: 1 },
      { name: 'b', share: 1 },
    ]);
    const after = sectorsOf([
      { name: 'a', share: 1 },
      { name: 'c', share: 1 },
    ]);
    const half = between(before, after, 0.5);
    expect(half.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
    for (const name of ['b', 'c']) {
      const sector = half.find((one) => one.name === name);
      expect((sector?.to ?? 0) - (sector?.from ?? 0)).toBeCloseTo(Math.PI / 2);
    }
    expect(between(before, after, 1)).toEqual(after);
  });

  test('a label fits only where no corner of it sticks out', () => {
    const piece = { from: -0.5, to: 0.5, inner: 50, outer: 100 };
    expect(fits({ x: 75, y: 0, width: 30, height: 20 }, piece)).toBe(true);
    expect(fits({ x: 75, y: 0, width: 60, height: 20 }, piece)).toBe(false);
    expect(fits({ x: 75, y: 0, width: 30, height: 80 }, piece)).toBe(false);
  });
});

describe('the lens', () => {
  test('shows arcs without a hole from end to end, with the key before its point', () => {
    for (const key of [0, 5, QUARTER, 2 * QUARTER - 3, KEY_SPACE - 1]) {
      const lens = lensAt(map, key);
      expect(lens?.arcs[0]?.from).toBe(0);
      expect(lens?.arcs.at(-1)?.to).toBeCloseTo(1);
      for (const [i, arc] of (lens?.arcs ?? []).entries())
        expect(arc.from).toBe(i === 0 ? 0 : (lens?.arcs[i - 1]?.to ?? -1));
      expect(lens?.key ?? 2).toBeLessThanOrEqual(lens?.point ?? -1);
      const owning = lens?.arcs.find(
        ({ from, to }) => from < (lens.point + lens.key) / 2 && (lens.point + lens.key) / 2 <= to,
      );
      expect(owning?.name).toBe(/** @type {string} */ (ownerAt(map, key)));
    }
  });

  test('shows about a dozen points of many', () => {
    const many = decodeRing(
      answer(
        Array.from({ length: 4096 }, (_, i) => [i * 1_000_003, i % 3]),
        ['a', 'b', 'c'],
      ),
    );
    const lens = lensAt(many, 123_456_789);
    expect(lens?.arcs.length).toBeGreaterThan(8);
    expect(lens?.arcs.length).toBeLessThan(20);
  });
});
