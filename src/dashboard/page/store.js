// @ts-check

/** @typedef {import('../snapshot.ts').Update} Update */
/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('../snapshot.ts').EventSnapshot} EventSnapshot */
/** @typedef {import('../snapshot.ts').Samples} Samples */

export const EVENTS_MAX = 500;
export const SAMPLES_SPAN_MS = 15 * 60_000;

/**
 * Columns of samples, all of one length; what the page keeps of them.
 *
 * @typedef {object} Columns
 * @property {number[]} at
 * @property {number[]} requests_per_s
 * @property {number[]} errors_per_s
 * @property {number[]} in_flight
 * @property {(number | null)[]} p50_ms
 * @property {(number | null)[]} p99_ms
 * @property {Record<string, (number | null)[]>} by_replica
 */

/** @returns {Columns} */
function noColumns() {
  // Without a prototype: names of replicas are keys here, and "constructor" is a name.
  return {
    at: [],
    requests_per_s: [],
    errors_per_s: [],
    in_flight: [],
    p50_ms: [],
    p99_ms: [],
    by_replica: Object.create(null),
  };
}

/** All that the stream has told, as far as it is kept. */
export class Store {
  /** @type {Snapshot | null} */
  snapshot = null;
  /** Oldest first. @type {EventSnapshot[]} */
  events = [];
  /** Events that nobody told us of. */
  missed = 0;
  samples = noColumns();
  /** Counts up with each change of the samples, and of the events. */
  samplesRevision = 0;
  eventsRevision = 0;

  /**
   * @param {Update} update
   * @returns {EventSnapshot[]} those events that are news: none after a reset, as those are the past
   */
  apply(update) {
    if (update.reset) {
      this.events = [];
      this.missed = 0;
      this.samples = noColumns();
    }
    this.snapshot = update.snapshot;
    const last = this.events.at(-1)?.seq ?? 0;
    const fresh = update.events.filter(({ seq }) => seq > last);
    if (update.reset || fresh.length > 0 || update.events_missed > 0) {
      this.events.push(...fresh);
      if (this.events.length > EVENTS_MAX) this.events.splice(0, this.events.length - EVENTS_MAX);
      this.missed += update.events_missed;
      this.eventsRevision++;
    }
    if (update.samples !== null) this.#append(update.samples);
    if (update.samples !== null || update.reset) this.samplesRevision++;
    return update.reset ? [] : fresh;
  }

  /** @param {Samples} more */
  #append(more) {
    const kept = this.samples;
    const last = kept.at.at(-1) ?? -Infinity;
    // Some may have come twice, where the connection broke in between.
    let begin = more.at.findIndex((at) => at > last);
    if (begin < 0) begin = more.at.length;
    const length = kept.at.length;
    for (const column of /** @type {const} */ (['at', 'requests_per_s', 'errors_per_s', 'in_flight']))
      kept[column].push(...more[column].slice(begin));
    for (const column of /** @type {const} */ (['p50_ms', 'p99_ms']))
      kept[column].push(...more[column].slice(begin));
    const total = kept.at.length;
    for (const [name, values] of Object.entries(more.by_replica)) {
      const column = (kept.by_replica[name] ??= Array.from({ length }, () => null));
      column.push(...values.slice(begin));
    }
    for (const column of Object.values(kept.by_replica)) while (column.length < total) column.push(null);
    this.#trim();
  }

  #trim() {
    const kept = this.samples;
    const oldest = (kept.at.at(-1) ?? 0) - SAMPLES_SPAN_MS;
    const drop = kept.at.findIndex((at) => at > oldest);
    if (drop > 0) {
      for (const column of [
        kept.at,
        kept.requests_per_s,
        kept.errors_per_s,
        kept.in_flight,
        kept.p50_ms,
        kept.p99_ms,
      ])
        column.splice(0, drop);
      for (const column of Object.values(kept.by_replica)) column.splice(0, drop);
    }
    for (const [name, column] of Object.entries(kept.by_replica))
      if (column.every((value) => value === null)) delete kept.by_replica[name];
  }
}
