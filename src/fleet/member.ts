import type { Address, Instance, InstanceSpec } from '../runtime/runtime.ts';
import type { ReplicaState } from './state.ts';

/** One request's hold on a replica. A leaving replica is stopped only when its last lease is released, or at the deadline. */
export interface Lease {
  readonly replica: string;
  readonly address: Address;
  /** Called at most once, when the replica is found dead or silent: a request without a reply yet should go elsewhere. */
  onLost: (() => void) | undefined;
  /** Ends the hold; safe to call again. */
  release(): void;
  /** Reports that nothing accepts connections there: the replica leaves the ring now, not at its next heartbeat. */
  unreachable(): void;
  /** Reports that a request failed in a way that may be its own fault: the replica is looked at now. */
  suspect(): void;
}

/** What the fleet knows of one replica. Only Fleet and Supervisor write it. */
export class Member {
  state: ReplicaState = 'starting';
  readonly leases = new Set<Lease>();
  /** Heartbeats missed in a row. */
  missed = 0;
  /** Deaths since it was last stable. */
  deaths = 0;
  restarts = 0;
  readySinceMs = 0;
  /** Not before then is it started again when it waits for that. */
  restartAtMs = 0;
  /** Whether it is to be looked at before its next heartbeat is due. */
  nudged = false;
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
    this.missed = 0;
  }

  ended(): void {
    this.#instance = undefined;
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
    for (const lease of this.leases) {
      const { onLost } = lease;
      lease.onLost = undefined;
      onLost?.();
    }
  }

  hold(lease: Lease): void {
    this.leases.add(lease);
  }

  drop(lease: Lease): void {
    if (this.leases.delete(lease) && this.leases.size === 0) this.#idle?.();
  }

  /** Resolves when no lease is held. */
  idle(): Promise<void> {
    if (this.leases.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
