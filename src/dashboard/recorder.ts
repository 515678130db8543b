import { LATENCY_BUCKETS, latencyQuantileMs } from '../traffic/latency.ts';
import type { Plane, ReplicaTally, Tally } from '../traffic/tally.ts';
import type { Rates, Samples } from './snapshot.ts';

/** From one sample to the next, in ms. */
export const SAMPLE_MS = 1000;
/** Samples that are remembered: a quarter of an hour. */
export const SAMPLES_MAX = 900;
/** Replicas of which each sample is remembered by itself; of more only the sum is. */
export const SERIES_MAX = 256;
/**
 * Over so many samples quantiles are told: with fewer requests than 100 in that time the 99th percentile is the slowest.
 * Requests and errors per second are those of the last sample alone, since what was before is not so any more.
 */
export const QUANTILE_SAMPLES = 3;

export interface Present {
  readonly name: string;
  readonly inFlight: number;
}

export const NO_RATES: Rates = Object.freeze({
  requests_per_s: 0,
  errors_per_s: 0,
  p50_ms: null,
  p99_ms: null,
});

/** Counts of one second, or of several. */
class Counts {
  requests = 0;
  errors = 0;
  readonly latency = new Float64Array(LATENCY_BUCKETS);

  add(other: Counts): void {
    this.requests += other.requests;
    this.errors += other.errors;
    if (other.requests === 0) return;
    for (let i = 0; i < LATENCY_BUCKETS; i++) (this.latency[i] as number) += other.latency[i] as number;
  }
}

/** What most have in most seconds; only to be read. */
const NO_COUNTS = new Counts();

/** One replica's last samples: what was counted in each, and its requests per second for the chart. */
class Series {
  readonly perSecond = new Float32Array(SAMPLES_MAX).fill(Number.NaN);
  readonly last: Counts[] = [];
  /** The sample in which it was there last. */
  seenAt = 0;
  readonly #told = new Map<ReplicaTally, { requests: number; errors: number; latency: Float64Array }>();

  /** What came since the last sample. */
  take(tallies: readonly ReplicaTally[]): Counts {
    let counts = NO_COUNTS;
    for (const tally of tallies) {
      const before = this.#told.get(tally);
      const requests = tally.requests - (before?.requests ?? 0);
      if (requests === 0) continue;
      if (counts === NO_COUNTS) counts = new Counts();
      counts.requests += requests;
      counts.errors += tally.errors - (before?.errors ?? 0);
      for (let i = 0; i < LATENCY_BUCKETS; i++)
        (counts.latency[i] as number) += (tally.latency[i] as number) - (before?.latency[i] ?? 0);
      const latency = before?.latency ?? new Float64Array(LATENCY_BUCKETS);
      latency.set(tally.latency);
      this.#told.set(tally, { requests: tally.requests, errors: tally.errors, latency });
    }
    this.last.push(counts);
    if (this.last.length > QUANTILE_SAMPLES) this.last.shift();
    return counts;
  }
}

/** Looks once a second at what was counted, and remembers a quarter of an hour of it. */
export class Recorder {
  readonly #tallies: Readonly<Record<Plane, Tally>>;
  readonly #series = new Map<string, Series>();
  /** The sum of all, per sample. */
  readonly #last: Counts[] = [];
  readonly #at = new Float64Array(SAMPLES_MAX);
  readonly #requests = new Float32Array(SAMPLES_MAX);
  readonly #errors = new Float32Array(SAMPLES_MAX);
  readonly #inFlight = new Float32Array(SAMPLES_MAX);
  readonly #p50 = new Float32Array(SAMPLES_MAX);
  readonly #p99 = new Float32Array(SAMPLES_MAX);
  readonly #rates = new Map<string, Rates>();
  #total: Rates = NO_RATES;
  #seq = 0;
  #lastMs: number | undefined;
  #lastAtMs = 0;

  constructor(tallies: Readonly<Record<Plane, Tally>>) {
    this.#tallies = tallies;
  }

  /** Number of the last sample; 0 for none. */
  get seq(): number {
    return this.#seq;
  }

  /** Of the last seconds, of one replica. */
  rates(replica: string): Rates {
    return this.#rates.get(replica) ?? NO_RATES;
  }

  /** Of the last seconds, of all requests. */
  get total(): Rates {
    return this.#total;
  }

  /** Requests of one replica since Ringmaster began. */
  requests(replica: string): number {
    return this.#talliesOf(replica).reduce((sum, { requests }) => sum + requests, 0);
  }

  /**
   * Takes a sample at `wallMs`, Unix ms; `nowMs` is of a clock that is never set. `present`: the replicas that there are.
   */
  sample(wallMs: number, nowMs: number, present: readonly Present[]): void {
    const seconds = Math.max(0.001, (nowMs - (this.#lastMs ?? nowMs - SAMPLE_MS)) / 1000);
    this.#lastMs = nowMs;
    // The clock of the machine may be set back, but in a chart time goes on.
    const atMs = Math.max(wallMs, this.#lastAtMs + 1);
    this.#lastAtMs = atMs;
    const names = new Set(present.map(({ name }) => name));
    for (const tally of Object.values(this.#tallies)) tally.keep(names);
    const place = this.#seq++ % SAMPLES_MAX;
    for (const series of this.#series.values()) series.perSecond[place] = Number.NaN;
    const sum = new Counts();
    for (const name of this.#counted(names)) {
      let series = this.#series.get(name);
      if (series === undefined) {
        series = new Series();
        this.#series.set(name, series);
      }
      const counts = series.take(this.#talliesOf(name));
      sum.add(counts);
      if (names.has(name)) {
        series.seenAt = this.#seq;
        series.perSecond[place] = counts.requests / seconds;
        this.#rates.set(name, ratesOf(series.last, seconds));
      }
    }
    this.#forget(names);
    this.#last.push(sum);
    if (this.#last.length > QUANTILE_SAMPLES) this.#last.shift();
    this.#total = ratesOf(this.#last, seconds);
    this.#at[place] = atMs;
    this.#requests[place] = sum.requests / seconds;
    this.#errors[place] = sum.errors / seconds;
    this.#inFlight[place] = present.reduce((all, { inFlight }) => all + inFlight, 0);
    this.#p50[place] = latencyQuantileMs(sum.latency, 0.5) ?? Number.NaN;
    this.#p99[place] = latencyQuantileMs(sum.latency, 0.99) ?? Number.NaN;
  }

  /** Those that are remembered of the samples after `seq`; null where there are none. */
  since(seq: number): Samples | null {
    const first = Math.max(seq, this.#seq - SAMPLES_MAX, 0);
    const places = Array.from({ length: this.#seq - first }, (_, i) => (first + i) % SAMPLES_MAX);
    if (places.length === 0) return null;
    const numbers = (column: Float32Array | Float64Array): number[] =>
      places.map((place) => rounded(column[place] as number) ?? 0);
    const orNull = (column: Float32Array): (number | null)[] =>
      places.map((place) => rounded(column[place] as number));
    const shown = [...this.#series].filter(([, series]) => series.seenAt > first).slice(0, SERIES_MAX);
    return {
      at: places.map((place) => this.#at[place] as number),
      requests_per_s: numbers(this.#requests),
      errors_per_s: numbers(this.#errors),
      in_flight: numbers(this.#inFlight),
      p50_ms: orNull(this.#p50),
      p99_ms: orNull(this.#p99),
      by_replica: Object.fromEntries(shown.map(([name, series]) => [name, orNull(series.perSecond)])),
    };
  }

  /** Those that are there, those that are gone and were counted even so, and requests that no replica has had. */
  #counted(present: ReadonlySet<string>): Set<string> {
    const names = new Set(present);
    for (const tally of Object.values(this.#tallies)) for (const [name] of tally.entries()) names.add(name);
    return names;
  }

  #forget(present: ReadonlySet<string>): void {
    for (const name of this.#rates.keys()) if (!present.has(name)) this.#rates.delete(name);
    const counted = this.#counted(present);
    for (const [name, series] of this.#series)
      if (!counted.has(name) && series.seenAt <= this.#seq - SAMPLES_MAX) this.#series.delete(name);
    // More names may come and go in a quarter of an hour than there is room for.
    for (const name of this.#series.keys()) {
      if (this.#series.size <= SERIES_MAX + counted.size) break;
      if (!counted.has(name)) this.#series.delete(name);
    }
  }

  #talliesOf(replica: string): ReplicaTally[] {
    return Object.values(this.#tallies).flatMap((tally) => tally.find(replica) ?? []);
  }
}

/** `seconds`: how long the last sample is. */
function ratesOf(last: readonly Counts[], seconds: number): Rates {
  if (last.every((counts) => counts.requests === 0)) return NO_RATES;
  const all = new Counts();
  for (const counts of last) all.add(counts);
  const { requests, errors } = last.at(-1) ?? NO_COUNTS;
  return {
    requests_per_s: rounded(requests / seconds) ?? 0,
    errors_per_s: rounded(errors / seconds) ?? 0,
    p50_ms: rounded(latencyQuantileMs(all.latency, 0.5) ?? Number.NaN),
    p99_ms: rounded(latencyQuantileMs(all.latency, 0.99) ?? Number.NaN),
  };
}

/** To three digits, which is more than anybody sees, and a third of the bytes; null for what is no number. */
function rounded(value: number): number | null {
  return Number.isNaN(value) ? null : value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
