import type { Balance } from '../config.ts';
import { HeavyHitters, keptAs, KEY_LENGTH_MAX, type HeavyHitter } from '../ring/heavy-hitters.ts';
import type { Placement } from '../ring/placement.ts';

/** After so long a request counts for half of what it did: what is told is of the last minutes. */
export const HALF_LIFE_MS = 60_000;
/** How often counts are made less at most, and how often it is looked which keys are hot at least, while requests come. */
const STEP_MS = 1000;
/** After so many requests it is looked which keys are hot before that. */
const LOOK_REQUESTS = 1024;
/** Fewer requests than this, as they count, say nothing of what is hot. */
export const HOT_REQUESTS_MIN = 200;
/** A key that is spread is no more when its share falls below this part of HOT_KEY_SHARE: one at the edge stays as it is. */
const COOL_PART = 0.5;
/** Keys that one process tells another of. */
export const KEYS_TOLD_MAX = 64;
/** Keys that are too long to be kept, of which the owner is known: the last that came. */
const LONG_KEYS_MAX = 64;
/** Of a replica that is not asked any more, as its requests count: then it is forgotten. */
const FORGOTTEN_BELOW = 0.001;

/** A key and how often it came lately. */
export interface HotKey extends HeavyHitter {
  /** What the map knows of it; undefined: of a key too long to be kept, and that has not come for a while. */
  readonly known: { readonly hash: number; readonly owner: string | undefined } | undefined;
  /** Those that it is spread over where it is hot; none: it is not. */
  readonly over: readonly string[];
}

/** What a replica got lately. */
export interface ReplicaRequests {
  /** Requests that went there first. */
  readonly requests: number;
  /** Requests whose key it owned. */
  readonly owned: number;
}

/** What one process, or all of them, were asked lately. Counts are of requests, each halved with every HALF_LIFE_MS. */
export interface HotReport {
  /** All requests, those without a key of their own included. */
  readonly requests: number;
  /** Of those, the ones that went to the owner of their key. */
  readonly home: number;
  /** How often a key that is none of `keys` may have come. */
  readonly floor: number;
  /** By count, the largest first; at most KEYS_TOLD_MAX. */
  readonly keys: readonly HotKey[];
  readonly replicas: readonly (readonly [name: string, counts: ReplicaRequests])[];
}

export const NOTHING_HOT: HotReport = Object.freeze({
  requests: 0,
  home: 0,
  floor: 0,
  keys: [],
  replicas: [],
});

/** A key that is spread. */
export interface Spread {
  /** The first of its preference, the owner first; undefined until it is asked for. */
  over: readonly string[] | undefined;
  /** Who of them is first where they are equal. */
  turn: number;
}

/** A request that was counted. */
export interface Counted {
  /** Undefined: it has none of its own. */
  readonly key: string | undefined;
  readonly replica: string;
  readonly owner: string;
}

/**
 * What was asked lately, and which keys are hot: in bounded memory, whatever keys there are. It has no timer: what is due
 * is done with the request that comes then.
 */
export class HotKeys {
  readonly #balance: Pick<Balance, 'hotKeySpread' | 'hotKeyShare'>;
  readonly #now: () => number;
  readonly #keys = new HeavyHitters();
  readonly #replicas = new Map<string, { requests: number; owned: number }>();
  readonly #spread = new Map<string, Spread>();
  readonly #long = new Map<string, { readonly hash: number; readonly owner: string | undefined }>();
  #placement: Placement;
  #requests = 0;
  #home = 0;
  /** When counts were last made less. */
  #steppedMs: number;
  #sinceLook = 0;

  /** `now`: milliseconds that only grow. */
  constructor(
    balance: Pick<Balance, 'hotKeySpread' | 'hotKeyShare'>,
    placement: Placement,
    now: () => number,
  ) {
    this.#balance = balance;
    this.#placement = placement;
    this.#now = now;
    this.#steppedMs = now();
  }

  /** By this map from here on. Keys that are hot stay so. */
  show(placement: Placement): void {
    this.#placement = placement;
    // Whose they are can't be asked of what is kept of them: the next request says it.
    for (const [kept, { hash }] of this.#long) this.#long.set(kept, { hash, owner: undefined });
    for (const spread of this.#spread.values()) spread.over = undefined;
  }

  /** How the key is spread, where it is. O(1); O(length) for a key above KEY_LENGTH_MAX. */
  spreadOf(key: string): Spread | undefined {
    // Nearly always there is none, and then nothing has to be hashed.
    return this.#spread.size === 0 ? undefined : this.#spread.get(keptAs(key));
  }

  /** Counts one request. O(1); each second, and each LOOK_REQUESTS where keys are spread, O(k log k) of the keys counted. */
  count({ key, replica, owner }: Counted): void {
    if (this.#now() - this.#steppedMs >= STEP_MS) this.#step();
    this.#requests++;
    if (replica === owner) this.#home++;
    this.#of(replica).requests++;
    this.#of(owner).owned++;
    if (key === undefined) return;
    this.#keys.add(key);
    if (key.length > KEY_LENGTH_MAX) this.#remember(key, owner);
    if (this.#balance.hotKeySpread === 1) return;
    const spread = this.spreadOf(key);
    if (spread !== undefined) spread.turn++;
    if (++this.#sinceLook >= LOOK_REQUESTS) this.#look();
  }

  /** What there is to tell. O(k log k) of the keys counted. */
  report(): HotReport {
    this.#step();
    const top = this.#keys.top(KEYS_TOLD_MAX + 1);
    return {
      requests: this.#requests,
      home: this.#home,
      floor: top[KEYS_TOLD_MAX]?.count ?? 0,
      keys: top.slice(0, KEYS_TOLD_MAX).map((hitter) => ({
        ...hitter,
        known: this.#known(hitter.key),
        over: this.#over(hitter.key),
      })),
      replicas: [...this.#replicas].map(([name, { requests, owned }]) => [name, { requests, owned }]),
    };
  }

  #of(name: string): { requests: number; owned: number } {
    let counts = this.#replicas.get(name);
    if (counts === undefined) {
      counts = { requests: 0, owned: 0 };
      this.#replicas.set(name, counts);
    }
    return counts;
  }

  #known(kept: string): HotKey['known'] {
    if (isCut(kept)) return this.#long.get(kept);
    const owner = this.#placement.owner(kept);
    return owner === undefined ? undefined : { hash: this.#placement.hash(kept), owner };
  }

  #over(kept: string): readonly string[] {
    const spread = this.#spread.get(kept);
    if (spread === undefined) return [];
    if (spread.over !== undefined || isCut(kept)) return spread.over ?? [];
    return this.#placement.preference(kept, this.#balance.hotKeySpread);
  }

  #remember(key: string, owner: string): void {
    const kept = keptAs(key);
    this.#long.delete(kept);
    this.#long.set(kept, { hash: this.#placement.hash(key), owner });
    if (this.#long.size > LONG_KEYS_MAX) this.#long.delete(this.#long.keys().next().value as string);
  }

  #step(): void {
    const nowMs = this.#now();
    const factor = fadeOf(nowMs - this.#steppedMs);
    this.#steppedMs = nowMs;
    this.#keys.scale(factor);
    this.#requests *= factor;
    this.#home *= factor;
    for (const [name, counts] of this.#replicas) {
      counts.requests *= factor;
      counts.owned *= factor;
      if (counts.requests + counts.owned < FORGOTTEN_BELOW) this.#replicas.delete(name);
    }
    if (this.#balance.hotKeySpread > 1) this.#look();
  }

  #look(): void {
    this.#sinceLook = 0;
    const { hotKeyShare } = this.#balance;
    const enough = this.#requests >= HOT_REQUESTS_MIN;
    const still = new Set<string>();
    // No more keys than these can have such a share.
    for (const { key, count, error } of this.#keys.top(Math.ceil(1 / (COOL_PART * hotKeyShare)))) {
      const share = enough ? (count - error) / this.#requests : 0;
      if (share < (this.#spread.has(key) ? COOL_PART : 1) * hotKeyShare) continue;
      still.add(key);
      if (!this.#spread.has(key)) this.#spread.set(key, { over: undefined, turn: 0 });
    }
    for (const key of this.#spread.keys()) if (!still.has(key)) this.#spread.delete(key);
  }
}

/** Whether the key is longer than what is kept of it. */
export function isCut(kept: string): boolean {
  return kept.length > KEY_LENGTH_MAX;
}

/** What a count is worth after that time, as a part of what it was. */
export function fadeOf(ms: number): number {
  return 2 ** (-ms / HALF_LIFE_MS);
}

/** The report as it would be after that time without a request. */
export function faded(report: HotReport, ms: number): HotReport {
  const factor = fadeOf(ms);
  return {
    requests: report.requests * factor,
    home: report.home * factor,
    floor: report.floor * factor,
    keys: report.keys.map((one) => ({ ...one, count: one.count * factor, error: one.error * factor })),
    replicas: report.replicas.map(([name, { requests, owned }]) => [
      name,
      { requests: requests * factor, owned: owned * factor },
    ]),
  };
}

/**
 * What several processes were asked, as one (Agarwal, Cormode, Huang, Phillips, Wei and Yi, "Mergeable Summaries", PODS
 * 2012, §3): a key that one of them does not tell of may have come there as often as its floor says. All counts and errors
 * keep their promise.
 */
export function mergedHot(reports: readonly HotReport[]): HotReport {
  const floor = reports.reduce((sum, one) => sum + one.floor, 0);
  const keys = new Map<string, HotKey>();
  const replicas = new Map<string, ReplicaRequests>();
  for (const report of reports) {
    for (const one of report.keys) {
      const before = keys.get(one.key);
      keys.set(one.key, {
        key: one.key,
        count: (before?.count ?? floor) + one.count - report.floor,
        error: (before?.error ?? floor) + one.error - report.floor,
        known: before?.known ?? one.known,
        over: before === undefined || before.over.length === 0 ? one.over : before.over,
      });
    }
    for (const [name, { requests, owned }] of report.replicas) {
      const before = replicas.get(name);
      replicas.set(name, {
        requests: (before?.requests ?? 0) + requests,
        owned: (before?.owned ?? 0) + owned,
      });
    }
  }
  return {
    requests: reports.reduce((sum, one) => sum + one.requests, 0),
    home: reports.reduce((sum, one) => sum + one.home, 0),
    floor,
    keys: [...keys.values()].sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1)),
    replicas: [...replicas],
  };
}
