import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { RESTART_DELAY_FIRST_MS } from '../../src/fleet/backoff.ts';
import { EngineProxy } from '../engine-proxy.ts';
import { eventually, type Spawned } from '../spawned.ts';
import { HEALED_MS, KILL_NOTICED_MS, SPARE } from './promises.ts';
import { asBefore, docker, othersUntouched, print, Stage, underLoad } from './scene.ts';
import { joinedRing, leftRing } from './witness.ts';

setDefaultTimeout(120_000);

const VICTIM = 'server-2';
/** Starts that are watched of a replica that dies at each. */
const STARTS = 4;

const stage = new Stage('engine');

const add = (ringmaster: Spawned): Promise<Response> =>
  fetch(`${ringmaster.url}/add`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"n":1}',
  });
const failedStarts = (ringmaster: Spawned): number =>
  ringmaster.output().split('replica could not be started again').length - 1;

describe('under steady load on both ports', () => {
  test('a replica dies while its image is missing: it is back soon after the image is', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, image } = scene;
    // Kept by a name of its own meanwhile.
    const kept = `${image}-kept`;
    await docker(`tag ${image} ${kept}`);
    load.begin('during');
    await docker(`rmi -f ${image}`);
    const killedMs = Date.now();
    await docker(`kill ${scene.container(VICTIM)}`);
    const off = await leftRing(ringmaster, VICTIM, killedMs);
    await eventually(() => failedStarts(ringmaster) > 0);
    const refused = await add(ringmaster);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    await docker(`tag ${kept} ${image}`);
    const curedMs = Date.now();
    await docker(`rmi ${kept}`);
    const on = await joinedRing(ringmaster, VICTIM, off);
    othersUntouched(scene, killedMs, [VICTIM]);
    await asBefore(scene);
    print(
      `killed while its image is missing: noticed ${off - killedMs} ms after the command, healed ${on - curedMs} ms after the image was back, ${failedStarts(ringmaster)} starts failed; ${load.figures([VICTIM])}`,
    );
    expect(off - killedMs).toBeLessThan(KILL_NOTICED_MS * SPARE);
    expect(on - curedMs).toBeLessThan(HEALED_MS * SPARE);
  });

  test('a replica dies while the engine’s socket is gone: it is back soon after the socket is', async () => {
    const engine = new EngineProxy();
    engine.up();
    const scene = await underLoad(stage, { DOCKER_HOST: engine.dockerHost });
    const { load, ringmaster } = scene;
    try {
      load.begin('during');
      const goneMs = Date.now();
      engine.down();
      const refused = await add(ringmaster);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      const killedMs = Date.now();
      await docker(`kill ${scene.container(VICTIM)}`);
      const off = await leftRing(ringmaster, VICTIM, killedMs);
      engine.up();
      const curedMs = Date.now();
      const on = await joinedRing(ringmaster, VICTIM, off);
      othersUntouched(scene, goneMs, [VICTIM]);
      await asBefore(scene);
      print(
        `killed while the engine's socket is gone: noticed ${off - killedMs} ms after the command, healed ${on - curedMs} ms after the socket was back; ${load.figures([VICTIM])}`,
      );
      expect(off - killedMs).toBeLessThan(KILL_NOTICED_MS * SPARE);
      expect(on - curedMs).toBeLessThan(HEALED_MS * SPARE);
      expect((await add(ringmaster)).status).toBe(200);
      await ringmaster.end('SIGTERM');
    } finally {
      engine.down();
    }
  });

  test('a replica that dies at every start is started ever more seldom, and lives once it can', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, witness, director } = scene;
    const starts = (): number[] => witness.times('start', VICTIM).slice(1);
    load.begin('during');
    const toldMs = Date.now();
    director.tell(VICTIM, 'dies');
    const off = await leftRing(ringmaster, VICTIM, toldMs);
    await eventually(() => starts().length >= STARTS);
    director.tell(VICTIM, 'well');
    const on = await joinedRing(ringmaster, VICTIM, off);
    const gapsMs = starts()
      .slice(1, STARTS)
      .map((atMs, i) => Math.round(atMs - (starts()[i] as number)));
    othersUntouched(scene, toldMs, [VICTIM]);
    await asBefore(scene);
    print(
      `dying at every start: noticed after ${off - toldMs} ms, started ${starts().length} times in ${((on - off) / 1000).toFixed(1)} s, ${gapsMs.join(', ')} ms apart; ${load.figures([VICTIM])}`,
    );
    // At least: the engine takes its time besides.
    for (const [i, gapMs] of gapsMs.entries()) expect(gapMs).toBeGreaterThan(RESTART_DELAY_FIRST_MS * 2 ** i);
  });

  test('a container of ours is given another name behind our back: its member is healed, and it goes', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, cluster } = scene;
    load.begin('during');
    const renamedMs = Date.now();
    await docker(`rename ${scene.container(VICTIM)} ${cluster}-elsewhere`);
    const off = await leftRing(ringmaster, VICTIM, renamedMs);
    const on = await joinedRing(ringmaster, VICTIM, off);
    othersUntouched(scene, renamedMs, [VICTIM]);
    // It is not ours any more, and so not ours to remove.
    await docker(`rm -f ${cluster}-elsewhere`);
    await asBefore(scene);
    print(
      `renamed behind our back: noticed after ${off - renamedMs} ms, healed ${on - off} ms later; ${load.figures([VICTIM])}`,
    );
  });
});
