import { describe, expect, test } from 'bun:test';
import { Unavailable } from '../../src/fleet/errors.ts';
import { endRigs, failure, member, Rig, type RigOptions } from './rig.ts';

endRigs();

const HOUR_MS = 3_600_000;

/** A fleet of servers that somebody else runs, not opened yet. */
function unowned(names: readonly string[], options: RigOptions = {}): Rig {
  const rig = new Rig({ owns: false, durable: false, ...options });
  for (const [i, name] of names.entries()) rig.engine.plant(member(name, i + 1));
  return rig;
}

describe('open, with servers that somebody else runs', () => {
  test('takes them in, in order, and is done when they answer', async () => {
    const rig = unowned(['b', 'a']);
    await rig.open();
    expect(rig.states()).toBe('b ready, a ready');
    expect(rig.clock.now()).toBeLessThan(100);
    expect(rig.logged('warn')).toEqual([]);
    expect(rig.logged('info').map((line) => line.message)).toContain(
      'took in the servers that are configured',
    );
  });

  test.each(['refusing', 'failing', 'silent'] as const)(
    'asks one that is %s once, begins without it, and says so',
    async (health) => {
      const rig = unowned(['a', 'down']);
      rig.engine.live('down').health = health;
      await rig.open();
      expect(rig.states()).toBe('a ready, down ejected');
      expect(rig.fleet.ring.names).toEqual(['a']);
      // The deadline of one heartbeat, and not the 30 s of a start.
      expect(rig.clock.now()).toBeLessThanOrEqual(1100);
      const [line, ...others] = rig.logged('warn');
      expect(others).toEqual([]);
      expect(line).toMatchObject({ fields: { replicas: ['down'] } });
      expect(line?.message).toContain('do not answer /heartbeat yet');
    },
  );

  test('begins also where none answers', async () => {
    const rig = unowned(['a', 'b']);
    for (const name of ['a', 'b']) rig.engine.live(name).health = 'refusing';
    await rig.open();
    expect(rig.states()).toBe('a ejected, b ejected');
    expect(rig.fleet.claim('key')).toBeUndefined();
    rig.engine.live('b').health = 'well';
    await rig.clock.advance(1100);
    expect(rig.fleet.claim('key')?.replica).toBe('b');
  });
});

describe('a server that somebody else runs', () => {
  // It was taken for dead after twice the heartbeats that it may miss, and "started" again and again with a back-off
  // that grew: one that was down for a few minutes was off the ring for up to 30 s after it was back.
  test.each(['refusing', 'failing', 'silent'] as const)(
    'and is %s is never replaced, however long, and is back with the next heartbeat that it answers',
    async (health) => {
      const rig = unowned(['a', 'b']);
      await rig.open();
      const before = rig.fleet.ring;
      for (const downMs of [1000, 10_000, HOUR_MS]) {
        rig.engine.live('b').health = health;
        await rig.clock.advance(downMs + 5000);
        expect(rig.states()).toBe('a ready, b ejected');
        rig.engine.live('b').health = 'well';
        // A heartbeat that is under way, the pause after it, and the one that is answered.
        await rig.clock.advance(2100);
        expect(rig.states()).toBe('a ready, b ready');
      }
      expect(rig.fleet.ring.names).toEqual(before.names);
      expect(rig.runtime.calls).toMatchObject({ start: 0, stop: 0 });
      expect(rig.view('b').restarts).toBe(0);
    },
  );

  test('and could not be reached by a request is off the ring at once, and back as soon', async () => {
    const rig = unowned(['a', 'b']);
    await rig.open();
    rig.claim('b').unreachable();
    expect(rig.states()).toBe('a ready, b ejected');
    await rig.clock.advance(200);
    expect(rig.states()).toBe('a ready, b ready');
  });

  test('and leaves has the whole drain timeout for its requests: nothing of it has to be ended', async () => {
    const rig = unowned(['a', 'b']);
    await rig.open();
    const beganMs = rig.clock.now();
    let cutMs: number | undefined;
    rig.claim('b').onCut = () => (cutMs = rig.clock.now() - beganMs);
    expect(await rig.remove(1, 'b')).toEqual(['a']);
    expect(cutMs).toBe(10_000);
  });

  test('and joins without ever answering is refused after the start timeout, and all that came with it', async () => {
    const rig = unowned(['a']);
    rig.engine.bootMs = ({ name }) => (name === 'down' ? Number.POSITIVE_INFINITY : 1);
    await rig.open();
    const beganMs = rig.clock.now();
    expect(await failure(rig.add(2, 'well', 'down'))).toBeInstanceOf(Unavailable);
    expect(rig.clock.now() - beganMs).toBe(30_000);
    expect(rig.fleet.names()).toEqual(['a']);
    expect(rig.held()).toEqual(['a']);
  });
});
