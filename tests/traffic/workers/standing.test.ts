import { describe, expect, test } from 'bun:test';
import type { Lease } from '../../../src/fleet/member.ts';
import { FAILURES_IN_A_ROW, REST_FIRST_MS } from '../../../src/fleet/outlier.ts';
import { Chance } from '../../fleet/chance.ts';
import { endRigs, Rig, type RigOptions } from '../../fleet/rig.ts';
import { MirroredFleet } from './mirrored-fleet.ts';

endRigs();

const DELAY_MS = 7;
const SEEDS = 40;
const STEPS = 60;

interface Pair {
  readonly rig: Rig;
  readonly mirrored: MirroredFleet;
  /** A request in flight at that replica, claimed by the mirror. */
  claim(name: string): Lease;
}

async function pair(options: RigOptions = {}): Promise<Pair> {
  const rig = new Rig(options);
  await rig.open();
  const mirrored = new MirroredFleet({ fleet: rig.fleet, clock: rig.clock, delayMs: () => DELAY_MS });
  await rig.clock.advance(100);
  return {
    rig,
    mirrored,
    claim: (name) => {
      for (let key = 0; key < 10_000; key++) {
        const lease = mirrored.mirror.claim(`${key}`);
        if (lease?.replica === name) return lease;
        lease?.release();
      }
      throw new Error(`${name} can't be claimed`);
    },
  };
}

describe('a leave', () => {
  test('waits for what a mirror has in flight, and no longer', async () => {
    const { rig, claim } = await pair({ config: { drainTimeoutMs: 3_600_000 } });
    const [one, other] = [claim('server-2'), claim('server-2')];
    let leaving = 0;
    one.onLeaving = () => leaving++;
    const removing = rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
    await rig.clock.advance(60_000);
    expect([rig.view('server-2').state, leaving]).toEqual(['draining', 1]);
    one.release();
    await rig.clock.advance(60_000);
    expect(rig.view('server-2').state).toBe('draining');
    other.release();
    expect(await rig.clock.until(removing, 1000)).toEqual(['server-1', 'server-3']);
  });

  test('cuts what a mirror has in flight when the time is over', async () => {
    const { rig, claim } = await pair({ config: { drainTimeoutMs: 4000 } });
    const told: string[] = [];
    const lease = claim('server-2');
    lease.onLost = () => void told.push('lost');
    lease.onCut = () => {
      told.push('cut');
      lease.release();
    };
    await rig.remove(1, 'server-2');
    await rig.clock.advance(DELAY_MS);
    expect(told).toEqual(['cut']);
  });

  test('of a replica that nobody uses takes a message there and one back', async () => {
    const { rig } = await pair();
    const beganMs = rig.clock.now();
    await rig.remove(1, 'server-2');
    // Two that follow each other may be under way at once: that it leaves, and the ring without it.
    expect(rig.clock.now() - beganMs).toBeLessThanOrEqual(6 * DELAY_MS);
  });

  test('does not wait for a mirror that is no more', async () => {
    const { rig, mirrored, claim } = await pair({ config: { drainTimeoutMs: 3_600_000 } });
    claim('server-2');
    const removing = rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
    await rig.clock.advance(1000);
    mirrored.leases.releaseAll();
    expect(await rig.clock.until(removing, 1000)).toEqual(['server-1', 'server-3']);
  });
});

describe('a replica', () => {
  test('that a request of a mirror can’t reach is off the ring, there too, until it answers', async () => {
    const { rig, mirrored, claim } = await pair();
    await rig.clock.advance(400);
    rig.engine.live('server-2').health = 'failing';
    const told: string[] = [];
    const [one, other] = [claim('server-2'), claim('server-2')];
    other.onLost = () => void told.push('lost');
    one.unreachable();
    await rig.clock.advance(3 * DELAY_MS);
    expect(rig.view('server-2').state).toBe('ejected');
    expect(told).toEqual(['lost']);
    expect(() => claim('server-2')).toThrow();
    rig.engine.live('server-2').health = 'well';
    await rig.clock.advance(2000);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 0 });
    expect(claim('server-2').address).toEqual(one.address);
    expect(mirrored.quiet).toBe(true);
  });

  test('that a request of a mirror suspects is looked at now', async () => {
    const { rig, claim } = await pair();
    await rig.clock.advance(300);
    rig.engine.live('server-2').health = 'refusing';
    claim('server-2').failed();
    await rig.clock.advance(2 * DELAY_MS);
    expect(rig.view('server-2').state).toBe('ejected');
  });

  test('of which too many requests of a mirror failed is ejected, and on trial there when it is back', async () => {
    const { rig, claim } = await pair();
    const lease = claim('server-2');
    for (let i = 1; i < FAILURES_IN_A_ROW; i++) lease.failed();
    await rig.clock.advance(2 * DELAY_MS);
    expect(rig.view('server-2').state).toBe('ready');
    lease.failed();
    await rig.clock.advance(2 * DELAY_MS);
    expect(rig.view('server-2').state).toBe('ejected');
    lease.release();
    await rig.clock.advance(REST_FIRST_MS + 100);
    expect(rig.view('server-2').state).toBe('ready');
    // Of the stay that is over; it tells nothing.
    lease.failed();
    await rig.clock.advance(2 * DELAY_MS);
    expect(rig.view('server-2').state).toBe('ready');
    claim('server-2').failed();
    await rig.clock.advance(2 * DELAY_MS);
    expect(rig.view('server-2').state).not.toBe('ready');
  });

  test('has in flight what all have there: the claims that hold a place for them do not count', async () => {
    const { rig, mirrored, claim } = await pair();
    expect(rig.fleet.replicas().map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    claim('server-2');
    claim('server-2');
    const own = rig.claim('server-2');
    mirrored.mirror.flush();
    await rig.clock.advance(DELAY_MS);
    expect(rig.fleet.replicas().map(({ inFlight }) => inFlight)).toEqual([0, 3, 0]);
    own.release();
    mirrored.leases.releaseAll();
    expect(rig.fleet.replicas().map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });

  test('that was started again is told apart from the instance before', async () => {
    const { rig, claim } = await pair({ config: { drainTimeoutMs: 3_600_000 } });
    const told: string[] = [];
    const before = claim('server-2');
    before.onLost = () => void told.push('before');
    rig.engine.kill('server-2');
    await rig.clock.advance(1000);
    expect(rig.view('server-2')).toMatchObject({ state: 'ready', restarts: 1 });
    const after = claim('server-2');
    after.onLost = () => void told.push('after');
    expect(told).toEqual(['before']);
    before.unreachable();
    await rig.clock.advance(1000);
    expect(rig.view('server-2').state).toBe('ready');
    // What the one before has in flight still holds up the leave.
    const removing = rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
    after.release();
    await rig.clock.advance(1000);
    expect(rig.view('server-2').state).toBe('draining');
    before.release();
    await rig.clock.until(removing, 1000);
    expect(told).toEqual(['before']);
  });
});

// Joins, leaves and claims at random, over a channel whose delays are random too.
test('nothing in flight in a mirror is ever at a replica that is gone, and all is given back', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const chance = new Chance(seed);
    const rig = new Rig({ config: { drainTimeoutMs: 3_600_000, replicas: 3, maxReplicas: 6 } });
    await rig.open();
    const { fleet, clock } = rig;
    const mirrored = new MirroredFleet({ fleet, clock, delayMs: () => chance.below(80) });
    const held: Lease[] = [];
    const changes = new Set<Promise<void>>();
    const change = (asked: Promise<string[]>): void => {
      const settled = asked.then(
        () => {
          for (let key = 0; key < 50; key++) {
            const lease = mirrored.mirror.claim(`${key}`);
            expect([seed, lease?.replica]).toEqual([seed, fleet.ring.owner(`${key}`)]);
            lease?.release();
          }
        },
        // More than there is room for, or than there are.
        () => {},
      );
      changes.add(settled);
    };
    for (let step = 0; step < STEPS; step++) {
      switch (chance.below(8)) {
        case 0:
          change(fleet.add({ n: 1 + chance.below(2), hostnames: [] }));
          break;
        case 1:
          change(fleet.remove({ n: 1 + chance.below(2), hostnames: [] }));
          break;
        case 2:
        case 3:
        case 4: {
          const lease = mirrored.mirror.claim(`${chance.below(1000)}`);
          if (lease !== undefined) held.push(lease);
          break;
        }
        case 5:
        case 6:
          held.splice(chance.below(held.length), 1)[0]?.release();
          break;
        case 7:
          mirrored.mirror.flush();
      }
      await clock.advance(chance.below(60));
      for (const { replica, address } of held)
        expect([seed, step, rig.engine.at(address)?.spec.name]).toEqual([seed, step, replica]);
    }
    for (const lease of held) lease.release();
    await clock.until(Promise.all(changes));
    mirrored.mirror.flush();
    await clock.advance(1000);
    expect(rig.fleet.replicas().every(({ inFlight }) => inFlight === 0)).toBe(true);
    const leftMs = clock.now();
    await rig.close();
    expect(clock.now() - leftMs).toBeLessThan(5000);
    await rig.end();
  }
});
