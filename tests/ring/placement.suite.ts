import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { hash32 } from '../../src/ring/hash.ts';
import type { Placement } from '../../src/ring/placement.ts';

/** What an algorithm promises beyond the interface. */
export interface PlacementBounds {
  /** largest share of the keys over the mean, with 3, 6, 10 and 32 replicas named server-1 … server-N */
  readonly largestShareMax: number;
  /**
   * part of the keys, in [0, 1], that may move between two replicas that are both there before and after one
   * joins or leaves; with 0 the order of preference is expected to stay as it was too
   */
  readonly needlessMovesMax: number;
}

/** What every placement has to hold, run against the one that `build` makes. */
export function placementSuite(
  name: string,
  build: (names: readonly string[]) => Placement,
  { largestShareMax, needlessMovesMax }: PlacementBounds,
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

function servers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `server-${i + 1}`);
}
