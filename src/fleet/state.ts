/**
 * The life of one replica as a table: what is not listed is a bug, and says so. Only `ready` is on the ring.
 *
 *   starting ──▶ ready ◀──▶ ejected          waiting: died, and its restart is put off (back-off)
 *      │  ▲        │           │             draining: leaves; leases end, then it is stopped
 *      ▼  └────────┴──▶ waiting ◀┘           any but gone ──▶ draining ──▶ gone; or back to ejected, where the leave fails
 */
export type ReplicaState = 'starting' | 'ready' | 'ejected' | 'waiting' | 'draining' | 'gone';

export type ReplicaEvent =
  /** The replica answered its heartbeat. */
  | 'answered'
  /** Heartbeats were missed or a request could not reach it, but its instance may still run. */
  | 'missed'
  /** Its instance ended, vanished, or never became ready. */
  | 'died'
  /** A new instance is being started under its name. */
  | 'restarted'
  /** The engine has started a new instance under its name. */
  | 'found'
  /** It was asked to leave. */
  | 'left'
  /** The leave could not be carried out: the replica stays a member, and is back when it answers. */
  | 'stayed'
  /** Its instance was removed. */
  | 'removed';

const TABLE: Readonly<Record<ReplicaState, Partial<Record<ReplicaEvent, ReplicaState>>>> = {
  starting: { answered: 'ready', died: 'waiting', left: 'draining' },
  ready: { missed: 'ejected', died: 'waiting', left: 'draining' },
  ejected: { answered: 'ready', died: 'waiting', left: 'draining' },
  waiting: { restarted: 'starting', found: 'ejected', left: 'draining' },
  // No "answered" here: a heartbeat that comes in late must never put a leaving replica back on the ring.
  draining: { removed: 'gone', stayed: 'ejected' },
  gone: {},
};

/** The state after `event`; throws where the table lists none. */
export function nextState(state: ReplicaState, event: ReplicaEvent): ReplicaState {
  const next = TABLE[state][event];
  if (next === undefined) throw new Error(`Replica state: ${event} is not possible in ${state}`);
  return next;
}
