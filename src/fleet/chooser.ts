import type { Balance } from '../config.ts';
import { placementOf } from '../ring/algorithms.ts';
import { boundOf } from '../ring/bounded.ts';
import type { Algorithm, Placement, Site } from '../ring/placement.ts';
import { fittingMap } from './fitting.ts';
import { faded, HotKeys, mergedHot, type HotReport, type Spread } from './hot-keys.ts';
import type { Load, LoadSum } from './load.ts';
import { Shadow, type ShadowCounts } from './shadow.ts';

/** Where nothing else is said. */
export const PLAIN_BALANCE: Balance = Object.freeze({
  hash: 'ring',
  shadowHash: undefined,
  loadFactor: 0,
  hotKeySpread: 1,
  hotKeyShare: 0.1,
});

/** How far a key's order is first looked at, where its owner has no room: the whole of it costs more, and is seldom needed. */
const FIRST_LOOK = 4;

/** Why a replica does not get a request that it comes before others for. */
export type PassedWhy = 'asked before' | 'over its bound' | 'spread to another';

/** One that does not get the request. */
export interface Passed {
  readonly replica: string;
  readonly why: PassedWhy;
  /** Where it is over its bound: requests in flight, and how many it may have with this one. */
  readonly inFlight?: number;
  readonly bound?: number;
}

/** A choice, and what led to it. */
export interface Trace {
  /** Who gets the request; undefined: nobody is left. */
  readonly chosen: string | undefined;
  /** Whose the key is; undefined: there is no replica. */
  readonly owner: string | undefined;
  /** Those that come before `chosen` in the key's order; all that were looked at, where nobody is left. */
  readonly passed: readonly Passed[];
  /** Where the key is hot: those it is spread over, its owner first. */
  readonly spread?: readonly string[];
}

/** What was chosen since it was last told; what goes from one process to another. */
export interface ChoiceReport {
  /** As it is, not since then. */
  readonly hot: HotReport;
  /** Requests that did not go to the owner of their key first. */
  readonly away: number;
  readonly shadow: ShadowCounts | undefined;
}

/** The other map, and what was compared since `sinceMs`, in Unix ms. */
export interface ShadowView extends ShadowCounts {
  readonly hash: Algorithm;
  readonly sinceMs: number;
  readonly placement: Placement | undefined;
}

/** What is known of choices, in this process and those that tell it of theirs. */
export interface Choices {
  /** The map in force. */
  readonly placement: Placement;
  /** What was asked lately, everywhere. */
  hot(): HotReport;
  /** Requests since the start, everywhere, that did not go to the owner of their key first. */
  readonly away: number;
  /** Undefined where no other map is watched. */
  shadow(): ShadowView | undefined;
  /** What another process has to tell of its own; `from` is always the same for that process and whoever takes its place. */
  heard(from: string, report: ChoiceReport): void;
}

interface Seat {
  readonly weight: number;
  readonly load: Load;
}

/** What all bounds of one claim depend on: requests in flight with the one to be placed, and weights, in sum. */
interface Limits {
  readonly inFlight: number;
  readonly weightSum: number;
}

export interface ChooserOptions {
  readonly balance: Balance;
  /** What is in flight at a replica that is on the map. */
  readonly loadOf: (name: string) => Load;
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

/**
 * Which replica a request goes to: the map of those that are ready, and what may speak against a key's owner. The fleet
 * has one, and each worker has one for its copy of the ring; each goes by what its own process has in flight.
 *
 * - With a load factor c no replica gets a request with which it would have more in flight than
 *   ceil(c · m · w / W): m are all in flight with this one and W all weights, of all replicas of the map (Mirrokni,
 *   Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018). The next of the key's order that has
 *   room gets it. Those that a request was put to before count as well: only where nobody else has room by that bound, m
 *   and W are those of the others alone, of whom one always has. Weights are those of the map: one that starts slowly has
 *   the bound of the weight that it has by then.
 * - A hot key goes to whichever of its first replicas has the fewest in flight by weight; see HotKeys.
 */
export class Chooser implements Choices {
  readonly #balance: Balance;
  readonly #loadOf: (name: string) => Load;
  readonly #now: () => number;
  readonly #hot: HotKeys;
  readonly #shadow: Shadow | undefined;
  readonly #sinceMs = Date.now();
  /** What the others told last, and when. */
  readonly #heard = new Map<string, { readonly report: HotReport; readonly atMs: number }>();
  #placement: Placement;
  #seats = new Map<string, Seat>();
  #sum: LoadSum = { inFlight: 0 };
  #weightSum = 0;
  #away = 0;
  /** Of the key that was asked for last: to choose and to count takes the same owner. */
  #lastKey: string | undefined;
  #lastOwner: string | undefined;

  constructor({ balance, loadOf, now }: ChooserOptions) {
    this.#balance = balance;
    this.#loadOf = loadOf;
    this.#now = now;
    this.#placement = placementOf(balance.hash, []);
    this.#hot = new HotKeys(balance, this.#placement, now);
    this.#shadow = balance.shadowHash === undefined ? undefined : new Shadow(balance.shadowHash);
  }

  get placement(): Placement {
    return this.#placement;
  }

  /** Puts the map of these replicas in force. */
  show(sites: readonly Site[]): void {
    const placement = fittingMap(this.#balance.hash, sites);
    this.#placement = placement;
    this.#lastKey = undefined;
    for (const { load } of this.#seats.values()) load.countIn(undefined);
    this.#sum = { inFlight: 0 };
    this.#weightSum = 0;
    this.#seats = new Map();
    for (const { name, weight } of placement.sites) {
      const load = this.#loadOf(name);
      load.countIn(this.#sum);
      this.#weightSum += weight;
      this.#seats.set(name, { weight, load });
    }
    this.#hot.show(placement);
    this.#shadow?.show(placement.sites);
  }

  /**
   * The replica for a request of that key, none of `except`; undefined when none is left. Changes nothing: who sends the
   * request there counts it with no await between, or the next is chosen as if it had not been.
   */
  choose(key: string, except?: ReadonlySet<string>): string | undefined {
    return this.#decide(key, except);
  }

  /** What `choose` says, and why. */
  trace(key: string, except?: ReadonlySet<string>): Trace {
    const passed: Passed[] = [];
    const chosen = this.#decide(key, except, passed);
    const spread = this.#hot.spreadOf(key);
    return {
      chosen,
      owner: this.#ownerOf(key),
      passed,
      ...(spread === undefined ? {} : { spread: this.#over(spread, key) }),
    };
  }

  /**
   * To be called with the first claim of each request, once it is known whom it goes to.
   *
   * @param own whether the key is the request's; one that was drawn for it says nothing of what is hot
   */
  count(key: string, replica: string, own: boolean): void {
    const owner = this.#ownerOf(key);
    if (owner === undefined) return;
    if (owner !== replica) this.#away++;
    this.#hot.count({ key: own ? key : undefined, replica, owner });
    if (own) this.#shadow?.compare(key, owner);
  }

  /** What this process has to tell of its own, since it was last asked; then it is told by whoever hears it. */
  report(): ChoiceReport {
    const away = this.#away;
    this.#away = 0;
    return { hot: this.#hot.report(), away, shadow: this.#shadow?.take() };
  }

  heard(from: string, { hot, away, shadow }: ChoiceReport): void {
    this.#heard.set(from, { report: hot, atMs: this.#now() });
    this.#away += away;
    if (shadow !== undefined) this.#shadow?.add(shadow);
  }

  hot(): HotReport {
    const nowMs = this.#now();
    const others = [...this.#heard.values()].map(({ report, atMs }) => faded(report, nowMs - atMs));
    return mergedHot([this.#hot.report(), ...others]);
  }

  get away(): number {
    return this.#away;
  }

  shadow(): ShadowView | undefined {
    if (this.#shadow === undefined) return undefined;
    const { hash, placement } = this.#shadow;
    return { hash, placement, sinceMs: this.#sinceMs, ...this.#shadow.counts() };
  }

  #ownerOf(key: string): string | undefined {
    if (key !== this.#lastKey) {
      this.#lastOwner = this.#placement.owner(key);
      this.#lastKey = key;
    }
    return this.#lastOwner;
  }

  /** `passed` is told of those that are passed over. */
  #decide(key: string, except: ReadonlySet<string> | undefined, passed?: Passed[]): string | undefined {
    const owner = this.#ownerOf(key);
    if (owner === undefined) return undefined;
    const limits = this.#balance.loadFactor === 0 ? undefined : this.#limits(except);
    const spread = this.#hot.spreadOf(key);
    if (spread !== undefined) {
      const over = this.#over(spread, key);
      const found = this.#leastLoaded(over, { spread, except, limits });
      if (found !== undefined) {
        if (passed === undefined) return found;
        for (const name of over.slice(0, over.indexOf(found)))
          passed.push(this.#against(name, except, limits) ?? { replica: name, why: 'spread to another' });
        return found;
      }
    }
    // The order costs much more than its first, and nearly every request needs no more than that.
    if (this.#takes(owner, except, limits)) return owner;
    const first = this.#firstOf(this.#placement.preference(key, FIRST_LOOK), 0, except, limits, passed);
    if (first !== undefined || this.#seats.size <= FIRST_LOOK) return first ?? this.#anyOf(except, limits);
    return (
      this.#firstOf(this.#placement.preference(key), FIRST_LOOK, except, limits, passed) ??
      this.#anyOf(except, limits)
    );
  }

  /** The first from that place on that takes the request. */
  #firstOf(
    order: readonly string[],
    from: number,
    except: ReadonlySet<string> | undefined,
    limits: Limits | undefined,
    passed: Passed[] | undefined,
  ): string | undefined {
    for (let i = from; i < order.length; i++) {
      const name = order[i] as string;
      if (this.#takes(name, except, limits)) return name;
      if (passed === undefined) continue;
      const against = this.#against(name, except, limits);
      if (against !== undefined) passed.push(against);
    }
    return undefined;
  }

  /** One without a point is in nobody's order, and its bound counts all the same: then it may be the only one with room. */
  #anyOf(except: ReadonlySet<string> | undefined, limits: Limits | undefined): string | undefined {
    if (limits === undefined) return undefined;
    return this.#placement.names.find((name) => this.#takes(name, except, limits));
  }

  #leastLoaded(
    over: readonly string[],
    {
      spread,
      except,
      limits,
    }: { spread: Spread; except: ReadonlySet<string> | undefined; limits: Limits | undefined },
  ): string | undefined {
    let best: string | undefined;
    let least = Infinity;
    for (let i = 0; i < over.length; i++) {
      const name = over[(spread.turn + i) % over.length] as string;
      if (!this.#takes(name, except, limits)) continue;
      const { load, weight } = this.#seats.get(name) as Seat;
      if (load.inFlight / weight >= least) continue;
      least = load.inFlight / weight;
      best = name;
    }
    return best;
  }

  #over(spread: Spread, key: string): readonly string[] {
    spread.over ??= this.#placement.preference(key, this.#balance.hotKeySpread);
    return spread.over;
  }

  #takes(name: string, except: ReadonlySet<string> | undefined, limits: Limits | undefined): boolean {
    if (except?.has(name) === true) return false;
    if (limits === undefined) return true;
    const seat = this.#seats.get(name) as Seat;
    return seat.load.inFlight < this.#boundOf(seat, limits);
  }

  /** What speaks against it; undefined: nothing. */
  #against(
    name: string,
    except: ReadonlySet<string> | undefined,
    limits: Limits | undefined,
  ): Passed | undefined {
    if (except?.has(name) === true) return { replica: name, why: 'asked before' };
    if (limits === undefined || this.#takes(name, except, limits)) return undefined;
    const seat = this.#seats.get(name) as Seat;
    const bound = this.#boundOf(seat, limits);
    return { replica: name, why: 'over its bound', inFlight: seat.load.inFlight, bound };
  }

  #boundOf({ weight }: Seat, limits: Limits): number {
    return boundOf({ loadFactor: this.#balance.loadFactor, weight, ...limits });
  }

  /** O(1) where nobody was asked before, else O(N) for N replicas. */
  #limits(except: ReadonlySet<string> | undefined): Limits {
    const all = { inFlight: this.#sum.inFlight + 1, weightSum: this.#weightSum };
    if (except === undefined || except.size === 0) return all;
    if (this.#placement.names.some((name) => this.#takes(name, except, all))) return all;
    let { inFlight, weightSum } = all;
    for (const name of except) {
      const seat = this.#seats.get(name);
      if (seat === undefined) continue;
      inFlight -= seat.load.inFlight;
      weightSum -= seat.weight;
    }
    return { inFlight, weightSum };
  }
}
