import { describe, expect, test } from 'bun:test';
import {
  NO_RATES,
  QUANTILE_SAMPLES,
  Recorder,
  SAMPLE_MS,
  SAMPLES_MAX,
  SERIES_MAX,
} from '../../src/dashboard/recorder.ts';
import { NOBODY, Tally } from '../../src/traffic/tally.ts';

/** A recorder that is made to look by hand. */
class Rig {
  readonly tallies = { traffic: new Tally(), control: new Tally() };
  readonly recorder = new Recorder(this.tallies);
  nowMs = 1_000_000;
  /** By how much the clock of the machine was set. */
  setByMs = 0;

  /** A second passes in which `names` are there. */
  sample(names: readonly string[] = ['a', 'b'], inFlight = 0, tookMs = SAMPLE_MS): void {
    this.nowMs += tookMs;
    this.recorder.sample(
      this.nowMs + this.setByMs,
      this.nowMs,
      names.map((name) => ({ name, inFlight })),
    );
  }

  answer(replica: string, times: number, tookMs = 2, code = 200): void {
    for (let i = 0; i < times; i++) this.tallies.traffic.of(replica).answered(code, tookMs);
  }
}

describe('rates', () => {
  test('are unknown, or none, where nothing was counted', () => {
    const { recorder } = new Rig();
    expect(recorder.total).toEqual(NO_RATES);
    expect(recorder.rates('a')).toEqual(NO_RATES);
    expect(recorder.since(0)).toBeNull();
  });

  test('are of the last samples, of both ports', () => {
    const rig = new Rig();
    rig.answer('a', 20);
    rig.tallies.control.of('a').answered(500, 4);
    rig.sample();
    expect(rig.recorder.rates('a')).toMatchObject({
      requests_per_s: 21,
      errors_per_s: 1,
      p50_ms: 2,
      p99_ms: 4,
    });
    expect(rig.recorder.rates('b')).toEqual(NO_RATES);
    expect(rig.recorder.total).toMatchObject({ requests_per_s: 21, errors_per_s: 1 });
    expect(rig.recorder.requests('a')).toBe(21);
    rig.sample();
    expect(rig.recorder.rates('a')).toMatchObject({ requests_per_s: 0, errors_per_s: 0, p50_ms: 2 });
    for (let i = 0; i < QUANTILE_SAMPLES; i++) rig.sample();
    expect(rig.recorder.rates('a')).toEqual(NO_RATES);
  });

  test('are per second also where a sample came late', () => {
    const rig = new Rig();
    rig.sample();
    rig.answer('a', 100);
    rig.sample(['a'], 0, 4 * SAMPLE_MS);
    expect(rig.recorder.since(1)?.requests_per_s).toEqual([25]);
  });

  test('count requests that no replica has had in the sum only', () => {
    const rig = new Rig();
    rig.answer(NOBODY, 10, 1, 503);
    rig.sample();
    expect(rig.recorder.total).toMatchObject({ requests_per_s: 10, errors_per_s: 10 });
    expect(Object.keys(rig.recorder.since(0)?.by_replica ?? {})).toEqual(['a', 'b']);
  });

  test('do not jump where the clock of the machine is set back', () => {
    const rig = new Rig();
    for (const setByMs of [0, -3_600_000, -3_600_000, 5000]) {
      rig.setByMs = setByMs;
      rig.answer('a', 100);
      rig.sample();
    }
    const samples = rig.recorder.since(0);
    expect(samples?.requests_per_s).toEqual([100, 100, 100, 100]);
    expect(samples?.at).toEqual([...(samples?.at ?? [])].sort((a, b) => a - b));
    expect(new Set(samples?.at).size).toBe(4);
  });
});

describe('samples', () => {
  test('are told from the one on that was told last', () => {
    const rig = new Rig();
    for (let i = 1; i <= 5; i++) {
      rig.answer('a', i);
      rig.sample(['a'], i);
    }
    const { recorder } = rig;
    expect(recorder.seq).toBe(5);
    expect(recorder.since(3)).toEqual({
      at: [rig.nowMs - SAMPLE_MS, rig.nowMs],
      requests_per_s: [4, 5],
      errors_per_s: [0, 0],
      in_flight: [4, 5],
      p50_ms: [2, 2],
      p99_ms: [2, 2],
      by_replica: { a: [4, 5] },
    });
    expect(recorder.since(5)).toBeNull();
    expect(recorder.since(99)).toBeNull();
  });

  test('have a gap for each replica that was not there', () => {
    const rig = new Rig();
    rig.sample(['a']);
    rig.sample(['a', 'b']);
    rig.sample(['b']);
    expect(rig.recorder.since(0)?.by_replica).toEqual({ a: [0, 0, null], b: [null, 0, 0] });
    expect(Object.keys(rig.recorder.since(2)?.by_replica ?? {})).toEqual(['b']);
  });

  test('are forgotten after a quarter of an hour, and so are replicas', () => {
    const rig = new Rig();
    rig.sample(['gone']);
    for (let i = 0; i < SAMPLES_MAX; i++) {
      rig.answer('a', 1);
      rig.sample(['a']);
    }
    const samples = rig.recorder.since(0);
    expect(samples?.at).toHaveLength(SAMPLES_MAX);
    expect(samples?.at.at(-1)).toBe(rig.nowMs);
    expect(samples?.at[0]).toBe(rig.nowMs - (SAMPLES_MAX - 1) * SAMPLE_MS);
    expect(Object.keys(samples?.by_replica ?? {})).toEqual(['a']);
  });

  test('are bounded, however many names come and go', () => {
    const rig = new Rig();
    for (let i = 0; i < 2 * SERIES_MAX; i++) {
      rig.answer(`r${i}`, 1);
      rig.sample([`r${i}`]);
    }
    expect(Object.keys(rig.recorder.since(0)?.by_replica ?? {}).length).toBeLessThanOrEqual(SERIES_MAX);
    expect([...rig.tallies.traffic.entries()].length).toBeLessThan(SERIES_MAX);
  });
});
