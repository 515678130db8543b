import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { workersOf } from '../processes.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { Client } from '../traffic/relay/client.ts';
import { BothPorts } from './both-ports.ts';
import { Director } from './director.ts';
import { NAMES, print } from './scene.ts';
import { departures } from './witness.ts';

setDefaultTimeout(120_000);

/** Answered on each port, one way or another, while there is no descriptor: several heartbeats long. */
const MEANWHILE = 1200;
/** Connections that nobody can accept meanwhile. */
const WAITING = 20;

let ringmaster: Spawned | undefined;
let director: Director;
afterEach(async () => {
  await ringmaster?.end('SIGTERM');
  director.close();
});

async function limit(pid: number, descriptors: number): Promise<void> {
  await Bun.$`prlimit --pid ${pid} --nofile=${descriptors}:`.quiet();
}

describe('under steady load on both ports', () => {
  // Without descriptors each connection and heartbeat of ours fails, as if it had been refused: all replicas were off the ring.
  test.each(['1', '2'])(
    'WORKERS=%s: descriptors are used up, and back: no replica is blamed, and all is as before',
    async (workers) => {
      director = await Director.open();
      ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        WORKERS: workers,
        REPLICA_COMMAND: `bun ${import.meta.dir}/replica/server.ts 127.0.0.1 ${director.port}`,
      });
      const { pid, traffic } = ringmaster;
      const pids = [pid, ...(await workersOf(pid))];
      const load = new BothPorts(ringmaster, NAMES, { mayGet: new Set([502, 503]) });
      await load.settled();
      load.begin('before');
      await load.more(200);
      const beganMs = Date.now();
      const [, soft = ''] =
        /^Max open files\s+(\d+)/m.exec(await Bun.file(`/proc/${pid}/limits`).text()) ?? [];
      for (const one of pids) await limit(one, 0);
      load.begin('during');
      const port = Number(new URL(traffic).port);
      const clients = await Promise.all(Array.from({ length: WAITING }, () => Client.open(port)));
      await load.more(MEANWHILE);
      const spentMs = Date.now() - beganMs;
      expect(departures(ringmaster, beganMs)).toEqual([]);
      const unanswered = load.strangers('during', []);
      for (const one of pids) await limit(one, Number(soft));
      const backMs = Date.now();
      await load.settled();
      const settledMs = Date.now() - backMs;
      for (const client of clients) client.close();
      await load.end(director);
      expect(departures(ringmaster, beganMs)).toEqual([]);
      expect(await ringmaster.end('SIGTERM')).toBe(0);
      print(
        `WORKERS=${workers}: no descriptor for ${spentMs} ms, ${unanswered} requests refused meanwhile, all served ${settledMs} ms after; ${load.figures([])}`,
      );
      ringmaster = undefined;
    },
  );
});
