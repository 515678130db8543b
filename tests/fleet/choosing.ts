import type { Balance } from '../../src/config.ts';
import { Chooser, PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import { Load } from '../../src/fleet/load.ts';
import { sitesOf, type Site } from '../../src/ring/placement.ts';

/** A chooser, what is in flight where it sends requests, and the time as it sees it. */
export class Choosing {
  readonly chooser: Chooser;
  nowMs = 0;
  readonly #loads = new Map<string, Load>();

  constructor(balance: Partial<Balance> = {}, sites: Iterable<string | Site> = []) {
    this.chooser = new Chooser({
      balance: { ...PLAIN_BALANCE, ...balance },
      loadOf: (name) => this.loadOf(name),
      now: () => this.nowMs,
    });
    this.show(sites);
  }

  show(sites: Iterable<string | Site>): void {
    this.chooser.show(sitesOf(sites));
  }

  loadOf(name: string): Load {
    const load = this.#loads.get(name) ?? new Load();
    this.#loads.set(name, load);
    return load;
  }

  /** Sends one request, which counts; it stays in flight until `release`. */
  send(key: string, own = true): string {
    const replica = this.chooser.choose(key);
    if (replica === undefined) throw new Error('nobody is left');
    this.chooser.count(key, replica, own);
    this.loadOf(replica).add(1);
    return replica;
  }

  release(replica: string): void {
    this.loadOf(replica).add(-1);
  }

  /** As many requests of that key, one after the other. */
  ask(key: string, times: number, own = true): string[] {
    return Array.from({ length: times }, () => {
      const replica = this.send(key, own);
      this.release(replica);
      return replica;
    });
  }
}
