import type { Lease } from '../../src/fleet/member.ts';
import type { Address } from '../../src/runtime/runtime.ts';
import type { Container } from '../fleet/fake-engine.ts';
import { healthAt } from '../fleet/fake-heartbeat.ts';
import type { Run } from './passive.ts';
import { Broken } from './rule.ts';
import type { Worker } from './workers.ts';
import { DRAIN_TIMEOUT_MS } from './limits.ts';
import type { World } from './world.ts';

/** What a leaving replica has of its drain timeout to end by itself, at most. */
const STOP_GRACE_PART = 1 / 4;
/** A request without a reply by then has failed. */
const REPLY_TIMEOUT_MS = 700;
const ATTEMPTS_MAX = 3;

/** A lease, and what its holder has been told. */
export interface Held {
  readonly lease: Lease;
  readonly replica: string;
  readonly address: Address;
  /** The worker that it was claimed at, and the stay there; undefined: the fleet itself. */
  readonly at: { readonly worker: Worker; readonly stay: string } | undefined;
  /** Failures in a row that it counts to; those at a worker are counted there. */
  readonly run: Run | undefined;
  lost: boolean;
  leavingAtMs: number | undefined;
  cut: boolean;
}

type Outcome = 'answered' | 'erring' | 'refused' | 'silent' | 'lost';

/** Those who send requests: their leases, here and in workers, and what becomes of each request. */
export class Clients {
  readonly held = new Set<Held>();
  /** Of replicas that have left meanwhile; to release them must do nothing any more. */
  readonly stale: Held[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Ringmaster has died, and every connection with it. */
  forget(): void {
    this.held.clear();
    this.stale.length = 0;
  }

  /** A lease of the key's owner, by the fleet or by a copy of its ring; breaks a rule where that may not be had. */
  claim(key: string, except: ReadonlySet<string> | undefined, worker: Worker | undefined): Held | undefined {
    const { fleet } = this.#world;
    const by = worker?.mirror ?? fleet;
    const told = by.explain(key, except).goesTo;
    const lease = by.claim(key, except);
    if (told !== lease?.replica)
      throw new Broken('claim', `${told} was to get it, and ${lease?.replica} does`);
    if (lease === undefined) return undefined;
    const { replica, address } = lease;
    if (except?.has(replica) === true) throw new Broken('claim', `${replica} was to be left out`);
    const stay = worker?.copy.stays.find((one) => one.name === replica);
    if (worker === undefined) this.#mustBeReady(replica, address);
    else if (stay?.address !== address) throw new Broken('claim', `a worker knows of no ${replica} there`);
    const held: Held = {
      lease,
      replica,
      address,
      at: worker === undefined || stay === undefined ? undefined : { worker, stay: stay.id },
      run: worker === undefined ? this.#world.passive.runOf(replica) : undefined,
      lost: false,
      leavingAtMs: undefined,
      cut: false,
    };
    lease.onLost = () => this.#lost(held);
    lease.onLeaving = () => this.#leaving(held);
    lease.onCut = () => this.#cut(held);
    this.held.add(held);
    return held;
  }

  /** The request failed, for all that its sender knows by the replica's fault. */
  fail(held: Held): void {
    const { passive } = this.#world;
    passive.heed(() => held.lease.failed());
    if (held.run !== undefined) passive.failed(held.replica, held.run);
  }

  answer({ lease, run }: Held): void {
    lease.answered();
    if (run !== undefined) this.#world.passive.answered(run);
  }

  release(held: Held): void {
    this.held.delete(held);
    held.lease.release();
  }

  /** One of those that are held; undefined where none is. */
  one(pick: number, atWorkers: boolean): Held | undefined {
    const found = [...this.held].filter((held) => (held.at !== undefined) === atWorkers);
    return found[pick % found.length];
  }

  /** A request, and where it fails another try elsewhere, as src/traffic does it. */
  send(key: string, worker: Worker | undefined): void {
    this.#send(key, worker).catch(this.#world.failed);
  }

  async #send(key: string, worker: Worker | undefined): Promise<void> {
    const { clock, life, latencyMs, note } = this.#world;
    const tried = new Set<string>();
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const held = this.claim(key, tried, worker);
      if (held === undefined) return;
      tried.add(held.replica);
      await clock.sleep(latencyMs());
      let outcome = this.#outcome(held);
      if (outcome === 'silent') {
        await clock.sleep(REPLY_TIMEOUT_MS);
        if (held.lost) outcome = 'lost';
      }
      // Who asked a Ringmaster or a worker that has died since gets no answer at all.
      if (life !== this.#world.life || worker?.alive === false) return;
      note(`${key} ${outcome} by ${held.replica}`);
      if (outcome === 'refused') held.lease.unreachable();
      else if (outcome === 'silent' || outcome === 'erring') this.fail(held);
      else if (outcome === 'answered') this.answer(held);
      this.release(held);
      if (outcome === 'answered') return;
    }
  }

  /** Whatever was held of a replica that has left is cut; its name is free for others. */
  left(names: readonly string[]): void {
    for (const held of this.held)
      if (held.at === undefined && !names.includes(held.replica)) {
        this.held.delete(held);
        this.stale.push(held);
      }
  }

  /** A worker has died, with all that it had in flight. */
  died(worker: Worker): void {
    for (const held of this.held) if (held.at?.worker === worker) this.held.delete(held);
  }

  /** The engine is about to end that container. */
  ending({ spec, address }: Container): void {
    for (const held of this.held) {
      if (held.address.port !== address?.port || held.lost || held.cut) continue;
      const told = held.at?.worker.told.get(held.at.stay);
      if (told?.includes('onLost') === true || told?.includes('onCut') === true) continue;
      this.#world.breaks('drain', `${spec.name} is stopped with a request in flight that nobody was told of`);
    }
  }

  #mustBeReady(replica: string, address: Address): void {
    const view = this.#world.fleet.replicas().find(({ name }) => name === replica);
    if (view?.state !== 'ready' || view.address !== address)
      throw new Broken('claim', `a lease of ${replica}, which is ${view?.state ?? 'no member'}`);
  }

  #outcome({ address }: Held): Outcome {
    const { engine, clock, losesRequest } = this.#world;
    if (losesRequest()) return 'silent';
    const health = healthAt(engine, address, clock.now());
    if (health === 'failing' || engine.at(address)?.erring === true) return 'erring';
    return health === 'well' ? 'answered' : health === 'refusing' ? 'refused' : 'silent';
  }

  #lost(held: Held): void {
    if (held.lost) this.#world.breaks('news', `a lease of ${held.replica} is lost twice`);
    held.lost = true;
    // A worker hears of it later, when the replica may be well again.
    if (held.at !== undefined) return;
    const state = this.#world.fleet.replicas().find(({ name }) => name === held.replica)?.state;
    if (state !== 'ejected' && state !== 'waiting')
      this.#world.breaks('news', `a lease is lost while ${held.replica} is ${state ?? 'no member'}`);
  }

  #leaving(held: Held): void {
    held.leavingAtMs = this.#world.clock.now();
    if (held.at !== undefined) return;
    const state = this.#world.fleet.replicas().find(({ name }) => name === held.replica)?.state;
    if (state !== 'draining') this.#world.breaks('news', `${held.replica} is said to leave, and is ${state}`);
  }

  #cut(held: Held): void {
    const { clock, closing } = this.#world;
    held.cut = true;
    if (held.at !== undefined || closing?.forced === true) return;
    const beganMs = Math.min(held.leavingAtMs ?? Infinity, closing?.beganMs ?? Infinity);
    if (clock.now() < beganMs + DRAIN_TIMEOUT_MS * (1 - STOP_GRACE_PART))
      this.#world.breaks('drain', `a request at ${held.replica} is cut before the drain timeout`);
  }
}
