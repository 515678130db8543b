import type { Naming } from '../../runtime/naming.ts';
import type { Peer, Roster, Seat } from '../../runtime/roster.ts';
import { Unavailable } from '../errors.ts';
import {
  joining,
  leaving,
  namesOf,
  weighed,
  weighted,
  type Change,
  type JoinLimits,
  type Weighted,
  type Weights,
} from '../membership.ts';

/**
 * What Ringmasters do to the roster that they share, as functions from one roster to the next. Each is carried out whole
 * or not at all, and one after the other, whoever it comes from: that is what makes an add or a removal all or none, and
 * lets one of two win that ask for the same name.
 */

/** Who does something, and for what. */
export interface Doer {
  /** The run of the Ringmaster. */
  readonly by: string;
  /** The add, or the removal: no two are the same. */
  readonly join: string;
}

/** The members, in joining order. */
export function membersOf(roster: Roster): Seat[] {
  return inOrder(roster.seats.filter(({ mark }) => mark === 'member'));
}

/** Seats for a checked change, which are not members yet. Throws NameTaken or TooManyReplicas, or InvalidChange of its weights. */
export function reserve(roster: Roster, change: Change, limits: JoinLimits, { by, join }: Doer): Roster {
  const taken = inOrder(roster.seats);
  const names = joining(namesOf(taken), change, limits);
  const joined = weighted(names, change.weights ?? {}, limits.naming, taken.map(weightedOf));
  const next = nextOrder(roster);
  const seats = joined.map(({ name, weight }, i): Seat => {
    const seat = { name, order: next + i, join, mark: 'joining', by } as const;
    return weight === 1 ? seat : { ...seat, weight };
  });
  return { ...roster, seats: [...taken, ...seats] };
}

/**
 * Makes members of all that are joining together. They are the last in joining order, whoever has begun before. Throws
 * Unavailable where one of `names` has lost its seat.
 */
export function commit(roster: Roster, names: readonly string[], { join }: Pick<Doer, 'join'>): Roster {
  const own = inOrder(roster.seats.filter((seat) => seat.join === join));
  const lost = names.find((name) => !own.some((seat) => seat.name === name));
  if (lost !== undefined) throw new Unavailable(`Replica ${lost} was removed before all were ready`);
  const next = nextOrder(roster);
  const seats = own.map((seat, i): Seat => ({ ...seat, order: next + i, mark: 'member', by: '' }));
  return { ...roster, seats: [...roster.seats.filter((seat) => seat.join !== join), ...seats] };
}

/**
 * Takes back what an add may have committed, so that none of it is a member when the first is removed. Another roster even
 * where nothing was: the commitment may be on its way still, and does not come in after a change that was written.
 */
export function retract(roster: Roster, { by, join }: Doer): Roster {
  return remark(
    roster,
    (seat) => seat.join === join,
    (seat) => (seat.mark === 'member' ? { ...seat, mark: 'joining', by } : seat),
  );
}

/** Makes leavers of the members that a checked change takes. Throws InvalidChange or UnknownReplica. */
export function dismiss(roster: Roster, change: Change, naming: Naming, by: string): Roster {
  const names = new Set(leaving(namesOf(membersOf(roster)), change, naming));
  return remark(
    roster,
    ({ name, mark }) => mark === 'member' && names.has(name),
    (seat) => ({ ...seat, mark: 'leaving', by }),
  );
}

/**
 * Gives members the checked weights; the same roster where they have them. Throws UnknownReplica, or InvalidChange where all
 * sum up to too much.
 */
export function reweigh(roster: Roster, weights: Weights, naming: Naming): Roster {
  const joining = roster.seats.filter(({ mark }) => mark === 'joining').map(weightedOf);
  const after = weighed(membersOf(roster).map(weightedOf), weights, naming, joining);
  const byName = new Map(after.map(({ name, weight }) => [name, weight]));
  return remark(
    roster,
    (seat) => seat.mark === 'member' && byName.get(seat.name) !== weightedOf(seat).weight,
    (seat) => ({ ...seat, weight: byName.get(seat.name) }),
  );
}

/** Makes leavers of all that are there. */
export function dismissAll(roster: Roster, by: string): Roster {
  return remark(
    roster,
    () => true,
    (seat) => ({ ...seat, mark: 'leaving', by }),
  );
}

/** Takes over what another has begun: of several that try, the first. Gives the same roster where that is not so any more. */
export function takeOver(roster: Roster, stale: Seat, by: string): Roster {
  return remark(
    roster,
    ({ name, join, mark, by: doer }) =>
      name === stale.name && join === stale.join && mark === stale.mark && doer === stale.by && doer !== by,
    (seat) => ({ ...seat, by }),
  );
}

/** Notes that a Ringmaster is there. */
export function enroll(roster: Roster, key: string, peer: Peer): Roster {
  const noted = roster.ringmasters[key];
  if (noted?.run === peer.run && noted.url === peer.url) return roster;
  return { ...roster, ringmasters: { ...roster.ringmasters, [key]: peer } };
}

/** Notes that a run of a Ringmaster is not there any more. */
export function strike(roster: Roster, key: string, run: string): Roster {
  if (roster.ringmasters[key]?.run !== run) return roster;
  const { [key]: _, ...ringmasters } = roster.ringmasters;
  return { ...roster, ringmasters };
}

/** Seats of replicas that come or go, and of which the Ringmaster that saw to it is not there any more. */
export function orphaned(roster: Roster): Seat[] {
  const runs = new Set(Object.values(roster.ringmasters).map(({ run }) => run));
  return roster.seats.filter(({ mark, by }) => mark !== 'member' && !runs.has(by));
}

function weightedOf({ name, weight = 1 }: Seat): Weighted {
  return { name, weight };
}

function remark(roster: Roster, which: (seat: Seat) => boolean, next: (seat: Seat) => Seat): Roster {
  if (!roster.seats.some(which)) return roster;
  return { ...roster, seats: roster.seats.map((seat) => (which(seat) ? next(seat) : seat)) };
}

function nextOrder({ seats }: Roster): number {
  return seats.reduce((highest, { order }) => Math.max(highest, order), 0) + 1;
}

function inOrder(seats: readonly Seat[]): Seat[] {
  return seats.toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
}
