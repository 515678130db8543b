import type { ReplicaEvent, ReplicaState } from './state.ts';

/** Entries that are remembered; older ones are forgotten first. */
export const JOURNAL_MAX = 500;

/** What has happened to a replica, or to the engine, in a word that people use. */
export type Happening =
  | 'joined'
  /** Off the ring, and may come back by itself. */
  | 'ejected'
  /** Its instance is gone, and another is to take its place. */
  | 'died'
  /** A new instance is being started. */
  | 'restarting'
  /** On the ring again with a new instance. */
  | 'healed'
  /** On the ring again with the instance that it had. */
  | 'back'
  /** Takes no new requests, and finishes those it has. */
  | 'draining'
  /** Drained and gone. */
  | 'left'
  /** Was to leave, and could not. */
  | 'stayed'
  /** Has another weight. */
  | 'weighed'
  | 'engine away'
  | 'engine back';

export interface JournalEntry {
  /** Counts up from 1. */
  readonly seq: number;
  /** By the fleet's clock, in ms. */
  readonly atMs: number;
  /** Empty for the engine. */
  readonly replica: string;
  readonly what: Happening;
  /** Why, in a few words. */
  readonly why: string;
}

/** What the fleet went through, for who wants to look on: the last of it as entries, and all of it as counts. */
export class Journal {
  readonly #now: () => number;
  readonly #entries: JournalEntry[] = [];
  readonly #counts = new Map<Happening, number>();
  readonly #listeners = new Set<() => void>();
  #seq = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Number of the last entry; 0 for none. */
  get seq(): number {
    return this.#seq;
  }

  record(replica: string, what: Happening, why: string): void {
    this.#entries.push({ seq: ++this.#seq, atMs: this.#now(), replica, what, why });
    if (this.#entries.length > JOURNAL_MAX) this.#entries.shift();
    this.#counts.set(what, this.count(what) + 1);
    for (const listener of this.#listeners) listener();
  }

  /** Those that are remembered of the entries after `seq`, oldest first. */
  since(seq: number): readonly JournalEntry[] {
    const first = this.#entries[0]?.seq ?? 0;
    return this.#entries.slice(Math.max(0, seq + 1 - first));
  }

  /** How often it has happened since Ringmaster began. */
  count(what: Happening): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Calls `heard` after each entry; it must not throw. Returns the way out. */
  listen(heard: () => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }
}

/** What people call a step of the state table. */
export function happening(
  event: ReplicaEvent,
  from: ReplicaState,
  { isNew, isRenewed }: { readonly isNew: boolean; readonly isRenewed: boolean },
): Happening {
  switch (event) {
    case 'answered':
      if (isNew) return 'joined';
      // Where the engine itself starts another it is ejected until that answers.
      return from === 'ejected' && !isRenewed ? 'back' : 'healed';
    case 'missed':
      return 'ejected';
    case 'restarted':
    case 'found':
      return 'restarting';
    case 'left':
      return 'draining';
    case 'removed':
      return 'left';
    case 'died':
    case 'stayed':
      return event;
  }
}
