import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { eventually, freePort } from './spawned.ts';

const PATIENCE_MS = 300_000;
const ROOT = new URL('..', import.meta.url).pathname;
const PROJECT = `rm-compose-${process.pid}`;

describe('docker compose', () => {
  let url: string;
  let traffic: string;
  let env: Record<string, string | undefined>;
  const compose = async (...args: string[]): Promise<string> => {
    const child = Bun.spawn(['docker', 'compose', '-p', PROJECT, ...args], {
      cwd: ROOT,
      env,
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [stdout, stderr, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (status !== 0) throw new Error(`docker compose ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const docker = async (command: string): Promise<string> =>
    (
      await Bun.$`docker ${command.split(' ').map((word) => word.replace('json.', 'json .'))}`.quiet().text()
    ).trim();
  const json = async (path: string, method = 'GET', body?: object): Promise<unknown> => {
    const sent =
      body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await fetch(url + path, { method, ...sent })).json();
  };

  beforeAll(async () => {
    const [port, trafficPort] = await Promise.all([freePort(), freePort()]);
    url = `http://127.0.0.1:${port}`;
    traffic = `http://127.0.0.1:${trafficPort}`;
    env = { ...process.env, PORT: String(port), TRAFFIC_PORT: String(trafficPort), CLUSTER: PROJECT };
    await compose('up', '--build', '--detach', '--wait');
  }, PATIENCE_MS);

  afterAll(async () => {
    await compose('down').catch(() => {});
  }, PATIENCE_MS);

  test(
    'gives three replicas, as sibling containers on the project’s network',
    async () => {
      expect(await json('/rep')).toEqual({ N: 3, replicas: ['server-1', 'server-2', 'server-3'] });
      for (const i of [1, 2, 3]) {
        const networks = await docker(`inspect -f {{json.NetworkSettings.Networks}} ${PROJECT}-server-${i}`);
        expect(Object.keys(JSON.parse(networks) as object)).toEqual([`${PROJECT}_default`]);
      }
    },
    PATIENCE_MS,
  );

  test(
    'requests go where the map says, on both ports',
    async () => {
      for (let id = 0; id < 50; id++) {
        const { mapped_server: owner } = (await json(`/map_request?id=${id}`)) as { mapped_server: string };
        const served = { message: `Hello from Server: ${owner}`, status: 'successful' };
        expect(await json(`/home?id=${id}`)).toEqual(served);
        const relayed = await fetch(`${traffic}/home?id=${id}`);
        expect([relayed.headers.get('via'), await relayed.json()]).toEqual(['1.1 ringmaster', served]);
      }
    },
    PATIENCE_MS,
  );

  test(
    'every path of the traffic port is the replicas’',
    async () => {
      for (const path of ['/rep', '/add', '/heartbeat', '/swagger'])
        expect((await fetch(traffic + path)).headers.get('x-served-by')).toStartWith('server-');
    },
    PATIENCE_MS,
  );

  test(
    'replicas join, leave and heal',
    async () => {
      expect(await json('/add', 'POST', { n: 1, hostnames: ['a'] })).toMatchObject({ message: { N: 4 } });
      expect(await json('/rm', 'DELETE', { n: 1, hostnames: ['a'] })).toMatchObject({ message: { N: 3 } });
      const before = await docker(`inspect -f {{.Id}} ${PROJECT}-server-2`);
      await docker(`kill ${PROJECT}-server-2`);
      await eventually(async () => (await docker(`inspect -f {{.Id}} ${PROJECT}-server-2`)) !== before);
      let id = 0;
      await eventually(
        async () =>
          ((await json(`/map_request?id=${id++}`)) as { mapped_server: string }).mapped_server === 'server-2',
      );
    },
    PATIENCE_MS,
  );

  test(
    'Ringmaster killed with -9 comes back by itself and adopts its replicas',
    async () => {
      const replicas = (): Promise<string> => docker(`ps -q --filter label=ringmaster.cluster=${PROJECT}`);
      const before = await replicas();
      const started = (): Promise<string> =>
        docker(`inspect -f {{.State.StartedAt}} ${PROJECT}-ringmaster-1`);
      const first = await started();
      // Docker counts `docker kill` as a wish to stop, and would not start it again.
      const pid = await docker(`inspect -f {{.State.Pid}} ${PROJECT}-ringmaster-1`);
      process.kill(Number(pid), 'SIGKILL');
      await eventually(async () => (await started()) !== first);
      await eventually(async () => ((await json('/rep')) as { N: number }).N === 3);
      expect(await replicas()).toBe(before);
    },
    PATIENCE_MS,
  );

  test(
    'the image is small in rights: not root, and a health check of its own',
    async () => {
      const image = JSON.parse(await docker(`inspect -f {{json.Config}} ringmaster:0.1.0`)) as Record<
        string,
        unknown
      >;
      expect(image['User']).toBe('bun');
      expect(image['Healthcheck']).toBeDefined();
      const health = (): Promise<string> =>
        docker(`inspect -f {{.State.Health.Status}} ${PROJECT}-ringmaster-1`);
      await eventually(async () => (await health()) === 'healthy');
      // Nothing but what production needs.
      const packages = await docker(`run --rm ringmaster:0.1.0 ls node_modules`);
      for (const name of ['fast-check', 'oxlint', 'deno', 'playwright-core', 'hashring'])
        expect(packages.split('\n')).not.toContain(name);
    },
    PATIENCE_MS,
  );

  test(
    'down leaves nothing behind',
    async () => {
      await compose('down');
      expect(await docker(`ps -aq --filter label=ringmaster.cluster=${PROJECT}`)).toBe('');
      expect(await docker(`ps -aq --filter name=${PROJECT}`)).toBe('');
      expect(await docker(`network ls -q --filter name=${PROJECT}`)).toBe('');
      expect(await docker(`volume ls -q --filter name=${PROJECT}`)).toBe('');
    },
    PATIENCE_MS,
  );
});
