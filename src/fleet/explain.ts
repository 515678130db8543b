import { placementOf } from '../ring/algorithms.ts';
import { Circle } from '../ring/circle.ts';
import type { Algorithm, Placement, Site } from '../ring/placement.ts';
import type { Passed, Trace } from './chooser.ts';
import { fittingMap } from './fitting.ts';
import type { ReplicaState } from './state.ts';

/** Replicas of the failover order that are told, and of those that were passed over; no request gets further. */
export const TOLD_MAX = 64;

/** One replica that did not get the request, and why. */
export interface PassedOver {
  readonly replica: string;
  /** `draining`, `ejected`, `waiting` or `starting`, as it is not ready; or what spoke against one that is. */
  readonly reason: string;
  /** The same in a few words more. */
  readonly detail: string;
}

/** What becomes of a key, and why: all of one moment. */
export interface Explanation {
  readonly key: string;
  /** What the key is hashed to, an integer in [0, 2^32). */
  readonly hash: number;
  readonly algorithm: Algorithm;
  /** Where that falls among the `positions`; see Placement. */
  readonly position: number;
  readonly positions: number;
  /** On a circle, where the point is to which the key belongs; undefined elsewhere, and where there is none. */
  readonly point: number | undefined;
  /** Who owned it if every member were ready; undefined where there is no member. */
  readonly home: string | undefined;
  /** Who owns it, by the map by which owners are told; undefined where nobody is ready. */
  readonly owner: string | undefined;
  /** Who would get a request. */
  readonly goesTo: string | undefined;
  /** All members in failover order, home first; at most {@link TOLD_MAX}. */
  readonly preference: readonly string[];
  /** Who comes before `goesTo` in that order, or else was passed over; at most {@link TOLD_MAX}. */
  readonly passedOver: readonly PassedOver[];
  /** Among whom the key is spread, since it comes so often; undefined where it is not. */
  readonly spreadOver: readonly string[] | undefined;
}

/** A member as an explanation needs it. */
export interface Known {
  readonly name: string;
  readonly state: ReplicaState;
  readonly weight: number;
  /** Why it is in its state. */
  readonly why: string;
  readonly inFlight: number;
}

export interface ExplainerOptions {
  readonly hash: Algorithm;
  /** All members. */
  readonly members: () => Iterable<Known>;
  readonly member: (name: string) => Known | undefined;
  /** What is hashed in the place of a name; see Site. */
  readonly labelOf: (name: string) => string | undefined;
  /** Of those that are ready. */
  readonly ring: () => Placement;
  /** Whose map says who the owner is: that of the ready ones, or that of all members. */
  readonly owners: 'ready' | 'members';
  /** That of all members, where there is one anyway. */
  readonly whole?: () => Placement;
  readonly trace: (key: string, except?: ReadonlySet<string>) => Trace;
}

/**
 * Says why a request of a key goes where it goes. It keeps one map, of all members, as long as they and their weights stay
 * the same: so who asks often does not have it built again each time.
 */
export class Explainer {
  readonly #options: ExplainerOptions;
  #whole: Placement;
  /** What `#whole` was made of: weights by name. */
  #wholeOf: ReadonlyMap<string, number> = new Map();

  constructor(options: ExplainerOptions) {
    this.#options = options;
    this.#whole = placementOf(options.hash, []);
  }

  /**
   * What a claim of that key would come to now; with `except`, of a request that was put to those before. O(N) for N members,
   * and what the algorithm takes for its failover order.
   */
  explain(key: string, except?: ReadonlySet<string>): Explanation {
    const { owners, trace, ring, whole } = this.#options;
    const ready = ring();
    const all = whole?.() ?? this.#wholeMap(ready);
    const told = owners === 'members' ? all : ready;
    const { chosen: goesTo, passed, spread } = trace(key, except);
    const preference = all.preference(key, TOLD_MAX);
    const spoken = new Map(passed.map((one) => [one.replica, one]));
    const end = goesTo === undefined ? -1 : preference.indexOf(goesTo);
    const before = end < 0 ? preference : preference.slice(0, end);
    // On another map than that of all, who was passed over may come later in the order.
    const others = passed.map(({ replica }) => replica).filter((name) => !before.includes(name));
    return {
      key,
      hash: told.hash(key),
      algorithm: told.algorithm,
      position: told.positionOf(key),
      positions: told.positions,
      point: told instanceof Circle ? told.pointAt(told.hash(key)) : undefined,
      home: preference[0],
      owner: ready.names.length === 0 ? undefined : told.owner(key),
      goesTo,
      preference,
      passedOver: [...before, ...others]
        .slice(0, TOLD_MAX)
        .map((name) => passedOver(name, this.#options.member(name), spoken.get(name), ready)),
      spreadOver: spread,
    };
  }

  #wholeMap(ready: Placement): Placement {
    const { members, hash, labelOf } = this.#options;
    let count = 0;
    let same = true;
    for (const { name, weight } of members()) {
      count++;
      same &&= this.#wholeOf.get(name) === weight;
    }
    if (same && count === this.#wholeOf.size) return this.#whole;
    const sites = Array.from(members(), ({ name, weight }): Site => ({ name, weight, label: labelOf(name) }));
    this.#wholeOf = new Map(sites.map(({ name, weight }) => [name, weight]));
    this.#whole = isMapOf(ready, sites) ? ready : fittingMap(hash, sites);
    return this.#whole;
  }
}

/** Whether the placement is the one that its algorithm makes of these members. */
export function isMapOf({ sites }: Placement, members: readonly Site[]): boolean {
  if (sites.length !== members.length) return false;
  const byName = new Map(members.map((site) => [site.name, site]));
  return sites.every(({ name, weight, label }) => {
    const one = byName.get(name);
    return one !== undefined && one.weight === weight && one.label === label;
  });
}

/** Why one was passed over: as it is not ready, or what the choice says of it, or what the map in force does. */
function passedOver(
  replica: string,
  member: Known | undefined,
  said: Passed | undefined,
  { algorithm, sites }: Placement,
): PassedOver {
  const because = (reason: string, detail: string): PassedOver => ({ replica, reason, detail });
  if (member === undefined) return because('gone', 'it is no member any more');
  switch (member.state) {
    case 'draining':
      return because('draining', `it leaves, and has ${member.inFlight} in flight`);
    case 'ejected':
      return because('ejected', `off the ring until it answers: ${member.why}`);
    case 'waiting':
      return because('waiting', `it is to be started again: ${member.why}`);
    case 'starting':
      return because('starting', `it is being started: ${member.why}`);
    case 'gone':
      return because('gone', 'it has left');
    case 'ready':
      break;
  }
  if (said !== undefined) return because(said.why, detailOf(said));
  const { weight } = member;
  const now = sites.find(({ name }) => name === replica)?.weight ?? weight;
  if (now < weight)
    return because('starting slowly', `it has ${Number(now.toFixed(4))} of its weight of ${weight}`);
  return because('another map', `the ${algorithm} map of those that are ready is another`);
}

function detailOf({ why, inFlight, bound }: Passed): string {
  switch (why) {
    case 'asked before':
      return 'this request was put to it before';
    case 'over its bound':
      return `it has ${inFlight} in flight, and may have ${bound}`;
    case 'spread to another':
      return 'the key is hot: its requests are spread, and another has less in flight for its weight';
  }
}
