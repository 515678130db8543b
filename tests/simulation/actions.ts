import { hash32 } from '../../src/ring/hash.ts';
import { CHANGES_WAITING_MAX } from '../../src/fleet/queue.ts';
import type { Weights } from '../../src/fleet/membership.ts';
import { Chance } from '../fleet/chance.ts';
import type { Container, Health, StartFault } from '../fleet/fake-engine.ts';
import type { Wish } from './history.ts';
import { calm, close, die, reopen } from './takeover.ts';
import { START_TIMEOUT_MS } from './limits.ts';
import type { World } from './world.ts';

/** What happens in one step, to whom by `pick`, and how much time goes by after it. */
export interface Step {
  readonly action: Action;
  readonly pick: number;
  readonly ms: number;
}

export type Action = keyof typeof ACTIONS;

const HEALTHS: readonly Health[] = ['well', 'failing', 'silent', 'refusing'];
const START_FAULTS: readonly StartFault[] = [
  'fails',
  'hangs',
  'ends',
  'has no address',
  undefined,
  undefined,
  undefined,
];
/** Names that callers ask for, by the last digit of a pick; some are wrong, or one name in two spellings. */
const NAMES: readonly string[] = ['r0', 'r1', 'r2', 'r3', 'R1', 'server-2', 'Server-4', 'r4', 'no good', '-'];
const COUNTS: readonly number[] = [1, 1, 1, 2, 2, 3, 1, 2, 0, -1, 1.5, 4, 1, 1, 9];
/** How long is waited for the right moment. */
const AMID_MAX_MS = 400;
/** How soon after that moment it is killed. */
const CRASH_WITHIN_MS = 50;
const PICK_MAX = 10_000;
/** In a world where weights are asked for, one of so many steps begins with that. */
const WEIGHS_EVERY = 6;
/** From nothing at all to longer than a heartbeat's interval. */
const GAPS_MS: readonly number[] = [0, 0, 1, 5, 20, 20, 100, 100, 300, 1200];

const ACTIONS = {
  add: (world, pick) => world.ask(wish(world, 'add', pick)),
  remove: (world, pick) => world.ask(wish(world, 'remove', pick)),
  burst: (world, pick) => {
    const callers = pick % 48 === 0 ? CHANGES_WAITING_MAX + 6 : 2 + (pick % 5);
    for (let i = 0; i < callers; i++)
      world.ask(wish(world, world.chance.happens(0.5) ? 'add' : 'remove', world.chance.below(PICK_MAX)));
  },
  claim: (world, pick) => {
    const except = pick % 3 === 0 ? new Set(world.fleet.names().slice(0, 2)) : undefined;
    world.clients.claim(`${pick}`, except, pick % 2 === 0 ? living(world, pick) : undefined);
  },
  release: ({ clients }, pick) => {
    const held = clients.one(pick, pick % 2 === 0) ?? clients.one(pick, pick % 2 !== 0);
    if (held !== undefined) clients.release(held);
    clients.stale.pop()?.lease.release();
  },
  request: (world, pick) => world.clients.send(`${pick}`, pick % 2 === 0 ? living(world, pick) : undefined),
  requests: (world, pick) => {
    for (let i = 0; i < 6; i++)
      world.clients.send(`${pick}`, pick % 2 === 0 ? living(world, pick) : undefined);
  },
  unreachable: ({ clients }, pick) => clients.one(pick, pick % 2 === 0)?.lease.unreachable(),
  failed: ({ clients }, pick) => {
    const held = clients.one(pick, pick % 2 === 0);
    if (held !== undefined) clients.fail(held);
  },
  answered: ({ clients }, pick) => {
    const held = clients.one(pick, pick % 2 === 0);
    if (held !== undefined) clients.answer(held);
  },
  workerFlushes: (world, pick) => living(world, pick)?.mirror.flush(),
  workerDies: (world, pick) => {
    const worker = living(world, pick);
    if (worker === undefined) return;
    world.clients.died(worker);
    world.workers?.replace(world.workers.running.indexOf(worker));
  },
  workersLag: (world) => (world.lagMs = () => world.chance.below(1500)),
  kill: (world, pick) => running(world, pick, ({ spec }) => world.engine.kill(spec.name)),
  vanish: (world, pick) => running(world, pick, ({ spec }) => world.engine.vanish(spec.name)),
  pause: (world, pick) => running(world, pick, ({ spec }) => world.engine.pause(spec.name)),
  pauseAmid: (world, pick) => {
    const { engine, clock } = world;
    // Until a heartbeat is on its way, so that its answer may be, too.
    const { heartbeats } = engine;
    passUntil(world, () => engine.heartbeats > heartbeats);
    clock.pass(pick % 25);
    running(world, pick, ({ spec }) => engine.pause(spec.name));
  },
  resume: ({ engine }) => {
    for (const one of engine.all()) if (one.state === 'paused') engine.resume(one.spec.name);
  },
  health: (world, pick) =>
    running(world, pick, (one) => (one.health = HEALTHS[pick % HEALTHS.length] ?? 'well')),
  errs: (world, pick) => running(world, pick, (one) => (one.erring = !one.erring)),
  networkSlow: (world, pick) => (world.slownessMs = pick % 400),
  networkLossy: (world, pick) => (world.loss = (pick % 5) / 8),
  engineGone: ({ engine }) => (engine.gone = true),
  engineBack: ({ engine }) => (engine.gone = false),
  engineSlow: ({ engine, chance }) =>
    (engine.latencyMs = () => (chance.happens(0.2) ? 300 : chance.below(30))),
  eventsTold: ({ engine }) => (engine.events = 'told'),
  eventsLost: ({ engine }) => (engine.events = 'lost'),
  eventsRepeated: ({ engine }) => (engine.events = 'repeated'),
  eventsLate: ({ engine, chance }) => {
    engine.events = 'late';
    engine.lateMs = () => chance.below(3000);
  },
  news: ({ engine }) => engine.tell(),
  deadSilent: ({ engine }) => (engine.deadAre = 'silent'),
  startsFail: faulty(({ engine, chance }) => (engine.startFault = () => chance.pick(START_FAULTS))),
  startsSlow: faulty(({ engine, chance }) => (engine.startMs = () => chance.below(2 * START_TIMEOUT_MS))),
  renamesFail: faulty(
    ({ engine, chance }) =>
      (engine.renameFault = () => (chance.happens(0.3) ? new Error('disk full') : undefined)),
  ),
  removalFails: faulty(
    ({ engine, chance }) =>
      (engine.removeFault = () => (chance.happens(0.3) ? new Error('device busy') : undefined)),
  ),
  removalsSlow: faulty(({ engine, chance }) => (engine.removeMs = () => chance.below(2000))),
  nameTaken: ({ engine }, pick) => {
    if (engine.named(`r${pick % 5}`).length === 0) engine.foreign.add(`r${pick % 5}`);
  },
  stray: ({ engine }, pick) => {
    const name = `stray-${pick % 3}`;
    if (engine.gone || engine.named(name).length > 0) return;
    engine.plant({ name, order: pick, join: `${name}-${pick}`, committed: pick % 2 === 0 });
  },
  calm,
  crash: (world, pick) => {
    die(world);
    reopen(world, pick);
  },
  crashAmid: (world, pick) => {
    world.ask({ verb: 'add', n: 2 + (pick % 3), hostnames: [] });
    // Until some of them are members by what the engine holds, and others are not.
    passUntil(world, () => halfCommitted(world));
    die(world);
    reopen(world, pick >> 1);
  },
  crashUndoing: (world, pick) => {
    world.trouble();
    world.faulty = true;
    world.engine.renameFault = () => (world.chance.happens(0.3) ? new Error('disk full') : undefined);
    world.ask({ verb: 'add', n: 2 + (pick % 3), hostnames: [] });
    // Until some are taken back, or a little later, when some are removed.
    passUntil(world, () => halfCommitted(world));
    world.engine.renameFault = () => undefined;
    world.clock.pass(world.chance.below(CRASH_WITHIN_MS));
    die(world);
    reopen(world, pick >> 1);
  },
  crashLeaving: (world, pick) => {
    world.ask({ verb: 'remove', n: 2 + (pick % 2), hostnames: [] });
    // Until some of them are marked, or a little later, when some are removed.
    passUntil(world, () => world.engine.all().some(({ leaving }) => leaving !== undefined));
    world.clock.pass(world.chance.below(pick % 3 === 0 ? 10 * CRASH_WITHIN_MS : CRASH_WITHIN_MS));
    die(world);
    reopen(world, pick >> 1);
  },
  restart: (world, pick) => {
    close(world, true, pick % 3 === 0);
    reopen(world, pick >> 2);
  },
  stop: (world, pick) => {
    close(world, false, pick % 3 === 0);
    reopen(world, pick >> 2, 'in part');
  },
} as const satisfies Record<string, (world: World, pick: number) => unknown>;

/** How often each comes, where that is not as often as most. */
const WEIGHTS: Partial<Record<Action, number>> = {
  add: 9,
  remove: 6,
  claim: 5,
  request: 4,
  kill: 4,
  engineBack: 4,
  requests: 3,
  eventsTold: 2,
  pauseAmid: 1.5,
  engineSlow: 0.5,
  release: 3,
  burst: 1,
  // Crashes and calm are rare: most of what there is to find needs some time of trouble.
  calm: 0.7,
  crash: 0.4,
  crashAmid: 0.4,
  crashUndoing: 0.3,
  crashLeaving: 0.5,
  restart: 0.25,
  stop: 0.25,
  engineGone: 0.6,
  nameTaken: 0.6,
  networkLossy: 0.6,
  errs: 1.5,
};

const [SHARES, SHARES_SUM] = shares();

/** The steps of a seed. */
export function stepsOf(seed: number, count: number): Step[] {
  const chance = new Chance(hash32(`steps ${seed}`));
  return Array.from({ length: count }, () => ({
    action: pickAction(chance.next() * SHARES_SUM),
    pick: chance.below(PICK_MAX),
    ms: chance.pick(GAPS_MS) ?? 0,
  }));
}

export function act(world: World, { action, pick }: Step): void {
  world.note(`${action} ${pick}`);
  if (world.weighs && pick % WEIGHS_EVERY === 0) world.scales.ask(weightsOf(world, pick));
  ACTIONS[action](world, pick);
}

function shares(): [readonly (readonly [Action, number])[], number] {
  let sum = 0;
  const found = (Object.keys(ACTIONS) as Action[]).map(
    (action) => [action, (sum += WEIGHTS[action] ?? 1)] as const,
  );
  return [found, sum];
}

function pickAction(at: number): Action {
  return SHARES.find(([, upTo]) => at < upTo)?.[0] ?? 'calm';
}

function wish({ history, chance, weighs }: World, verb: Wish['verb'], pick: number): Wish {
  const n = COUNTS[pick % COUNTS.length] ?? 1;
  const named = chance.below(3);
  const hostnames = Array.from({ length: chance.happens(0.5) ? 0 : named }, () => {
    const member = history.names[chance.below(history.names.length + 1)];
    return (verb === 'remove' && chance.happens(0.8) ? member : undefined) ?? chance.pick(NAMES) ?? 'r0';
  });
  if (!weighs || verb === 'remove' || pick % 2 === 0) return { verb, n, hostnames };
  const weights = Object.fromEntries(hostnames.map((name, i) => [name, 1 + ((pick + i) % 3)]));
  return { verb, n, hostnames, weights };
}

/** Of some members, and now and then of one that is none, or more than there may be. */
function weightsOf({ history, chance }: World, pick: number): Weights {
  const names = history.names.filter(() => chance.happens(0.4));
  if (names.length === 0 || chance.happens(0.15)) names.push(chance.pick(['r0', 'nobody']) as string);
  return Object.fromEntries(
    names.map((name, i) => [name, chance.happens(0.02) ? 101 : 1 + ((pick + i) % 5)]),
  );
}

/** Some instance that runs, where there is one. What happens to it lets calls fail by right. */
function running(world: World, pick: number, then: (one: Container) => unknown): void {
  const found = world.engine.all().filter((one) => one.state === 'running');
  const one = found[pick % found.length];
  if (one === undefined) return;
  world.trouble();
  then(one);
}

/** Lets time go by until `holds`, or until it has been waited for long enough. */
function passUntil({ clock }: World, holds: () => boolean): void {
  const lastMs = clock.now() + AMID_MAX_MS;
  while (clock.now() < lastMs && !holds())
    clock.pass(Math.max(0, Math.min(lastMs, clock.nextDueMs ?? lastMs) - clock.now()));
}

function halfCommitted({ engine, history }: World): boolean {
  const joins = Map.groupBy(
    engine.all().filter(({ spec }) => !history.names.includes(spec.name)),
    ({ spec }) => spec.join,
  );
  return [...joins.values()].some(
    (all) => all.some((one) => one.committed) && !all.every((one) => one.committed),
  );
}

function faulty(act: (world: World) => unknown): (world: World) => void {
  return (world) => {
    world.faulty = true;
    act(world);
  };
}

function living(world: World, pick: number): ReturnType<World['worker']> {
  const worker = world.worker(pick >> 1);
  return worker?.alive === true ? worker : undefined;
}
