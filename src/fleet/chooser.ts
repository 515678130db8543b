import type { Balance } from '../config.ts';
import { placementOf } from '../ring/algorithms.ts';
import type { Placement, Site } from '../ring/placement.ts';

/** Where nothing else is said. */
export const PLAIN_BALANCE: Balance = Object.freeze({
  hash: 'ring',
  shadowHash: undefined,
  loadFactor: 0,
  hotKeySpread: 1,
  hotKeyShare: 0.1,
});

/** Requests in flight, as whoever has the choice counts them. */
export interface Loads {
  /** At that replica. */
  inFlight(name: string): number;
}

/** A choice, and who was passed over for it. */
export interface Trace {
  readonly chosen: string | undefined;
  readonly passed: readonly {
    readonly replica: string;
    readonly why: string;
    readonly inFlight?: number;
    readonly bound?: number;
  }[];
  /** Among whom the key is spread; undefined where it is not. */
  readonly spread?: readonly string[];
}

/**
 * Which replica a request goes to: the map of those that are ready, and what may speak against a key's owner. The fleet
 * has one, and each worker has one for its copy of the ring.
 */
export class Chooser {
  readonly #balance: Balance;

  #placement: Placement;

  constructor(balance: Balance, _loads: Loads) {
    this.#balance = balance;

    this.#placement = placementOf(balance.hash, []);
  }

  /** The map in force. */
  get placement(): Placement {
    return this.#placement;
  }

  /** Puts the map of these replicas in force. */
  show(sites: readonly Site[]): void {
    this.#placement = placementOf(this.#balance.hash, sites);
  }

  /** The replica for a request of that key, none of `except`; undefined when none is left. */
  choose(key: string, except?: ReadonlySet<string>): string | undefined {
    const owner = this.#placement.owner(key);
    // The order costs much more than its first, and nearly every request needs no more than that.
    if (owner === undefined || except?.has(owner) !== true) return owner;
    return this.#placement.preference(key).find((name) => !except.has(name));
  }

  /** The same decision as `choose`, told. */
  trace(key: string, except?: ReadonlySet<string>): Trace {
    const order = this.#placement.preference(key);
    const at = order.findIndex((name) => except?.has(name) !== true);
    const passed = at < 0 ? order : order.slice(0, at);
    return { chosen: order[at], passed: passed.map((replica) => ({ replica, why: 'asked before' })) };
  }
}
