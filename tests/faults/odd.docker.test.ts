import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../spawned.ts';
import { asBefore, docker, NAMES, othersUntouched, print, Stage, underLoad } from './scene.ts';
import { departures, joinedRing, leftRing } from './witness.ts';

setDefaultTimeout(120_000);

const STOPPED_MS = 20_000;

const stage = new Stage('odd');

describe('under steady load on both ports', () => {
  test('two of three replicas are killed at once, and the last serves meanwhile', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster } = scene;
    const victims = ['server-1', 'server-2'];
    load.begin('during');
    const killedMs = Date.now();
    await docker(`kill ${victims.map(scene.container).join(' ')}`);
    const off = await Promise.all(victims.map((name) => leftRing(ringmaster, name, killedMs)));
    const on = await Promise.all(victims.map((name, i) => joinedRing(ringmaster, name, off[i] as number)));
    othersUntouched(scene, killedMs, victims);
    await asBefore(scene);
    print(
      `two killed at once: noticed ${Math.max(...off) - killedMs} ms after the command, healed ${Math.max(...on) - Math.max(...off)} ms later; ${load.figures(victims)}`,
    );
  });

  test('a replica is killed again while it is healed', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, witness } = scene;
    load.begin('during');
    const killedMs = Date.now();
    await docker(`kill ${scene.container('server-2')}`);
    const off = await leftRing(ringmaster, 'server-2', killedMs);
    // The next one runs, if it does not answer yet.
    await eventually(() => witness.times('start', 'server-2').length > 1);
    await docker(`kill ${scene.container('server-2')}`);
    await eventually(() => witness.times('start', 'server-2').length > 2);
    await load.settled();
    othersUntouched(scene, killedMs, ['server-2']);
    const on = await joinedRing(ringmaster, 'server-2', witness.times('start', 'server-2')[2] as number);
    await asBefore(scene);
    print(`killed while it is healed: healed after ${on - off} ms in all; ${load.figures(['server-2'])}`);
  });

  test('the address of a replica that was cut off is given to another: neither is taken for the other', async () => {
    const scene = await underLoad(stage, { REPLY_HEADER_TIMEOUT_MS: '6000' }, { others: ['extra'] });
    const { load, ringmaster, director } = scene;
    load.begin('during');
    const cutMs = Date.now();
    await docker(`network disconnect ${scene.cluster} ${scene.container('server-2')}`);
    // It takes the first address that is free.
    const change = (method: 'POST' | 'DELETE', verb: string): Promise<Response> =>
      fetch(`${ringmaster.url}/${verb}`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: '{"n":1,"hostnames":["extra"]}',
      });
    director.arrivedAt('extra');
    expect((await change('POST', 'add')).status).toBe(200);
    await joinedRing(ringmaster, 'server-2', await leftRing(ringmaster, 'server-2', cutMs));
    expect((await change('DELETE', 'rm')).status).toBe(200);
    await asBefore(scene);
    print(
      `its address was given to another: ${departures(ringmaster, cutMs).join(', ')}; ${load.figures(['server-2'])}`,
    );
  });

  test('Ringmaster is stopped for 20 s and goes on: nobody is blamed for that', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, director } = scene;
    load.begin('during');
    const stoppedMs = Date.now();
    ringmaster.signal('SIGSTOP');
    await Bun.sleep(STOPPED_MS);
    ringmaster.signal('SIGCONT');
    await load.settled();
    expect(departures(ringmaster, stoppedMs)).toEqual([]);
    expect(load.strangers('during', [])).toBe(0);
    await load.end(director);
    expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toEqual({ N: 3, replicas: [...NAMES] });
    print(`stopped for ${STOPPED_MS} ms: ${load.figures([])}`);
  });
});
