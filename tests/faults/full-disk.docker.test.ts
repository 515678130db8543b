import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { Ring } from '../../src/ring/ring.ts';
import { replicasOf } from '../processes.ts';
import { environment, eventually, freePort, type Environment, type Spawned } from '../spawned.ts';
import { BothPorts } from './both-ports.ts';
import { Director } from './director.ts';
import { docker, NAMES, print } from './scene.ts';

setDefaultTimeout(120_000);

const ROOT = new URL('../..', import.meta.url).pathname;
const CLUSTER = `full-${process.pid}`;
const VICTIM = 'server-2';
const BYTES = 4096;
/** Who may mount a file system of its own can fill it. */
const mayMount = process.platform === 'linux' && process.getuid?.() === 0;

/** Takes nothing that is written to it. */
let folder: string;
let director: Director;
let ringmaster: Spawned | undefined;
beforeEach(async () => {
  folder = await mkdtemp('/tmp/ringmaster-full-');
  if (mayMount) {
    await Bun.$`mount -t tmpfs -o size=${BYTES} tmpfs ${folder}`.quiet();
    await Bun.write(`${folder}/all`, new Uint8Array(BYTES));
  }
  director = await Director.open();
});
afterEach(async () => {
  await ringmaster?.end('SIGTERM');
  director.close();
  if (mayMount) await Bun.$`umount --lazy ${folder}`.quiet();
  await rmdir(folder);
  const left = await docker(`ps -aq --filter label=ringmaster.cluster=${CLUSTER}`);
  if (left !== '') await docker(`rm -f ${left.split('\n').join(' ')}`);
});

/** Starts it with all that it writes to full. It can't say that it is ready, so it is asked. */
async function start(env: Environment): Promise<Spawned> {
  const [port, trafficPort] = [await freePort(), await freePort()];
  const child = Bun.spawn(
    ['sh', '-c', 'exec "$@" >/dev/full 2>/dev/full', 'sh', process.execPath, '--no-orphans', 'src/main.ts'],
    {
      cwd: ROOT,
      env: environment({
        CLUSTER,
        PORT: String(port),
        TRAFFIC_PORT: String(trafficPort),
        TMPDIR: folder,
        LOG_LEVEL: 'debug',
        ...env,
      }),
      stdout: 'ignore',
      stderr: 'ignore',
    },
  );
  const url = `http://127.0.0.1:${port}`;
  const started: Spawned = {
    url,
    traffic: `http://127.0.0.1:${trafficPort}`,
    pid: child.pid,
    output: () => '',
    exited: child.exited,
    signal: (signal) => child.kill(signal),
    end: (signal) => {
      child.kill(signal);
      return child.exited;
    },
  };
  ringmaster = started;
  await eventually(async () => (await fetch(`${url}/rep`)).status === 200);
  return started;
}

async function change({ url }: Spawned, method: 'POST' | 'DELETE', names: readonly string[]): Promise<void> {
  const reply = await fetch(`${url}/${method === 'POST' ? 'add' : 'rm'}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: '{"n":1,"hostnames":["extra"]}',
  });
  expect(await reply.json()).toEqual({
    message: { N: names.length, replicas: [...names] },
    status: 'successful',
  });
}

/** Who owns ids now, by the map. */
async function ownersOf({ url }: Spawned): Promise<Set<string>> {
  const owners = new Set<string>();
  for (let id = 0; id < 60; id++) {
    const reply = (await (await fetch(`${url}/map_request?id=${id}`)).json()) as { mapped_server: string };
    owners.add(reply.mapped_server);
  }
  return owners;
}

describe('with the disk full wherever it writes', () => {
  test.each(['process', 'docker'])(
    '%s: it serves, changes and heals as ever, and its exit is clean',
    async (runtime) => {
      const image: Environment =
        runtime === 'docker'
          ? {}
          : { REPLICA_COMMAND: `bun ${import.meta.dir}/replica/server.ts 127.0.0.1 ${director.port}` };
      const running = await start({ RUNTIME: runtime, ...image });
      const load = new BothPorts(running, NAMES, { others: ['extra'] });
      await load.settled();
      load.begin('before');
      await change(running, 'POST', [...NAMES, 'extra']);
      await change(running, 'DELETE', NAMES);
      await load.settled();
      const inContainers = runtime === 'docker';
      const instance = async (): Promise<unknown> =>
        inContainers
          ? docker(`inspect --format {{.Id}} ${CLUSTER}-${VICTIM}`)
          : (await replicasOf(running.pid)).get(VICTIM);
      const before = await instance();
      load.begin('during');
      if (inContainers) await docker(`kill ${CLUSTER}-${VICTIM}`);
      else process.kill(before as number, 'SIGKILL');
      await eventually(async () => ![undefined, before].includes(await instance()));
      await load.settled();
      expect([...(await ownersOf(running))].sort()).toEqual([...Ring.of(NAMES).names].sort());
      // The sample server tells nobody of what it was sent.
      await load.end(inContainers ? undefined : director);
      expect(await running.end('SIGTERM')).toBe(0);
      ringmaster = undefined;
      expect(await docker(`ps -aq --filter label=ringmaster.cluster=${CLUSTER}`)).toBe('');
      print(`disk full, ${runtime}: ${load.figures([VICTIM])}`);
    },
  );
});
