import { describe, expect, test } from 'bun:test';
import type { Follower, ReadyReplica } from '../../src/fleet/crew.ts';
import { endRigs, failure, Rig } from './rig.ts';

endRigs();

/** One that is told of each swap, and is as slow as the test wants it to be. */
class Witness implements Follower {
  readonly seen: (readonly ReadyReplica[])[] = [];
  readonly waiting: (() => void)[] = [];
  slow = false;

  swapped(ready: readonly ReadyReplica[]): void {
    this.seen.push(ready);
  }

  inForce(): Promise<void> {
    return this.slow ? new Promise((resolve) => void this.waiting.push(resolve)) : Promise.resolve();
  }

  /** Names of each swap that it was told of, and forgets them. */
  take(): string[] {
    return this.seen.splice(0).map((ready) => ready.map(({ name }) => name).join(' '));
  }
}

async function followed(): Promise<{ rig: Rig; witness: Witness; unfollow: () => void }> {
  const rig = new Rig();
  await rig.open();
  const witness = new Witness();
  return { rig, witness, unfollow: rig.fleet.follow(witness) };
}

describe('a follower', () => {
  test('is told who is on the ring, at first and with each swap, with no await between', async () => {
    const { rig, witness } = await followed();
    expect(witness.seen[0]?.[1]).toEqual({
      name: 'server-2',
      address: rig.view('server-2').address as ReadyReplica['address'],
      onTrial: false,
      weight: 1,
      fullWeight: 1,
    });
    expect(witness.take()).toEqual(['server-1 server-2 server-3']);
    await rig.clock.advance(500);
    rig.claim('server-2').unreachable();
    expect(witness.take()).toEqual(['server-1 server-3']);
    await rig.clock.advance(100);
    expect(witness.take()).toEqual(['server-1 server-2 server-3']);
    await rig.add(2, 'a');
    await rig.remove(1, 'server-1');
    // Once more when who was leaving is gone: it was a member until then.
    expect(witness.take()).toEqual([
      'server-1 server-2 server-3 a server-4',
      'server-2 server-3 a server-4',
      'server-2 server-3 a server-4',
    ]);
  });

  test('is told of a replica that was started again where it is now', async () => {
    const { rig, witness } = await followed();
    rig.engine.kill('server-2');
    await rig.clock.advance(1000);
    expect(witness.take()).toEqual([
      'server-1 server-2 server-3',
      'server-1 server-3',
      'server-1 server-2 server-3',
    ]);
    rig.fleet.follow(witness);
    const [, second] = witness.seen[0] ?? [];
    expect(second?.address).toEqual(rig.engine.live('server-2').address as ReadyReplica['address']);
  });

  test('is told no more when it has gone', async () => {
    const { rig, witness, unfollow } = await followed();
    witness.slow = true;
    unfollow();
    await rig.add(1);
    expect(witness.take()).toHaveLength(1);
  });

  test.each(['add', 'remove'] as const)('holds up the answer to a change: %s', async (change) => {
    const { rig, witness } = await followed();
    witness.slow = true;
    let answered = false;
    const asked = rig.fleet[change]({ n: 1, hostnames: [] }).then(() => {
      answered = true;
    });
    await rig.clock.advance(60_000);
    expect([answered, witness.waiting.length]).toEqual([false, 1]);
    witness.waiting[0]?.();
    await rig.clock.until(asked, 0);
  });

  // Workers that had no ring yet answered 503 to the first requests after the line that says "ready".
  test('holds up the opening, where it was there before', async () => {
    const rig = new Rig();
    const witness = new Witness();
    rig.fleet.follow(witness);
    witness.slow = true;
    let open = false;
    const opening = rig.fleet.open().then(() => {
      open = true;
    });
    await rig.clock.advance(40_000);
    expect([open, witness.waiting.length]).toEqual([false, 1]);
    expect(witness.take()).toEqual(['', 'server-1 server-2 server-3']);
    witness.waiting[0]?.();
    await rig.clock.until(opening, 0);
  });

  test('holds up no answer that says that nothing has changed', async () => {
    const { rig, witness } = await followed();
    witness.slow = true;
    rig.engine.startFault = () => 'fails';
    const error = await failure(rig.clock.until(rig.fleet.add({ n: 1, hostnames: [] })));
    expect(error.message).toContain('nothing was added');
    expect(witness.waiting).toEqual([]);
  });
});

describe('a standing lease', () => {
  test('is for who is on the ring', async () => {
    const { rig } = await followed();
    expect(() => rig.fleet.hold('nobody')).toThrow('nobody is not on the ring');
    rig.engine.pause('server-2');
    await rig.clock.advance(1);
    expect(() => rig.fleet.hold('server-2')).toThrow('server-2 is not on the ring');
    expect(rig.fleet.hold('server-1').address).toEqual(rig.engine.live('server-1').address as never);
  });

  test('holds up a leave with nothing in flight, and counts as many as it says', async () => {
    const { rig } = await followed();
    const lease = rig.fleet.hold('server-3');
    const own = rig.claim('server-3');
    expect(rig.view('server-3').inFlight).toBe(1);
    lease.requests = 5;
    expect(rig.view('server-3').inFlight).toBe(6);
    const removing = rig.fleet.remove({ n: 1, hostnames: [] });
    await rig.clock.advance(100);
    expect([rig.view('server-3').state, rig.view('server-3').inFlight]).toEqual(['draining', 6]);
    lease.release();
    lease.release();
    expect(rig.view('server-3').inFlight).toBe(1);
    own.release();
    await rig.clock.until(removing, 100);
  });
});
