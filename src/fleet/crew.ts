import type { Balance } from '../config.ts';
import type { Placement } from '../ring/placement.ts';
import type { Address, Instance } from '../runtime/runtime.ts';
import type { Log } from '../log.ts';
import { Chooser, type Choices, type Trace } from './chooser.ts';
import type { Clock } from './clock.ts';
import { descriptorsSpent } from './descriptors.ts';
import { happening, type Journal } from './journal.ts';
import { MemberLease, StandingLease, type Lease, type LeaseReports, type Member } from './member.ts';
import type { Weighted } from './membership.ts';
import { mayEject } from './outlier.ts';
import {
  nextStepMs,
  SLOW_START_LARGE_STEPS_MAX,
  SLOW_START_STEPS_MAX,
  slowStartWeight,
} from './slow-start.ts';
import { nextState, type ReplicaEvent, type ReplicaState } from './state.ts';
import { tellingOf } from './telling.ts';

/** Up to so many members the ring is swapped with each change; to build a larger one takes longer than to wait for more. */
export const SWAP_AT_ONCE_MEMBERS_MAX = 256;
/** How long changes of health are gathered for one swap of a larger ring, at least, in ms. */
export const SWAP_GAP_MS = 100;
/** And as a multiple of what the swap before took: nothing else goes on while a ring is built. */
const SWAP_GAP_FACTOR = 4;

/** How long requests have to let go of a replica that has no more time for them, in ms. */
const GO_ELSEWHERE_MS = 100;

export interface ReplicaView {
  readonly name: string;
  readonly state: ReplicaState;
  readonly address: Address | undefined;
  /** As it was set, 1 to WEIGHT_MAX. */
  readonly weight: number;
  /** Of that, what the map has by which requests are sent: less while it starts slowly, and 0 off the ring. */
  readonly effectiveWeight: number;
  readonly inFlight: number;
  readonly restarts: number;
  /** When it came into its state, by the fleet's clock, and why. */
  readonly sinceMs: number;
  readonly why: string;
  /** When its instance was started, in Unix ms; undefined where it has none, or nobody knows. */
  readonly startedAtMs: number | undefined;
  /** Heartbeats missed in a row. */
  readonly missed: number;
  /** When the heartbeat was sent that it has not answered yet, by the fleet's clock; undefined: it owes none. */
  readonly askedAtMs: number | undefined;
}

/** A replica on the ring, and where it is. */
export interface ReadyReplica {
  readonly name: string;
  readonly address: Address;
  /** Whether it is just back after requests failed, and the next that fails ejects it again. */
  readonly onTrial: boolean;
  /** As the map has it, and so a part of `fullWeight` while it starts slowly; see Site. */
  readonly weight: number;
  /** As it was set. */
  readonly fullWeight: number;
  readonly label?: string | undefined;
}

/** A member that is not on the ring. */
export interface OffReplica {
  readonly name: string;
  readonly state: ReplicaState;
  readonly why: string;
  /** As it was set. */
  readonly weight: number;
  readonly label?: string | undefined;
}

/** One that has claims made elsewhere, by a copy of the ring. */
export interface Follower {
  /**
   * Called with no await between whenever the ring is swapped, or one that is not on it leaves; `ready` is who is on it now,
   * `off` which members are not, with their state of this moment.
   */
  swapped(ready: readonly ReadyReplica[], off: readonly OffReplica[]): void;
  /** Resolves once no claim is made by a ring that is older than the present one. Never rejects. */
  inForce(): Promise<void>;
}

export interface CrewOptions {
  readonly balance: Balance;
  /** How long the share of a replica grows that comes with a cold instance, in ms; 0: it has all of it at once. */
  readonly slowStartMs: number;
  readonly clock: Clock;
  /** What is hashed in the place of a name; see Site. */
  readonly labelOf: (name: string) => string | undefined;
  readonly log: Log;
  readonly journal: Journal;
  /** Takes a ready member off the ring until it answers a heartbeat again. */
  readonly eject: (member: Member, why: string) => void;
  /** Takes a ready member off the ring for a while. */
  readonly rest: (member: Member) => void;
  /** Asks for a look at the engine's list. */
  readonly look: () => void;
}

/**
 * The members, and the ring of those that are ready: the only writer of it. Requests claim a member here, and what they
 * tell of it comes here.
 */
export class Crew {
  /** In joining order. A leaving member stays until its instance is gone, so that a leave that fails has changed nothing. */
  readonly members = new Map<string, Member>();
  readonly #options: CrewOptions;
  readonly #followers = new Set<Follower>();
  readonly #reports: LeaseReports = {
    unreachable: (member, address) => {
      if (member.state !== 'ready' || member.instance?.address !== address || descriptorsSpent()) return;
      this.#options.eject(member, 'connection refused');
      member.nudge();
      this.#options.look();
    },
    failing: (member, address) => {
      if (member.state !== 'ready' || member.instance?.address !== address) return;
      const staying = [...this.members.values()].filter((one) => one.state !== 'draining');
      const offRing = staying.filter((one) => one.state !== 'ready').length;
      if (mayEject({ members: staying.length, offRing })) return this.#options.rest(member);
      if (!member.spared)
        this.#options.log.warn(
          { replica: member.name, members: staying.length, offRing },
          'requests fail, but the replica stays on the ring: no more than half of them may be off it',
        );
      member.spared = true;
    },
  };
  readonly #chooser: Chooser;
  /** How long it took to build, in ms. */
  #buildMs = 0;
  /** Set while a swap waits for more changes. */
  #swapDue: AbortController | undefined;
  /** Weights of the ring in force, by name. */
  #shown: ReadonlyMap<string, number> = new Map();
  /** Set while the next step of those that grow is waited for. */
  #growing: AbortController | undefined;
  #closed = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#chooser = new Chooser({
      balance: options.balance,
      // Only of those on the ring, who are members.
      loadOf: (name) => (this.members.get(name) as Member).load,
      now: () => options.clock.now(),
    });
  }

  /** Names of the members, in joining order. */
  names(): string[] {
    return [...this.members.keys()];
  }

  /** The placement in force; immutable, so what is read from one ring belongs together. */
  get ring(): Placement {
    return this.#chooser.placement;
  }

  replicas(): ReplicaView[] {
    return viewsOf(this.members.values(), this.#shown);
  }

  /** What is known of whom requests went to. */
  get choices(): Choices {
    return this.#chooser;
  }

  /** See Fleet.claim. */
  claim(key: string, except?: ReadonlySet<string>, own = true): Lease | undefined {
    let name = this.#chooser.choose(key, except);
    if (this.#isOff(name)) name = this.#chooser.choose(key, this.#unready(except));
    const member = name === undefined ? undefined : this.members.get(name);
    if (name === undefined || member === undefined) return undefined;
    if (except === undefined || except.size === 0) this.#chooser.count(key, name, own);
    const { address } = member.instance as Instance;
    const lease = new MemberLease(member, address as Address, this.#reports);
    member.hold(lease);
    return lease;
  }

  /** What a claim would come to, and why. */
  trace(key: string, except?: ReadonlySet<string>): Trace {
    const trace = this.#chooser.trace(key, except);
    return this.#isOff(trace.chosen) ? this.#chooser.trace(key, this.#unready(except)) : trace;
  }

  /** See Fleet.hold. */
  hold(name: string): StandingLease {
    const member = this.members.get(name);
    if (member?.state !== 'ready') throw new Error(`${name} is not on the ring`);
    const { address } = member.instance as Instance;
    const lease = new StandingLease(member, address as Address, this.#reports);
    member.hold(lease);
    return lease;
  }

  /** See Fleet.follow. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    // Of one that grows the weight has changed since: all are to have the same.
    if (this.#growing !== undefined) this.#swapNow();
    else follower.swapped(this.#ready(this.#options.clock.now()), this.#off());
    return () => this.#followers.delete(follower);
  }

  /** Resolves once the ring of this moment is in force everywhere. */
  async inForce(): Promise<void> {
    this.swap();
    await Promise.all([...this.#followers].map((follower) => follower.inForce()));
  }

  step(members: readonly Member[], event: ReplicaEvent, why: string): void {
    // Before any of them moves: a step that the table does not list moves none, and the ring stays true.
    const moves = members.map((member) => ({
      member,
      before: member.state,
      after: nextState(member.state, event),
    }));
    let swap = false;
    const { clock, journal } = this.#options;
    const nowMs = clock.now();
    for (const { member, after } of moves) if (after === 'ready') this.#warmUp(member, nowMs);
    for (const { member, before, after } of moves) {
      journal.record(member.name, happening(event, before, member), why);
      member.moved(after, nowMs, why);
      swap ||= (before === 'ready') !== (after === 'ready');
      const fields = { replica: member.name, from: before, to: after, why };
      const { level, message } = tellingOf(event, before);
      this.#options.log[level](fields, message);
    }
    if (swap) return this.#changed();
    // Who follows would have one that was not on the ring for a member still.
    if (event === 'removed' && this.#swapDue === undefined) this.#tellFollowers(nowMs);
  }

  /** Gives members other weights; gives whether any differs from what it was. */
  weigh(weights: Iterable<Weighted>): boolean {
    const { journal, log } = this.#options;
    let differs = false;
    for (const { name, weight } of weights) {
      const member = this.members.get(name);
      if (member === undefined || member.weight === weight) continue;
      const fields = { replica: name, from: member.weight, to: weight };
      member.spec = { ...member.spec, weight };
      journal.record(name, 'weighed', `weight ${fields.from} → ${weight}`);
      log.info(fields, 'replica has another weight');
      differs = true;
    }
    if (differs) this.#changed();
    return differs;
  }

  /** From here on nothing grows any more: there is nothing left that would wake for it. */
  close(): void {
    this.#closed = true;
    this.#growing?.abort();
    this.#growing = undefined;
  }

  /** Swaps the ring now, where a swap is due. */
  swap(): void {
    if (this.#swapDue !== undefined) this.#swapNow();
  }

  /** Waits until the member has no request in flight, and cuts what it has at `untilMs` or when `forced` says so. */
  async drain(member: Member, untilMs: number, forced: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    await this.#idle(member, Math.max(0, untilMs - clock.now()), forced);
    if (member.leases.size === 0) return;
    log.warn({ replica: member.name, inFlight: member.inFlight }, 'drain timeout: requests are cut');
    member.cut();
  }

  /** As `drain`, but before that what may go elsewhere does: of one that nobody hears any more no reply is to be expected. */
  async drainElsewhere(member: Member, untilMs: number, forced: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await this.#idle(member, Math.max(0, untilMs - GO_ELSEWHERE_MS - clock.now()), forced);
    if (this.ring.names.length > 0) member.lose();
    await this.drain(member, untilMs, forced);
  }

  async #idle(member: Member, forMs: number, forced: AbortSignal): Promise<void> {
    const idle = new AbortController();
    const waiting = AbortSignal.any([idle.signal, forced]);
    await Promise.race([member.idle(), this.#options.clock.sleep(forMs, waiting)]);
    idle.abort();
  }

  /**
   * One that comes onto the ring with a cold instance grows, if there is somebody warm who has its keys meanwhile: where all
   * are cold, as after an engine's restart, whoever came first would have to do the work of all.
   */
  #warmUp(member: Member, nowMs: number): void {
    const { slowStartMs } = this.#options;
    if (slowStartMs === 0 || !member.isCold) return;
    member.warmAtMs = nowMs + slowStartMs;
    member.grows = [...this.members.values()].some(
      ({ state, warmAtMs }) => state === 'ready' && warmAtMs <= nowMs,
    );
  }

  #changed(): void {
    if (this.members.size <= SWAP_AT_ONCE_MEMBERS_MAX) this.#swapNow();
    else this.#swapSoon();
  }

  #swapNow(): void {
    this.#swapDue?.abort();
    this.#swapDue = undefined;
    const { clock } = this.#options;
    const beganMs = clock.now();
    const ready = this.#ready(beganMs);
    this.#chooser.show(ready);
    this.#buildMs = clock.now() - beganMs;
    this.#shown = new Map(ready.map(({ name, weight }) => [name, weight]));
    const off = this.#off();
    for (const follower of this.#followers) follower.swapped(ready, off);
    this.#growOn(beganMs);
  }

  /** Has the ring swapped again for as long as somebody on it grows. */
  #growOn(nowMs: number): void {
    let leftMs = Number.POSITIVE_INFINITY;
    for (const { state, grows, warmAtMs } of this.members.values())
      if (state === 'ready' && grows && warmAtMs > nowMs) leftMs = Math.min(leftMs, warmAtMs - nowMs);
    if (leftMs === Number.POSITIVE_INFINITY) {
      this.#growing?.abort();
      this.#growing = undefined;
      return;
    }
    if (this.#growing !== undefined || this.#closed) return;
    const growing = new AbortController();
    this.#growing = growing;
    const { clock, slowStartMs } = this.#options;
    const isLarge = this.members.size > SWAP_AT_ONCE_MEMBERS_MAX;
    const gapMs = isLarge ? this.#swapGapMs() : 0;
    const stepsMax = isLarge ? SLOW_START_LARGE_STEPS_MAX : SLOW_START_STEPS_MAX;
    void clock.sleep(nextStepMs({ slowStartMs, leftMs, stepsMax, gapMs }), growing.signal).then(() => {
      if (this.#growing !== growing) return;
      this.#growing = undefined;
      this.#swapNow();
    });
  }

  #swapGapMs(): number {
    return Math.max(SWAP_GAP_MS, SWAP_GAP_FACTOR * this.#buildMs);
  }

  #tellFollowers(nowMs: number): void {
    // Of one that grows the weight has changed since: all are to have the same.
    if (this.#growing !== undefined) return this.#swapNow();
    const [ready, off] = [this.#ready(nowMs), this.#off()];
    for (const follower of this.#followers) follower.swapped(ready, off);
  }

  #swapSoon(): void {
    if (this.#swapDue !== undefined) return;
    const due = new AbortController();
    this.#swapDue = due;
    void this.#options.clock.sleep(this.#swapGapMs(), due.signal).then(() => {
      if (this.#swapDue === due) this.#swapNow();
    });
  }

  /** Whether it is on the ring, but not ready: only while a swap is due. */
  #isOff(name: string | undefined): boolean {
    return name !== undefined && this.members.get(name)?.state !== 'ready';
  }

  /** Those of `except`, and those on the ring that are not to be asked. */
  #unready(except: ReadonlySet<string> | undefined): ReadonlySet<string> {
    const unready = this.ring.names.filter((name) => this.members.get(name)?.state !== 'ready');
    return new Set([...(except ?? []), ...unready]);
  }

  #off(): OffReplica[] {
    return [...this.members.values()]
      .filter((member) => member.state !== 'ready')
      .map(({ name, state, why, weight }) => ({
        name,
        state,
        why,
        weight,
        label: this.#options.labelOf(name),
      }));
  }

  #ready(nowMs: number): ReadyReplica[] {
    return [...this.members.values()]
      .filter((member) => member.state === 'ready')
      .map((member) => ({
        name: member.name,
        address: member.instance?.address as Address,
        onTrial: member.onTrial,
        weight: this.#weightNow(member, nowMs),
        fullWeight: member.weight,
        label: this.#options.labelOf(member.name),
      }));
  }

  #weightNow({ weight, grows, warmAtMs }: Member, nowMs: number): number {
    if (!grows) return weight;
    const { slowStartMs } = this.#options;
    return slowStartWeight({ weight, sinceMs: warmAtMs - slowStartMs, nowMs, slowStartMs });
  }
}

const OFF_THE_RING: ReadonlyMap<string, number> = new Map();

/** `shown`: weights on the ring, by name; who is not there has none. */
export function viewsOf(members: Iterable<Member>, shown = OFF_THE_RING): ReplicaView[] {
  return [...members].map((member) => ({
    name: member.name,
    state: member.state,
    address: member.instance?.address,
    weight: member.weight,
    effectiveWeight: shown.get(member.name) ?? 0,
    inFlight: member.inFlight,
    restarts: member.restarts,
    sinceMs: member.sinceMs,
    why: member.why,
    startedAtMs: member.instance?.startedAtMs,
    missed: member.missed,
    askedAtMs: member.askedAtMs,
  }));
}
