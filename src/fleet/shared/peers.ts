import type { Peer } from '../../runtime/roster.ts';
import type { Clock } from '../clock.ts';
import type { PeerStanding } from '../standing.ts';

/** What a Ringmaster tells of itself. */
export interface PeerReport {
  readonly digest: string;
  /** Of the roster that it follows. */
  readonly revision: number;
  /** Names of those on its map that are ready, as it sees them. */
  readonly ready: ReadonlySet<string>;
  /** Names of those that are to join and have answered there. */
  readonly reached: ReadonlySet<string>;
  /** Names of those that still have requests in flight there. */
  readonly leaving: ReadonlySet<string>;
  /** Revisions of others that it has heard of, by where they are. */
  readonly others: ReadonlyMap<string, number>;
}

/** Asks a Ringmaster how it stands; undefined where it does not answer in time. Never rejects. */
export type AskPeer = (
  url: string,
  deadlineMs: number,
  signal: AbortSignal,
) => Promise<PeerReport | undefined>;

/** How often the others are asked. */
const ROUND_INTERVAL_MS = 1000;
/** How often, while a change waits for them. */
const HASTE_INTERVAL_MS = 50;
/** How long one may take to answer. */
const ASK_DEADLINE_MS = 1000;
/** A word that is older says nothing of now. */
export const HEARD_LATELY_MS = 3000;
/** By then one that can't hear of a change has stopped to tell owners. */
export const AGREE_MAX_MS = HEARD_LATELY_MS + 1000;
/** For how long one has to be silent to be taken for gone: the Swarm gives a host up after some 10 s. */
export const FORGOTTEN_AFTER_MS = 15_000;

interface Known {
  readonly peer: Peer;
  /** Since when it has been silent; undefined while it answers. */
  silentSinceMs: number | undefined;
  heardMs: number;
  report: PeerReport | undefined;
}

/** The other Ringmasters, and what each said last. */
export class Peers {
  readonly #clock: Clock;
  readonly #ask: AskPeer;
  readonly #digest: () => string;
  readonly #known = new Map<string, Known>();
  #round: Promise<void> | undefined;
  #disagreeSinceMs: number | undefined;

  /** `digest`: of our own map. */
  constructor(clock: Clock, ask: AskPeer, digest: () => string) {
    this.#clock = clock;
    this.#ask = ask;
    this.#digest = digest;
  }

  /** Those whom the roster names, ourselves left out. */
  expect(ringmasters: Readonly<Record<string, Peer>>, self: string): void {
    for (const [key, { peer }] of this.#known)
      if (ringmasters[key]?.run !== peer.run) this.#known.delete(key);
    for (const [key, peer] of Object.entries(ringmasters))
      if (key !== self && !this.#known.has(key))
        this.#known.set(key, {
          peer,
          silentSinceMs: this.#clock.now(),
          heardMs: Number.NEGATIVE_INFINITY,
          report: undefined,
        });
  }

  async askNowAndThen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.round(signal);
      await this.#clock.sleep(ROUND_INTERVAL_MS, signal);
    }
  }

  /** Asks all of them, side by side; calls that come while that is under way share it. */
  round(signal: AbortSignal): Promise<void> {
    this.#round ??= this.#askAll(signal).finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /**
   * Resolves when all follow the roster of that revision, or a newer one, and have nothing in flight at `left`, which is
   * waited for until `untilMs`. Who does not answer is waited for until it has stopped to tell owners. By revisions, not by digests: a map
   * may come to be what it was before, and then one that has slept through it all would seem to agree.
   */
  async agree(
    revision: number,
    left: readonly string[],
    untilMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const done = ({ report }: Known): boolean =>
      report !== undefined && report.revision >= revision && !left.some((name) => report.leaving.has(name));
    const isHeardOf = ({ peer }: Known): boolean =>
      left.length === 0 &&
      [...this.#known.values()].some(({ report }) => (report?.others.get(peer.url) ?? -1) >= revision);
    const silentUntilMs = this.#clock.now() + AGREE_MAX_MS;
    while (!signal.aborted) {
      await this.round(signal);
      const nowMs = this.#clock.now();
      const isWaitedFor = (one: Known): boolean =>
        !done(one) && !isHeardOf(one) && nowMs < (one.silentSinceMs === undefined ? untilMs : silentUntilMs);
      if (![...this.#known.values()].some(isWaitedFor)) return;
      await this.#clock.sleep(HASTE_INTERVAL_MS, signal);
    }
  }

  /**
   * Whether so many of all Ringmasters, ourselves counted, were heard of lately and have our map that those who are left are
   * too few to have changed it: half of all, and half of the engines that have to agree on a change, whoever runs there.
   */
  haveOurMap(voters: number, revision: number): boolean {
    const fresh = this.#clock.now() - HEARD_LATELY_MS;
    let agreeing = 1;
    for (const { heardMs, report } of this.#known.values()) {
      if (heardMs < fresh || report === undefined) continue;
      // What it follows is newer, so ours is not in force any more.
      if (report.revision > revision) return false;
      if (report.digest === this.#digest()) agreeing++;
    }
    return agreeing * 2 >= Math.max(this.#known.size + 1, voters);
  }

  /** Whether at least half of all, ourselves counted, were heard of lately, and none of them finds the replica ready. */
  missToo(name: string): boolean {
    const fresh = this.#clock.now() - HEARD_LATELY_MS;
    const heard = [...this.#known.values()].filter(({ heardMs }) => heardMs >= fresh);
    return (
      (heard.length + 1) * 2 >= this.#known.size + 1 && !heard.some(({ report }) => report?.ready.has(name))
    );
  }

  /** Whether another one has had an answer from what is to join. */
  reach(name: string): boolean {
    const fresh = this.#clock.now() - HEARD_LATELY_MS;
    return [...this.#known.values()].some(
      ({ heardMs, report }) => heardMs >= fresh && report?.reached.has(name) === true,
    );
  }

  /** Whether the one that is there was heard of lately. */
  hears(url: string): boolean {
    const fresh = this.#clock.now() - HEARD_LATELY_MS;
    return [...this.#known.values()].some(({ peer, heardMs }) => peer.url === url && heardMs >= fresh);
  }

  /** Those that have not answered for so long that they are gone. One that was never heard of may be starting, for `startMs` more. */
  silent(startMs: number): { readonly key: string; readonly run: string }[] {
    const beforeMs = this.#clock.now() - FORGOTTEN_AFTER_MS;
    return [...this.#known]
      .filter(
        ([, { silentSinceMs, report }]) =>
          silentSinceMs !== undefined && silentSinceMs <= beforeMs - (report === undefined ? startMs : 0),
      )
      .map(([key, { peer }]) => ({ key, run: peer.run }));
  }

  standings(): PeerStanding[] {
    const fresh = this.#clock.now() - HEARD_LATELY_MS;
    return [...this.#known.values()].map(({ peer, heardMs, report }) => ({
      url: peer.url,
      heard: heardMs >= fresh ? report : undefined,
    }));
  }

  /** How long one that answers has had another map, in ms; 0 where all have the same. */
  get disagreementMs(): number {
    return this.#disagreeSinceMs === undefined ? 0 : this.#clock.now() - this.#disagreeSinceMs;
  }

  async #askAll(signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#known.values()].map(async (one) => {
        const report = await this.#ask(one.peer.url, ASK_DEADLINE_MS, signal);
        if (report === undefined) {
          one.silentSinceMs ??= this.#clock.now();
          return;
        }
        one.report = report;
        one.heardMs = this.#clock.now();
        one.silentSinceMs = undefined;
      }),
    );
    const differs = this.standings().some(
      ({ heard }) => heard !== undefined && heard.digest !== this.#digest(),
    );
    if (!differs) this.#disagreeSinceMs = undefined;
    else this.#disagreeSinceMs ??= this.#clock.now();
  }
}
