import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { hash32 } from '../../src/ring/hash.ts';
import { movement, type Movement } from '../../src/ring/movement.ts';
import type { Placement, Site } from '../../src/ring/placement.ts';

/** What an algorithm promises beyond the interface. */
export interface PlacementBounds {
  /** largest share of the keys over the mean, with 3, 6, 10 and 32 replicas named server-1 … server-N */
  readonly largestShareMax: number;
  /**
   * part of the keys, in [0, 1], that may move between two replicas that are both there before and after one
   * joins or leaves; with 0 the order of preference is expected to stay as it was too
   */
  readonly needlessMovesMax: number;
  /** the same where a weight changes, or where one joins whose weight is not that of the others */
  readonly needlessMovesOfWeightsMax: number;
  /**
   * root mean square, over N equal replicas, of how far a share is from 1/N, as a part of that; undefined: there is no
   * theory of it
   */
  readonly deviation: ((replicas: number) => number) | undefined;
  /** whether that is what chance gives, or a bound */
  readonly isRandom: boolean;
  /** how far a share may be from part = w/W, as a multiple of that; undefined: weights are ignored */
  readonly weightErrorMax: ((weight: number, part: number, replicas: number) => number) | undefined;
  /** how many replicas it has room for, where it is fewer than are tried */
  readonly replicasMax?: number;
}

/** What every placement has to hold, run against the one that `build` makes. */
export function placementSuite(
  name: string,
  build: (replicas: readonly (string | Site)[]) => Placement,
  {
    largestShareMax,
    needlessMovesMax,
    needlessMovesOfWeightsMax,
    deviation,
    isRandom,
    weightErrorMax,
    replicasMax = Infinity,
  }: PlacementBounds,
): void {
  const property = { seed: 20260101, numRuns: 60 };
  const anyName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}$/);
  const anyNames = fc.uniqueArray(anyName, { minLength: 1, maxLength: 12 });
  const anyKeys = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.nat().map(String), fc.uuid()), {
    minLength: 1,
    maxLength: 200,
  });
  const oddKeys = [
    '',
    ' ',
    '\0',
    '0',
    'é',
    '\u{1f3aa}',
    '\ud800',
    'ключ',
    '鍵',
    'k'.repeat(100_000),
    '鍵'.repeat(30_000),
  ];

  describe(`${name}, as a placement`, () => {
    test('without replicas: nobody owns anything', () => {
      const empty = build([]);
      expect(empty.names).toEqual([]);
      for (const key of ['', '42', ...oddKeys]) {
        expect(empty.owner(key)).toBeUndefined();
        expect(empty.preference(key)).toEqual([]);
        expect(empty.preference(key, 3)).toEqual([]);
      }
    });

    test('with one replica: it owns everything', () => {
      const single = build(['only']);
      for (const key of ['', '42', ...oddKeys]) {
        expect(single.owner(key)).toBe('only');
        expect(single.preference(key)).toEqual(['only']);
      }
    });

    test('names come sorted by code unit, and once each', () => {
      expect(build(['b', 'a', 'B', 'a10', 'a9', 'b', 'a']).names).toEqual(['B', 'a', 'a10', 'a9', 'b']);
    });

    test('any key has an owner, first in an order of preference that holds each replica once', () => {
      fc.assert(
        fc.property(anyNames, anyKeys, (names, keys) => {
          const placement = build(names);
          for (const key of [...keys, ...oddKeys]) {
            const preference = placement.preference(key);
            expect(preference[0]).toBe(placement.owner(key));
            expect(preference.toSorted()).toEqual([...placement.names]);
          }
        }),
        { ...property, numRuns: 20 },
      );
    });

    test('a limit cuts the order of preference short and changes nothing else', () => {
      fc.assert(
        fc.property(anyNames, anyKeys, fc.nat({ max: 14 }), (names, keys, limit) => {
          const placement = build(names);
          for (const key of keys) {
            expect(placement.preference(key, limit)).toEqual(placement.preference(key).slice(0, limit));
          }
        }),
        property,
      );
    });

    test('the same replicas make the same map, whatever the order in which they joined', () => {
      const joined = anyNames.chain((names) =>
        fc.tuple(fc.constant(names), fc.shuffledSubarray(names, { minLength: names.length })),
      );
      fc.assert(
        fc.property(joined, anyKeys, ([names, shuffled], keys) => {
          const one = build(names);
          const other = build([...shuffled, ...names]);
          for (const key of keys) {
            expect(other.owner(key)).toBe(one.owner(key));
            expect(other.preference(key)).toEqual(one.preference(key));
          }
        }),
        property,
      );
    });

    if (needlessMovesMax === 0) {
      // Read from `before` to `after` it is a leave, from `after` to `before` a join.
      test('who joins takes only keys that become its own, who leaves gives up only those: no order changes', () => {
        fc.assert(
          fc.property(anyNames, anyName, anyKeys, (others, guest, keys) => {
            fc.pre(!others.includes(guest));
            const before = build([...others, guest]);
            const after = build(others);
            for (const key of keys) {
              expect(after.preference(key)).toEqual(before.preference(key).filter((each) => each !== guest));
            }
          }),
          property,
        );
      });
    }

    test('the keys of one that leaves go where their preference says, the others stay within the bound', () => {
      const names = servers(10);
      const before = build(names);
      for (const leaver of ['server-1', 'server-4', 'server-10']) {
        const after = build(names.filter((each) => each !== leaver));
        let needless = 0;
        for (let i = 0; i < 20_000; i++) {
          const key = `user-${i}`;
          const owner = before.owner(key);
          if (owner !== leaver) {
            if (after.owner(key) !== owner) needless++;
          } else if (needlessMovesMax === 0) {
            expect(after.owner(key)).toBe(before.preference(key, 2)[1]);
          }
        }
        expect(needless / 20_000).toBeLessThanOrEqual(needlessMovesMax);
      }
    });

    test('a hash and a position are whole numbers in range, and all that an owner depends on', () => {
      fc.assert(
        fc.property(anyNames, anyKeys, (names, keys) => {
          const placement = build(names);
          const owners = new Map<number, string>();
          for (const key of [...keys, ...oddKeys, ...Array.from({ length: 600 }, (_, i) => String(i))]) {
            const [hash, position, owner] = [
              placement.hash(key),
              placement.positionOf(key),
              placement.owner(key)!,
            ];
            expect([hash, Number.isInteger(hash), hash >= 0, hash < 2 ** 32]).toEqual([
              hash,
              true,
              true,
              true,
            ]);
            expect([
              position,
              Number.isInteger(position),
              position >= 0,
              position < placement.positions,
            ]).toEqual([position, true, true, true]);
            expect(owners.get(position) ?? owner).toBe(owner);
            owners.set(position, owner);
          }
        }),
        { ...property, numRuns: 15 },
      );
    });

    test('where it has arcs, they say the same as it does, key by key and in sum', () => {
      fc.assert(
        fc.property(anySites(anyNames), anyKeys, (sites, keys) => {
          const placement = build(sites);
          const arcs = placement.arcs?.();
          if (arcs === undefined) return;
          for (const key of [...keys, ...oddKeys]) {
            const hash = placement.hash(key);
            expect(hash).toBeLessThan(arcs.keySpace);
            const at = Math.max(
              0,
              arcs.positions.findIndex((end) => end >= hash),
            );
            expect(placement.names[arcs.owners[at]!]).toBe(placement.owner(key)!);
          }
          const owned = new Map(placement.names.map((each) => [each, 0]));
          let start = 0;
          for (const [i, end] of [...arcs.positions, arcs.keySpace - 1].entries()) {
            if (end < start) continue;
            const owner = placement.names[arcs.owners[i] ?? arcs.owners[0]!]!;
            owned.set(owner, owned.get(owner)! + end + 1 - start);
            start = end + 1;
          }
          for (const [each, share] of placement.share()) expect(share).toBe(owned.get(each)! / arcs.keySpace);
        }),
        { ...property, numRuns: 15 },
      );
    });

    test('its replicas can be changed by nobody, and are a function of the set alone, weights and labels too', () => {
      fc.assert(
        fc.property(anySites(anyNames), anyKeys, (sites, keys) => {
          const one = build(sites);
          const other = build(sites.toReversed());
          expect(one.sites).toEqual(sites.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
          expect([Object.isFrozen(one.sites), Object.isFrozen(one.names)]).toEqual([true, true]);
          expect(other.share()).toEqual(one.share());
          for (const key of keys) expect(other.preference(key)).toEqual(one.preference(key));
        }),
        { ...property, numRuns: 15 },
      );
    });

    test('whatever the weights, the owner is the first of the order of preference, which holds nobody twice', () => {
      fc.assert(
        fc.property(anySites(anyNames), anyKeys, (sites, keys) => {
          const placement = build(sites);
          const owning = [...placement.share()].filter(([, share]) => share > 0).map(([each]) => each);
          for (const key of [...keys, ...oddKeys]) {
            const preference = placement.preference(key);
            expect(preference[0]).toBe(placement.owner(key)!);
            expect(new Set(preference).size).toBe(preference.length);
            // Of who owns nothing it may say nothing.
            for (const each of owning) expect(preference).toContain(each);
            expect(placement.preference(key, 2)).toEqual(preference.slice(0, 2));
          }
        }),
        { ...property, numRuns: 15 },
      );
    });

    for (const n of [10, 50, 1000].filter((each) => each <= replicasMax)) {
      test(`200,000 random keys over ${n} replicas fall as its shares say`, () => {
        const sites = servers(n).map((each, i) => ({ name: each, weight: 1 + (i % 3) }));
        const placement = build(sites);
        const shares = placement.share();
        const counts = new Map<string, number>();
        for (let i = 0; i < 200_000; i++) {
          const owner = placement.owner(randomKey(i))!;
          counts.set(owner, (counts.get(owner) ?? 0) + 1);
        }
        let sum = 0;
        let square = 0;
        let freedom = -1;
        for (const [each, share] of shares) {
          sum += share;
          if (share === 0) expect(counts.get(each)).toBeUndefined();
          if (share === 0) continue;
          square += ((counts.get(each) ?? 0) - share * 200_000) ** 2 / (share * 200_000);
          freedom++;
        }
        expect(sum).toBeCloseTo(1, 12);
        // Pearson's chi-square has a mean of `freedom` and a variance of twice that.
        expect(square).toBeLessThan(freedom + 6 * Math.sqrt(2 * freedom));
      });
    }

    const sizes = [1, 2, 3, 5, 10, 32, 55, 100, 316, 655, 1000].filter((n) => n < replicasMax);
    test.each(sizes)('%d equal replicas: shares deviate as theory has it', (n) => {
      const shares = [...build(servers(n)).share().values()];
      const square = shares.reduce((sum, share) => sum + (share * n - 1) ** 2, 0) / n;
      if (deviation === undefined) return;
      const ratio = Math.sqrt(square) / deviation(n);
      if (!isRandom || n === 1) {
        expect(Math.sqrt(square)).toBeLessThanOrEqual(deviation(n) + 1e-12);
        return;
      }
      // Of N random numbers the root mean square itself deviates by 1/sqrt(2 N).
      expect(ratio).toBeLessThan(1 + 4 / Math.sqrt(2 * n));
      expect(ratio).toBeGreaterThan(1 - 4 / Math.sqrt(2 * n));
    });

    test.each(sizes)(
      'one that joins %d gets about its part, and the others exchange no more than is allowed',
      (n) => {
        const found = movement(build(servers(n)), build(servers(n + 1)));
        const guest = `server-${n + 1}`;
        const won = found.after.shares.get(guest)!;
        const needless = needlessIn(found, guest);
        expect(needless).toBeLessThanOrEqual(needlessMovesMax);
        expect(found.moved).toBeCloseTo(won + needless, 12);
        if (deviation === undefined) return;
        const error = isRandom ? 4 * deviation(n + 1) : deviation(n + 1) * Math.sqrt(n + 1);
        expect(Math.abs(won * (n + 1) - 1)).toBeLessThanOrEqual(error + 1e-12);
      },
    );

    test('shares are in proportion to weights, or weights change nothing', () => {
      for (const n of [5, 10, 50]) {
        const sites = servers(n).map((each, i) => ({ name: each, weight: [1, 2, 3, 5, 10][i % 5]! }));
        const weightSum = sites.reduce((sum, { weight }) => sum + weight, 0);
        const shares = build(sites).share();
        if (weightErrorMax === undefined) expect(shares).toEqual(build(servers(n)).share());
        else
          for (const { name: each, weight } of sites) {
            const error = Math.abs((shares.get(each)! * weightSum) / weight - 1);
            expect([n, each, error <= weightErrorMax(weight, weight / weightSum, n)]).toEqual([
              n,
              each,
              true,
            ]);
          }
      }
    });

    test('a weight that grows moves keys only towards its replica, and others exchange no more than is allowed', () => {
      const weights = [0.05, 0.2, 0.5, 0.9, 1, 2, 2.5, 10];
      for (const n of [2, 6, 20]) {
        const others = servers(n - 1).map((each, i) => ({ name: each, weight: 1 + (i % 2) }));
        const maps = weights.map((weight) => build([...others, { name: `server-${n}`, weight }]));
        for (const [i, after] of maps.entries()) {
          if (i === 0) continue;
          const found = movement(maps[i - 1]!, after);
          const needless = needlessIn(found, `server-${n}`);
          expect(needless).toBeLessThanOrEqual(needlessMovesOfWeightsMax);
          const lost = found.moves.reduce(
            (sum, { from, share }) => sum + (from === `server-${n}` ? share : 0),
            0,
          );
          expect(lost).toBeLessThanOrEqual(needlessMovesOfWeightsMax);
          if (weightErrorMax === undefined) expect(found.moved).toBe(0);
          else expect(found.moved).toBeGreaterThan(0);
        }
      }
    });

    const keysOf = {
      'sequential numbers': (i: number) => String(i),
      'random strings': (i: number) =>
        hash32(String(i), 0x5eed).toString(36) + hash32(String(i), 0xfeed).toString(36),
    };
    for (const [kind, keyOf] of Object.entries(keysOf)) {
      for (const n of [3, 6, 10, 32]) {
        test(`1,000,000 ${kind} over ${n} replicas: no share above ${largestShareMax} of the mean`, () => {
          const placement = build(servers(n));
          const keys = new Map(placement.names.map((each) => [each, 0]));
          for (let i = 0; i < 1_000_000; i++) {
            const owner = placement.owner(keyOf(i))!;
            keys.set(owner, keys.get(owner)! + 1);
          }
          expect(Math.max(...keys.values())).toBeLessThanOrEqual((largestShareMax * 1_000_000) / n);
        });
      }
    }
  });
}

/** What moves between two that are there before and after. */
export function needlessIn({ moves }: Movement, guest: string): number {
  return moves.reduce((sum, { from, to, share }) => sum + (from === guest || to === guest ? 0 : share), 0);
}

function anySites(anyNames: fc.Arbitrary<string[]>): fc.Arbitrary<Site[]> {
  const anyWeight = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 20 }), fc.constantFrom(0.1, 0.5, 1.5));
  const anyLabel = fc.option(fc.constantFrom('10.0.0.1:80', '10.0.0.2:80', 'unix:/run/a'), {
    nil: undefined,
  });
  return anyNames.chain((names) =>
    fc
      .tuple(
        ...names.map((name) => fc.record({ name: fc.constant(name), weight: anyWeight, label: anyLabel })),
      )
      .map((sites) => [...sites]),
  );
}

function randomKey(i: number): string {
  return hash32(String(i), 0x1ce).toString(36) + hash32(String(i), 0xd1ce).toString(36);
}

function servers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `server-${i + 1}`);
}
