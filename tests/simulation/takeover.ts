import { Unavailable } from '../../src/fleet/errors.ts';
import { StartFailed } from '../../src/runtime/runtime.ts';
import { granted, same, shown } from './history.ts';
import { Broken } from './rule.ts';
import { FIRST_MEMBERS, MEMBERS_MAX, START_TIMEOUT_MS } from './limits.ts';
import type { World } from './world.ts';

/** An opening has the start timeout, and calls to the engine before and after. */
const OPEN_MAX_MS = 4 * START_TIMEOUT_MS;
/** A close has the drain timeout; an engine that is slow to remove has its time beside it. */
const CLOSE_MAX_MS = 60_000;

/** What the next Ringmaster may make of what the engine holds. */
interface Legacy {
  /** Members that it has to take in, in their order. */
  readonly must: readonly string[];
  /** Those that came together and are no members by any answer: it takes in all or none. */
  readonly together: readonly (readonly string[])[];
  readonly held: ReadonlySet<string>;
}

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
  world.engine.removedLate.clear();
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
 * The next Ringmaster takes over what the engine holds. It may find trouble, or die meanwhile; then one comes that finds
 * none.
 */
export function reopen(world: World, pick: number): void {
  const { history } = world;
  const removing = new Set([...history.pending].flatMap((call) => leaversOf(world, call.wish)));
  // Of whom nothing is left, nobody can know.
  const before = history.names;
  if (legacyOf(world, removing).must.length === 0) history.begin([]);
  if (pick % 4 === 0) {
    const opening = begin(world);
    opening.catch(() => {});
    world.clock.pass(world.chance.below(400));
    die(world);
  }
  if (pick % 4 !== 1) calm(world);
  if (!attempt(world, removing, before, pick % 4 === 1)) {
    close(world, true, false);
    calm(world);
    if (!attempt(world, removing, before, false))
      throw new Broken('takeover', 'nothing is in its way, and it does not begin');
  }
}

/** Gives whether it could begin; where nothing is in its way it must. */
function attempt(
  world: World,
  removing: ReadonlySet<string>,
  before: readonly string[],
  inTrouble: boolean,
): boolean {
  const found = legacyOf(world, removing);
  const legacy = { ...found, held: new Set([...found.held, ...before]) };
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
  finish(world, begin(world), legacyOf(world, new Set()));
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
  const lost = legacy.must.find((name) => !names.includes(name));
  if (lost !== undefined)
    throw new Broken('takeover', `${lost} was there, and is no member of ${shown(names)}`);
  const known = names.filter((name) => legacy.must.includes(name));
  if (!same(known, legacy.must))
    throw new Broken('takeover', `${shown(legacy.must)} has become ${shown(known)}`);
  const first = Array.from({ length: FIRST_MEMBERS }, (_, i) => `server-${i + 1}`);
  // Where there are no members it begins with the first ones, and knows nothing of what it has removed before.
  if (legacy.must.length > 0 || !same(names, first)) {
    for (const together of legacy.together) {
      // One whose removal was on its way, as an add was being undone, is gone, whoever comes in.
      const left = together.filter((name) => !world.engine.removedLate.has(name));
      if (left.some((name) => names.includes(name)) && !left.every((name) => names.includes(name)))
        throw new Broken('takeover', `of ${shown(left)} only some are members: ${shown(names)}`);
    }
    // A member that was just being started again may come in at the last moment.
    const made = names.find((name) => !legacy.held.has(name) && !history.names.includes(name));
    if (made !== undefined) throw new Broken('takeover', `${made} was not there, and is a member`);
  }
  history.begin(names);
  world.watch();
}

function legacyOf(world: World, removing: ReadonlySet<string>): Legacy {
  const { engine, history } = world;
  const all = engine.all();
  const committed = new Set(all.filter((one) => one.committed).map(({ spec }) => spec.join));
  const held = new Set(all.map(({ spec }) => spec.name));
  const joins = Map.groupBy(
    all.filter(({ spec }) => !history.names.includes(spec.name)),
    ({ spec }) => spec.join,
  );
  return {
    must: history.names.filter(
      (name) => !removing.has(name) && engine.named(name).some(({ spec }) => committed.has(spec.join)),
    ),
    together: [...joins.values()].map((some) => some.map(({ spec }) => spec.name)),
    held,
  };
}

/** Whom a removal takes that may be under way; one that is cut short has taken some of them. */
function leaversOf({ history }: World, wish: Parameters<typeof granted>[1]): string[] {
  const after = wish.verb === 'remove' ? granted(history.names, wish, MEMBERS_MAX) : [];
  if (typeof after === 'number' || wish.verb === 'add') return [];
  return history.names.filter((name) => !after.includes(name));
}
