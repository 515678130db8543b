import { LATENCY_BUCKETS, latencyBucket } from './latency.ts';

/** By which port a request came: 8080 or 5000. */
export type Plane = 'traffic' | 'control';

/** Who is named where no replica has had the request. */
export const NOBODY = '';
/** What a client that went away before it had its reply is counted as; no server sends it. */
export const CLIENT_GONE = 499;
/**
 * Whether a status says that the server has failed (RFC 9110, section 15.6). Not where it says that it can't do what was
 * asked, or not in that version: any client can have as many of those as it likes.
 */
function isError(code: number): boolean {
  return code >= 500 && code !== 501 && code !== 505;
}

/** A status has three digits. */
const STATUSES = 1000;
/** Replicas that are gone and are told of even so: whoever reads counts now and then has to see the last of them. */
export const DEPARTED_MAX = 64;

/** What is counted of the requests of one replica. Only ever grows. */
export class ReplicaTally {
  /** Requests by the status that the client got. Float64, since at 50,000 a second 32 bits last for a day. */
  readonly codes = new Float64Array(STATUSES);
  /** Of those that were answered, how long it took from the request's head to the reply's last byte; see latencyBucket. */
  readonly latency = new Float64Array(LATENCY_BUCKETS);
  latencySumMs = 0;
  /** The sum of `codes`. */
  requests = 0;
  /** Of those, the ones that ended in an error of the server, or whose reply broke off. */
  errors = 0;
  /** Attempts here that failed, and after which another replica was asked. */
  retries = 0;
  /** Requests that it answered after another had been asked. */
  failovers = 0;
  /** Replies that broke off after their head had been passed on; of those, too, the status is counted. */
  broken = 0;
  /** Whether something was counted since it was last cleared. */
  changed = false;

  /** A request is over: `tookMs` from its head on. */
  answered(code: number, tookMs: number): void {
    (this.latency[latencyBucket(tookMs)] as number)++;
    this.latencySumMs += tookMs;
    this.counted(code);
  }

  /** A request is over that has no latency to speak of: a tunnel, or one whose client is gone. */
  counted(code: number): void {
    (this.codes[code] as number)++;
    this.requests++;
    if (isError(code)) this.errors++;
    this.changed = true;
  }

  retried(): void {
    this.retries++;
    this.changed = true;
  }

  failedOver(): void {
    this.failovers++;
    this.changed = true;
  }

  brokeOff(code: number): void {
    this.broken++;
    if (!isError(code)) this.errors++;
    this.counted(code);
  }

  clear(): void {
    this.codes.fill(0);
    this.latency.fill(0);
    this.latencySumMs = 0;
    this.requests = 0;
    this.errors = 0;
    this.retries = 0;
    this.failovers = 0;
    this.broken = 0;
    this.changed = false;
  }
}

/** What a worker has counted since it last told; without what is zero. */
export interface TallyReport {
  readonly replica: string;
  readonly codes: readonly (readonly [code: number, requests: number])[];
  readonly latency: readonly (readonly [bucket: number, requests: number])[];
  readonly latencySumMs: number;
  readonly retries: number;
  readonly failovers: number;
  readonly broken: number;
  readonly errors: number;
}

/** What is counted of all requests of one plane, by replica. Each process that sends requests has its own. */
export class Tally {
  readonly #byReplica = new Map<string, ReplicaTally>();
  readonly #departed = new Set<string>();

  /** Of that replica; NOBODY for requests that none has had. */
  of(replica: string): ReplicaTally {
    let tally = this.#byReplica.get(replica);
    if (tally === undefined) {
      tally = new ReplicaTally();
      this.#byReplica.set(replica, tally);
    }
    return tally;
  }

  /** Of that replica, where anything of it was counted. */
  find(replica: string): ReplicaTally | undefined {
    return this.#byReplica.get(replica);
  }

  entries(): IterableIterator<[replica: string, tally: ReplicaTally]> {
    return this.#byReplica.entries();
  }

  /** Forgets those that are no more, but for the DEPARTED_MAX that went last. */
  keep(present: ReadonlySet<string>): void {
    for (const name of this.#byReplica.keys()) {
      if (name === NOBODY || present.has(name)) this.#departed.delete(name);
      else this.#departed.add(name);
    }
    for (const name of this.#departed) {
      if (this.#departed.size <= DEPARTED_MAX) break;
      this.#departed.delete(name);
      this.#byReplica.delete(name);
    }
  }

  /** What was counted since the last report, which is then counted no more here. */
  report(): TallyReport[] {
    const reports: TallyReport[] = [];
    for (const [replica, tally] of this.#byReplica) {
      if (!tally.changed) {
        // It has nothing to tell, and may be of one that is no more.
        this.#byReplica.delete(replica);
        continue;
      }
      const { latencySumMs, retries, failovers, broken, errors } = tally;
      const [codes, latency] = [pairsOf(tally.codes), pairsOf(tally.latency)];
      reports.push({ replica, codes, latency, latencySumMs, retries, failovers, broken, errors });
      tally.clear();
    }
    return reports;
  }

  /** Counts what a worker has counted. */
  apply(reports: readonly TallyReport[]): void {
    for (const { replica, codes, latency, latencySumMs, retries, failovers, broken, errors } of reports) {
      const tally = this.of(replica);
      for (const [code, requests] of codes) {
        (tally.codes[code] as number) += requests;
        tally.requests += requests;
      }
      tally.errors += errors;
      for (const [bucket, requests] of latency) (tally.latency[bucket] as number) += requests;
      tally.latencySumMs += latencySumMs;
      tally.retries += retries;
      tally.failovers += failovers;
      tally.broken += broken;
      tally.changed = true;
    }
  }
}

function pairsOf(counts: Float64Array): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0; i < counts.length; i++) if (counts[i] !== 0) pairs.push([i, counts[i] as number]);
  return pairs;
}
