import { Unavailable } from '../../src/fleet/errors.ts';
import { StartFailed } from '../../src/runtime/runtime.ts';
import { shown } from './history.ts';
import { legacyOf, mustBeHeirs, type Legacy } from './legacy.ts';
import { Broken } from './rule.ts';
import { START_TIMEOUT_MS } from './limits.ts';
import type { World } from './world.ts';

/** An opening has the start timeout, and calls to the engine before and after. */
const OPEN_MAX_MS = 4 * START_TIMEOUT_MS;
/** A close has the drain timeout; an engine that is slow to remove has its time beside it. */
const CLOSE_MAX_MS = 60_000;

/** Nothing fails any more. */
export function calm(world: World): void {
  const { engine } = world;
  engine.gone = false;
  engine.events = 'told';
  engine.deadAre = 'refusing';
  engine.startFault = () => undefined;
  engine.renameFault = () => undefined;
  engine.removeFault = () => undefined;
  engine.startMs = () => 0;
  engine.removeMs = () => 0;
  engine.foreign.clear();
  world.loss = 0;
  world.slownessMs = 0;
  world.faulty = false;
  world.lagMs = () => world.chance.below(8);
  for (const one of engine.all()) one.erring = false;
}

/** Ringmaster dies where it stands; nobody answers those who asked it. */
export function die(world: World): void {
  const { workers, clients, asking, life, figures } = world;
  figures.crashes++;
  world.note('Ringmaster dies');
  life.die();
  for (const worker of workers?.running ?? []) worker.kill();
  clients.forget();
  asking.clear();
}

/** Ringmaster is told to end, in whatever state it is; `force`: and then once more. */
export function close(world: World, keep: boolean, force: boolean): void {
  const { clock, fleet, asking, clients, workers } = world;
  world.note(`Ringmaster closes${keep ? ', keeping what there is' : ''}`);
  const closing = { beganMs: clock.now(), forced: false };
  world.closing = closing;
  const closed = fleet.close(keep);
  if (force) {
    clock.pass(world.chance.below(500));
    closing.forced = true;
    fleet.force();
  }
  clock.passUntil(closed, CLOSE_MAX_MS);
  workers?.close();
  // Those who waited for their turn have been told by now.
  clock.passUntil(Promise.all(asking), 1);
  world.watch();
  clients.forget();
  const left = world.engine.all().map(({ spec }) => spec.name);
  if (
    !keep &&
    !world.troubledSince(closing.beganMs) &&
    left.some((name) => world.history.names.includes(name))
  )
    throw new Broken('end', `closed, and the engine still holds ${shown(left)}`);
}

/**
 * The next Ringmaster takes over what the engine holds, of which the one before it may have removed a part at its end. It
 * may find trouble, or die meanwhile; then one comes that finds none.
 */
export function reopen(world: World, pick: number, left: 'whole' | 'in part' = 'whole'): void {
  let legacy = legacyOf(world, left);
  if (pick % 4 === 0) {
    const opening = begin(world);
    opening.catch(() => {});
    world.clock.pass(world.chance.below(400));
    die(world);
    legacy = { ...legacy, twice: true };
  }
  if (pick % 4 !== 1) calm(world);
  if (!attempt(world, legacy, pick % 4 === 1)) {
    close(world, true, false);
    calm(world);
    if (!attempt(world, { ...legacy, twice: true }, false))
      throw new Broken('takeover', 'nothing is in its way, and it does not begin');
  }
}

/** Gives whether it could begin; where nothing is in its way it must. */
function attempt(world: World, legacy: Legacy, inTrouble: boolean): boolean {
  try {
    finish(world, begin(world), legacy);
    return true;
  } catch (error) {
    // What the last one had sent may still take something away under the hands of this one.
    const excused = inTrouble || error instanceof StartFailed || error instanceof Unavailable;
    if (error instanceof Broken || !excused) throw error;
    world.note(`it can't: ${String(error)}`);
    return false;
  }
}

/** The first Ringmaster begins, with nothing there. */
export function open(world: World): void {
  finish(world, begin(world), legacyOf(world));
}

function begin(world: World): Promise<void> {
  world.note('Ringmaster begins');
  world.restart();
  world.opening = true;
  world.follow();
  return world.fleet.open();
}

function finish(world: World, opening: Promise<void>, legacy: Legacy): void {
  const { clock, history } = world;
  clock.passUntil(opening, OPEN_MAX_MS);
  world.opening = false;
  const names = world.fleet.names();
  world.note(`Ringmaster has begun with ${shown(names)}`);
  mustBeHeirs(names, legacy, world.engine);
  history.begin(names);
  world.scales.begin(world.fleet.replicas());
  world.doubts.forget();
  world.watch();
}
