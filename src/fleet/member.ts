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
  instance: Instance | undefined;
  /** The id of an instance that the engine says has ended. */
  endedId: string | undefined;
  readonly leases = new Set<Lease>();
  /** Heartbeats missed in a row. */
  missed = 0;
  /** Deaths since it was last stable. */
  deaths = 0;
  restarts = 0;
  readySinceMs = 0;
  supervision = new AbortController();
  supervised: Promise<void> = Promise.resolve();
  #nap = new AbortController();
  #idle: (() => void) | undefined;

  constructor(readonly spec: InstanceSpec) {}

  get name(): string {
    return this.spec.name;
  }

  /** Ends the supervisor's pause, so that it looks at the member now. */
  nudge(): void {
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
