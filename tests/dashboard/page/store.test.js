// @ts-check
import { describe, expect, test } from 'bun:test';
import { EVENTS_MAX, SAMPLES_SPAN_MS, Store } from '../../../src/dashboard/page/store.js';

/** @typedef {import('../../../src/dashboard/snapshot.ts').Update} Update */

const snapshot = /** @type {Update['snapshot']} */ ({ at: 1 });

/** @param {number} from @param {number} [n] */
function events(from, n = 1) {
  return Array.from({ length: n }, (_, i) => ({
    seq: from + i,
    at: 1000 * (from + i),
    replica: 'a',
    what: /** @type {const} */ ('joined'),
    why: 'joined',
  }));
}

/** @param {readonly number[]} at @param {Record<string, (number | null)[]>} by @returns {NonNullable<Update['samples']>} */
function samples(at, by = {}) {
  return {
    at,
    requests_per_s: at.map(() => 1),
    errors_per_s: at.map(() => 0),
    in_flight: at.map(() => 2),
    p50_ms: at.map(() => null),
    p99_ms: at.map(() => 9),
    by_replica: by,
  };
}

/** @param {Partial<Update>} part @returns {Update} */
const update = (part) => ({ reset: false, snapshot, events: [], events_missed: 0, samples: null, ...part });

describe('events', () => {
  test('are added, each once, and only those that are news are told', () => {
    const store = new Store();
    expect(store.apply(update({ reset: true, events: events(1, 3) }))).toEqual([]);
    expect(store.apply(update({ events: events(2, 4) })).map(({ seq }) => seq)).toEqual([4, 5]);
    expect(store.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test('are forgotten, oldest first, beyond 500', () => {
    const store = new Store();
    store.apply(update({ reset: true, events: events(1, EVENTS_MAX) }));
    store.apply(update({ events: events(EVENTS_MAX + 1, 2) }));
    expect(store.events).toHaveLength(EVENTS_MAX);
    expect(store.events[0]?.seq).toBe(3);
  });

  test('that nobody told are counted, until another Ringmaster begins anew', () => {
    const store = new Store();
    store.apply(update({ reset: true, events_missed: 2 }));
    store.apply(update({ events_missed: 3 }));
    expect(store.missed).toBe(5);
    store.apply(update({ reset: true, events: events(1) }));
    expect(store.missed).toBe(0);
    expect(store.events).toHaveLength(1);
  });
});

describe('samples', () => {
  test('are appended as columns of one length, with nulls for who was not there', () => {
    const store = new Store();
    store.apply(update({ reset: true, samples: samples([1000, 2000], { a: [1, 2] }) }));
    store.apply(update({ samples: samples([3000], { b: [5] }) }));
    expect(store.samples.at).toEqual([1000, 2000, 3000]);
    expect(store.samples.by_replica['a']).toEqual([1, 2, null]);
    expect(store.samples.by_replica['b']).toEqual([null, null, 5]);
    expect(store.samples.p99_ms).toHaveLength(3);
  });

  test('that come twice count once', () => {
    const store = new Store();
    store.apply(update({ reset: true, samples: samples([1000, 2000], { a: [1, 2] }) }));
    store.apply(update({ samples: samples([2000, 3000], { a: [2, 3] }) }));
    expect(store.samples.at).toEqual([1000, 2000, 3000]);
    expect(store.samples.by_replica['a']).toEqual([1, 2, 3]);
  });

  test('older than a quarter of an hour are dropped, and with them who is long gone', () => {
    const store = new Store();
    store.apply(update({ reset: true, samples: samples([1000, 2000], { gone: [1, null], a: [1, 1] }) }));
    store.apply(update({ samples: samples([1000 + SAMPLES_SPAN_MS], { a: [7] }) }));
    expect(store.samples.at).toEqual([2000, 1000 + SAMPLES_SPAN_MS]);
    expect(Object.keys(store.samples.by_replica)).toEqual(['a']);
    expect(store.samples.by_replica['a']).toEqual([1, 7]);
  });

  test('of a replica called as something of every object are like any others', () => {
    const store = new Store();
    store.apply(
      update({ reset: true, samples: samples([1000], JSON.parse('{"constructor":[1],"__proto__":[2]}')) }),
    );
    expect(store.samples.by_replica['constructor']).toEqual([1]);
    expect(Object.keys(store.samples.by_replica).sort()).toEqual(['__proto__', 'constructor']);
  });

  test('are void after a reset', () => {
    const store = new Store();
    store.apply(update({ reset: true, samples: samples([1000], { a: [1] }) }));
    store.apply(update({ reset: true }));
    expect(store.samples.at).toEqual([]);
    expect(Object.keys(store.samples.by_replica)).toEqual([]);
  });
});
