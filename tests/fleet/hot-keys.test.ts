import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  HALF_LIFE_MS,
  HOT_REQUESTS_MIN,
  KEYS_TOLD_MAX,
  mergedHot,
  NOTHING_HOT,
  type HotReport,
} from '../../src/fleet/hot-keys.ts';
import { KEYS_COUNTED_MAX, KEY_LENGTH_MAX } from '../../src/ring/heavy-hitters.ts';
import { Choosing } from './choosing.ts';

const SEED = 20260309;
const NAMES = ['a', 'b', 'c', 'd'];
/** Counts of one second and more, after which it is looked which keys are hot. */
const LOOK_MS = 1000;

/** Certain shares by key, of all requests. */
function sharesOf({ requests, keys }: HotReport): Record<string, number> {
  return Object.fromEntries(keys.map(({ key, count, error }) => [key, (count - error) / requests]));
}

describe('what was asked lately', () => {
  test('has each key’s part of all requests, those without a key of their own included', () => {
    const choosing = new Choosing({}, NAMES);
    choosing.ask('x', 50);
    choosing.ask('y', 30);
    for (let i = 0; i < 20; i++) choosing.ask(`drawn-${i}`, 1, false);
    const report = choosing.chooser.hot();
    expect(report.requests).toBe(100);
    expect(report.home).toBe(100);
    expect(sharesOf(report)).toEqual({ x: 0.5, y: 0.3 });
    const { placement } = choosing.chooser;
    for (const { key, known } of report.keys)
      expect(known).toEqual({ hash: placement.hash(key), owner: placement.owner(key) as string });
    const sum = (which: 'requests' | 'owned'): number =>
      report.replicas.reduce((all, [, counts]) => all + counts[which], 0);
    expect([sum('requests'), sum('owned')]).toEqual([100, 100]);
  });

  test('counts for half after each half-life, with no timer, and then for nothing', () => {
    const choosing = new Choosing({}, NAMES);
    choosing.ask('x', 64);
    choosing.nowMs += HALF_LIFE_MS;
    choosing.ask('y', 32);
    expect(choosing.chooser.hot()).toMatchObject({ requests: 64, keys: [{ count: 32 }, { count: 32 }] });
    choosing.nowMs += 2 * HALF_LIFE_MS;
    expect(choosing.chooser.hot()).toMatchObject({ requests: 16, home: 16 });
    expect(choosing.chooser.hot().replicas.length).toBeGreaterThan(0);
    choosing.nowMs += 2000 * HALF_LIFE_MS;
    expect(choosing.chooser.hot()).toMatchObject({ requests: 0, keys: [], replicas: [] });
  });

  test('takes no more memory, and tells of no more, however many keys there are', () => {
    const choosing = new Choosing({}, NAMES);
    for (let i = 0; i < 3 * KEYS_COUNTED_MAX; i++) choosing.ask(`${i}`, 1);
    choosing.ask('hot', KEYS_COUNTED_MAX);
    const report = choosing.chooser.hot();
    expect(report.keys.length).toBe(KEYS_TOLD_MAX);
    expect(sharesOf(report)['hot']).toBeGreaterThan(0.24);
  });

  test('knows the owner of a key too long to be kept, as long as it comes, and keeps no more than its beginning', () => {
    const choosing = new Choosing({}, NAMES);
    const long = 'k'.repeat(10_000);
    choosing.ask(long, 5);
    const told = (): HotReport['keys'][number] | undefined => choosing.chooser.hot().keys[0];
    const { placement } = choosing.chooser;
    expect(told()?.known).toEqual({ hash: placement.hash(long), owner: placement.owner(long) as string });
    expect(told()?.key.length).toBe(KEY_LENGTH_MAX + 1);
    for (let i = 0; i < 1000; i++) choosing.ask(`${i}${long}`, 1);
    choosing.ask(long, 5);
    choosing.show(NAMES.slice(1));
    // Whose it is nobody knows until it comes again; what it is hashed to is the same.
    expect(told()?.known).toEqual({ hash: placement.hash(long), owner: undefined });
    choosing.ask(long, 1);
    expect(told()?.known?.owner).toBe(choosing.chooser.placement.owner(long) as string);
  });
});

describe('a key that is hot', () => {
  const hot = (more = {}): Choosing => new Choosing({ hotKeySpread: 2, hotKeyShare: 0.2, ...more }, NAMES);
  const others = (choosing: Choosing, n: number): void => {
    for (let i = 0; i < n; i++) choosing.ask(`other-${i % 500}`, 1);
  };
  const lookAgain = (choosing: Choosing): void => {
    choosing.nowMs += LOOK_MS;
    choosing.ask('one more', 1);
  };

  test('stays with its owner where HOT_KEY_SPREAD is 1', () => {
    const choosing = hot({ hotKeySpread: 1 });
    expect(new Set(choosing.ask('x', 5000)).size).toBe(1);
    expect(choosing.chooser.trace('x').spread).toBeUndefined();
  });

  test('is spread from the share on, and not on less than is needed to know', () => {
    const choosing = hot();
    choosing.ask('x', HOT_REQUESTS_MIN - 50);
    lookAgain(choosing);
    expect(choosing.chooser.trace('x').spread).toBeUndefined();
    choosing.ask('x', 50);
    others(choosing, HOT_REQUESTS_MIN);
    lookAgain(choosing);
    const order = choosing.chooser.placement.preference('x', 2);
    expect(choosing.chooser.trace('x')).toMatchObject({ owner: order[0], spread: order });
    expect(choosing.chooser.trace('other-1').spread).toBeUndefined();
    expect(choosing.chooser.hot().keys.filter(({ over }) => over.length > 0)).toMatchObject([
      { key: 'x', over: order },
    ]);
  });

  test('goes to the one with the fewest in flight by weight, in turns where these are equal', () => {
    const choosing = hot();
    choosing.ask('x', 1024);
    const [first = '', second = ''] = choosing.chooser.placement.preference('x', 2);
    const turns = choosing.ask('x', 10);
    expect(turns.filter((one) => one === first).length).toBe(5);
    expect(turns.filter((one) => one === second).length).toBe(5);
    choosing.loadOf(first).add(2);
    choosing.loadOf(second).add(3);
    expect(new Set(choosing.ask('x', 4))).toEqual(new Set([first]));
    choosing.show(NAMES.map((name) => ({ name, weight: name === second ? 2 : 1 })));
    // The same on this map: else the test says nothing.
    expect(choosing.chooser.placement.preference('x', 2).sort()).toEqual([first, second].sort());
    expect(new Set(choosing.ask('x', 4))).toEqual(new Set([second]));
  });

  test('says by whom the one before was passed over, and tells the same that it does', () => {
    const choosing = hot({ loadFactor: 1.5 });
    choosing.ask('x', 1024);
    const [first = '', second = '', third = ''] = choosing.chooser.placement.preference('x');
    choosing.loadOf(first).add(1);
    choosing.loadOf(third).add(4);
    expect(choosing.chooser.trace('x')).toEqual({
      chosen: second,
      owner: first,
      spread: [first, second],
      passed: [{ replica: first, why: 'spread to another' }],
    });
    choosing.loadOf(first).add(2);
    choosing.loadOf(second).add(3);
    choosing.loadOf(third).add(-4);
    // 7 in all with the new one: ceil(1.5 * 7 / 4) = 3.
    expect(choosing.chooser.trace('x')).toMatchObject({
      chosen: third,
      passed: [
        { replica: first, why: 'over its bound', inFlight: 3, bound: 3 },
        { replica: second, why: 'over its bound', inFlight: 3, bound: 3 },
      ],
    });
    expect(choosing.chooser.choose('x')).toBe(third);
    expect(choosing.chooser.trace('x', new Set([third])).chosen).toBe(
      choosing.chooser.choose('x', new Set([third])) as string,
    );
  });

  test('goes on being spread until it has less than half of the share', () => {
    const choosing = hot();
    choosing.ask('x', 1024);
    const isSpread = (): boolean => choosing.chooser.trace('x').spread !== undefined;
    const shareOf = (): number => sharesOf(choosing.chooser.hot())['x'] ?? 0;
    while (shareOf() > 0.11) others(choosing, 100);
    lookAgain(choosing);
    expect(isSpread()).toBe(true);
    while (shareOf() > 0.09) others(choosing, 100);
    lookAgain(choosing);
    expect(isSpread()).toBe(false);
    while (shareOf() < 0.19) choosing.ask('x', 10);
    lookAgain(choosing);
    expect(isSpread()).toBe(false);
  });

  test('may be longer than what is kept of it', () => {
    const choosing = hot();
    const long = 'x'.repeat(500);
    choosing.ask(long, 1100);
    expect(choosing.chooser.trace(long).spread).toEqual(choosing.chooser.placement.preference(long, 2));
    expect(choosing.chooser.trace(`${long}y`).spread).toBeUndefined();
    expect(choosing.chooser.hot().keys[0]?.over).toEqual(choosing.chooser.placement.preference(long, 2));
  });

  test('is spread over those that are left where there are fewer, or some were asked before', () => {
    const choosing = hot({ hotKeySpread: 64 });
    choosing.ask('x', 1100);
    expect(new Set(choosing.ask('x', 40))).toEqual(new Set(NAMES));
    const tried = new Set(NAMES.slice(1));
    expect(choosing.chooser.choose('x', tried)).toBe('a');
    choosing.show(['a']);
    expect(choosing.ask('x', 2)).toEqual(['a', 'a']);
    choosing.show([]);
    expect(choosing.chooser.choose('x')).toBeUndefined();
  });
});

describe('what several processes were asked', () => {
  const asked = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 40 })), {
    maxLength: 300,
    size: 'max',
  });

  test('is told as one: no key came more often than it says, nor less often than is certain', () => {
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1, maxLength: 4 }), (each) => {
        const truth = new Map<string, number>();
        let all = 0;
        const reports = each.map((counts) => {
          const choosing = new Choosing({}, NAMES);
          for (const [key, times] of counts) {
            choosing.ask(`${key}`, times);
            truth.set(`${key}`, (truth.get(`${key}`) ?? 0) + times);
            all += times;
          }
          return choosing.chooser.report().hot;
        });
        const merged = mergedHot(reports);
        expect(merged.requests).toBe(all);
        const told = new Map(merged.keys.map((one) => [one.key, one]));
        for (const [key, times] of truth) {
          const { count, error } = told.get(key) ?? { count: merged.floor, error: merged.floor };
          expect(count).toBeGreaterThanOrEqual(times);
          expect(count - error).toBeLessThanOrEqual(times);
          // It errs by what those may have had who do not tell of it, and by no more.
          const silent = reports.filter(({ keys }) => keys.every((one) => one.key !== key));
          expect(error).toBe(silent.reduce((sum, { floor }) => sum + floor, 0));
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  test('is what was told last, faded since, whoever is in that process’s place', () => {
    const [main, worker] = [new Choosing({}, NAMES), new Choosing({}, NAMES)];
    main.ask('x', 10);
    worker.ask('x', 30);
    worker.ask('y', 20);
    main.chooser.heard('worker-1', worker.chooser.report());
    expect(sharesOf(main.chooser.hot())).toEqual({ x: 40 / 60, y: 20 / 60 });
    main.chooser.heard('worker-1', worker.chooser.report());
    expect(main.chooser.hot().requests).toBe(60);
    main.nowMs += HALF_LIFE_MS;
    expect(main.chooser.hot().requests).toBe(30);
    main.chooser.heard('worker-1', { hot: NOTHING_HOT, away: 0, shadow: undefined });
    expect(main.chooser.hot().requests).toBe(5);
  });

  test('adds up what went to another than the owner', () => {
    const make = (): Choosing => new Choosing({ hotKeySpread: 2, hotKeyShare: 0.5 }, NAMES);
    const [main, worker] = [make(), make()];
    for (const one of [main, worker]) one.ask('x', 1024 + 100);
    expect(main.chooser.away).toBe(50);
    for (let i = 0; i < 3; i++) main.chooser.heard('worker-1', worker.chooser.report());
    expect(main.chooser.away).toBe(100);
  });
});
