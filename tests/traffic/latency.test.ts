import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  LATENCY_BUCKETS,
  latencyBoundMs,
  latencyBucket,
  latencyQuantileMs,
} from '../../src/traffic/latency.ts';

const LONGEST_MS = latencyBoundMs(LATENCY_BUCKETS - 1);

describe('the bucket of a latency', () => {
  test('is the first whose bound is not below it', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: LONGEST_MS, noNaN: true }), (ms) => {
        const bucket = latencyBucket(ms);
        expect(latencyBoundMs(bucket)).toBeGreaterThanOrEqual(ms);
        if (bucket > 0) expect(latencyBoundMs(bucket - 1)).toBeLessThan(ms);
      }),
    );
  });

  test('is its own for each bound', () => {
    for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
      expect(latencyBucket(latencyBoundMs(bucket))).toBe(bucket);
  });

  test('is at most an eighth too high', () => {
    for (let bucket = 1; bucket < LATENCY_BUCKETS; bucket++)
      expect(latencyBoundMs(bucket) / latencyBoundMs(bucket - 1)).toBeLessThanOrEqual(1.125);
  });

  test('is the last for what takes longer, and the first for what is no latency', () => {
    for (const ms of [LONGEST_MS + 1, 1e9, Number.POSITIVE_INFINITY])
      expect(latencyBucket(ms)).toBe(LATENCY_BUCKETS - 1);
    for (const ms of [0, -1, Number.NaN]) expect(latencyBucket(ms)).toBe(0);
  });

  test('ends at each power of two of a millisecond that is exported', () => {
    for (let ms = 0.5; ms <= 65_536; ms *= 2) expect(latencyBoundMs(latencyBucket(ms))).toBe(ms);
  });
});

describe('a quantile', () => {
  test('of nothing is unknown', () => {
    expect(latencyQuantileMs(new Float64Array(LATENCY_BUCKETS), 0.5)).toBeUndefined();
  });

  test('is the bound of the bucket in which that part of all has been passed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1),
        (latencies, quantile) => {
          const counts = new Float64Array(LATENCY_BUCKETS);
          for (const ms of latencies) (counts[latencyBucket(ms)] as number)++;
          const sorted = latencies.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)] as number;
          expect(latencyQuantileMs(counts, quantile)).toBe(latencyBoundMs(latencyBucket(exact)));
        },
      ),
    );
  });
});
