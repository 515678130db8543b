/**
 * Several Ringmasters in a world of fakes, from one seed: changes at all of them at once, Ringmasters that die and come
 * back, hosts that are cut off, replicas that end or fall silent. As a program, a campaign: `bun tests/simulation/shared.ts 2000`.
 */
import { FleetError } from '../../src/fleet/errors.ts';
import { namesOf } from '../../src/fleet/membership.ts';
import { membersOf } from '../../src/fleet/shared/seats.ts';
import { Chance } from '../fleet/chance.ts';
import { SharedRig, type Life } from '../fleet/shared/shared-rig.ts';

const HOSTS = 3;
const STEPS = 120;
const STEP_MS_MAX = 700;
/** Few, so that they meet. */
const NAMES = ['a', 'b', 'c', 'd', 'server-2', 'Server-4'];

interface World {
  readonly rig: SharedRig;
  readonly chance: Chance;
  /** The members from one revision of the roster on, where they differ from those before. */
  readonly history: { readonly revision: number; readonly members: string }[];
  /** Who tells owners must know of this revision: a change that led to it was answered. */
  floor: number;
  /** Names that an add which succeeded brought in, and no removal was asked for since. */
  readonly certain: Set<string>;
  /** How many removals were asked for. */
  removals: number;
  readonly trace: string[];
}

/** Runs one seed; throws, with what had happened, where something does not hold. */
export async function runShared(seed: number): Promise<void> {
  const chance = new Chance(seed);
  const rig = new SharedRig(HOSTS, {}, { tie: (count) => chance.below(count) });
  rig.swarm.latencyMs = () => (chance.happens(0.05) ? 200 : chance.below(4));
  const world: World = { rig, chance, history: [], floor: 0, certain: new Set(), removals: 0, trace: [] };
  const change = rig.swarm.change.bind(rig.swarm);
  rig.swarm.change = (next) => {
    const roster = change(next);
    const members = namesOf(membersOf(roster)).toSorted().join();
    if (members !== world.history.at(-1)?.members) world.history.push({ revision: roster.revision, members });
    return roster;
  };
  try {
    await rig.open();
    world.floor = rig.swarm.roster.revision;
    for (let step = 0; step < STEPS; step++) {
      act(world);
      await rig.clock.advance(chance.below(STEP_MS_MAX));
      check(world);
    }
    for (let host = 0; host < HOSTS; host++) {
      rig.swarm.mend(host);
      if (rig.lives[host] === undefined) start(world, host);
    }
    // What was silent is replaced, and who died is missed, before all is quiet.
    await rig.clock.advance(120_000);
    await rig.settle();
    for (const name of world.certain)
      if (!rig.members.includes(name)) throw new Error(`${name} was added, never removed, and is not there`);
    await rig.end();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `seed ${seed}: ${why}\n${world.trace.slice(-80).join('\n')}\nbun tests/simulation/shared.ts --seed ${seed}`,
      { cause: error },
    );
  }
}

function act(world: World): void {
  const { rig, chance } = world;
  const host = chance.below(HOSTS);
  const life = rig.lives[host];
  const say = (what: string): void => void world.trace.push(`${rig.clock.now()} host ${host} ${what}`);
  const kind = chance.below(20);
  if (kind < 5 && life !== undefined) void add(world, host);
  else if (kind < 9 && life !== undefined) void remove(world, host);
  else if (kind < 11) {
    if (life === undefined) {
      say('starts');
      start(world, host);
    } else if (rig.running.length > 1) {
      say('dies');
      rig.crash(host);
    }
  } else if (kind === 11) {
    const others = [0, 1, 2].filter((one) => one !== host);
    if (others.every((one) => rig.swarm.reaches(one, host))) {
      say('is cut off');
      rig.swarm.cut(host);
    } else {
      say('is mended');
      for (const one of [0, 1, 2]) rig.swarm.mend(one);
    }
  } else if (kind < 14) {
    const name = chance.pick(rig.members);
    if (name === undefined) return;
    say(`${name} ends`);
    rig.swarm.crash(name);
  } else if (kind === 14) {
    const task = chance.pick([...rig.swarm.tasks]);
    if (task === undefined) return;
    say(`${task.name} falls silent`);
    task.silent = true;
  } else if (life !== undefined) {
    const lease = life.fleet.claim(`${chance.below(1000)}`);
    if (lease === undefined) return;
    lease.onCut = () => lease.release();
    void rig.clock.sleep(chance.below(3000)).then(() => lease.release());
  }
}

/** One that can't be opened, since its host is cut off, ends, as a process does, and leaves its place to the next. */
function start({ rig, trace }: World, host: number): void {
  const { fleet } = rig.restart(host);
  fleet.open().catch(async (error: unknown) => {
    trace.push(`${rig.clock.now()} host ${host} could not start: ${String(error)}`);
    await fleet.close(true);
    if (rig.lives[host]?.fleet === fleet) rig.crash(host);
  });
}

async function add(world: World, host: number): Promise<void> {
  const { rig, chance } = world;
  const n = 1 + chance.below(2);
  const hostnames = chance.happens(0.7) ? [chance.pick(NAMES) as string] : [];
  const before = new Set(rig.members);
  const since = rig.swarm.roster.revision;
  const { removals } = world;
  world.trace.push(`${rig.clock.now()} host ${host} add ${n} ${hostnames.join()}`);
  try {
    const names = await rig.fleet(host).add({ n, hostnames });
    answered(world, host, `added: ${names.join()}`, since, (members) =>
      hostnames.some((name) => members.includes(name)),
    );
    if (removals !== world.removals) return;
    for (const name of hostnames) if (!before.has(name)) world.certain.add(name);
  } catch (error) {
    failed(world, host, error);
  }
}

async function remove(world: World, host: number): Promise<void> {
  const { rig, chance } = world;
  const hostnames = chance.happens(0.7) ? [chance.pick(NAMES) as string] : [];
  world.trace.push(`${rig.clock.now()} host ${host} rm ${hostnames.join()}`);
  const forget = (): void => {
    // Without a name it may be anyone, and one that dies in the middle may still be carried out.
    for (const name of hostnames.length > 0 ? hostnames : [...world.certain]) world.certain.delete(name);
  };
  world.removals++;
  forget();
  const since = rig.swarm.roster.revision;
  try {
    const names = await rig.fleet(host).remove({ n: 1, hostnames });
    answered(world, host, `removed: ${names.join()}`, since, (members) =>
      hostnames.some((name) => !members.includes(name)),
    );
  } catch (error) {
    failed(world, host, error);
  }
  forget();
}

/** From here on whoever tells owners knows of the change: of the first since it was asked for that shows what was to come of it. */
function answered(
  world: World,
  host: number,
  what: string,
  since: number,
  shows: (members: readonly string[]) => boolean,
): void {
  world.trace.push(`${world.rig.clock.now()} host ${host} ${what}`);
  const made = world.history.find(({ revision, members }) => revision > since && shows(members.split(',')));
  if (made !== undefined) world.floor = Math.max(world.floor, made.revision);
}

function failed(world: World, host: number, error: unknown): void {
  if (!(error instanceof FleetError)) throw error;
  world.trace.push(`${world.rig.clock.now()} host ${host} ${error.message}`);
}

function check({ rig, history, floor }: World): void {
  rig.check();
  const known = history.findLastIndex(({ revision }) => revision <= floor);
  const allowed = history.slice(known).map(({ members }) => members);
  for (const [i, map] of rig.maps().entries()) {
    const { host, fleet } = rig.running[i] as Life;
    // One that has not opened yet is not asked.
    if (map === 'cut off' || fleet.standing().revision === 0 || allowed.includes(map)) continue;
    throw new Error(`host ${host} tells owners by ${map}, when those were ${allowed.join(' or ')}`);
  }
}

if (import.meta.main) {
  const [flag, given] = process.argv.slice(2);
  const seeds =
    flag === '--seed' ? [Number(given)] : Array.from({ length: Number(flag ?? 200) }, (_, i) => i + 1);
  let failures = 0;
  for (const seed of seeds)
    await runShared(seed).catch((error: unknown) => {
      failures++;
      process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  process.stdout.write(`${seeds.length} seeds, ${seeds.length * STEPS} steps, ${failures} failed\n`);
  process.exitCode = failures === 0 ? 0 : 1;
}
