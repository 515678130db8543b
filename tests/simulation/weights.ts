import { FleetError } from '../../src/fleet/errors.ts';
import type { ReplicaView } from '../../src/fleet/crew.ts';
import type { Weights } from '../../src/fleet/membership.ts';
import { CHANGES_WAITING_MAX } from '../../src/fleet/queue.ts';
import { WEIGHT_MAX } from '../../src/config.ts';
import type { Wish } from './history.ts';
import { Broken } from './rule.ts';
import type { World } from './world.ts';

/** Of a name without one. */
const PLAIN = 1;

/** What callers were told of weights, and whether the ring has them. */
export class Scales {
  readonly #world: World;
  /** By name, as the last answer had it. */
  readonly #told = new Map<string, number>();
  /** Calls without an answer. */
  waiting = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** A caller asks for other weights, and waits for its answer beside whatever else happens. */
  ask(weights: Weights): void {
    const { fleet, history, asking } = this.#world;
    const full = history.pending.size + this.waiting >= CHANGES_WAITING_MAX;
    const what = `weigh ${JSON.stringify(weights)}`;
    this.#world.note(`asked to ${what}`);
    this.waiting++;
    const askedMs = this.#world.clock.now();
    const pending = fleet.weigh(weights).then(
      (all) =>
        this.#world.answer(fleet, () => {
          this.waiting--;
          this.#world.note(`${what}: ${JSON.stringify(all)}`);
          const byName = new Map(Object.entries(all).map(([name, weight]) => [name.toLowerCase(), weight]));
          for (const [name, weight] of Object.entries(weights))
            if (byName.get(name.toLowerCase()) !== weight)
              throw new Broken('weights', `${what} is answered ${JSON.stringify(all)}`);
          for (const [name, weight] of Object.entries(all)) this.#told.set(name, weight);
        }),
      (error: unknown) =>
        this.#world.answer(fleet, () => {
          this.waiting--;
          if (!(error instanceof FleetError)) throw error;
          this.#world.note(`${what}: ${error.status} ${error.message}`);
          const possible = Object.values(weights).every((one) => one >= 1 && one <= WEIGHT_MAX);
          const excused =
            error.status === 503
              ? full || this.#world.closing !== undefined || this.#world.troubledSince(askedMs)
              : error.status === (possible ? 404 : 400);
          if (!excused) throw new Broken('weights', `${what} is refused with ${error.status} for no reason`);
        }),
    );
    asking.add(pending);
    void pending.then(() => asking.delete(pending));
  }

  added(names: readonly string[], { weights = {} }: Wish): void {
    for (const name of names) this.#told.set(name, weights[name] ?? PLAIN);
  }

  /** The next Ringmaster has what the engine holds: of one that was weighed after its start, what it weighed then. */
  begin(views: readonly ReplicaView[]): void {
    this.waiting = 0;
    this.#told.clear();
    for (const { name, weight } of views) {
      const held = this.#world.engine.named(name).map(({ spec }) => spec.weight ?? PLAIN);
      // What was asked for by one who has died since may be noted when the next has asked what is.
      if (held.length > 0 && !held.includes(weight) && !this.#world.engine.weighedLate.has(name))
        throw new Broken(
          'weights',
          `${name} is taken over with weight ${weight}, and the engine holds ${held}`,
        );
      this.#told.set(name, weight);
    }
  }

  /** At every moment. */
  look(views: readonly ReplicaView[]): void {
    const { sites } = this.#world.fleet.ring;
    for (const { name, weight, effectiveWeight } of views) {
      const shown = sites.find((one) => one.name === name)?.weight ?? 0;
      if (shown !== effectiveWeight || (shown !== 0 && shown !== weight))
        throw new Broken(
          'weights',
          `${name} weighs ${weight}, by the ring ${shown}, ${effectiveWeight} is told`,
        );
    }
  }

  /** When all calls are answered. */
  settle(views: readonly ReplicaView[]): void {
    for (const { name, weight } of views) {
      const told = this.#told.get(name) ?? PLAIN;
      if (told !== weight)
        throw new Broken('weights', `${name} weighs ${weight}, and was said to weigh ${told}`);
    }
  }
}
