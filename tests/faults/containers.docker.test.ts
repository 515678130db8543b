import { afterEach, describe, expect, test } from 'bun:test';
import { EngineProxy } from '../engine-proxy.ts';
import { eventually, runRingmaster, spawnRingmaster, type Spawned } from '../spawned.ts';
import { freeze } from './freeze.ts';

const PATIENCE_MS = 180_000;
const CLUSTER = `faults-${process.pid}`;
const IDS = 10_000;
/** Requests in flight at once. */
const CLIENTS = 16;

const live: Spawned[] = [];
afterEach(async () => {
  for (const one of live.splice(0)) await one.end('SIGTERM');
  // Whatever a test left, the next one must not adopt.
  const left = await docker(`ps -aq --filter label=ringmaster.cluster=${CLUSTER}`);
  if (left !== '') await docker(`rm -f ${left.split('\n').join(' ')}`);
}, PATIENCE_MS);

async function start(env: Record<string, string> = {}): Promise<Spawned> {
  const ringmaster = await spawnRingmaster({ RUNTIME: 'docker', CLUSTER, ...env });
  live.push(ringmaster);
  return ringmaster;
}

async function docker(command: string): Promise<string> {
  return (await Bun.$`docker ${{ raw: command }}`.quiet().text()).trim();
}

const containers = (): Promise<string> =>
  docker(`ps -a --no-trunc --filter label=ringmaster.cluster=${CLUSTER} --format {{.ID}}:{{.Names}}`).then(
    (text) => text.split('\n').sort().join('\n'),
  );

/** Does `act` for each id, CLIENTS at a time. */
async function forIds(count: number, act: (id: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (next < count) await act(next++);
    }),
  );
}

async function mapOf({ url }: Spawned, count = IDS): Promise<string[]> {
  const owners: string[] = [];
  await forIds(count, async (id) => {
    const reply = (await (await fetch(`${url}/map_request?id=${id}`)).json()) as { mapped_server: string };
    owners[id] = reply.mapped_server;
  });
  return owners;
}

const ready = async ({ url }: Spawned, name: string, owners: readonly string[]): Promise<boolean> => {
  const reply = await fetch(`${url}/home?id=${owners.indexOf(name)}`);
  return reply.headers.get('x-served-by') === name;
};

describe('containers under faults', () => {
  // Each breaks server-2 in its own way, half-way through the ids.
  test.each([
    ['killed', (container: string) => docker(`kill ${container}`)],
    ['paused', freeze],
  ])(
    '10,000 ids while a replica is %s: no request fails, no survivor’s key moves, and it heals under its name',
    async (_, strike) => {
      const ringmaster = await start();
      const before = await mapOf(ringmaster);
      const failed: string[] = [];
      const wrong: string[] = [];
      let fault: Promise<unknown> | undefined;
      await forIds(IDS, async (id) => {
        if (id === IDS / 2) fault = strike(`${CLUSTER}-server-2`);
        const reply = await fetch(`${ringmaster.url}/home?id=${id}`);
        const text = await reply.text();
        const server = reply.headers.get('x-served-by') ?? 'nobody';
        if (text !== `{"message":"Hello from Server: ${server}","status":"successful"}`)
          failed.push(`${id}: ${reply.status} ${text}`);
        // Keys of the broken one are its successors' for a while; all others stay where they are.
        if (server !== before[id] && before[id] !== 'server-2')
          wrong.push(`${id}: ${before[id]} became ${server}`);
        if (server !== before[id] && id < IDS / 2 - CLIENTS) wrong.push(`${id} before the fault`);
      });
      await fault;
      expect(failed).toEqual([]);
      expect(wrong).toEqual([]);
      await eventually(() => ready(ringmaster, 'server-2', before));
      await eventually(async () => (await mapOf(ringmaster, 100)).every((owner, id) => owner === before[id]));
      expect(await mapOf(ringmaster)).toEqual(before);
      expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toEqual({
        N: 3,
        replicas: ['server-1', 'server-2', 'server-3'],
      });
      expect(
        (await containers())
          .split('\n')
          .map((line) => line.split(':')[1])
          .sort(),
      ).toEqual([1, 2, 3].map((i) => `${CLUSTER}-server-${i}`));
    },
    PATIENCE_MS,
  );

  test(
    'killed with -9 and started again, Ringmaster adopts the same containers with the same map',
    async () => {
      const first = await start();
      await fetch(`${first.url}/add`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"n":1,"hostnames":["extra"]}',
      });
      const [map, before] = [await mapOf(first), await containers()];
      expect(before.split('\n')).toHaveLength(4);
      await first.end('SIGKILL');
      live.length = 0;
      const second = await start();
      expect(await containers()).toBe(before);
      expect(await mapOf(second)).toEqual(map);
      expect(await (await fetch(`${second.url}/rep`)).json()).toEqual({
        N: 4,
        replicas: ['server-1', 'server-2', 'server-3', 'extra'],
      });
    },
    PATIENCE_MS,
  );

  test(
    'a replica that died while Ringmaster was away is healed at the next start',
    async () => {
      const first = await start();
      const map = await mapOf(first, 500);
      await first.end('SIGKILL');
      live.length = 0;
      await docker(`kill ${CLUSTER}-server-1`);
      await docker(`rm -f ${CLUSTER}-server-3`);
      const second = await start();
      // A member whose container is gone left no trace on the engine, which is all the memory there is.
      expect(await (await fetch(`${second.url}/rep`)).json()).toEqual({
        N: 2,
        replicas: ['server-1', 'server-2'],
      });
      const survivors = map.map((owner) => owner !== 'server-3');
      const after = await mapOf(second, 500);
      for (const [id, kept] of survivors.entries()) if (kept) expect(after[id]).toBe(map[id] as string);
    },
    PATIENCE_MS,
  );

  test(
    'what an add that was cut short has left is not adopted',
    async () => {
      const first = await start();
      // The container can't become ready, so the add never commits.
      const proxy = fetch(`${first.url}/add`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"n":8}',
      }).catch(() => undefined);
      await eventually(async () => (await containers()).split('\n').length > 4);
      await first.end('SIGKILL');
      live.length = 0;
      await proxy;
      const second = await start();
      const { N } = (await (await fetch(`${second.url}/rep`)).json()) as { N: number };
      // All of it or none of it: the commit may have begun.
      expect([3, 11]).toContain(N);
      await eventually(async () => (await containers()).split('\n').length === N);
      expect(await containers()).not.toContain('joining');
    },
    PATIENCE_MS,
  );

  test(
    'ON_EXIT=keep leaves the replicas to the next start',
    async () => {
      const first = await start({ ON_EXIT: 'keep' });
      const before = await containers();
      expect(await first.end('SIGTERM')).toBe(0);
      live.length = 0;
      expect(await containers()).toBe(before);
      await start();
      expect(await containers()).toBe(before);
    },
    PATIENCE_MS,
  );

  test(
    'SIGTERM leaves no container and no network',
    async () => {
      const ringmaster = await start();
      expect(await docker(`network ls -q --filter name=${CLUSTER}`)).not.toBe('');
      expect(await ringmaster.end('SIGTERM')).toBe(0);
      live.length = 0;
      expect(await containers()).toBe('');
      expect(await docker(`network ls -q --filter name=${CLUSTER}`)).toBe('');
    },
    PATIENCE_MS,
  );

  // Ringmaster made its network at the start only: once somebody tidied it away nothing could be healed any more.
  test(
    'replicas come back when their network is gone too',
    async () => {
      const ringmaster = await start();
      const before = await mapOf(ringmaster, 200);
      await docker(`rm -f ${[1, 2, 3].map((i) => `${CLUSTER}-server-${i}`).join(' ')}`);
      await docker(`network rm -f ${CLUSTER}`).catch(() => {});
      await eventually(async () => {
        expect(await mapOf(ringmaster, 200)).toEqual(before);
      });
    },
    PATIENCE_MS,
  );

  // The second adopted the replicas of the first, which took the joins of the second for orphans.
  test(
    'a second Ringmaster of the same cluster is refused, and harms nothing',
    async () => {
      const ringmaster = await start();
      const before = await containers();
      const second = await runRingmaster({ RUNTIME: 'docker', CLUSTER });
      expect(second.status).toBe(1);
      expect(second.stderr).toContain(`another Ringmaster runs CLUSTER=${CLUSTER} here`);
      expect(second.stderr.trim().split('\n')).toHaveLength(1);
      expect(await containers()).toBe(before);
      expect((await fetch(`${ringmaster.url}/home?id=1`)).status).toBe(200);
    },
    PATIENCE_MS,
  );

  test(
    'while the engine is away requests are served and changes refused; once it is back, healing goes on',
    async () => {
      const engine = new EngineProxy();
      engine.up();
      const ringmaster = await start({ DOCKER_HOST: engine.dockerHost });
      const before = await mapOf(ringmaster, 500);
      const change = async (method: string, path: string): Promise<Response> =>
        fetch(ringmaster.url + path, {
          method,
          headers: { 'content-type': 'application/json' },
          body: '{"n":1}',
        });
      engine.down();
      for (const reply of [await change('POST', '/add'), await change('DELETE', '/rm')]) {
        expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '1']);
        const { message } = (await reply.json()) as { message: string };
        expect(message).toStartWith('<Error> The engine that runs the replicas does not answer');
        expect(message).not.toContain('.sock');
      }
      expect(await mapOf(ringmaster, 500)).toEqual(before);
      await docker(`kill ${CLUSTER}-server-2`);
      await forIds(500, async (id) =>
        expect((await fetch(`${ringmaster.url}/home?id=${id}`)).status).toBe(200),
      );
      engine.up();
      await eventually(() => ready(ringmaster, 'server-2', before));
      expect(await mapOf(ringmaster, 500)).toEqual(before);
      expect((await change('POST', '/add')).status).toBe(200);
      expect((await change('DELETE', '/rm')).status).toBe(200);
      await ringmaster.end('SIGTERM');
      live.length = 0;
      engine.down();
    },
    PATIENCE_MS,
  );
});
