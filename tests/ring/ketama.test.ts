import { describe, expect, test } from 'bun:test';
import HashRing from 'hashring';
import { createHash } from 'node:crypto';
import { hash32 } from '../../src/ring/hash.ts';
import { Ketama, ketamaDigestsOf } from '../../src/ring/ketama.ts';
import { movement } from '../../src/ring/movement.ts';
import { placementSuite } from './placement.suite.ts';

placementSuite('Ketama', (replicas) => Ketama.of(replicas), {
  largestShareMax: 1.3,
  needlessMovesMax: 0,
  // Points are by the mean weight, which each change of one changes for all.
  needlessMovesOfWeightsMax: 0.11,
  deviation: () => 1 / Math.sqrt(160),
  isRandom: true,
  weightErrorMax: (_, part, n) => {
    const digests = 40 * part * n;
    return 1 / digests + 4 / Math.sqrt(4 * (digests - 1));
  },
});

// libketama comes with a list of servers, and its test with the MD5 of what a million keys give: a line for each, of its
// position, the point that it belongs to, and whose that is.
test('a million keys give what the test of libketama itself expects, to the last bit', () => {
  const memory = [600, 300, 200, 350, 1000, 800, 950, 100];
  const map = Ketama.of(memory.map((weight, i) => ({ name: `10.0.1.${i + 1}:11211`, weight })));
  const md5 = createHash('md5').update('\n');
  for (let i = 0; i < 1_000_000; i++) {
    const position = map.hash(String(i));
    md5.update(`${position} ${map.pointAt(position)} ${map.ownerAt(position)}\n`);
  }
  expect(md5.digest('hex')).toBe('5672b131391f5aa2b280936aec1eea74');
});

describe('npm hashring places 10,000 keys the same way', () => {
  const equal = (labels: readonly string[]): Record<string, number> =>
    Object.fromEntries(labels.map((label) => [label, 1]));
  test.each([
    ['three servers', equal(['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211'])],
    ['ten named ones', equal(Array.from({ length: 10 }, (_, i) => `cache-${i + 1}.example.com:11211`))],
    [
      'with weights',
      { 'a.example.com:1': 1, 'b.example.com:2': 2, 'c.example.com:3': 5, 'd.example.com:4': 40 },
    ],
    ['unlike weights', { '127.0.0.1:11211': 600, '127.0.0.1:11212': 150, '127.0.0.1:11213': 250 }],
  ])('%s', (_, weights) => {
    const rival = new HashRing(weights);
    const map = Ketama.of(
      Object.entries(weights).map(([label, weight], i) => ({ name: `server-${i}`, label, weight })),
    );
    const labels = new Map(map.sites.map(({ name, label }) => [name, label]));
    const odd = ['0', ' ', 'é', '鍵', '\u{1f3aa}', 'k'.repeat(10_000), '\n'];
    const keys = [...odd, ...Array.from({ length: 9_993 }, (_each, i) => hash32(String(i)).toString(36))];
    for (const key of keys) expect([key, labels.get(map.owner(key)!)]).toEqual([key, rival.get(key)]);
  });
});

describe('the number of digests', () => {
  test.each([
    // Each of N equal servers has 40, but where the 32-bit float that is nearest to 1/N is too small.
    [1, 1, 1, 40],
    [1, 3, 3, 40],
    [1, 7, 7, 40],
    [1, 49, 49, 40],
    [1, 61, 61, 39],
    [1, 122, 122, 39],
    // Of libketama's own list, 4300 in sum for 8 servers.
    [600, 4300, 8, 44],
    [100, 4300, 8, 7],
    [1000, 4300, 8, 74],
    // Less than 1/40 of the mean is none.
    [1, 1000, 10, 0],
  ])('for a weight of %d of %d and %d servers is %d', (weight, weightSum, servers, digests) => {
    expect(ketamaDigestsOf(weight, weightSum, servers)).toBe(digests);
  });

  // In 64-bit floats (1/7) * 40 * 7 is 39.99999999999999, and of 61 it is 40: libketama's is what is meant here.
  test('is another in 64-bit floats, for 7 equal servers and for 61: there npm hashring has another map', () => {
    const inDoubles = (n: number): number => Math.floor((1 / n) * 40 * n);
    expect([7, 61].map((n) => [ketamaDigestsOf(1, n, n), inDoubles(n)])).toEqual([
      [40, 39],
      [39, 40],
    ]);
    for (const n of [7, 61]) {
      const labels = Array.from({ length: n }, (_, i) => `10.0.0.${i + 1}:11211`);
      const [map, rival] = [Ketama.of(labels), new HashRing(labels)];
      let others = 0;
      for (let i = 0; i < 10_000; i++) if (map.owner(`key-${i}`) !== rival.get(`key-${i}`)) others++;
      expect(others).toBeGreaterThan(0);
      expect(others).toBeLessThan(500);
    }
  });
});

// This is what its documentation warns of.
test('where weights differ, one that joins makes others exchange keys: 5 % of all, where six have weights of 1 to 3', () => {
  const servers = (n: number) =>
    Array.from({ length: n }, (_, i) => ({ name: `server-${i + 1}`, weight: 1 + (i % 3) }));
  const { moves, moved, least } = movement(Ketama.of(servers(6)), Ketama.of(servers(7)));
  const needless = moves.reduce((sum, { to, share }) => sum + (to === 'server-7' ? 0 : share), 0);
  expect(needless).toBeCloseTo(0.053, 3);
  expect([moved, least].map((share) => Math.round(share * 1000) / 1000)).toEqual([0.132, 0.077]);
});
