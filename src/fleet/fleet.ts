import type { Balance, Config } from '../config.ts';
import { COURSE_REPLICAS_MAX } from '../ring/course.ts';
import type { Placement } from '../ring/placement.ts';
import { digestOf, sourceOf } from './digest.ts';
import type { Instance, InstanceSpec, Runtime } from '../runtime/runtime.ts';
import { adoption } from './adoption.ts';
import type { Choices } from './chooser.ts';
import type { Clock } from './clock.ts';
import { Crew, viewsOf, type Follower, type ReplicaView } from './crew.ts';
import { eachAtMost } from './each-at-most.ts';
import { EngineWord } from './engine-word.ts';
import { Unavailable, type FleetError } from './errors.ts';
import { Explainer, type Explanation } from './explain.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { Log } from '../log.ts';
import { Journal } from './journal.ts';
import { hasMoved, Member, type Lease, type StandingLease } from './member.ts';
import { Marks } from './marks.ts';
import {
  checkJoin,
  checkJoinWeights,
  checkLeave,
  checkWeights,
  joining,
  leaving,
  namesOf,
  planned,
  weighed,
  weighted,
  weightsOf,
  weightUnder,
  type Change,
  type Plan,
  type Proposal,
  type Weighted,
  type Weights,
} from './membership.ts';
import { Pulse } from './pulse.ts';
import { ChangeQueue } from './queue.ts';
import { reasonOf, refusal } from './refusal.ts';
import type { Standing } from './standing.ts';
import type { ReplicaEvent } from './state.ts';
import { startingProgress } from './starting.ts';
import { Supervisor } from './supervisor.ts';

/** Instances that one add starts side by side; an engine asked for more at once only gets slower. */
const STARTS_AT_ONCE_MAX = 8;
/** How long an instance has to end by itself once nothing is in flight, in ms; then it is killed. */
const STOP_GRACE_MS = 2000;
/** The engine's list is read this often even if no event says that something changed: events can be lost. */
const LOOK_INTERVAL_MS = 5000;
/** How often `open` looks whether the replicas that it adopted are ready. */
const ADOPTED_POLL_MS = 20;

export interface FleetOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly heartbeat: Heartbeat;
  readonly log: Log;
  readonly config: Pick<
    Config,
    | 'replicas'
    | 'maxReplicas'
    | 'heartbeatPath'
    | 'heartbeatIntervalMs'
    | 'heartbeatFailures'
    | 'startTimeoutMs'
    | 'drainTimeoutMs'
    | 'slowStartMs'
    | keyof Balance
  >;
}

/**
 * Who is in. The only writer of the ring: it holds exactly the replicas that are ready, under their names, and is
 * swapped whole. Joins and leaves go through one queue; healing goes on beside them.
 */
export class Fleet {
  /** What has happened to the replicas. */
  readonly journal: Journal;
  readonly #options: FleetOptions;
  readonly #supervisor: Supervisor;
  readonly #marks: Marks;
  readonly #queue = new ChangeQueue();
  readonly #crew: Crew;
  readonly #engine: EngineWord;
  readonly #pulse: Pulse;
  readonly #explainer: Explainer;
  /** Members of the add that is under way. */
  readonly #joining = new Map<string, Member>();
  /** Names of an add that has failed, of which the engine may still say that they are members. */
  #uncommitted: readonly string[] = [];
  /** Removals of instances that are no member's, by name; a join of that name waits, lest its new instance goes too. */
  readonly #sweeping = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  readonly #forced = new AbortController();
  #nextOrder = 1;
  /** Names of those who were in, or about to be, at any time since the look that is under way began. */
  #knownSinceLook = new Set<string>();
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #unwatch: () => void = () => {};
  #closed: Promise<void> | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { runtime, clock, heartbeat, log, config } = options;
    this.#supervisor = new Supervisor({
      runtime,
      clock,
      heartbeat,
      log,
      heartbeatPath: config.heartbeatPath,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      heartbeatFailures: config.heartbeatFailures,
      startTimeoutMs: config.startTimeoutMs,
      step: (member, event, why) => this.#step([member], event, why),
      look: () => void this.#look(),
      settle: () => this.#marks.settle(),
    });
    this.journal = new Journal(() => clock.now());
    const { journal } = this;
    this.#engine = new EngineWord({ engine: 'the engine', consequence: 'healing waits', log, journal });
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
      members: () => this.#members.values(),
      member: (name) => this.#members.get(name),
      labelOf: (name) => runtime.naming.label?.(name),
      ring: () => this.#crew.ring,
      owners: 'ready',
      trace: (key, except) => this.#crew.trace(key, except),
    });
    this.#marks = new Marks(runtime, (name) => this.#members.has(name));
  }

  /**
   * Takes over what the engine holds of ours, or starts the first replicas where it holds none; resolves when they
   * are ready, or when the start timeout has passed over adopted ones that are still being healed. Servers that
   * somebody else runs are asked once, and come when they answer.
   * Throws FleetError or what the runtime throws; then no replica that was started is left behind. `close` is due even so.
   */
  async open(): Promise<void> {
    const { clock, config, log } = this.#options;
    // A change like any other, so that `close` waits for it: what is adopted after that nobody would let go.
    await this.#queue.run(() => this.#takeOver());
    const { signal } = this.#closing;
    const deadlineMs = clock.now() + config.startTimeoutMs;
    while (!signal.aborted && clock.now() < deadlineMs && !this.#allSettled())
      await clock.sleep(ADOPTED_POLL_MS, signal);
    const late = [...this.#members.values()].filter((member) => member.state !== 'ready');
    if (late.length > 0 && !signal.aborted)
      log.warn(
        { replicas: late.map((member) => member.name) },
        `begun without those that do not answer ${config.heartbeatPath} yet: they join the ring when they do`,
      );
    await this.#crew.inForce();
  }

  /** Names of the members, in joining order. */
  names(): string[] {
    return this.#crew.names();
  }

  /** The placement in force; immutable, so what is read from one ring belongs together. */
  get ring(): Placement {
    return this.#crew.ring;
  }

  /** The replica that owns the key; undefined where none is ready. */
  owner(key: string): string | undefined {
    return this.#crew.ring.owner(key);
  }

  replicas(): ReplicaView[] {
    return this.#crew.replicas();
  }

  /** The members, and those that are about to be. */
  everyone(): ReplicaView[] {
    return [...this.#crew.replicas(), ...viewsOf(this.#joining.values())];
  }

  /** Whether the engine answered when it was asked last. */
  get engineAnswers(): boolean {
    return this.#engine.answers;
  }

  /** Whether the engine answers now. */
  pulse(): Promise<boolean> {
    return this.#pulse.beats();
  }

  standing(): Standing {
    const { ring } = this.#crew;
    const leaving = [...this.#members.values()].filter(({ state }) => state === 'draining');
    return {
      map: ring,
      digest: digestOf(sourceOf(ring)),
      revision: 0,
      replicas: ring.sites.map(({ name, weight }) => ({
        name,
        state: 'ready',
        weight: this.#members.get(name)?.weight ?? weight,
        effectiveWeight: weight,
      })),
      reached: [],
      leaving: leaving.map(({ name, inFlight }) => ({ name, inFlight })),
      peers: [],
      disagreementMs: 0,
    };
  }

  /**
   * Picks the first replica in the key's failover order that is not in `except` and counts the request as in flight
   * there, with no await between: a replica can't begin to leave in the gap. Undefined when none is left. With a load
   * factor, or where the key is hot, it may be another than the first; see Chooser.
   *
   * @param own whether the key is the request's own; false: it was drawn, since the request has none
   */
  claim(key: string, except?: ReadonlySet<string>, own = true): Lease | undefined {
    return this.#crew.claim(key, except, own);
  }

  /** What is known of whom requests went to. */
  get choices(): Choices {
    return this.#crew.choices;
  }

  /** What `claim` would come to, and why; it claims nothing. */
  explain(key: string, except?: ReadonlySet<string>): Explanation {
    return this.#explainer.explain(key, except);
  }

  /**
   * A lease that stands for all requests which a follower has in flight at a replica that is on the ring; it tells of
   * the replica, and holds up its leave, as the lease of a single request does.
   */
  hold(name: string): StandingLease {
    return this.#crew.hold(name);
  }

  /** From here on opening, add and remove resolve only when they are in force at the follower, too. Returns the way out. */
  follow(follower: Follower): () => void {
    return this.#crew.follow(follower);
  }

  /** What a change would come to when its turn comes: by who is in then, and does not leave just now. Throws FleetError, as making it would. */
  plan(proposal: Proposal): Plan {
    const { runtime, config } = this.#options;
    const { maxReplicas, hash } = config;
    return planned(this.#staying(), proposal, { maxReplicas, hash, naming: runtime.naming });
  }

  /** The next change finds those who are leaving gone, unless they can't be removed. */
  #staying(): ReplicaView[] {
    return this.replicas().filter(({ state }) => state !== 'draining');
  }

  /** Adds replicas; resolves with the members' names once all are ready and on the ring. Throws FleetError; then none was added. */
  async add(change: Change): Promise<string[]> {
    const { runtime, config } = this.#options;
    const { naming } = runtime;
    const { maxReplicas, hash } = config;
    checkJoin(change, naming);
    checkJoinWeights(change, { naming, hash });
    return this.#queue.run(async () => {
      const names = joining(this.names(), change, { maxReplicas, hash: config.hash, naming });
      const joined = weighted(names, change.weights ?? {}, naming, this.replicas());
      await this.#join(joined, 'was added');
      await this.#crew.inForce();
      return this.names();
    });
  }

  /**
   * Gives members other weights; resolves with the weights of all once they are in force everywhere. The engine has noted them by then, for the next
   * Ringmaster. Throws FleetError; then all are as they were.
   */
  async weigh(weights: Weights): Promise<Weights> {
    const { runtime, config } = this.#options;
    const { naming } = runtime;
    checkWeights(weights, { naming, hash: config.hash });
    return this.#queue.run(async () => {
      const after = weighed(this.replicas(), weights, naming);
      const changed = after.filter(({ name, weight }) => this.#members.get(name)?.weight !== weight);
      const instances = changed.map(({ name }) => this.#members.get(name)?.instance);
      await this.#noteWeights(changed);
      this.#crew.weigh(after);
      // One that was started anew meanwhile was so with the weight of before. Its life does not depend on the note.
      const renewed = changed.filter(({ name }, i) => this.#members.get(name)?.instance !== instances[i]);
      await Promise.allSettled(renewed.map(({ name, weight }) => runtime.weigh?.(name, weight)));
      await this.#crew.inForce();
      return weightsOf(this.replicas());
    });
  }

  /** Has the engine note them, all or none. Throws FleetError. */
  async #noteWeights(changed: readonly Weighted[]): Promise<void> {
    const { runtime } = this.#options;
    const note = async ({ name, weight }: Weighted): Promise<void> => runtime.weigh?.(name, weight);
    try {
      await eachAtMost(STARTS_AT_ONCE_MAX, changed, note);
    } catch (error) {
      const before = this.replicas().filter(({ name }) => changed.some((one) => one.name === name));
      await Promise.allSettled(before.map(note));
      throw this.#refusal(error, 'no weight was changed');
    }
  }

  /** Removes replicas; resolves with the members' names once all are drained and gone. Throws FleetError; then none left. */
  async remove(change: Change): Promise<string[]> {
    const { runtime, clock, config } = this.#options;
    checkLeave(change, runtime.naming);
    return this.#queue.run(async () => {
      const names = leaving(this.names(), change, runtime.naming);
      // Asked before anything is drained: an engine that is gone can't remove what we would then miss.
      await runtime.list().catch((error: unknown) => {
        throw this.#refusal(error, 'nothing was removed');
      });
      const deadlineMs = clock.now() + config.drainTimeoutMs;
      await this.#part(
        names.map((name) => this.#members.get(name) as Member),
        deadlineMs,
      );
      await this.#crew.inForce();
      return this.names();
    });
  }

  /**
   * Ends the fleet within the drain timeout: drains and removes its replicas, or leaves them to the next start where
   * `keep` is set and the runtime can. Safe to call at any time, also while `open` is under way.
   */
  close(keep: boolean): Promise<void> {
    this.#closed ??= this.#close(keep);
    return this.#closed;
  }

  /** Ends all waiting in `close`: what is in flight is cut. */
  force(): void {
    this.#forced.abort();
  }

  async #close(keep: boolean): Promise<void> {
    const { runtime, clock, log, config } = this.#options;
    // A leave that is under way began before, and has drained by then.
    const deadlineMs = clock.now() + config.drainTimeoutMs;
    this.#closing.abort();
    this.#crew.close();
    await this.#queue.close();
    this.#unwatch();
    const members = [...this.#members.values()];
    const kept = keep && runtime.durable;
    if (kept) {
      await Promise.all(members.map((member) => this.#supervisor.release(member)));
      await this.#marks.settle().catch(() => {});
    } else if (members.length > 0)
      await this.#partAtEnd(members, deadlineMs).catch((error: unknown) =>
        log.error({ why: reasonOf(error) }, 'not every replica could be removed'),
      );
    await this.#looking;
    await this.#marks.idle();
    await Promise.all(this.#sweeping.values());
    await runtime.close(kept && members.length > 0);
  }

  async #takeOver(): Promise<void> {
    const { runtime, log, config } = this.#options;
    const { members, commit, stay, discard } = adoption(await runtime.list());
    if (config.hash === 'course' && members.length > COURSE_REPLICAS_MAX)
      throw new Unavailable(
        `${members.length} replicas are there, and HASH=course has room for ${COURSE_REPLICAS_MAX}: start with another HASH, or remove some with it first`,
      );
    await Promise.all(discard.map((one) => runtime.stop(one.name, 0)));
    if (commit.length > 0) await runtime.mark(commit, 'member');
    for (const name of stay) await runtime.mark([name], 'member');
    for (const one of members) this.#adopt(one);
    // Not before: a look that knows of no members yet takes each instance for one that nobody wants.
    this.#unwatch = runtime.watch(() => void this.#look());
    void this.#lookNowAndThen();
    const { maxReplicas } = config;
    const { naming, owns } = runtime;
    const first = { n: config.replicas, hostnames: [] };
    if (members.length > 0)
      log.info(
        { replicas: this.names() },
        owns ? 'adopted the replicas that were there' : 'took in the servers that are configured',
      );
    else if (config.replicas > 0)
      await this.#join(
        weighted(joining([], first, { maxReplicas, naming }), {}, naming, []),
        'among the first',
      );
  }

  #adopt(instance: Instance): void {
    const weight = weightUnder(this.#options.config.hash, instance.weight);
    const spec: InstanceSpec = { ...specOf(instance), weight, committed: true };
    const member = new Member(spec);
    this.#members.set(spec.name, member);
    this.#nextOrder = Math.max(this.#nextOrder, spec.order + 1);
    const { runtime, config, clock } = this.#options;
    if (instance.state === 'ended' || instance.address === undefined) {
      member.moved('waiting', clock.now(), 'was found ended');
    } else {
      member.moved('ejected', clock.now(), 'was found running');
      member.startsWarm = true;
      member.began(instance);
      // Off the ring until it answers; half of its chances are gone, so a dead one is replaced soon.
      if (runtime.owns) member.missed = config.heartbeatFailures;
    }
    this.#supervisor.watch(member);
  }

  /** Whether nothing more is worth waiting for at the start: a server that somebody else runs may be down for days. */
  #allSettled(): boolean {
    const { owns } = this.#options.runtime;
    return [...this.#members.values()].every(
      (member) => member.state === 'ready' || (!owns && member.missed > 0),
    );
  }

  async #join(joined: readonly Weighted[], why: 'was added' | 'among the first'): Promise<void> {
    const { runtime, clock, log } = this.#options;
    const names = namesOf(joined);
    // Who takes the name of one of those takes it away from the others.
    await this.#uncommit().catch((error: unknown) => {
      throw this.#refusal(error, 'nothing was added');
    });
    const join = crypto.randomUUID();
    const members = joined.map(
      ({ name, weight }, i) =>
        new Member({ name, order: this.#nextOrder + i, weight, join, committed: false }),
    );
    for (const member of members) {
      member.startsWarm = why === 'among the first';
      member.moved('starting', clock.now(), 'is being added');
      this.#joining.set(member.name, member);
      this.#knownSinceLook.add(member.name);
    }
    const giveUp = new AbortController();
    const signal = AbortSignal.any([giveUp.signal, this.#closing.signal]);
    const progress = startingProgress(log, members.length);
    try {
      await Promise.all(names.map((name) => this.#sweeping.get(name)));
      await eachAtMost(STARTS_AT_ONCE_MAX, members, async (member) => {
        try {
          await this.#supervisor.bringUp(member, signal);
          progress();
        } catch (error) {
          // Those that are given up on account of another have nothing to tell.
          if (!signal.aborted)
            log.warn({ replica: member.name, why: reasonOf(error) }, 'replica could not be started');
          giveUp.abort();
          throw error;
        }
      });
      // Not before: what still has one of the names may be left of a leave, and must not be marked as if it were joining.
      this.#uncommitted = names;
      const missing = await runtime.mark(names, 'member');
      const lost = missing[0] ?? members.find((member) => member.instance === undefined)?.name;
      if (lost !== undefined) throw new Unavailable(`Replica ${lost} ended before all were ready`);
      this.#uncommitted = [];
    } catch (error) {
      // Before the first is removed none may be a member any more. Where that fails a later look does both.
      await this.#uncommit()
        .then(() => Promise.allSettled(members.map((member) => runtime.stop(member.name, 0))))
        .catch(() => {});
      for (const name of names) this.#joining.delete(name);
      throw this.#refusal(error, 'nothing was added');
    }
    this.#nextOrder += members.length;
    for (const member of members) this.#admit(member);
    this.#step(members, 'answered', why);
    for (const member of members) this.#supervisor.watch(member);
  }

  async #uncommit(): Promise<void> {
    if (this.#uncommitted.length > 0) await this.#options.runtime.mark(this.#uncommitted, 'joining');
    this.#uncommitted = [];
  }

  /** Makes a member of one that joins: what is started under its name from here on replaces it. */
  #admit(member: Member): void {
    member.spec = { ...member.spec, committed: true };
    this.#joining.delete(member.name);
    this.#members.set(member.name, member);
  }

  /**
   * Drains until the deadline and removes members, all of them or none. The removal of one decides: if it fails all
   * stay, and once it is gone all are, for that is what the next Ringmaster would take the marks to say.
   */
  async #part(members: readonly Member[], deadlineMs: number): Promise<void> {
    const { log } = this.#options;
    this.#letGo(members, 'is being removed');
    let deciding: Member;
    let graceMs: number;
    try {
      // A start that is under way renames, too.
      await Promise.all(members.map((member) => this.#supervisor.release(member)));
      const first = await this.#marks.leave(members.map(({ name }) => name));
      deciding = members.find(({ name }) => name === first) as Member;
      const rounds = members.length > 1 ? 2 : 1;
      graceMs = this.#graceMs(deadlineMs, rounds);
      await Promise.all(
        members.map((member) => this.#crew.drain(member, deadlineMs - rounds * graceMs, this.#forced.signal)),
      );
      await this.#stop(deciding, graceMs);
    } catch (error) {
      if (members.length > 1) await this.#marks.failed().catch(() => {});
      this.#keep(members);
      throw this.#refusal(error, 'nothing was removed');
    }
    const others = members.filter((member) => member !== deciding);
    const results = await Promise.allSettled(others.map((member) => this.#stop(member, graceMs)));
    for (const member of members) this.#members.delete(member.name);
    this.#step(members, 'removed', 'is drained and gone');
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') continue;
      // As an instance that is no member's it is found, and removed.
      log.warn(
        { replica: others[i]?.name, why: reasonOf(result.reason) },
        'replica has left, and could not be removed yet',
      );
      void this.#look();
    }
  }

  /** Drains until the deadline and removes members, each as soon as it can be; all that can't be are tried. */
  async #partAtEnd(members: readonly Member[], deadlineMs: number): Promise<void> {
    this.#letGo(members, 'Ringmaster ends');
    const results = await Promise.allSettled(
      members.map(async (member) => {
        await this.#supervisor.release(member);
        const graceMs = this.#graceMs(deadlineMs, 1);
        await this.#crew.drain(member, deadlineMs - graceMs, this.#forced.signal);
        await this.#stop(member, graceMs);
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      this.#keep(members);
      throw this.#refusal(failed.reason, 'nothing was removed');
    }
    for (const member of members) this.#members.delete(member.name);
    this.#step(members, 'removed', 'is drained and gone');
  }

  #letGo(members: readonly Member[], why: string): void {
    this.#step(members, 'left', why);
    for (const member of members) member.leave();
  }

  /** They stay members: those still alive answer their next heartbeat, the others are healed. */
  #keep(members: readonly Member[]): void {
    this.#step(members, 'stayed', 'could not be removed');
    for (const member of members) {
      if (member.instance === undefined) this.#supervisor.bury(member, 'has no instance any more');
      if (!this.#closing.signal.aborted) this.#supervisor.watch(member);
    }
  }

  /** What each of so many `rounds` of removals has to end by itself, of the time that is left. */
  #graceMs(deadlineMs: number, rounds: number): number {
    const { runtime, clock } = this.#options;
    const leftMs = Math.max(0, deadlineMs - clock.now());
    return runtime.owns ? Math.min(STOP_GRACE_MS, leftMs / 4 / rounds) : 0;
  }

  async #stop(member: Member, graceMs: number): Promise<void> {
    const { runtime } = this.#options;
    const stopping = runtime.stop(member.name, this.#forced.signal.aborted ? 0 : graceMs);
    let killing: Promise<void> | undefined;
    const killNow = (): void => {
      killing = runtime.stop(member.name, 0);
      killing.catch(() => {});
    };
    this.#forced.signal.addEventListener('abort', killNow);
    try {
      await stopping.catch((error: unknown) => {
        // What was asked second may still remove it, when it has been said that nothing was removed.
        if (killing === undefined) throw error;
        return killing;
      });
      member.ended();
    } finally {
      this.#forced.signal.removeEventListener('abort', killNow);
      // By its name it would end what the next Ringmaster starts, when this one has closed.
      await killing?.catch(() => {});
    }
  }

  get #members(): Map<string, Member> {
    return this.#crew.members;
  }

  #step(members: readonly Member[], event: ReplicaEvent, why: string): void {
    this.#crew.step(members, event, why);
  }

  async #lookNowAndThen(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_INTERVAL_MS, signal);
      if (!signal.aborted) await this.#look();
    }
  }

  /** Compares the members with the engine's list; calls that come while one is under way share the next. */
  #look(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    this.#lookAgain = true;
    this.#looking ??= this.#lookWhileAsked();
    return this.#looking;
  }

  async #lookWhileAsked(): Promise<void> {
    try {
      while (this.#lookAgain) {
        this.#lookAgain = false;
        await this.#lookOnce();
      }
    } catch (error) {
      // A bug; but without looks nothing would ever be healed again.
      this.#options.log.error({ err: error }, 'unexpected error in a look at the engine');
    } finally {
      this.#looking = undefined;
    }
  }

  async #lookOnce(): Promise<void> {
    const { runtime } = this.#options;
    const expected = [...this.#members.values(), ...this.#joining.values()];
    const held = new Map(expected.map((member) => [member, member.instance]));
    this.#knownSinceLook = new Set(expected.map((member) => member.name));
    let found: Map<string, Instance>;
    try {
      found = new Map((await runtime.list()).map((one) => [one.id, one]));
    } catch (error) {
      this.#engine.failed(error);
      return;
    }
    this.#engine.answered();
    for (const [member, instance] of held) {
      // The list is older than an instance that was started while it was read, and tells nothing of it.
      if (instance === undefined || member.instance !== instance) continue;
      const now = found.get(instance.id);
      if (now !== undefined && hasMoved(instance, now))
        this.#lost(member, 'its address is not its own any more');
      else this.#judge(member, now?.state ?? 'ended');
    }
    this.#sweepStrays([...found.values()]);
    // What marks those have that are leaving is no news.
    const leaves = [...this.#members.values()].some((member) => member.state === 'draining');
    if (!leaves) this.#marks.settle([...found.values()]).catch(() => {});
  }

  /** Removes what is no member's, nor was since the list was asked for. */
  #sweepStrays(found: readonly Instance[]): void {
    const known = (name: string): boolean =>
      this.#knownSinceLook.has(name) ||
      this.#members.has(name) ||
      this.#joining.has(name) ||
      this.#sweeping.has(name);
    const strays = found.filter(({ name }) => !known(name));
    if (strays.length === 0) return;
    // Beside the looks, not in them: one that takes long to remove must not put off healing.
    const marked = this.#disown(strays);
    for (const name of new Set(strays.map((one) => one.name)))
      this.#sweeping.set(name, this.#sweep(name, marked));
  }

  /**
   * Has the engine say that these are no members. As joining, where each of their add has to be; what came with one who
   * is a member would be taken in for that, and is marked as leaving.
   */
  async #disown(strays: readonly Instance[]): Promise<void> {
    const { runtime } = this.#options;
    const joins = new Set([...this.#members.values()].map(({ spec }) => spec.join));
    const unmarked = strays.filter(({ leaving }) => leaving === undefined);
    const others = unmarked.filter(({ join, committed }) => committed && !joins.has(join));
    const akin = unmarked.filter(({ join }) => joins.has(join));
    // One after the other: when one fails none may be on its way, for others may then have the names.
    await runtime.mark(namesOf(others), 'joining');
    await runtime.mark(namesOf(akin), 'leaving');
  }

  /** `marked`: what an add that failed has left is a member's no more, whichever of it is removed first. */
  async #sweep(name: string, marked: Promise<unknown>): Promise<void> {
    const { runtime, log } = this.#options;
    log.warn({ replica: name }, 'removing an instance of ours that is no member');
    // Where it fails, a later look finds it again.
    await marked.then(() => runtime.stop(name, 0)).catch(() => {});
    this.#sweeping.delete(name);
  }

  #judge(member: Member, state: Instance['state']): void {
    if (state === 'ended') {
      this.#lost(member, 'its instance ended');
    } else if (state === 'paused' && member.state === 'ready') {
      this.#supervisor.eject(member, 'paused');
      member.missed = this.#options.config.heartbeatFailures;
    }
  }

  #lost(member: Member, why: string): void {
    if (member.state === 'ready' || member.state === 'ejected') this.#supervisor.died(member, why);
    // Who starts or stops it has to know; what follows is theirs to say.
    else member.ended();
  }

  #refusal(error: unknown, consequence: string): FleetError {
    return refusal(error, consequence, this.#closing.signal.aborted);
  }
}

function specOf({ name, order, weight, join, committed }: InstanceSpec): InstanceSpec {
  return { name, order, weight, join, committed };
}
