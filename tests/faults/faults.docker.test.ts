import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Ring } from '../../src/ring/ring.ts';
import { eventually, type Environment } from '../spawned.ts';
import { freeze } from './freeze.ts';
import { HEALED_MS, KILL_NOTICED_MS, SILENCE_NOTICED_MS, SPARE } from './promises.ts';
import { asBefore, docker, NAMES, othersUntouched, print, Stage, underLoad, type Scene } from './scene.ts';
import { departures, joinedRing, leftRing } from './witness.ts';

setDefaultTimeout(120_000);

const VICTIM = 'server-2';
/** A replica that is slow takes this long, so that who waited for it can be told from who waited for the machine. */
const SLOW_MS = 1500;
/** Replies to each of its clients, meanwhile. */
const SLOW_REPLIES = 2;

interface Fault {
  readonly what: string;
  readonly env?: Environment;
  /** The engine's word for it, from which on it is to be noticed; without one that is when it was asked for. */
  readonly event?: string;
  readonly noticedMs: number;
  readonly strike: (scene: Scene) => Promise<unknown> | void;
  /** What ends it, once it was noticed: from then on it has to be healed. */
  readonly cure?: (scene: Scene) => Promise<unknown> | void;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'killed with -9',
    event: 'kill',
    noticedMs: KILL_NOTICED_MS,
    strike: (scene) => docker(`kill ${scene.container(VICTIM)}`),
  },
  {
    what: 'stopped behind our back',
    event: 'kill',
    noticedMs: KILL_NOTICED_MS,
    strike: (scene) => docker(`stop ${scene.container(VICTIM)}`),
  },
  {
    what: 'removed behind our back',
    event: 'kill',
    noticedMs: KILL_NOTICED_MS,
    strike: (scene) => docker(`rm -f ${scene.container(VICTIM)}`),
  },
  {
    what: 'killed by the kernel, out of memory',
    event: 'oom',
    noticedMs: KILL_NOTICED_MS,
    strike: ({ director }) => director.tell(VICTIM, 'eats memory'),
  },
  {
    what: 'paused',
    event: 'pause',
    noticedMs: SILENCE_NOTICED_MS,
    strike: (scene) => freeze(scene.container(VICTIM)),
  },
  {
    what: 'paused for a moment',
    event: 'pause',
    noticedMs: SILENCE_NOTICED_MS,
    strike: (scene) => freeze(scene.container(VICTIM)),
    cure: (scene) => docker(`unpause ${scene.container(VICTIM)}`),
  },
  {
    what: 'paused, then killed',
    event: 'pause',
    noticedMs: SILENCE_NOTICED_MS,
    strike: (scene) => freeze(scene.container(VICTIM)),
    cure: (scene) => docker(`kill ${scene.container(VICTIM)}`),
  },
  {
    what: 'cut off its network',
    noticedMs: SILENCE_NOTICED_MS,
    // What was sent to it before, and is not to be sent again, waits for no longer.
    env: { REPLY_HEADER_TIMEOUT_MS: '6000' },
    strike: (scene) => docker(`network disconnect ${scene.cluster} ${scene.container(VICTIM)}`),
  },
  {
    what: 'cut off its network, and connected again',
    noticedMs: SILENCE_NOTICED_MS,
    env: { REPLY_HEADER_TIMEOUT_MS: '6000' },
    strike: (scene) => docker(`network disconnect ${scene.cluster} ${scene.container(VICTIM)}`),
    cure: async (scene) => {
      try {
        await docker(`network connect ${scene.cluster} ${scene.container(VICTIM)}`);
      } catch (error) {
        // It may have been noticed so soon that it is being replaced already.
        const { stderr } = error as { stderr?: Buffer };
        if (!/marked for removal|No such container/.test(String(stderr))) throw error;
      }
    },
  },
  {
    what: 'answering heartbeats, but no request',
    // Five requests in a row have to fail, and fewer clients than that wait for it: two times.
    noticedMs: 2 * 1000,
    env: { REPLY_HEADER_TIMEOUT_MS: '1000' },
    strike: ({ director }) => director.tell(VICTIM, 'hangs'),
    cure: ({ director }) => director.tell(VICTIM, 'well'),
  },
  {
    what: 'answering with 500',
    noticedMs: KILL_NOTICED_MS,
    strike: ({ director }) => director.tell(VICTIM, 'fails'),
    cure: ({ director }) => director.tell(VICTIM, 'well'),
  },
];

const stage = new Stage('faults');
const ring = Ring.of(NAMES);
const ownerOf = (target: string): string | undefined => ring.owner(/[?]id=(\d+)/.exec(target)?.[1] ?? '');

describe('under steady load on both ports, a replica is', () => {
  test.each(FAULTS.map((fault) => [fault.what, fault] as const))(
    '%s: no request fails that could be saved, no POST comes twice, and it heals',
    async (what, fault) => {
      const scene = await underLoad(stage, fault.env);
      const { load, ringmaster, witness } = scene;
      load.begin('during');
      const askedMs = Date.now();
      await fault.strike(scene);
      const off = await leftRing(ringmaster, VICTIM, askedMs);
      await fault.cure?.(scene);
      const curedMs = fault.cure === undefined ? off : Date.now();
      const on = await joinedRing(ringmaster, VICTIM, off);
      await load.settled();
      othersUntouched(scene, askedMs, [VICTIM]);
      // Where it could tell of what it was sent, that was for its own keys only: nobody else waited for it.
      expect(scene.director.arrivedAt(VICTIM).filter((target) => ownerOf(target) !== VICTIM)).toEqual([]);
      await asBefore(scene);
      const { event } = fault;
      if (event !== undefined) await eventually(() => witness.times(event, VICTIM).length > 0);
      const beganMs = event === undefined ? askedMs : (witness.times(event, VICTIM)[0] as number);
      const noticedMs = off - beganMs;
      const healedMs = on - off;
      print(
        `${what}: noticed after ${noticedMs.toFixed(0)} ms (${off - askedMs} from the command), healed ${healedMs} ms later` +
          `${fault.cure === undefined ? '' : ` (${on - curedMs} after its cure)`}; ${load.figures([VICTIM])}`,
      );
      expect(noticedMs).toBeLessThan(fault.noticedMs * SPARE);
      expect(healedMs).toBeLessThan(HEALED_MS * SPARE);
    },
  );

  test('slow: it stays, and nobody else is slowed', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, director } = scene;
    const beganMs = Date.now();
    load.begin('during');
    director.tell(VICTIM, `slow ${SLOW_MS}`);
    // Its clients are answered, each several times in the time that it takes.
    await load.settled(SLOW_REPLIES);
    director.tell(VICTIM, 'well');
    expect(departures(ringmaster, beganMs)).toEqual([]);
    // Its own keys are still its own.
    expect(load.strangers('during', [])).toBe(0);
    expect(director.arrivedAt(VICTIM).filter((target) => ownerOf(target) !== VICTIM)).toEqual([]);
    for (const p99 of load.p99('during', [VICTIM])) expect(p99).toBeLessThan(SLOW_MS);
    await asBefore(scene);
    print(`answering after ${SLOW_MS} ms: stays on the ring; ${load.figures([VICTIM])}`);
  });
});
