import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../spawned.ts';
import { asBefore, docker, NAMES, othersUntouched, print, Stage, underLoad } from './scene.ts';
import { departures, joinedRing, leftRing } from './witness.ts';

setDefaultTimeout(120_000);

const STOPPED_MS = 20_000;
/** Ids of which it is looked who answers. */
const MAPPED = 100;

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

  // Heartbeats of the one were answered by the other for good, which was sent the keys of both.
  test('the address of a replica that was cut off is given to another: neither is taken for the other', async () => {
    const scene = await underLoad(stage);
    const { load, ringmaster, director } = scene;
    // What is under way at the moment of the cut may still arrive there, when the address is another's.
    await load.end(director);
    const cutMs = Date.now();
    await docker(`network disconnect ${scene.cluster} ${scene.container('server-2')}`);
    // It takes the first address that is free.
    const added = await fetch(`${ringmaster.url}/add`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"n":1,"hostnames":["extra"]}',
    });
    expect(added.status).toBe(200);
    const off = await leftRing(ringmaster, 'server-2', cutMs);
    const on = await joinedRing(ringmaster, 'server-2', off);
    const served = new Set<string>();
    for (let id = 0; id < MAPPED; id++)
      for (const base of [ringmaster.url, ringmaster.traffic]) {
        const reply = await fetch(`${base}/home?id=${id}`);
        const server = reply.headers.get('x-served-by') ?? '';
        expect(await reply.json()).toEqual({ message: `Hello from Server: ${server}`, status: 'successful' });
        served.add(server);
      }
    expect([...served].sort()).toEqual(['extra', ...NAMES]);
    const [why = ''] = departures(ringmaster, cutMs);
    print(`its address given to another: ${why} after ${off - cutMs} ms, healed ${on - off} ms later`);
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
