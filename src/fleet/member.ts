import type { Address, Instance, InstanceSpec } from '../runtime/runtime.ts';
import { Leases } from './leases.ts';
import { Load } from './load.ts';
import { FailureRun } from './outlier.ts';
import type { ReplicaState } from './state.ts';

/** One request's hold on a replica. A leaving replica is stopped only when its last lease is released, or at the deadline. */
export interface Lease {
  readonly replica: string;
  readonly address: Address;
  /** Where its holder keeps it; nobody else's to read or write. */
  place: number | undefined;
  /** Called at most once, when the replica is found dead or silent: a request without a reply yet should go elsewhere. */
  onLost: (() => void) | undefined;
  /** Called at most once, when the replica begins to leave: what has no end of its own should be brought to one. */
  onLeaving: (() => void) | undefined;
  /** Called at most once, when the time to drain is over: the request is to be cut. */
  onCut: (() => void) | undefined;
  /** Ends the hold; safe to call again. */
  release(): void;
  /** Reports that nothing accepts connections there: the replica leaves the ring now, not at its next heartbeat. */
  unreachable(): void;
  /** Reports that a request failed, by whose fault ever: the replica is looked at now. */
  suspect(): void;
  /** Reports that a request failed by the replica's fault: it is looked at now, and too many in a row take it off the ring. */
  failed(): void;
  /** Reports that a request was answered as it should be. */
  answered(): void;
  /** Reports that there are too many requests that failed, or that wait in vain: it leaves the ring, unless too many others have. */
  failing(): void;
}

/**
 * Picks the replica of a request with that key, none of `except`, and counts the request as in flight there. The claim
 * without any in `except` is the request's first, by which it is counted; `own` is false where the key was drawn for it.
 */
export type Claim = (key: string, except?: ReadonlySet<string>, own?: boolean) => Lease | undefined;

/** What a lease can tell of its replica; see Lease. */
export interface LeaseReports {
  unreachable(member: Member, address: Address): void;
  failing(member: Member, address: Address): void;
}

/** A lease on a member, and on the instance that it had then. */
export class MemberLease implements Lease {
  place: number | undefined = undefined;
  onLost: (() => void) | undefined = undefined;
  onLeaving: (() => void) | undefined = undefined;
  onCut: (() => void) | undefined = undefined;
  readonly #failures: FailureRun;

  constructor(
    readonly member: Member,
    readonly address: Address,
    readonly reports: LeaseReports,
  ) {
    // Not the member's at the time of a report: that may be the next instance's, which is not to blame.
    this.#failures = member.failures;
  }

  get replica(): string {
    return this.member.name;
  }

  release(): void {
    this.member.drop(this);
  }

  unreachable(): void {
    this.reports.unreachable(this.member, this.address);
  }

  suspect(): void {
    this.member.nudge();
  }

  failed(): void {
    this.suspect();
    if (this.#failures.failed()) this.failing();
  }

  answered(): void {
    this.#failures.answered();
  }

  failing(): void {
    this.reports.failing(this.member, this.address);
  }
}

/** One lease for all requests that another process has in flight at a replica: a drain waits for them as for any. */
export class StandingLease extends MemberLease {
  #requests = 0;

  /** How many they are, by what that process told last. */
  get requests(): number {
    return this.#requests;
  }

  set requests(requests: number) {
    if (this.place !== undefined) this.member.elsewhere += requests - this.#requests;
    this.#requests = requests;
  }
}

/** What the fleet knows of one replica. Only Fleet, Crew and Supervisor write it. */
export class Member {
  #state: ReplicaState = 'starting';
  /** When it came into that state, by the fleet's clock, and why. */
  sinceMs = 0;
  why = '';
  /** Whether it has never been on the ring. */
  isNew = true;
  /** Whether it has another instance than when it was on the ring last. */
  isRenewed = false;
  /** Whether the instance that it gets next is none that has to warm up: it was there before us, or is among the first. */
  startsWarm = false;
  /** Whether its instance has never been on the ring: it knows no key yet. */
  isCold = true;
  /** Whether its share grows until it is warm. */
  grows = false;
  /** From when on its instance is warm, by the fleet's clock. */
  warmAtMs = Number.NEGATIVE_INFINITY;
  /** When the heartbeat was sent that is under way, or that it did not answer first of those that it owes. */
  askedAtMs: number | undefined;
  readonly leases = new Leases();
  /** Requests in flight that this process sent: all that a bound is about, since what others told last is old by now. */
  readonly load = new Load();
  /** Those of other processes, by what they told last. */
  elsewhere = 0;
  /** Heartbeats missed in a row. */
  missed = 0;
  /** Deaths since it was last stable. */
  deaths = 0;
  restarts = 0;
  readySinceMs = 0;
  /** Not before then is it started again when it waits for that. */
  restartAtMs = 0;
  /** How often it was ejected since requests failed, since it was last stable. */
  rests = 0;
  /** Until then it is off the ring though it answers heartbeats. */
  restsUntilMs = 0;
  /** Whether it is back from a rest, and the next request that fails ejects it again. */
  onTrial = false;
  failures = new FailureRun(false);
  /** Whether it would be off the ring, were there enough others. */
  spared = false;
  /** Whether it is to be looked at before its next heartbeat is due. */
  nudged = false;
  /** The instance that it had last, and has no more. */
  lostId: string | undefined;
  supervision = new AbortController();
  supervised: Promise<void> = Promise.resolve();
  #instance: Instance | undefined;
  #run = new AbortController();
  #nap = new AbortController();
  #idle: (() => void) | undefined;

  /** `spec` is what its next instance is started from. */
  constructor(public spec: InstanceSpec) {}

  get name(): string {
    return this.spec.name;
  }

  /** As it was set, 1 to WEIGHT_MAX. */
  get weight(): number {
    return this.spec.weight ?? 1;
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** It comes into a state, by a step of the table or because it is found there. */
  moved(to: ReplicaState, nowMs: number, why: string): void {
    this.#state = to;
    this.sinceMs = nowMs;
    this.why = why;
    if (to === 'ready') this.isNew = this.isRenewed = this.isCold = false;
  }

  /** The instance that is looked after; undefined when there is none, or none that lives. */
  get instance(): Instance | undefined {
    return this.#instance;
  }

  /** Aborts when the instance is found to be no more: what waits for it to answer waits in vain. */
  get run(): AbortSignal {
    return this.#run.signal;
  }

  /** A new instance takes the place of the one before. */
  began(instance: Instance): void {
    this.#run = new AbortController();
    this.#instance = instance;
    this.isRenewed = !this.isNew;
    this.isCold = !this.startsWarm;
    this.startsWarm = this.grows = false;
    this.warmAtMs = Number.NEGATIVE_INFINITY;
    this.askedAtMs = undefined;
    this.missed = 0;
    this.rests = 0;
    this.restsUntilMs = 0;
    this.begins(false);
  }

  /** Requests are counted from here on, strictly where it is `onTrial`. */
  begins(onTrial: boolean): void {
    this.onTrial = onTrial;
    this.spared = false;
    this.failures = new FailureRun(onTrial);
  }

  ended(): void {
    this.lostId = this.#instance?.id ?? this.lostId;
    this.#instance = undefined;
    this.askedAtMs = undefined;
    this.#run.abort();
    this.nudge();
  }

  /** Asks the supervisor to look at the member soon. */
  nudge(): void {
    this.nudged = true;
    this.#nap.abort();
  }

  /** A signal for the next pause, which `nudge` aborts. */
  napSignal(): AbortSignal {
    this.#nap = new AbortController();
    return this.#nap.signal;
  }

  /** Tells every request that waits for a reply from this replica to look elsewhere. */
  lose(): void {
    this.leases.tell('onLost');
  }

  /** Tells every request that the replica leaves. */
  leave(): void {
    this.leases.tell('onLeaving');
  }

  /** Tells every request that it has no more time. */
  cut(): void {
    this.leases.tell('onCut');
  }

  get inFlight(): number {
    return this.load.inFlight + this.elsewhere;
  }

  hold(lease: Lease): void {
    this.leases.add(lease);
    this.#count(lease, 1);
  }

  drop(lease: Lease): void {
    if (!this.leases.delete(lease)) return;
    this.#count(lease, -1);
    if (this.leases.size === 0) this.#idle?.();
  }

  #count(lease: Lease, sign: 1 | -1): void {
    if (lease instanceof StandingLease) this.elsewhere += sign * lease.requests;
    else this.load.add(sign);
  }

  /** Resolves when no lease is held. */
  idle(): Promise<void> {
    if (this.leases.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}

/** Whether what runs is not where it was, as after a cut of its network: another may answer there, in its name. */
export function hasMoved({ address: before }: Instance, { address, state }: Instance): boolean {
  return state !== 'ended' && (address?.host !== before?.host || address?.port !== before?.port);
}
