import type { Journal, JournalEntry } from '../fleet/journal.ts';
import type { Recorder } from './recorder.ts';
import type { EventSnapshot, Snapshot, Update } from './snapshot.ts';

/** Pages that are told at once. */
export const LISTENERS_MAX = 64;
/** Messages in a second, at most. */
export const MESSAGES_PER_S_MAX = 4;
/** What happens within this time is told together, in ms. */
const SETTLE_MS = 20;
/**
 * From one message to the next, as a multiple of what the last one took to make, so that thousands of replicas do not keep Ringmaster from its
 * work; but no longer than that, or it would not be true any more.
 */
const GAP_FACTOR = 10;
const GAP_MAX_MS = 700;
/** What nobody announces, such as requests in flight, is told after this at the latest, in ms. */
export const QUIET_MS = 500;
/** A page that has taken nothing for so long is given up, in ms. */
export const STUCK_MS = 60_000;
/** How a browser that has lost the stream waits before it asks again, in ms. */
const RETRY_MS = 1000;

export interface StreamOptions {
  readonly snapshot: () => Snapshot;
  readonly journal: Journal;
  readonly recorder: Recorder;
  /** Unix ms of a moment of the fleet's clock. */
  readonly toUnix: (ms: number) => number;
  readonly now?: () => number;
}

/** Who reads the stream: how far it was told, and where what it is told goes. */
class Listener {
  /** Entry of the journal and sample that it was told last. */
  entry = 0;
  sample = 0;
  takenAtMs: number;
  /** Whether it was not told anything yet. */
  isNew = true;

  constructor(
    readonly controller: ReadableStreamDefaultController<Uint8Array>,
    nowMs: number,
    /** Whether what it knows already is void. */
    public reset: boolean,
  ) {
    this.takenAtMs = nowMs;
  }
}

/**
 * Server-sent events (HTML, section 9.2) for any number of pages, from one snapshot: each message says all that is new
 * to its reader. One that does not keep up is told less often, and what waits for it is never more than one message.
 */
export class Stream {
  readonly #options: StreamOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<Listener>();
  readonly #encoder = new TextEncoder();
  /** Tells this run of Ringmaster from others: what one has numbered means nothing to the next. */
  readonly #run = crypto.randomUUID().slice(0, 8);
  readonly #unlisten: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;
  /** When the last MESSAGES_PER_S_MAX were told. */
  readonly #toldAtMs: number[] = Array.from({ length: MESSAGES_PER_S_MAX }, () => Number.NEGATIVE_INFINITY);
  #tookMs = 0;
  #tookBeforeMs = 0;
  #closed = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#unlisten = options.journal.listen(() => this.wake());
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * A reply that goes on until its reader goes away. `lastEventId`: what the reader was told last, where it was told
   * before. Undefined where there are LISTENERS_MAX.
   */
  open(lastEventId: string | null): Response | undefined {
    if (this.#closed || this.#listeners.size >= LISTENERS_MAX) return undefined;
    let listener: Listener | undefined;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          listener = this.#listener(controller, lastEventId);
          this.#listeners.add(listener);
          controller.enqueue(this.#encoder.encode(`retry: ${RETRY_MS}\n\n`));
        },
        // It took the last message, and has room for the next.
        pull: () => {
          if (listener === undefined) return;
          listener.takenAtMs = this.#now();
          if (listener.isNew) this.wake();
        },
        cancel: () => this.#remove(listener),
      },
      { highWaterMark: 1 },
    );
    return new Response(body, {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    });
  }

  /** Something may have changed: it is told at once, unless there were too many messages just now. */
  wake(): void {
    const [first = Number.NEGATIVE_INFINITY] = this.#toldAtMs;
    const last = this.#toldAtMs.at(-1) ?? Number.NEGATIVE_INFINITY;
    this.#tellAt(Math.max(this.#now() + SETTLE_MS, last + this.#gapMs(0), first + 1000));
  }

  /** Tells what happened last, and ends what is open. */
  close(): void {
    if (this.#closed) return;
    this.#tell();
    this.#closed = true;
    this.#unlisten();
    clearTimeout(this.#timer);
    for (const listener of this.#listeners) this.#end(listener);
  }

  #listener(controller: ReadableStreamDefaultController<Uint8Array>, lastEventId: string | null): Listener {
    const { journal, recorder } = this.#options;
    const [, run, entry, sample] = /^(\w+)\.(\d{1,15})\.(\d{1,15})$/.exec(lastEventId ?? '') ?? [];
    const known = run === this.#run && Number(entry) <= journal.seq && Number(sample) <= recorder.seq;
    const listener = new Listener(controller, this.#now(), !known);
    if (known) [listener.entry, listener.sample] = [Number(entry), Number(sample)];
    return listener;
  }

  #tellAt(atMs: number): void {
    if (this.#listeners.size === 0 || this.#closed || atMs >= this.#dueAtMs) return;
    clearTimeout(this.#timer);
    this.#dueAtMs = atMs;
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, atMs - this.#now()));
  }

  #tell(): void {
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    const beganMs = this.#now();
    this.#toldAtMs.push(beganMs);
    this.#toldAtMs.shift();
    // Made once for all of them, and only where somebody takes it.
    let snapshot: string | undefined;
    for (const listener of this.#listeners) {
      if (beganMs - listener.takenAtMs > STUCK_MS) this.#end(listener);
      else if ((listener.controller.desiredSize ?? 0) > 0) {
        snapshot ??= JSON.stringify(this.#options.snapshot());
        this.#send(listener, this.#message(listener, snapshot));
      }
    }
    const tookMs = this.#now() - beganMs;
    // The less of two: one may have been held up by what has nothing to do with it.
    [this.#tookMs, this.#tookBeforeMs] = [Math.min(tookMs, this.#tookBeforeMs), tookMs];
    this.#tellAt(beganMs + this.#gapMs(QUIET_MS));
  }

  #send(listener: Listener, message: Uint8Array): void {
    try {
      listener.controller.enqueue(message);
    } catch {
      // Its reader has just gone by itself.
      this.#remove(listener);
    }
  }

  #gapMs(leastMs: number): number {
    return Math.max(leastMs, Math.min(GAP_MAX_MS, GAP_FACTOR * this.#tookMs));
  }

  #message(listener: Listener, snapshot: string): Uint8Array {
    const { journal, recorder, toUnix } = this.#options;
    const entries = journal.since(listener.entry);
    const news: Omit<Update, 'snapshot'> = {
      reset: listener.reset,
      events: entries.map((entry) => eventOf(entry, toUnix)),
      events_missed: listener.reset ? 0 : Math.max(0, journal.seq - listener.entry - entries.length),
      samples: recorder.since(listener.sample),
    };
    [listener.isNew, listener.reset] = [false, false];
    [listener.entry, listener.sample] = [journal.seq, recorder.seq];
    const id = `${this.#run}.${journal.seq}.${recorder.seq}`;
    // JSON has no line break in it, which would end the field.
    const data = `${JSON.stringify(news).slice(0, -1)},"snapshot":${snapshot}}`;
    return this.#encoder.encode(`id: ${id}\ndata: ${data}\n\n`);
  }

  #end(listener: Listener): void {
    this.#remove(listener);
    try {
      listener.controller.close();
    } catch {
      // Its reader has just gone by itself.
    }
  }

  #remove(listener: Listener | undefined): void {
    if (listener !== undefined) this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#timer);
    this.#dueAtMs = Number.POSITIVE_INFINITY;
  }
}

function eventOf(
  { seq, atMs, replica, what, why }: JournalEntry,
  toUnix: (ms: number) => number,
): EventSnapshot {
  return { seq, at: toUnix(atMs), replica, what, why };
}
