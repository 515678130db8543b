import { afterAll, beforeAll, expect, spyOn, test, type Mock } from 'bun:test';
import * as fc from 'fast-check';
import { FleetError } from '../../src/fleet/errors.ts';
import type { Lease } from '../../src/fleet/member.ts';
import { Ring } from '../../src/ring/ring.ts';
import { Chance } from './chance.ts';
import type { FakeEngine, Health, StartFault } from './fake-engine.ts';
import { endRigs, member, Rig } from './rig.ts';

endRigs();

const SEED = 20260106;
const RUNS = 300;
const STEPS = 60;
const TEST_TIMEOUT_MS = 60_000;
const DRAIN_TIMEOUT_MS = 3000;
const START_TIMEOUT_MS = 4000;
/** What a leaving replica has of its drain timeout to end by itself, at most. */
const STOP_GRACE_PART = 1 / 4;
/** The longest back-off, a start that times out and the look in between. */
const RECOVERY_MS = 30_000 + START_TIMEOUT_MS + 5000;

// A ring is a function of the set of names alone, and making one costs more than all else in a step.
let rings: Mock<typeof Ring.of>;
beforeAll(() => {
  const made = new Map<string, Ring>();
  const of = Ring.of.bind(Ring);
  rings = spyOn(Ring, 'of').mockImplementation((names) => {
    const key = [...names].sort().join(' ');
    const ring = made.get(key) ?? of(names);
    made.set(key, ring);
    return ring;
  });
});
afterAll(() => rings.mockRestore());

/** What happens in one step, to whom by `pick`, and how much time goes by after it. */
interface Step {
  readonly action: keyof typeof ACTIONS;
  readonly pick: number;
  readonly ms: number;
}

interface HeldLease {
  readonly lease: Lease;
  lost: number;
}

/** One fleet in a world where anything may happen, and what is known of it from its answers alone. */
class World {
  readonly rig: Rig;
  readonly chance: Chance;
  readonly changes = new Set<Promise<void>>();
  readonly leases = new Set<HeldLease>();
  readonly errors: unknown[] = [];
  /** Calls to remove that have no answer yet. */
  removals = 0;
  /** The members, by the answers to calls that were accepted. */
  names: string[] = [];

  constructor(seed: number) {
    this.chance = new Chance(seed);
    this.rig = new Rig({
      config: {
        replicas: 3,
        maxReplicas: 8,
        drainTimeoutMs: DRAIN_TIMEOUT_MS,
        startTimeoutMs: START_TIMEOUT_MS,
      },
      tie: (count) => this.chance.below(count),
      heartbeatLatencyMs: () => 1 + this.chance.below(20),
    });
  }

  async open(): Promise<void> {
    await this.rig.open();
    this.names = this.rig.fleet.names();
    const { engine } = this.rig;
    engine.latencyMs = () => (this.chance.happens(0.03) ? 300 : this.chance.below(6));
    engine.bootMs = () => this.chance.below(150);
    engine.stopMs = () => this.chance.below(400);
  }

  change(verb: 'add' | 'remove', pick: number): void {
    const n = 1 + (pick % 3);
    const hostnames =
      pick % 2 === 0 ? [] : [verb === 'add' ? `r${pick % 5}` : (this.names[pick % 7] ?? 'r0')];
    const askedAtMs = this.rig.clock.now();
    const pending = this.rig.fleet[verb]({ n, hostnames }).then(
      (after) => this.accept(verb, n, after, askedAtMs),
      (error: unknown) => {
        if (!(error instanceof FleetError)) this.errors.push(error);
      },
    );
    this.changes.add(pending);
    if (verb === 'remove') this.removals++;
    void pending.then(() => {
      if (this.changes.delete(pending) && verb === 'remove') this.removals--;
    });
  }

  accept(verb: 'add' | 'remove', n: number, after: string[], askedAtMs: number): void {
    const before = this.names;
    this.names = after;
    try {
      if (verb === 'add') {
        expect(after).toHaveLength(before.length + n);
        expect(after.slice(0, before.length)).toEqual(before);
        // All were ready when it was answered; what died since is being healed.
        for (const name of after.slice(before.length)) expect(before).not.toContain(name);
      } else {
        expect(after).toHaveLength(before.length - n);
        expect(after).toEqual(before.filter((name) => after.includes(name)));
        const gone = before.filter((name) => !after.includes(name));
        const held = [...this.leases].filter(({ lease }) => gone.includes(lease.replica));
        // A lease holds its replica up, unless the drain timeout is over.
        if (held.length > 0)
          expect(this.rig.clock.now() - askedAtMs).toBeGreaterThanOrEqual(
            DRAIN_TIMEOUT_MS * (1 - STOP_GRACE_PART),
          );
        // What is held on them is cut; their names are free for others.
        for (const lease of held) this.leases.delete(lease);
        for (const name of gone) expect(this.rig.engine.named(name)).toEqual([]);
      }
    } catch (error) {
      this.errors.push(error);
    }
  }

  claim(pick: number): void {
    const except = pick % 3 === 0 ? new Set(this.rig.fleet.names().slice(0, 2)) : undefined;
    const lease = this.rig.fleet.claim(`${pick}`, except);
    if (lease === undefined) return;
    expect(except?.has(lease.replica)).not.toBe(true);
    const { state, address } = this.rig.view(lease.replica);
    expect(state).toBe('ready');
    expect(lease.address).toBe(address as Lease['address']);
    const held: HeldLease = { lease, lost: 0 };
    lease.onLost = () => {
      held.lost++;
      const found = this.rig.fleet.replicas().find((one) => one.name === lease.replica)?.state;
      if (found !== 'ejected' && found !== 'waiting')
        this.errors.push(new Error(`a lease is lost while its replica is ${found}`));
    };
    this.leases.add(held);
  }

  lease(pick: number): Lease | undefined {
    return [...this.leases][pick % this.leases.size]?.lease;
  }

  check(): void {
    this.rig.check();
    if (this.errors.length > 0) throw this.errors[0];
    expect(this.rig.fleet.names()).toEqual(this.names);
    for (const held of this.leases) expect(held.lost).toBeLessThanOrEqual(1);
    expect(this.rig.logged('error')).toEqual([]);
  }

  /** Ringmaster dies, and the next one takes over what there is. */
  async crash(): Promise<void> {
    const { rig } = this;
    const held = new Set(rig.held());
    const leaving = this.removals > 0;
    rig.crash();
    // Nobody answers those who asked the one that died.
    this.changes.clear();
    this.removals = 0;
    await this.reopen();
    const after = rig.fleet.names();
    // One that was just being started again may have had no container at that moment.
    for (const name of this.names) if (held.has(name) && !leaving) expect(after).toContain(name);
    this.names = after;
  }

  /** Ringmaster is stopped, and the next one takes over what it kept. */
  async restart(): Promise<void> {
    const { rig } = this;
    await rig.close(true);
    // Those who waited for their turn have been told by now.
    await rig.clock.until(Promise.all(this.changes));
    const held = this.names.filter((name) => rig.held().includes(name));
    rig.restart();
    await this.reopen();
    const after = rig.fleet.names();
    // A stray that looks like a member is one to who starts; where none is left, this start is like the first.
    if (held.length > 0) expect(after.filter((name) => held.includes(name))).toEqual(held);
    this.names = after;
  }

  async reopen(): Promise<void> {
    this.leases.clear();
    calm(this);
    await this.rig.open();
  }

  /** Nothing fails any more; who is in has to be well again, and nothing else may be there. */
  async recover(): Promise<void> {
    const { engine, clock, fleet } = this.rig;
    calm(this);
    for (const { lease } of this.leases) lease.release();
    this.leases.clear();
    for (const one of engine.all()) {
      one.health = 'well';
      if (one.state === 'paused') engine.resume(one.spec.name);
    }
    await clock.until(Promise.all(this.changes), 1_000_000);
    await clock.advance(RECOVERY_MS);
    this.check();
    expect(fleet.replicas().filter((one) => one.state !== 'ready')).toEqual([]);
    expect(this.rig.held().toSorted()).toEqual(this.names.toSorted());
    for (const one of engine.all()) expect(one).toMatchObject({ committed: true, state: 'running' });
    await this.rig.end();
  }
}

const ACTIONS = {
  add: (world, pick) => world.change('add', pick),
  remove: (world, pick) => world.change('remove', pick),
  claim: (world, pick) => world.claim(pick),
  release: ({ leases }, pick) => {
    const held = [...leases][pick % leases.size];
    if (held === undefined) return;
    held.lease.release();
    leases.delete(held);
  },
  unreachable: (world, pick) => world.lease(pick)?.unreachable(),
  failed: (world, pick) => world.lease(pick)?.failed(),
  answered: (world, pick) => world.lease(pick)?.answered(),
  kill: ({ rig: { engine } }, pick) => act(running(engine, pick), (name) => engine.kill(name)),
  vanish: ({ rig: { engine } }, pick) => act(running(engine, pick), (name) => engine.vanish(name)),
  pause: ({ rig: { engine } }, pick) => act(running(engine, pick), (name) => engine.pause(name)),
  resume: ({ rig: { engine } }) => {
    for (const one of engine.all()) if (one.state === 'paused') engine.resume(one.spec.name);
  },
  health: ({ rig: { engine } }, pick) =>
    act(
      running(engine, pick),
      (name) => (engine.live(name).health = HEALTHS[pick % HEALTHS.length] ?? 'well'),
    ),
  engineGone: ({ rig: { engine } }) => (engine.gone = true),
  engineBack: ({ rig: { engine } }) => (engine.gone = false),
  eventsLost: ({ rig: { engine } }) => (engine.events = 'lost'),
  eventsRepeated: ({ rig: { engine } }) => (engine.events = 'repeated'),
  deadSilent: ({ rig: { engine } }) => (engine.deadAre = 'silent'),
  startsFail: ({ rig: { engine }, chance }) => (engine.startFault = () => chance.pick(START_FAULTS)),
  startsSlow: ({ rig: { engine }, chance }) => (engine.startMs = () => chance.below(2 * START_TIMEOUT_MS)),
  commitFails: ({ rig: { engine }, chance }) =>
    (engine.commitFault = () => (chance.happens(0.3) ? new Error('disk full') : undefined)),
  removalFails: ({ rig: { engine }, chance }) =>
    (engine.removeFault = () => (chance.happens(0.3) ? new Error('device busy') : undefined)),
  removalsSlow: ({ rig: { engine }, chance }) => (engine.removeMs = () => chance.below(2000)),
  nameTaken: ({ rig }, pick) => {
    if (rig.engine.named(`r${pick % 5}`).length === 0) rig.engine.foreign.add(`r${pick % 5}`);
  },
  stray: ({ rig }, pick) => {
    if (!rig.engine.gone)
      rig.engine.plant(member(`stray-${rig.clock.now()}-${pick}`, pick, { committed: pick % 2 === 0 }));
  },
  calm,
  crash: (world) => world.crash(),
  restart: (world) => world.restart(),
} as const satisfies Record<string, (world: World, pick: number) => unknown>;

/** Crashes and calm are rare: most of what there is to find needs some time of trouble. */
const RARE: readonly (keyof typeof ACTIONS)[] = ['calm', 'crash', 'restart', 'engineGone', 'nameTaken'];
const OFTEN: readonly (keyof typeof ACTIONS)[] = ['add', 'remove', 'claim', 'kill', 'engineBack'];
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
/** From nothing at all to longer than a heartbeat's interval. */
const GAPS_MS: readonly number[] = [0, 0, 1, 5, 20, 20, 100, 100, 500, 1500];

function calm({ rig: { engine } }: World): void {
  engine.gone = false;
  engine.events = 'told';
  engine.deadAre = 'refusing';
  engine.startFault = () => undefined;
  engine.commitFault = () => undefined;
  engine.removeFault = () => undefined;
  engine.startMs = () => 0;
  engine.removeMs = () => 0;
  engine.foreign.clear();
}

/** The name of some running instance. */
function running(engine: FakeEngine, pick: number): string | undefined {
  const found = engine.all().filter((one) => one.state === 'running');
  return found[pick % found.length]?.spec.name;
}

function act(name: string | undefined, on: (name: string) => unknown): void {
  if (name !== undefined) on(name);
}

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        ...(Object.keys(ACTIONS) as (keyof typeof ACTIONS)[]).filter((one) => !RARE.includes(one)),
      ),
    },
    { weight: 4, arbitrary: fc.constantFrom(...OFTEN) },
    { weight: 1, arbitrary: fc.constantFrom(...RARE) },
  ),
  pick: fc.nat(10_000),
  ms: fc.constantFrom(...GAPS_MS),
});

test(
  'whatever happens, who is in is who was let in, the ring is who is ready, and all are well in the end',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(step, { minLength: STEPS, maxLength: STEPS }),
        async (seed, steps) => {
          const world = new World(seed);
          await world.open();
          for (const { action, pick, ms } of steps) {
            await ACTIONS[action](world, pick);
            world.check();
            await world.rig.clock.advance(ms);
            world.check();
          }
          await world.recover();
        },
      ),
      { seed: SEED, numRuns: RUNS },
    );
  },
  TEST_TIMEOUT_MS,
);
