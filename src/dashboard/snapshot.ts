import type { Happening } from '../fleet/journal.ts';
import type { ReplicaState } from '../fleet/state.ts';
import type { ClientCounts } from '../traffic/clients.ts';

/** What the page is told of one moment. Times are Unix ms, rates those of the last seconds. */
export interface Snapshot {
  readonly at: number;
  readonly ringmaster: {
    readonly version: string;
    readonly runtime: 'docker' | 'swarm' | 'process' | 'static';
    /** Where the relay listens; null for nowhere. */
    readonly traffic_port: number | null;
    readonly started_at: number;
  };
  /** Whether changes need ADMIN_TOKEN. */
  readonly needs_token: boolean;
  /** Whether replicas may be killed from the page. */
  readonly chaos: boolean;
  readonly max_replicas: number;
  readonly engine_answers: boolean;
  readonly ring: {
    readonly digest: string;
    readonly revision: number;
    readonly algorithm: string;
    /** Points of a replica of weight 1; slots of a table. */
    readonly points: number;
    /** The algorithm that is watched beside it; null: none is. */
    readonly shadow: string | null;
  };
  readonly totals: Rates & { readonly in_flight: number; readonly clients: ClientCounts };
  /** In joining order; those that are just being added come last. */
  readonly replicas: readonly ReplicaSnapshot[];
  /** The other Ringmasters that share the replicas. */
  readonly peers: readonly { readonly url: string; readonly answers: boolean; readonly agrees: boolean }[];
}

export interface Rates {
  readonly requests_per_s: number;
  /** Those that ended in an error of the server, or whose reply broke off; see ReplicaTally. */
  readonly errors_per_s: number;
  /** null where no request was answered lately. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
}

export interface ReplicaSnapshot extends Rates {
  readonly name: string;
  readonly state: ReplicaState;
  /** host:port; null where it has none just now. */
  readonly address: string | null;
  readonly weight: number;
  /** Of that, what the map has: less while it starts slowly, and 0 off the ring. */
  readonly effective_weight: number;
  /** Its part of the key space, 0 to 1. */
  readonly share: number;
  /** When it came into its state, and why. */
  readonly since: number;
  readonly why: string;
  /** When its instance was started; null where it has none, or nobody knows. */
  readonly started_at: number | null;
  readonly restarts: number;
  readonly in_flight: number;
  /** Heartbeats missed in a row. */
  readonly missed: number;
  /** For how long it has owed the answer to a heartbeat; 0: it owes none. */
  readonly silent_ms: number;
  /** Requests since Ringmaster began. */
  readonly requests: number;
}

export interface EventSnapshot {
  readonly seq: number;
  readonly at: number;
  /** Empty for the engine. */
  readonly replica: string;
  readonly what: Happening;
  readonly why: string;
}

/** Samples of one second each, as columns: what is at one place of each column belongs together. */
export interface Samples {
  /** Unix ms; steps of a second, with gaps where Ringmaster was held up. */
  readonly at: readonly number[];
  readonly requests_per_s: readonly number[];
  readonly errors_per_s: readonly number[];
  readonly in_flight: readonly number[];
  readonly p50_ms: readonly (number | null)[];
  readonly p99_ms: readonly (number | null)[];
  /** Requests per second of each replica; null where it was not there. */
  readonly by_replica: Readonly<Record<string, readonly (number | null)[]>>;
}

/** One message of the stream: all that is new to this listener. */
export interface Update {
  /** Whether what was told before is void: the first message, or another Ringmaster. */
  readonly reset: boolean;
  readonly snapshot: Snapshot;
  /** Oldest first. */
  readonly events: readonly EventSnapshot[];
  /** How many events came and were forgotten before this listener could be told. */
  readonly events_missed: number;
  /** null where there is none that is new. */
  readonly samples: Samples | null;
}
