/** What must hold of a fleet at every moment, or at the end of trouble; a run that breaks one ends there. */
export type Rule =
  /** The ring holds exactly the ready replicas, at addresses that the engine gave them. */
  | 'ring'
  /** One that can't answer is off the ring as soon as the fleet can know. */
  | 'noticed'
  /** No two replicas, and no two containers that are alive, have one name. */
  | 'one of a name'
  /** What is told of the members is the order in which some calls took effect, each between its asking and its answer. */
  | 'history'
  /** A call is refused for a reason that there was meanwhile. */
  | 'refusal'
  /** What is there is taken over by the next Ringmaster: members in their order, and all or none of an add. */
  | 'takeover'
  /** A lease is of a replica that is ready, and not of one that the caller has tried. */
  | 'claim'
  /** None is stopped while a lease is held, unless its holder was told: lost, or cut when the time to drain was over. */
  | 'drain'
  /** Requests in flight are those that are held. */
  | 'in flight'
  /** A holder hears news once, and only while they are true. */
  | 'news'
  /** Answers come when a change is in force at every follower. */
  | 'follower'
  /** Requests that fail take no replica off the ring when then more than half of the members would be. */
  | 'panic'
  /** Enough requests that fail in a row take their replica off the ring. */
  | 'passive'
  /** When the trouble is over all members are ready, each exactly once, and nothing else is there. */
  | 'recovery'
  /** The ring has the weights that were committed. */
  | 'weights'
  /** Nothing is left behind: neither timers nor watchers, nor containers. */
  | 'end'
  /** What is a bug by the fleet's own word. */
  | 'bug';

/** A rule was broken. */
export class Broken extends Error {
  override readonly name = 'Broken';

  constructor(
    readonly rule: Rule,
    message: string,
  ) {
    super(message);
  }
}
