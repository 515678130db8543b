import type { Balance } from '../../config.ts';
import { Chooser, PLAIN_BALANCE, type ChoiceReport } from '../../fleet/chooser.ts';
import { systemClock, type Clock } from '../../fleet/clock.ts';
import { descriptorsSpent } from '../../fleet/descriptors.ts';
import { Explainer, type Explanation, type Known } from '../../fleet/explain.ts';
import { Leases, type News } from '../../fleet/leases.ts';
import { Load } from '../../fleet/load.ts';
import type { Lease } from '../../fleet/member.ts';
import { FailureRun } from '../../fleet/outlier.ts';
import type { Address } from '../../runtime/runtime.ts';
import type { Failure, StayReport } from './messages.ts';
import type { RingCopy, Stay } from './ring-copy.ts';

/**
 * The fleet as a worker sees it: claims are made by a copy of the ring, with no word to the process that owns it. The
 * owner holds one lease for all that are claimed here of one stay, and is told when that is due back.
 */
export class FleetMirror {
  readonly #report: (report: StayReport) => void;
  /** All that are on the ring, and those that have left it with requests in flight. */
  readonly #stays = new Map<string, MirroredStay>();
  #onRing = new Map<string, MirroredStay>();
  readonly #chooser: Chooser;
  readonly #explainer: Explainer;
  /** All members by name, and what is hashed in the place of their names; see Site. */
  #members = new Map<string, Known>();
  #labels = new Map<string, string | undefined>();
  #version = 0;

  constructor(
    report: (report: StayReport) => void,
    balance: Balance = PLAIN_BALANCE,
    clock: Pick<Clock, 'now'> = systemClock,
    owners: 'ready' | 'members' = 'ready',
  ) {
    this.#report = report;
    this.#chooser = new Chooser({
      balance,
      loadOf: (name) => (this.#onRing.get(name) as MirroredStay).load,
      now: () => clock.now(),
    });
    this.#explainer = new Explainer({
      hash: balance.hash,
      members: () => this.#members.values(),
      member: (name) => this.#members.get(name),
      labelOf: (name) => this.#labels.get(name),
      ring: () => this.#chooser.placement,
      owners,
      trace: (key, except) => this.#chooser.trace(key, except),
    });
  }

  /** As Fleet.claim: bounds and hot keys are by what is claimed here alone. */
  claim(key: string, except?: ReadonlySet<string>, own = true): Lease | undefined {
    const name = this.#chooser.choose(key, except);
    if (name === undefined) return undefined;
    if (except === undefined || except.size === 0) this.#chooser.count(key, name, own);
    return (this.#onRing.get(name) as MirroredStay).claim();
  }

  /**
   * As Fleet.explain, by what a worker knows: states of those off the ring are of when it was swapped last, and what is in
   * flight is what was claimed here.
   */
  explain(key: string, except?: ReadonlySet<string>): Explanation {
    return this.#explainer.explain(key, except);
  }

  /** What was chosen since this was last asked. */
  choices(): ChoiceReport {
    return this.#chooser.report();
  }

  /** Puts a later copy of the ring in force. */
  show({ version, stays, off }: RingCopy): void {
    const before = this.#onRing;
    this.#onRing = new Map(stays.map((stay) => [stay.name, this.#stays.get(stay.id) ?? this.#begin(stay)]));
    this.#chooser.show(stays);
    for (const stay of before.values()) if (this.#onRing.get(stay.name) !== stay) stay.over();
    const known = (stay: Stay): Known => new ReadyHere(stay, this.#onRing.get(stay.name) as MirroredStay);
    this.#members = new Map(
      [...stays.map(known), ...off.map((one): Known => ({ ...one, inFlight: 0 }))].map((one) => [
        one.name,
        one,
      ]),
    );
    this.#labels = new Map([...stays, ...off].map(({ name, label }) => [name, label]));
    this.#version = version;
    this.tellVersion();
  }

  /** Reports which copy is in force. */
  tellVersion(): void {
    this.#report({ type: 'shows', version: this.#version });
  }

  /** Passes news of a replica on to every request that it has in flight. */
  tell(id: string, news: News): void {
    this.#stays.get(id)?.tell(news);
  }

  /** To be called now and then: reports what was not worth a report of its own. */
  flush(): void {
    const requests: (readonly [string, number])[] = [];
    for (const stay of this.#stays.values()) {
      stay.reportAgain();
      const changed = stay.inFlightIfChanged();
      if (changed !== undefined) requests.push([stay.id, changed]);
    }
    if (requests.length > 0) this.#report({ type: 'inFlight', requests });
  }

  #begin(stay: Stay): MirroredStay {
    const begun = new MirroredStay(stay, {
      failed: (failure) => this.#report({ type: 'failed', stay: stay.id, failure }),
      released: () => {
        this.#stays.delete(stay.id);
        this.#report({ type: 'released', stay: stay.id });
      },
    });
    this.#stays.set(stay.id, begun);
    return begun;
  }
}

/** One that is on the ring, as explanations need it. */
class ReadyHere implements Known {
  readonly name: string;
  readonly state = 'ready';
  readonly weight: number;
  readonly why = '';
  readonly #stay: MirroredStay;

  constructor({ name, fullWeight }: Stay, stay: MirroredStay) {
    this.name = name;
    this.weight = fullWeight;
    this.#stay = stay;
  }

  get inFlight(): number {
    return this.#stay.load.inFlight;
  }
}

interface StayEvents {
  failed(failure: Failure): void;
  /** It is over, and its last lease has been released. */
  released(): void;
}

/** One stay of a replica on the ring, and the leases that were claimed in it. */
class MirroredStay {
  readonly id: string;
  readonly name: string;
  readonly address: Address;
  readonly #events: StayEvents;
  /** Requests in flight. */
  readonly load = new Load();
  readonly #leases = new Leases();
  readonly #failures: FailureRun;
  /** Requests in flight, as it was reported last. */
  #reported = 0;
  /** Failures that were reported since the last flush, and those that came again since: thousands a second may. */
  #failed = new Set<Failure>();
  #failedAgain = new Set<Failure>();
  #over = false;

  constructor({ id, name, address, onTrial }: Stay, events: StayEvents) {
    this.id = id;
    this.name = name;
    this.address = address;
    this.#failures = new FailureRun(onTrial);
    this.#events = events;
  }

  claim(): Lease {
    const lease = new MirrorLease(this);
    this.#leases.add(lease);
    this.load.add(1);
    return lease;
  }

  drop(lease: Lease): void {
    if (!this.#leases.delete(lease)) return;
    this.load.add(-1);
    this.#releaseIfDone();
  }

  over(): void {
    this.#over = true;
    this.#releaseIfDone();
  }

  tell(news: News): void {
    this.#leases.tell(news);
  }

  requestFailed(): void {
    this.fail('suspect');
    if (this.#failures.failed()) this.fail('failing');
  }

  requestAnswered(): void {
    this.#failures.answered();
  }

  /** The first of its kind is reported at once, those that follow it soon with the next flush. */
  fail(failure: Failure): void {
    if (this.#failed.has(failure)) {
      this.#failedAgain.add(failure);
      return;
    }
    this.#failed.add(failure);
    this.#events.failed(failure);
  }

  reportAgain(): void {
    if (this.#failed.size === 0) return;
    this.#failed = this.#failedAgain;
    this.#failedAgain = new Set();
    for (const failure of this.#failed) this.#events.failed(failure);
  }

  inFlightIfChanged(): number | undefined {
    if (this.#reported === this.#leases.size) return undefined;
    this.#reported = this.#leases.size;
    return this.#reported;
  }

  #releaseIfDone(): void {
    if (this.#over && this.#leases.size === 0) this.#events.released();
  }
}

class MirrorLease implements Lease {
  place: number | undefined = undefined;
  onLost: (() => void) | undefined = undefined;
  onLeaving: (() => void) | undefined = undefined;
  onCut: (() => void) | undefined = undefined;
  readonly #stay: MirroredStay;

  constructor(stay: MirroredStay) {
    this.#stay = stay;
  }

  get replica(): string {
    return this.#stay.name;
  }

  get address(): Address {
    return this.#stay.address;
  }

  release(): void {
    this.#stay.drop(this);
  }

  unreachable(): void {
    // The owner of the ring can't know of our descriptors.
    if (!descriptorsSpent()) this.#stay.fail('unreachable');
  }

  suspect(): void {
    this.#stay.fail('suspect');
  }

  failed(): void {
    this.#stay.requestFailed();
  }

  answered(): void {
    this.#stay.requestAnswered();
  }

  failing(): void {
    this.#stay.fail('failing');
  }
}
