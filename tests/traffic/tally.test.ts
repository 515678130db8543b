import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { latencyBucket } from '../../src/traffic/latency.ts';
import { DEPARTED_MAX, NOBODY, Tally, type ReplicaTally } from '../../src/traffic/tally.ts';

/** What can be counted. */
const ACTS: readonly ((tally: ReplicaTally) => void)[] = [
  (tally) => tally.answered(200, 1.5),
  (tally) => tally.answered(503, 40),
  (tally) => tally.counted(101),
  (tally) => tally.counted(499),
  (tally) => tally.retried(),
  (tally) => tally.failedOver(),
  (tally) => tally.brokeOff(200),
  (tally) => tally.brokeOff(500),
];

const sum = (counts: Float64Array): number => counts.reduce((all, one) => all + one, 0);

describe('the tally of a replica', () => {
  test('counts each request once, with its latency where it has one', () => {
    const tally = new Tally().of('a');
    tally.answered(200, 3);
    tally.answered(200, 5);
    tally.counted(101);
    expect(tally.codes[200]).toBe(2);
    expect(tally.codes[101]).toBe(1);
    expect(tally.requests).toBe(3);
    expect(sum(tally.latency)).toBe(2);
    expect(tally.latency[latencyBucket(3)]).toBe(1);
    expect(tally.latencySumMs).toBe(8);
    expect(tally.errors).toBe(0);
  });

  test('takes 500 and more, and what broke off, for errors: each once', () => {
    const tally = new Tally().of('a');
    tally.answered(499, 1);
    tally.answered(500, 1);
    tally.brokeOff(200);
    tally.brokeOff(502);
    expect([tally.errors, tally.broken, tally.requests]).toEqual([3, 2, 4]);
  });
});

describe('what workers report', () => {
  test('adds up to what they have counted, however often they report', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            worker: fc.nat(2),
            replica: fc.constantFrom('a', 'b', NOBODY),
            act: fc.constantFrom(...ACTS),
            reports: fc.boolean(),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          const workers = [new Tally(), new Tally(), new Tally()];
          const [told, expected] = [new Tally(), new Tally()];
          for (const { worker, replica, act, reports } of steps) {
            act((workers[worker] as Tally).of(replica));
            act(expected.of(replica));
            if (reports) told.apply(structuredClone((workers[worker] as Tally).report()));
          }
          for (const worker of workers) told.apply(structuredClone(worker.report()));
          for (const worker of workers) expect(worker.report()).toEqual([]);
          expect(new Map(told.entries())).toEqual(new Map(expected.entries()));
        },
      ),
    );
  });

  test('names nobody for longer than there is something to tell of it', () => {
    const tally = new Tally();
    tally.of('a').counted(200);
    expect(tally.report()).toHaveLength(1);
    expect(tally.report()).toEqual([]);
    expect([...tally.entries()]).toEqual([]);
  });
});

describe('those that are gone', () => {
  test('are told of even so, the last of them', () => {
    const tally = new Tally();
    for (let i = 0; i < 2 * DEPARTED_MAX; i++) tally.of(`r${i}`).counted(200);
    tally.of(NOBODY).counted(503);
    tally.of('stays').counted(200);
    tally.keep(new Set([...tally.entries()].map(([name]) => name)));
    tally.keep(new Set(['stays']));
    const names = [...tally.entries()].map(([name]) => name);
    expect(names).toHaveLength(DEPARTED_MAX + 2);
    expect(names).toContain('stays');
    expect(names).toContain(NOBODY);
    expect(names).toContain(`r${2 * DEPARTED_MAX - 1}`);
  });

  test('are not gone when they are back', () => {
    const tally = new Tally();
    tally.of('a').counted(200);
    tally.keep(new Set());
    tally.keep(new Set(['a']));
    for (let i = 0; i < 2 * DEPARTED_MAX; i++) tally.of(`r${i}`).counted(200);
    tally.keep(new Set(['a']));
    expect(tally.find('a')?.codes[200]).toBe(1);
  });
});
