import type { Fleet, FleetOptions } from '../../src/fleet/fleet.ts';
import { act, stepsOf } from './actions.ts';
import { shown } from './history.ts';
import { Broken, type Rule } from './rule.ts';
import { calm, close, open } from './takeover.ts';
import { MEMBERS_MAX, START_TIMEOUT_MS } from './limits.ts';
import { World, type Figures } from './world.ts';

export const STEPS = 200;
/** The longest back-off, a start that times out and the look in between. */
const RECOVERY_MAX_MS = 30_000 + START_TIMEOUT_MS + 5000;
/** How often is looked whether all is well again. */
const RECOVERY_POLL_MS = 400;
/** Changes that still wait when calm comes: each ends within its timeouts. */
const ANSWERS_MAX_MS = 1_000_000;
/** A change to a fleet that is well: a start, or a drain with nothing in flight, and some calls to the engine. */
const CHANGE_MAX_MS = 2500;
/** More than any timer of a fleet lasts: what sleeps beyond that was forgotten. */
const LONGEST_TIMER_MS = 120_000;

export interface RunOptions {
  readonly seed: number;
  /** Which of the seed's steps are taken, by number from 0, in their order; undefined: all. */
  readonly steps?: readonly number[] | undefined;
  /** How many steps the seed has. */
  readonly count?: number;
  readonly make?: ((options: FleetOptions) => Fleet) | undefined;
  readonly trace?: string[] | undefined;
}

export interface Failure {
  readonly rule: Rule;
  readonly message: string;
  /** The steps that were taken by then. */
  readonly steps: readonly number[];
}

export interface Outcome extends Figures {
  readonly failure: Failure | undefined;
  readonly virtualMs: number;
  /** Of all that happened: equal for equal runs. */
  readonly digest: number;
}

/** One run of a fleet through the steps of a seed, and what came of it. */
export function run({ seed, steps, count = STEPS, make, trace }: RunOptions): Outcome {
  const all = stepsOf(seed, count);
  const taken: number[] = [];
  const world = new World({ seed, make, trace });
  let failure: Failure | undefined;
  try {
    open(world);
    begin(world);
    for (const number of steps ?? all.keys()) {
      const step = all[number];
      if (step === undefined) throw new RangeError(`Seed ${seed} has no step ${number}`);
      taken.push(number);
      act(world, step);
      world.clock.settle();
      world.check();
      world.clock.pass(step.ms);
      world.check();
    }
    recover(world);
    end(world);
  } catch (error) {
    failure =
      error instanceof Broken
        ? { rule: error.rule, message: error.message, steps: taken }
        : {
            rule: 'bug',
            message: error instanceof Error ? (error.stack ?? error.message) : String(error),
            steps: taken,
          };
  }
  world.life.die();
  return { ...world.figures, failure, virtualMs: world.clock.now(), digest: world.digest };
}

/** From here on the world is as slow as a world is. */
function begin({ engine, chance }: World): void {
  engine.latencyMs = () => (chance.happens(0.03) ? 300 : Math.max(0, chance.below(12) - 6));
  engine.bootMs = () => chance.below(150);
  engine.stopMs = () => chance.below(400);
}

/** Nothing fails any more; who is in has to be well again, and nothing else may be there. */
function recover(world: World): void {
  const { engine, clock, clients, asking } = world;
  calm(world);
  begin(world);
  world.note('calm');
  for (const held of clients.held) clients.release(held);
  for (const one of engine.all()) {
    one.health = 'well';
    if (one.state === 'paused') engine.resume(one.spec.name);
  }
  clock.passUntil(Promise.all(asking), ANSWERS_MAX_MS);
  const untilMs = clock.now() + RECOVERY_MAX_MS;
  for (let why = ailing(world); why !== undefined; why = ailing(world)) {
    if (clock.now() > untilMs) throw new Broken('recovery', why);
    clock.pass(RECOVERY_POLL_MS);
    world.check();
  }
  world.scales.settle(world.fleet.replicas());
  for (const verb of ['add', 'remove'] as const) {
    if (verb === 'add' && world.history.names.length >= MEMBERS_MAX) continue;
    const beganMs = clock.now();
    const before = world.figures.accepted;
    world.ask({ verb, n: 1, hostnames: [] });
    clock.passUntil(Promise.all(asking), ANSWERS_MAX_MS);
    world.check();
    if (clock.now() - beganMs > CHANGE_MAX_MS || world.figures.accepted === before)
      throw new Broken(
        'recovery',
        `all is well, and ${verb} 1 took ${clock.now() - beganMs} ms, or is refused`,
      );
  }
}

/** What is not well yet. */
function ailing({ fleet, engine }: World): string | undefined {
  const views = fleet.replicas();
  const off = views.filter(({ state }) => state !== 'ready');
  if (off.length > 0) return `not ready: ${off.map(({ name, state }) => `${name} ${state}`).join(', ')}`;
  for (const { name } of views) {
    const alive = engine.named(name).filter((one) => one.state !== 'ended');
    if (alive.length !== 1 || alive[0]?.committed !== true)
      return `${name} has ${alive.length} containers alive`;
  }
  const names = new Set(views.map(({ name }) => name));
  const orphans = engine.all().filter(({ spec }) => !names.has(spec.name));
  return orphans.length === 0 ? undefined : `no members: ${shown(orphans.map(({ spec }) => spec.name))}`;
}

/** It is closed, sometimes in the middle of something, and nothing may be left. */
function end(world: World): void {
  const { clock, engine, chance, history } = world;
  const keep = chance.happens(0.3);
  if (chance.happens(0.5)) {
    world.ask({ verb: 'add', n: 2, hostnames: [] });
    world.ask({ verb: 'remove', n: 1, hostnames: [] });
    clock.pass(chance.below(200));
  }
  world.watch();
  const members = history.names;
  close(world, keep, false);
  clock.pass(LONGEST_TIMER_MS);
  const left = engine.all().map(({ spec }) => spec.name);
  if (keep ? members.some((name) => !left.includes(name) && !history.pending) : left.length > 0)
    throw new Broken('end', `closed, and the engine holds ${shown(left)}`);
  if (clock.sleepers > 0 || engine.watchers.size > 0)
    throw new Broken('end', `closed, and ${clock.sleepers} sleep, ${engine.watchers.size} watch the engine`);
}
