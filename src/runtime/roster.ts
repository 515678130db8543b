import type { Mark } from './runtime.ts';

/** A replica's place in the roster: that it is in, or comes, or goes. */
export interface Seat {
  readonly name: string;
  /** Place in joining order; no two seats have the same. */
  readonly order: number;
  /** Identifies the add that brought the replica in. */
  readonly join: string;
  /** Its share of the keys as a multiple of the share of weight 1: 1 to WEIGHT_MAX, and 1 where it is not said. */
  readonly weight?: number | undefined;
  readonly mark: Mark;
  /** The run of the Ringmaster that carries out what the mark says; of a member nobody's, and empty. */
  readonly by: string;
}

/** A Ringmaster that is there, as it has said so itself. */
export interface Peer {
  /** Differs from run to run. */
  readonly run: string;
  /** Where its control port is for the others, as `http://host:port`. */
  readonly url: string;
}

/** What several Ringmasters agree on: one object in the engine's common memory, replaced whole or not at all. */
export interface Roster {
  /** How many changes have led to it: of two the one with more is the newer. */
  readonly revision: number;
  /** In no order. */
  readonly seats: readonly Seat[];
  /** By a key that stays the same from run to run, and that no two have at once. */
  readonly ringmasters: Readonly<Record<string, Peer>>;
}

export const EMPTY_ROSTER: Roster = Object.freeze({
  revision: 0,
  seats: Object.freeze([]),
  ringmasters: Object.freeze({}),
});

/** The engine as the memory that several Ringmasters share, and as who starts anew what has ended. */
export interface Commons {
  /** Who this Ringmaster is among them. */
  readonly self: string;
  /** How many the engines are that agree on the memory, as was heard last: more than half of them have to, for a change. */
  readonly voters: number;
  /** Where others reach our control port. */
  url(port: number): string;
  /** The newest. Throws EngineGone. */
  read(): Promise<Roster>;
  /**
   * Puts `change(roster)` in the roster's place, if nobody else has changed it meanwhile, and otherwise tries again with
   * what is there then; gives the one in force, whose revision is one more. Nothing is written where `change` gives what it was given. Throws what
   * `change` throws, and EngineGone, after which it may be in force all the same.
   */
  change(change: (roster: Roster) => Roster): Promise<Roster>;
  /** Has the engine start the replica anew, unless it has done so already, and that instance is no more. Throws EngineGone. */
  replace(name: string, instanceId: string): Promise<void>;
  /** Whether we run as a part of the engine that has been taken away for good, and not only started anew. Throws EngineGone. */
  dismissed(): Promise<'yes' | 'no' | 'not its part'>;
}
