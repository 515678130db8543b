import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { COURSE_REPLICAS_MAX, Course, serverNumberOf, slotsReached } from '../../src/ring/course.ts';
import { hash32, mix32 } from '../../src/ring/hash.ts';
import { movement } from '../../src/ring/movement.ts';
import { needlessIn, placementSuite } from './placement.suite.ts';

placementSuite('Course', (replicas) => Course.of(replicas), {
  // It is this uneven: of ten servers one has two thirds of the requests.
  largestShareMax: 6.6,
  needlessMovesMax: 0.1,
  needlessMovesOfWeightsMax: 0,
  deviation: undefined,
  isRandom: false,
  weightErrorMax: undefined,
  replicasMax: COURSE_REPLICAS_MAX,
});

const THREE = ['server-1', 'server-2', 'server-3'];

describe('worked by hand', () => {
  // Φ(i, j) = i² + j² + 2j + 25, and j² + 2j is 0, 3, 8, 15, 24, 35, 48, 63, 80 for j from 0 to 8.
  // Server 1: from 26 on.   26  29  34  41  50  61  74  89 106
  // Server 2: from 29 on.   29  32  37  44  53  64  77  92 109; 29 is server 1's, so 30.
  // Server 3: from 34 on.   34  37  42  49  58  69  82  97 114; 34 is server 1's, so 35; 37 is server 2's, so 38.
  const slots: Readonly<Record<string, readonly number[]>> = {
    'server-1': [26, 29, 34, 41, 50, 61, 74, 89, 106],
    'server-2': [30, 32, 37, 44, 53, 64, 77, 92, 109],
    'server-3': [35, 38, 42, 49, 58, 69, 82, 97, 114],
  };

  test('three servers have these slots, and nobody any other', () => {
    const table = Course.of(THREE).slotTable();
    expect(table).toHaveLength(512);
    for (const [slot, name] of table.entries()) {
      const owner = THREE.find((each) => slots[each]!.includes(slot)) ?? null;
      expect([slot, name]).toEqual([slot, owner]);
    }
  });

  test.each([
    // H(i) = i² + 2i + 17, and the first slot from there on that is taken.
    ['0', 17, 'server-1'], // 26
    ['1', 20, 'server-1'], // 26
    ['2', 25, 'server-1'], // 26
    ['3', 32, 'server-2'], // 32 itself
    ['4', 41, 'server-1'], // 41 itself
    ['5', 52, 'server-2'], // 53
    ['6', 65, 'server-3'], // 69
    ['7', 80, 'server-3'], // 82
    ['8', 97, 'server-3'], // 97 itself
    ['9', 116, 'server-1'], // round the end, 26
    ['-1', 16, 'server-1'], // 1 - 2 + 17
    ['-2', 17, 'server-1'], // 4 - 4 + 17
    ['-7', 52, 'server-2'], // 49 - 14 + 17
    ['512', 17, 'server-1'], // as 0
    ['515', 32, 'server-2'], // as 3
    // 2^53 - 1 is -1 modulo 512, and -(2^53 - 1) is 1.
    ['9007199254740991', 16, 'server-1'],
    ['-9007199254740991', 20, 'server-1'],
  ])('request %s falls on slot %d, and belongs to %s', (key, slot, owner) => {
    const map = Course.of(THREE);
    expect([map.positionOf(key), map.owner(key)]).toEqual([slot, owner]);
  });

  test('the order of preference is that of the next slots: request 3 is on 32, then come 34 and 35', () => {
    expect(Course.of(THREE).preference('3')).toEqual(['server-2', 'server-1', 'server-3']);
  });

  test('slots go round the end: those of server 22 begin with 22² + 25 = 509', () => {
    // 509, 512, 517, 524, 533, 544, 557, 572, 589, less 512 from the second on.
    const table = Course.of(['server-22']).slotTable();
    const taken = [...table.keys()].filter((slot) => table[slot] !== null);
    expect(taken).toEqual([0, 5, 12, 21, 32, 45, 60, 77, 509]);
  });

  test('a slot that is taken is passed round the end, too', () => {
    // With one server after the other on slot 511 the second goes to 0 and the third to 1.
    const last = Course.of(THREE, { virtuals: 1, serverHash: () => 511 });
    expect(last.slotTable().flatMap((name, slot) => (name === null ? [] : [[slot, name]]))).toEqual([
      [0, 'server-2'],
      [1, 'server-3'],
      [511, 'server-1'],
    ]);
  });
});

test('it is what the text of the assignment says, step by step, for any servers and requests', () => {
  const anyNumbers = fc.uniqueArray(fc.nat({ max: 3000 }), { minLength: 1, maxLength: COURSE_REPLICAS_MAX });
  fc.assert(
    fc.property(anyNumbers, fc.array(fc.maxSafeInteger(), { minLength: 20 }), (numbers, requests) => {
      const slots = new Map<number, number>();
      for (const i of numbers.toSorted((a, b) => a - b))
        for (let j = 0; j < 9; j++) {
          let slot = (i * i + j * j + 2 * j + 25) % 512;
          while (slots.has(slot)) slot = (slot + 1) % 512;
          slots.set(slot, i);
        }
      const map = Course.of(numbers.map((number) => `server-${number}`));
      for (const request of requests) {
        const i = BigInt(request);
        let slot = Number(BigInt.asUintN(9, i * i + 2n * i + 17n));
        while (!slots.has(slot)) slot = (slot + 1) % 512;
        expect([request, map.owner(String(request))]).toEqual([request, `server-${slots.get(slot)}`]);
      }
    }),
    { seed: 20260505, numRuns: 100 },
  );
});

describe('the number of a server', () => {
  test.each([
    ['server-1', 1],
    ['server-56', 56],
    ['db3', 3],
    ['7', 7],
    ['a-1-2', 2],
    ['server-007', 7],
    ['10.0.0.1:8080', 8080],
    ['s9007199254740991', Number.MAX_SAFE_INTEGER],
    ['s9007199254740992', hash32('s9007199254740992') % 512],
    ['blue', hash32('blue') % 512],
    ['server-1a', hash32('server-1a') % 512],
    ['server-١', hash32('server-١') % 512],
  ])('%s is %d', (name, number) => {
    expect(serverNumberOf(name)).toBe(number);
  });

  test('that two have in common gives the first slots to the smaller name', () => {
    const table = Course.of(['b-1', 'a-01']).slotTable();
    expect([table[26], table[27]]).toEqual(['a-01', 'b-1']);
  });
});

test.each([
  '042',
  '4.2',
  '1e3',
  '+1',
  '-0',
  ' 1',
  '1 ',
  '0x10',
  '9007199254740992',
  '',
  'x',
  '١',
  'Infinity',
  'NaN',
])('the key %j is no number, but hashed', (key) => {
  expect(Course.of(THREE).hash(key)).toBe(hash32(key) % 512);
});

describe('the diagnosis', () => {
  test('H reaches 87 of 512 slots: those that are 16 above a square', () => {
    const reached = slotsReached();
    expect(reached).toHaveLength(87);
    const squares = new Set(Array.from({ length: 512 }, (_, i) => (i * i + 16) % 512));
    expect(reached).toEqual([...squares].sort((a, b) => a - b));
  });

  test('so of three servers one has 84 % of the requests', () => {
    expect(Math.max(...Course.of(THREE).share().values())).toBeCloseTo(0.84, 2);
  });

  test('with a hash that reaches all slots for H and Φ, and more of both, it is nearly even', () => {
    const cure = {
      slots: 65_536,
      virtuals: 512,
      requests: 65_536,
      requestHash: (i: number) => mix32(i),
      serverHash: (i: number, j: number) => mix32(i * 512 + j),
    };
    expect(slotsReached(cure).length).toBeGreaterThan(0.6 * 65_536);
    for (const share of Course.of(THREE, cure).share().values())
      expect(Math.abs(share * 3 - 1)).toBeLessThan(0.15);
  });
});

test('one that comes with the highest number takes keys only for itself, others make the rest exchange up to 31 %', () => {
  const worst = { highest: 0, upTo20: 0, upTo55: 0 };
  for (let n = 1; n < COURSE_REPLICAS_MAX; n++) {
    const servers = Array.from({ length: n + 1 }, (_, i) => `server-${i + 1}`);
    const after = Course.of(servers);
    for (const [i, guest] of servers.entries()) {
      const needless = needlessIn(
        movement(Course.of(servers.filter((each) => each !== guest)), after),
        guest,
      );
      if (i === n) worst.highest = Math.max(worst.highest, needless);
      if (n <= 20) worst.upTo20 = Math.max(worst.upTo20, needless);
      worst.upTo55 = Math.max(worst.upTo55, needless);
    }
  }
  expect(worst).toEqual({ highest: 0, upTo20: 44 / 512, upTo55: 160 / 512 });
});

test('one that comes with a smaller number makes others exchange keys, for slots are taken in order', () => {
  const others = [1, 2, 4, 5, 6].map((number) => `server-${number}`);
  const { moves } = movement(Course.of(others), Course.of([...others, 'server-3']));
  expect(moves.filter(({ to }) => to !== 'server-3')).toEqual([
    { from: 'server-2', to: 'server-5', share: 8 / 512 },
  ]);
});

describe('what is out of range is refused', () => {
  test('more replicas than there are slots for', () => {
    const names = Array.from({ length: 57 }, (_, i) => `server-${i + 1}`);
    expect(COURSE_REPLICAS_MAX).toBe(56);
    expect(Course.of(names.slice(1)).names).toHaveLength(56);
    expect(() => Course.of(names)).toThrow(
      new RangeError('The course map has 512 slots, which is room for 56 replicas of 9 each, not for 57'),
    );
  });

  test.each([
    [{ slots: 0 }, 'slots of a course map is a whole number from 1 to 16777216, not 0'],
    [{ virtuals: 1.5 }, 'virtuals of a course map is a whole number from 1 to 16777216, not 1.5'],
    [{ requests: 2 ** 25 }, 'requests of a course map is a whole number from 1 to 16777216, not 33554432'],
  ])('rules of %j', (changes, told) => {
    expect(() => Course.of([], changes)).toThrow(new RangeError(told));
  });
});
