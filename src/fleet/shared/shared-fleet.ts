import { digestOf, sourceOf } from '../digest.ts';
import { placementOf } from '../../ring/algorithms.ts';
import type { Placement } from '../../ring/placement.ts';
import type { Commons, Roster, Seat } from '../../runtime/roster.ts';
import type { Instance, Runtime } from '../../runtime/runtime.ts';
import type { Choices } from '../chooser.ts';
import { Crew, viewsOf, type Follower, type ReplicaView } from '../crew.ts';
import { eachAtMost } from '../each-at-most.ts';
import { EngineWord } from '../engine-word.ts';
import { Unavailable, type FleetError } from '../errors.ts';
import { Explainer, type Explanation } from '../explain.ts';
import type { Fleet, FleetOptions } from '../fleet.ts';
import { fittingMap } from '../fitting.ts';
import { Journal } from '../journal.ts';
import { hasMoved, Member, type Lease, type StandingLease } from '../member.ts';
import {
  checkJoin,
  checkJoinWeights,
  checkLeave,
  checkWeights,
  namesOf,
  planned,
  siteOf,
  weightsOf,
  weightUnder,
  type Change,
  type Plan,
  type Proposal,
  type Weights,
} from '../membership.ts';
import { Pulse } from '../pulse.ts';
import { ChangeQueue } from '../queue.ts';
import { reasonOf, refusal } from '../refusal.ts';
import type { Standing } from '../standing.ts';
import { startingProgress } from '../starting.ts';
import { Supervisor } from '../supervisor.ts';
import { AGREE_MAX_MS, HEARD_LATELY_MS, Peers, type AskPeer } from './peers.ts';
import {
  commit,
  dismiss,
  dismissAll,
  enroll,
  membersOf,
  orphaned,
  reserve,
  retract,
  reweigh,
  strike,
  takeOver,
  type Doer,
} from './seats.ts';

/** Replicas that one add starts side by side: the engine spreads them over its hosts. */
const STARTS_AT_ONCE_MAX = 32;
/** Replicas that are removed side by side: most of the time the engine waits for them to end. */
const STOPS_AT_ONCE_MAX = 64;
/** How long a replica has to end by itself once nothing is in flight, in ms. */
const STOP_GRACE_MS = 2000;
/** Of the drain timeout, what requests in flight may take. */
const DRAINING_PART = 0.75;
/** The engine is looked at this often even if nothing says that something changed, in ms. */
const LOOK_INTERVAL_MS = 2000;
/** Beyond that, for one who was struck off by mistake to be back in the roster, in ms. */
const BACK_WITHIN_MS = 1000;
/** How often `open` looks whether the replicas that are there are ready. */
const OPENING_POLL_MS = 50;
/** How long a member's service has to be missing until it is made again, in ms: somebody may be taking all of them away. */
const REMAKE_AFTER_MS = 3000;
/** How often it is asked at most whether a member that does not answer is to be replaced, in ms. */
const REPLACE_GAP_MS = 5000;
/** How long one that joins elsewhere may take to answer, in ms; it is asked again. */
const GREETING_DEADLINE_MS = 1000;
/** A disagreement with another Ringmaster that lasts longer is told, in ms; a change is everywhere within a second. */
const DISAGREEMENT_TOLD_MS = 3000;
/** Owners are told without the engine's word for so long, in ms; after that only if enough of the others say the same. */
const CONFIRMED_MS = HEARD_LATELY_MS;

export interface SharedFleetOptions extends FleetOptions {
  readonly runtime: Runtime & { readonly commons: Commons };
  /** Where our control port listens. */
  readonly port: number;
  readonly ask: AskPeer;
}

/**
 * A fleet that several Ringmasters share. Who is in, the roster says, which the engine keeps for all: a change is one
 * step from one roster to the next, and each Ringmaster follows it. Owners are told by the members and their weights alone,
 * alike everywhere; which of them answers, and how far one that starts slowly has grown, is each one's own experience, and
 * only decides where a request goes until its owner is back, or has grown.
 */
export class SharedFleet implements Pick<Fleet, keyof Fleet> {
  readonly journal: Journal;
  readonly #options: SharedFleetOptions;
  readonly #run: string = crypto.randomUUID();
  readonly #crew: Crew;
  readonly #engine: EngineWord;
  readonly #pulse: Pulse;
  readonly #explainer: Explainer;
  readonly #supervisor: Supervisor;
  readonly #peers: Peers;
  readonly #queue = new ChangeQueue();
  /** Of the add that is under way here. */
  readonly #joining = new Map<string, Member>();
  /** Off the map, with requests in flight here; by name, since one of that name may have joined again. */
  readonly #leaving = new Map<Member, Promise<void>>();
  /** Adds that have failed, of which the engine may still say that they have not. */
  readonly #doubtful = new Set<Doer>();
  /** Names of what others have left, and is being removed here. */
  readonly #busy = new Set<string>();
  /** Changes under way here, one at most: what they have begun they finish, or take back. */
  #operating = 0;
  /** Of those that others add just now, the instances that have answered here, by name. */
  readonly #reached = new Map<string, string>();
  readonly #replaceAskedMs = new Map<string, number>();
  readonly #missingSinceMs = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #forced = new AbortController();
  /** Whether who was there before us is known. */
  #entered = false;
  /** Of all members, each with all of its weight. */
  #map: Placement;
  #digest: string;
  #revision = 0;
  /** Running instances, by name, as the last look found them. */
  #instances: ReadonlyMap<string, Instance> = new Map();
  /** Counts what we did to the roster: a look that began before tells of an older one. */
  #changes = 0;
  /** When the newest look that succeeded began. */
  #confirmedMs = Number.NEGATIVE_INFINITY;
  /** How many looks have succeeded. */
  #looks = 0;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  /** Resolves at the end of the next look. */
  #looked = Promise.withResolvers<void>();
  #disagreementTold = false;
  #unwatch: () => void = () => {};
  #closed: Promise<void> | undefined;

  constructor(options: SharedFleetOptions) {
    this.#options = options;
    const { runtime, clock, heartbeat, log, config, ask } = options;
    this.#map = placementOf(config.hash, []);
    this.#digest = digestOf(sourceOf(this.#map));
    this.#supervisor = new Supervisor({
      runtime,
      clock,
      heartbeat,
      log,
      heartbeatPath: config.heartbeatPath,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      heartbeatFailures: config.heartbeatFailures,
      startTimeoutMs: config.startTimeoutMs,
      step: (member, event, why) => this.#crew.step([member], event, why),
      look: () => void this.#look(),
      settle: () => Promise.resolve(),
      follow: {
        next: (member, signal) => this.#next(member, signal),
        silent: (member) => void this.#replace(member),
        isStill: (member, instance) => this.#isStill(member, instance),
      },
    });
    this.journal = new Journal(() => clock.now());
    const { journal } = this;
    this.#engine = new EngineWord({ engine: 'the Swarm', consequence: 'changes wait', log, journal });
    this.#pulse = new Pulse({ clock, ask: () => runtime.list() });
    this.#crew = new Crew({
      balance: config,
      slowStartMs: config.slowStartMs,
      labelOf: (name) => runtime.naming.label?.(name),
      clock,
      log,
      journal,
      eject: (member, why) => this.#supervisor.eject(member, why),
      rest: (member) => this.#supervisor.rest(member),
      look: () => void this.#look(),
    });
    this.#explainer = new Explainer({
      hash: config.hash,
      members: () => this.#crew.members.values(),
      member: (name) => this.#crew.members.get(name),
      labelOf: (name) => runtime.naming.label?.(name),
      ring: () => this.#crew.ring,
      owners: 'members',
      whole: () => this.#map,
      trace: (key, except) => this.#crew.trace(key, except),
    });
    this.#peers = new Peers(clock, ask, () => this.#digest);
  }

  /**
   * Takes its place among those that share the replicas, or is the first and starts them; resolves when each has answered or
   * has not, and one has, or when the start timeout has passed. Throws FleetError or what the runtime throws. `close` is due even so.
   */
  async open(): Promise<void> {
    const { clock, config, log } = this.#options;
    const { signal } = this.#closing;
    await this.#operate(() => this.#enter());
    const deadlineMs = clock.now() + config.startTimeoutMs;
    while (!signal.aborted && clock.now() < deadlineMs && !this.#canBegin())
      await clock.sleep(OPENING_POLL_MS, signal);
    const late = this.replicas().filter(({ state }) => state !== 'ready');
    if (late.length > 0 && !signal.aborted)
      log.warn(
        { replicas: late.map(({ name }) => name) },
        `begun without those that do not answer ${config.heartbeatPath} yet: they join the ring when they do`,
      );
    await this.#crew.inForce();
  }

  /** Whether nothing more is worth waiting for: who does not answer us may answer others, or is being started by the engine. */
  #canBegin(): boolean {
    const members = [...this.#crew.members.values()];
    return (
      members.length === 0 ||
      (members.some(({ state }) => state === 'ready') &&
        members.every(
          ({ state, missed, instance }) => state === 'ready' || missed > 0 || instance === undefined,
        ))
    );
  }

  names(): string[] {
    return this.#crew.names();
  }

  /** Of those that are ready here. */
  get ring(): Placement {
    return this.#crew.ring;
  }

  /**
   * The replica that owns the key, the same at every Ringmaster, whether it is ready or just being started again. Undefined
   * where none is ready. Throws Unavailable where others may have changed who is in without our hearing of it.
   */
  owner(key: string): string | undefined {
    const { runtime, clock } = this.#options;
    if (
      clock.now() - this.#confirmedMs > CONFIRMED_MS &&
      !this.#peers.haveOurMap(runtime.commons.voters, this.#revision)
    )
      throw new Unavailable(
        'This Ringmaster is cut off from the Swarm, and can not say who is in now: ask another, or ask again',
      );
    return this.#crew.ring.names.length === 0 ? undefined : this.#map.owner(key);
  }

  replicas(): ReplicaView[] {
    return this.#crew.replicas();
  }

  /** The members, those that are about to be, and those that have left and finish what they have. */
  everyone(): ReplicaView[] {
    const outside = [...this.#joining.values(), ...this.#leaving.keys()];
    return [
      ...this.#crew.replicas(),
      ...viewsOf(outside.filter(({ name }) => !this.#crew.members.has(name))),
    ];
  }

  get engineAnswers(): boolean {
    return this.#engine.answers;
  }

  pulse(): Promise<boolean> {
    return this.#pulse.beats();
  }

  standing(): Standing {
    const views = new Map(this.#crew.replicas().map((view) => [view.name, view]));
    return {
      map: this.#map,
      digest: this.#digest,
      revision: this.#revision,
      replicas: this.#map.sites.map(({ name, weight }) => ({
        name,
        state: views.get(name)?.state ?? 'waiting',
        weight,
        effectiveWeight: views.get(name)?.effectiveWeight ?? 0,
      })),
      reached: [...this.#reached.keys()],
      leaving: [...this.#leaving.keys()].map(({ name, inFlight }) => ({ name, inFlight })),
      peers: this.#peers.standings(),
      disagreementMs: this.#peers.disagreementMs,
    };
  }

  claim(key: string, except?: ReadonlySet<string>, own = true): Lease | undefined {
    return this.#crew.claim(key, except, own);
  }

  get choices(): Choices {
    return this.#crew.choices;
  }

  explain(key: string, except?: ReadonlySet<string>): Explanation {
    return this.#explainer.explain(key, except);
  }

  hold(name: string): StandingLease {
    return this.#crew.hold(name);
  }

  follow(follower: Follower): () => void {
    return this.#crew.follow(follower);
  }

  /** What a change would come to, by who is in now: one that is under way, here or elsewhere, counts when it is done. Throws FleetError. */
  plan(proposal: Proposal): Plan {
    const { runtime, config } = this.#options;
    const { maxReplicas, hash } = config;
    return planned(this.replicas(), proposal, { maxReplicas, hash, naming: runtime.naming });
  }

  /** Adds replicas; resolves once all are ready, on the map, and every Ringmaster knows. Throws FleetError; then none was added. */
  async add(change: Change): Promise<string[]> {
    const { runtime, config } = this.#options;
    const { naming } = runtime;
    checkJoin(change, naming);
    checkJoinWeights(change, { naming, hash: config.hash });
    return this.#operate(async () => {
      const limits = { maxReplicas: config.maxReplicas, hash: config.hash, naming };
      await this.#join((roster, doer) => reserve(roster, change, limits, doer));
      await this.#everywhere([]);
      return this.names();
    });
  }

  /** See Fleet.weigh; resolves once every Ringmaster knows. The roster keeps the weights for the next one. */
  async weigh(weights: Weights): Promise<Weights> {
    const { runtime, config } = this.#options;
    const { naming } = runtime;
    checkWeights(weights, { naming, hash: config.hash });
    return this.#operate(async () => {
      await this.#change((roster) => reweigh(roster, weights, naming)).catch((error: unknown) => {
        throw this.#refusal(error, 'no weight was changed');
      });
      await this.#everywhere([]);
      return weightsOf(this.replicas());
    });
  }

  /** Removes replicas; resolves once all are drained, at every Ringmaster, and gone. Throws FleetError; then none left. */
  async remove(change: Change): Promise<string[]> {
    const { runtime, clock, config } = this.#options;
    checkLeave(change, runtime.naming);
    return this.#operate(async () => {
      const deadlineMs = clock.now() + config.drainTimeoutMs;
      let before: readonly Seat[] = [];
      const roster = await this.#change((now) => {
        before = membersOf(now);
        return dismiss(now, change, runtime.naming, this.#run);
      }).catch((error: unknown) => {
        throw this.#refusal(error, 'nothing was removed');
      });
      const stay = new Set(namesOf(membersOf(roster)));
      await this.#part(
        before.filter(({ name }) => !stay.has(name)),
        deadlineMs,
      );
      return this.names();
    });
  }

  /**
   * Ends this Ringmaster. The replicas stay for the others; they are drained and removed where `keep` is not set and it
   * is the last, or has itself been taken out of the Swarm for good.
   */
  close(keep: boolean): Promise<void> {
    this.#closed ??= this.#close(keep);
    return this.#closed;
  }

  force(): void {
    this.#forced.abort();
  }

  #operate<T>(change: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      this.#operating++;
      try {
        return await change();
      } finally {
        this.#operating--;
      }
    });
  }

  async #close(keep: boolean): Promise<void> {
    const { runtime, clock, log, config } = this.#options;
    const { commons } = runtime;
    const deadlineMs = clock.now() + config.drainTimeoutMs;
    this.#closing.abort();
    this.#crew.close();
    await this.#queue.close();
    this.#unwatch();
    await this.#looking;
    const members = [...this.#crew.members.values()];
    let ends = false;
    try {
      // First of all: of several that end at the same time one finds that nobody else is left.
      const roster = await commons.change((now) => strike(now, commons.self, this.#run));
      ends = !keep && (await this.#isLast(roster));
      if (ends) await this.#endAll(deadlineMs);
    } catch (error) {
      log.error({ why: reasonOf(error) }, 'not everything could be tidied up');
    }
    await Promise.all(members.map((member) => this.#supervisor.release(member)));
    await Promise.all(this.#leaving.values());
    await runtime.close(!ends);
  }

  async #isLast({ ringmasters }: Roster): Promise<boolean> {
    const { runtime, clock } = this.#options;
    const { commons } = runtime;
    const dismissed = await commons.dismissed();
    if (dismissed !== 'not its part') return dismissed === 'yes';
    const others = Object.entries(ringmasters);
    if (others.length === 0) return true;
    if (others.some(([, { url }]) => this.#peers.hears(url))) return false;
    // One that has died is in the roster still. One that lives, and only was not heard, is back with its next look.
    await commons.change((now) => others.reduce((roster, [key, { run }]) => strike(roster, key, run), now));
    await clock.sleep(LOOK_INTERVAL_MS + BACK_WITHIN_MS, this.#forced.signal);
    return Object.keys((await commons.read()).ringmasters).length === 0;
  }

  async #endAll(deadlineMs: number): Promise<void> {
    const roster = await this.#options.runtime.commons.change((now) => dismissAll(now, this.#run));
    this.#apply(roster);
    await this.#part(roster.seats, deadlineMs);
  }

  async #enter(): Promise<void> {
    const { runtime, log, config } = this.#options;
    const { signal } = this.#closing;
    await this.#enroll();
    await this.#lookOnce();
    this.#tellLooked();
    this.#unwatch = runtime.watch(() => void this.#look());
    void this.#lookNowAndThen();
    void this.#peers.askNowAndThen(signal);
    if (this.names().length > 0) log.info({ replicas: this.names() }, 'found the replicas that are there');
    const limits = { maxReplicas: config.maxReplicas, hash: config.hash, naming: runtime.naming };
    const first = { n: config.replicas, hostnames: [] };
    // Several that start at once find nobody: one begins, and the others wait for what comes of it.
    while (!signal.aborted && config.replicas > 0 && this.names().length === 0) {
      await this.#join((roster, doer) =>
        roster.seats.length > 0 ? roster : reserve(roster, first, limits, doer),
      );
      if (this.names().length === 0) await this.#nextLook(signal);
    }
    this.#entered = true;
  }

  async #enroll(): Promise<void> {
    const { runtime, port } = this.#options;
    const { commons } = runtime;
    const peer = { run: this.#run, url: commons.url(port) };
    await this.#change((roster) => enroll(roster, commons.self, peer));
  }

  /** `take` gives the roster with seats for what joins; none where somebody else was first. */
  async #join(take: (roster: Roster, doer: Doer) => Roster): Promise<void> {
    const { log } = this.#options;
    const doer = { by: this.#run, join: crypto.randomUUID() };
    let members: Member[] = [];
    const giveUp = new AbortController();
    const signal = AbortSignal.any([giveUp.signal, this.#closing.signal]);
    try {
      const roster = await this.#change((now) => take(now, doer));
      const seats = roster.seats.filter(({ join }) => join === doer.join);
      if (seats.length === 0) return;
      members = seats.map((seat) => this.#memberOf(seat, false));
      for (const member of members) member.moved('starting', this.#options.clock.now(), 'is being added');
      for (const member of members) this.#joining.set(member.name, member);
      const progress = startingProgress(log, members.length);
      await eachAtMost(STARTS_AT_ONCE_MAX, members, async (member) => {
        try {
          const heard = await this.#supervisor.bringUp(member, signal, () => this.#peers.reach(member.name));
          progress();
          // A member like any other, that is off our ring until it answers us.
          if (!heard) this.#joining.delete(member.name);
        } catch (error) {
          // Those that are given up on account of another have nothing to tell.
          if (!signal.aborted)
            log.warn({ replica: member.name, why: reasonOf(error) }, 'replica could not be started');
          giveUp.abort();
          throw error;
        }
      });
      const lost = members.find((member) => member.instance === undefined);
      if (lost !== undefined) throw new Unavailable(`Replica ${lost.name} ended before all were ready`);
      await this.#change((now) => commit(now, namesOf(seats), doer));
    } catch (error) {
      if (members.length > 0) await this.#takeBack(doer, members);
      throw this.#refusal(error, 'nothing was added');
    } finally {
      // What could not be taken back a later look finds, as it finds what others have left.
      for (const { name } of members) this.#joining.delete(name);
    }
  }

  /** Whether it was committed may be in doubt; none may be a member any more when the first is removed. */
  async #takeBack(doer: Doer, members: readonly Member[]): Promise<void> {
    this.#doubtful.add(doer);
    try {
      await this.#change((now) => retract(now, doer));
      this.#doubtful.delete(doer);
      await Promise.allSettled(members.map(({ spec }) => this.#stop(spec, 0)));
    } catch {
      // With the next look that succeeds.
    }
  }

  /** They are off the map already. Waits until nobody has a request in flight there, at most until the deadline, and removes them. */
  async #part(seats: readonly Seat[], deadlineMs: number): Promise<void> {
    const { clock, log } = this.#options;
    const names = namesOf(seats);
    const graceMs = Math.min(STOP_GRACE_MS, Math.max(0, deadlineMs - clock.now()) / 4);
    const drained = [...this.#leaving].filter(([{ name }]) => names.includes(name)).map(([, done]) => done);
    await Promise.all([this.#everywhere(names, deadlineMs - graceMs), ...drained]);
    await eachAtMost(STOPS_AT_ONCE_MAX, seats, async (seat) => {
      await this.#stop(seat, this.#forced.signal.aborted ? 0 : graceMs).catch((error: unknown) => {
        // It has left; a later look finds it, and removes it.
        log.warn(
          { replica: seat.name, why: reasonOf(error) },
          'replica has left, and could not be removed yet',
        );
      });
    });
  }

  /** Removes a replica that was dismissed; not one that has joined since, under its name, when another was faster. */
  async #stop({ name, join }: Pick<Seat, 'name' | 'join'>, graceMs: number): Promise<void> {
    const { runtime } = this.#options;
    const { seats } = await runtime.commons.read();
    if (seats.some((seat) => seat.name === name && seat.join === join)) await runtime.stop(name, graceMs);
  }

  /** Resolves when our map is in force here, and at all who tell owners, and nobody has anything in flight at `left`. */
  async #everywhere(
    left: readonly string[],
    untilMs = this.#options.clock.now() + AGREE_MAX_MS,
  ): Promise<void> {
    const { clock } = this.#options;
    const enoughMs = Math.max(untilMs, clock.now());
    await Promise.all([
      this.#crew.inForce(),
      this.#peers.agree(
        this.#revision,
        left,
        enoughMs,
        AbortSignal.any([this.#closing.signal, this.#forced.signal]),
      ),
    ]);
  }

  /** Changes the roster, and follows it at once. */
  async #change(change: (roster: Roster) => Roster): Promise<Roster> {
    const roster = await this.#options.runtime.commons.change(change);
    this.#changes++;
    this.#apply(roster);
    return roster;
  }

  /** Makes the members and the map those of the roster, unless a newer one is in force: an answer may come late. */
  #apply(roster: Roster): void {
    // Where there is none any more it begins anew.
    if (roster.revision > 0 && roster.revision < this.#revision) return;
    this.#revision = roster.revision;
    this.#peers.expect(roster.ringmasters, this.#options.runtime.commons.self);
    const { members } = this.#crew;
    const seats = membersOf(roster);
    const joins = new Map(seats.map(({ name, join }) => [name, join]));
    const gone = [...members.values()].filter(({ name, spec }) => joins.get(name) !== spec.join);
    const before = this.names();
    this.#letGo(gone);
    const { hash } = this.#options.config;
    const isWeighed = this.#crew.weigh(
      seats.map(({ name, weight }) => ({ name, weight: weightUnder(hash, weight) ?? 1 })),
    );
    const come = seats.filter(({ name }) => !members.has(name)).map((seat) => this.#admit(seat));
    // What is joining elsewhere is committed last, and comes last: no order changes but by what comes and goes.
    if (gone.length + come.length > 0 || isWeighed) {
      this.#map = this.#placed();
      this.#digest = digestOf(sourceOf(this.#map));
    }
    this.#crew.step(
      come.filter(({ state }) => state === 'starting'),
      'answered',
      'was added',
    );
    this.#crew.swap();
    for (const member of come) this.#supervisor.watch(member);
    if (gone.length + come.length > 0 && before.length > 0)
      this.#options.log.debug({ replicas: this.names() }, 'the members have changed');
  }

  #placed(): Placement {
    const { runtime, config } = this.#options;
    return fittingMap(
      config.hash,
      this.replicas().map((one) => siteOf(one, runtime.naming)),
    );
  }

  /** One that joined here is ready; of any other the engine's list says where it is. */
  #admit(seat: Seat): Member {
    const { name, join } = seat;
    const own = this.#joining.get(name);
    const ours = own?.spec.join === join && own.instance !== undefined;
    const fresh = this.#memberOf(seat, true);
    const member = ours ? own : fresh;
    member.spec = fresh.spec;
    this.#crew.members.set(name, member);
    if (ours) return member;
    const instance = this.#instances.get(name);
    const nowMs = this.#options.clock.now();
    member.moved('waiting', nowMs, 'has no instance yet');
    if (instance !== undefined) {
      member.moved('ejected', nowMs, 'joins');
      member.began(instance);
    }
    return member;
  }

  #memberOf({ name, order, weight, join }: Seat, committed: boolean): Member {
    const { hash } = this.#options.config;
    const member = new Member({ name, order, weight: weightUnder(hash, weight), join, committed });
    member.startsWarm = !this.#entered;
    return member;
  }

  #letGo(members: readonly Member[]): void {
    if (members.length === 0) return;
    const { clock, config } = this.#options;
    // What is left is for the end of the replica itself.
    const untilMs = clock.now() + config.drainTimeoutMs * DRAINING_PART;
    for (const member of members) this.#crew.members.delete(member.name);
    this.#crew.step(members, 'left', 'is being removed');
    for (const member of members) {
      member.leave();
      this.#leaving.set(member, this.#drain(member, untilMs));
    }
  }

  async #drain(member: Member, untilMs: number): Promise<void> {
    await this.#supervisor.release(member);
    // With its supervision its heartbeats have ended, and its host may die before it is drained.
    await this.#crew.drainElsewhere(member, untilMs, this.#forced.signal);
    this.#crew.step([member], 'removed', 'is drained and gone');
    member.ended();
    this.#leaving.delete(member);
  }

  /** The instance that the engine has started in the place of the one that was lost. */
  async #next(member: Member, signal: AbortSignal): Promise<Instance> {
    for (;;) {
      signal.throwIfAborted();
      const found = this.#instances.get(member.name);
      if (found !== undefined && found.id !== member.lostId) return found;
      if (this.#isMissing(member.name)) await this.#remake(member, signal);
      await this.#nextLook(signal);
    }
  }

  /** Whether the engine has had nothing to start it from for longer than it takes somebody to remove everything. */
  #isMissing(name: string): boolean {
    const sinceMs = this.#missingSinceMs.get(name);
    return sinceMs !== undefined && this.#options.clock.now() - sinceMs >= REMAKE_AFTER_MS;
  }

  async #remake(member: Member, signal: AbortSignal): Promise<void> {
    const { runtime, clock, log, config } = this.#options;
    const over = new AbortController();
    const bound = AbortSignal.any([signal, over.signal]);
    void clock.sleep(config.startTimeoutMs, bound).then(() => over.abort());
    try {
      // Who starts something now would be in the way of who takes everything away; and another may have been faster.
      if ((await runtime.commons.dismissed()) === 'yes') return;
      if ((await runtime.list()).some(({ name }) => name === member.name)) return;
      log.warn({ replica: member.name }, 'nothing at the engine starts this member: made again');
      await runtime.start(member.spec, bound);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ replica: member.name, why: reasonOf(error) }, 'replica could not be started again');
    } finally {
      over.abort();
      this.#missingSinceMs.set(member.name, clock.now());
    }
  }

  /** Whether the instance is the member's at a moment that has not come yet: what was true before may be another's address now. */
  async #isStill(member: Member, instance: Instance): Promise<boolean> {
    const before = this.#looks;
    await this.#look();
    return this.#looks > before && member.instance === instance;
  }

  /** Has a member replaced that nobody gets an answer from, though the engine says that it runs. */
  async #replace(member: Member): Promise<void> {
    const { runtime, clock, log } = this.#options;
    const { name, instance } = member;
    const askedMs = this.#replaceAskedMs.get(name) ?? Number.NEGATIVE_INFINITY;
    if (instance === undefined || clock.now() - askedMs < REPLACE_GAP_MS) return;
    this.#replaceAskedMs.set(name, clock.now());
    await this.#peers.round(this.#closing.signal);
    if (member.instance !== instance || member.state !== 'ejected' || !this.#peers.missToo(name)) return;
    log.warn({ replica: name }, 'replica does not come back: replaced');
    await runtime.commons.replace(name, instance.id).catch((error: unknown) => {
      log.warn({ replica: name, why: reasonOf(error) }, 'replica could not be replaced');
    });
    void this.#look();
  }

  async #lookNowAndThen(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_INTERVAL_MS, signal);
      if (!signal.aborted) await this.#look();
    }
  }

  #tellLooked(): void {
    const { resolve } = this.#looked;
    this.#looked = Promise.withResolvers();
    resolve();
  }

  /** Resolves after the next look that ends, or when `signal` aborts. */
  async #nextLook(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    signal.addEventListener('abort', abort);
    if (!signal.aborted) await Promise.race([this.#looked.promise, aborted.promise]);
    signal.removeEventListener('abort', abort);
  }

  /** Reads the engine's list and the roster; calls that come while that is under way share the next. */
  async #look(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#lookAgain = true;
    this.#looking ??= this.#lookWhileAsked();
    await this.#looking;
  }

  async #lookWhileAsked(): Promise<void> {
    try {
      while (this.#lookAgain && !this.#closing.signal.aborted) {
        this.#lookAgain = false;
        await this.#lookOnce().catch((error: unknown) => {
          this.#engine.failed(error);
        });
        this.#tellLooked();
      }
    } finally {
      this.#looking = undefined;
    }
    this.#tellDisagreement();
  }

  /** Throws EngineGone. */
  async #lookOnce(): Promise<void> {
    const { runtime, clock } = this.#options;
    const changes = this.#changes;
    const askedMs = clock.now();
    const expected = [...this.#crew.members.values(), ...this.#joining.values()];
    const held = new Map(expected.map((member) => [member, member.instance]));
    const found = await runtime.list();
    const roster = await runtime.commons.read();
    this.#engine.answered();
    if (this.#changes !== changes) {
      this.#lookAgain = true;
      return;
    }
    this.#confirmedMs = askedMs;
    this.#looks++;
    const byName = new Map(found.map((one) => [one.name, one]));
    this.#instances = new Map(
      [...byName].filter(([, one]) => one.state === 'running' && one.address !== undefined),
    );
    this.#apply(roster);
    for (const [member, instance] of held) {
      // The list is older than an instance that was found while it was read, and tells nothing of it.
      if (instance === undefined || member.instance !== instance) continue;
      const now = byName.get(member.name);
      if (now === undefined || now.id !== instance.id || now.state === 'ended')
        this.#lost(member, 'its instance ended');
      else if (hasMoved(instance, now)) this.#lost(member, 'its address is not its own any more');
    }
    for (const { name } of this.#crew.members.values()) {
      if (byName.has(name)) this.#missingSinceMs.delete(name);
      else if (!this.#missingSinceMs.has(name)) this.#missingSinceMs.set(name, askedMs);
    }
    this.#tidy(found, roster);
    void this.#greet(roster);
  }

  #lost(member: Member, why: string): void {
    if (member.state === 'ready' || member.state === 'ejected') this.#supervisor.bury(member, why);
    // Who starts it has to know; what follows is theirs to say.
    else member.ended();
  }

  /** Asks those that others add whether they answer us: where the way from them is closed, ours may be open. */
  async #greet(roster: Roster): Promise<void> {
    const { heartbeat, config } = this.#options;
    const joining = roster.seats.filter(({ mark, by }) => mark === 'joining' && by !== this.#run);
    const names = new Set(namesOf(joining));
    for (const name of this.#reached.keys()) if (!names.has(name)) this.#reached.delete(name);
    await eachAtMost(STARTS_AT_ONCE_MAX, joining, async ({ name }) => {
      const instance = this.#instances.get(name);
      if (instance?.address === undefined || this.#reached.get(name) === instance.id) return;
      const { signal } = this.#closing;
      const result = await heartbeat(instance.address, config.heartbeatPath, GREETING_DEADLINE_MS, signal);
      if (result === 'answered') this.#reached.set(name, instance.id);
    });
  }

  /** Sees to what others have left, and to what should not be. */
  #tidy(found: readonly Instance[], roster: Roster): void {
    const { runtime, log, config } = this.#options;
    const { commons } = runtime;
    const quietly = (pending: Promise<unknown>): void =>
      void pending.catch((error: unknown) => log.debug({ why: reasonOf(error) }, 'to be tried again'));
    if (roster.ringmasters[commons.self]?.run !== this.#run) quietly(this.#enroll());
    for (const { key, run } of this.#peers.silent(config.startTimeoutMs))
      quietly(this.#change((now) => strike(now, key, run)));
    for (const doer of this.#doubtful) quietly(this.#takeBack(doer, []));
    const own =
      this.#operating > 0 ? [] : roster.seats.filter(({ by, mark }) => by === this.#run && mark !== 'member');
    for (const seat of [...orphaned(roster), ...own]) quietly(this.#finish(seat));
    const seated = new Set(roster.seats.map(({ name }) => name));
    for (const { name } of found) if (!seated.has(name)) quietly(this.#sweep(name));
  }

  /** Removes one that was joining, or leaving, and of which nobody takes care any more. */
  async #finish(seat: Seat): Promise<void> {
    const { log } = this.#options;
    if (this.#busy.has(seat.name)) return;
    this.#busy.add(seat.name);
    try {
      const { seats } = await this.#change((now) => takeOver(now, seat, this.#run));
      const isOurs = seats.some(
        ({ name, join, by }) => name === seat.name && join === seat.join && by === this.#run,
      );
      if (!isOurs) return;
      log.warn({ replica: seat.name }, `removing a replica that was ${seat.mark} when its Ringmaster went`);
      await this.#stop(seat, 0);
    } finally {
      this.#busy.delete(seat.name);
    }
  }

  async #sweep(name: string): Promise<void> {
    const { runtime, log } = this.#options;
    if (this.#busy.has(name)) return;
    this.#busy.add(name);
    try {
      log.warn({ replica: name }, 'removing an instance of ours that is no member');
      await runtime.stop(name, 0);
    } finally {
      this.#busy.delete(name);
    }
  }

  #tellDisagreement(): void {
    const { log } = this.#options;
    const { disagreementMs } = this.#peers;
    if (disagreementMs > DISAGREEMENT_TOLD_MS && !this.#disagreementTold) {
      log.warn(
        { digest: this.#digest, others: this.#peers.standings() },
        'another Ringmaster has another map for longer than a change takes to be everywhere',
      );
      this.#disagreementTold = true;
    } else if (disagreementMs === 0 && this.#disagreementTold) {
      log.info({ digest: this.#digest }, 'all Ringmasters that answer have the same map again');
      this.#disagreementTold = false;
    }
  }

  #refusal(error: unknown, consequence: string): FleetError {
    return refusal(error, consequence, this.#closing.signal.aborted);
  }
}
