import { describe, expect, test } from 'bun:test';
import { childrenOf, gone } from './processes.ts';
import { environment, eventually, freePort, runRingmaster, spawnRingmaster } from './spawned.ts';

const PATIENCE_MS = 60_000;
const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

describe('start', () => {
  test(
    'without an engine the replicas are local processes, and one line says why',
    async () => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'auto', ...NO_ENGINE });
      const lines = ringmaster
        .output()
        .split('\n')
        .filter((line) => line.includes('local processes'));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain('replicas run as local processes: no Docker engine answers on this machine');
      expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toEqual({
        N: 3,
        replicas: ['server-1', 'server-2', 'server-3'],
      });
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'where docker is asked for by name and there is none, the start is refused',
    async () => {
      const { status, stderr } = await runRingmaster({ RUNTIME: 'docker', ...NO_ENGINE });
      expect(status).toBe(1);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stderr).toContain('RUNTIME=docker: no Docker engine answers on this machine');
    },
    PATIENCE_MS,
  );

  test.each([
    ['PORT', '99999', '0 to 65535'],
    ['PORT', 'http', '0 to 65535'],
    ['TRAFFIC_PORT', '65536', '0 to 65535, or off'],
    ['WORKERS', '0', '1 to 64'],
    ['RUNTIME', 'podman', 'auto, docker, swarm, process, static'],
    ['REPLICAS', '-1', '0 to 64'],
    ['REPLICAS', '65', '0 to 64'],
    ['CLUSTER', 'a b', 'lower-case'],
    ['HASH_KEY', 'body:id', 'query:NAME'],
    ['ON_EXIT', 'maybe', 'remove, keep'],
  ])(
    '%s=%s stops the start with one line',
    async (name, value, allowed) => {
      const { status, stdout, stderr } = await runRingmaster({ RUNTIME: 'process', [name]: value });
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toStartWith(`${name}="${value}" is not allowed: it must be `);
      expect(stderr).toContain(allowed);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test(
    'a port in use stops the start with one line, before any replica is started',
    async () => {
      const taken = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
      const { port } = taken;
      const { status, stdout, stderr } = await runRingmaster({
        RUNTIME: 'process',
        PORT: String(port),
      });
      await taken.stop(true);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`PORT=${port} is in use`);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test.each([
    ['999.1.1.1', 'an address of this machine'],
    ['no-such-host.invalid', 'an address of this machine'],
  ])(
    'HOST=%s stops the start with one line',
    async (host, allowed) => {
      const { status, stdout, stderr } = await runRingmaster({ RUNTIME: 'process', HOST: host });
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`HOST="${host}"`);
      expect(stderr).toContain(allowed);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test(
    'a HEAD whose replica tells no length claims none',
    async () => {
      const script =
        'require("net").createServer(s=>s.on("data",d=>{s.end(String(d).startsWith("HEAD")?"HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n":"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")}).on("error",()=>{})).listen(+process.env.PORT,process.env.HOST)';
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        REPLICAS: '1',
        REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
      });
      const reply = await fetch(`${ringmaster.url}/any`, { method: 'HEAD' });
      expect([reply.status, reply.headers.get('content-length')]).toEqual([200, null]);
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'a reply that breaks is seen as broken by the client, and the log stays JSON',
    async () => {
      const script =
        'require("net").createServer(s=>s.on("data",d=>{const beat=String(d).includes("/heartbeat");s.write("HTTP/1.1 200 OK\\r\\ncontent-length: "+(beat?2:1000000)+"\\r\\n\\r\\nok");if(!beat)setTimeout(()=>s.resetAndDestroy(),50)}).on("error",()=>{})).listen(+process.env.PORT,process.env.HOST)';
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        REPLICAS: '1',
        REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
      });
      const reply = await fetch(`${ringmaster.url}/breaks`);
      expect(reply.status).toBe(200);
      await expect(reply.text()).rejects.toThrow();
      expect(await ringmaster.end('SIGTERM')).toBe(0);
      for (const line of ringmaster.output().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
    },
    PATIENCE_MS,
  );

  test(
    'replicas that can not start stop the start, and nothing is left',
    async () => {
      const { status, stderr } = await runRingmaster({ RUNTIME: 'process', REPLICA_COMMAND: '/bin/false' });
      expect(status).toBe(1);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stderr).toContain('could not');
    },
    PATIENCE_MS,
  );

  test(
    'calls that come before the replicas are ready wait for them',
    async () => {
      const port = await freePort();
      const starting = spawnRingmaster({ RUNTIME: 'process', PORT: String(port) });
      let first: unknown;
      await eventually(async () => {
        first = await (await fetch(`http://127.0.0.1:${port}/rep`)).json();
      });
      expect(first).toMatchObject({ N: 3 });
      expect(await (await starting).end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'who asks meanwhile whether it is alive and ready is told at once: alive, and starting',
    async () => {
      const port = await freePort();
      const child = Bun.spawn([process.execPath, '--no-orphans', 'src/main.ts'], {
        cwd: new URL('..', import.meta.url).pathname,
        env: environment({ RUNTIME: 'process', PORT: String(port), REPLICA_COMMAND: 'sleep 1000' }),
        stdout: 'ignore',
        stderr: 'ignore',
      });
      const url = `http://127.0.0.1:${port}`;
      let alive: Response | undefined;
      await eventually(async () => {
        alive = await fetch(`${url}/heartbeat`);
      });
      expect([alive?.status, await alive?.text()]).toEqual([200, 'Hello']);
      const ready = await fetch(`${url}/ready`);
      expect([ready.status, ready.headers.get('retry-after'), await ready.json()]).toEqual([
        503,
        '1',
        { message: '<Error> Ringmaster is starting', status: 'failure' },
      ]);
      const head = await fetch(`${url}/ready`, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([503, '']);
      child.kill('SIGTERM');
      expect(await child.exited).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'any HTTP server can be a replica',
    async () => {
      const script =
        'Bun.serve({port:process.env.PORT,hostname:process.env.HOST,fetch:(q)=>new Response("I am "+process.env.SERVER_ID)})';
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        REPLICAS: '1',
        REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
      });
      expect(await (await fetch(`${ringmaster.url}/anything`)).text()).toBe('I am server-1');
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );
});

describe('an add of which one replica can not start', () => {
  test(
    'adds none, says so, and leaves no process behind',
    async () => {
      const server = `exec "${process.execPath}" src/replica/main.ts`;
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        START_TIMEOUT_MS: '3000',
        // Both ways of not starting: ending at once, and never answering.
        REPLICA_COMMAND: `/bin/sh -c 'case $SERVER_ID in ends) exit 3;; silent) exec sleep 1000;; *) ${server};; esac'`,
      });
      const before = await childrenOf(ringmaster.pid);
      for (const hostnames of [
        ['good', 'ends'],
        ['good', 'silent'],
      ]) {
        const reply = await fetch(`${ringmaster.url}/add`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ n: 3, hostnames }),
        });
        expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '1']);
        expect(await reply.json()).toEqual({
          message: '<Error> A replica could not be started or stopped: nothing was added, the log says why',
          status: 'failure',
        });
        expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toMatchObject({ N: 3 });
        expect(await childrenOf(ringmaster.pid)).toEqual(before);
      }
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );
});

describe('exit', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends it with status 0 and leaves nothing',
    async (signal) => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process' });
      const children = await childrenOf(ringmaster.pid);
      // Three replicas and the warden.
      expect(children).toHaveLength(4);
      expect(await ringmaster.end(signal)).toBe(0);
      for (const pid of children) await eventually(() => gone(pid));
      await expect(fetch(`${ringmaster.url}/heartbeat`)).rejects.toThrow();
    },
    PATIENCE_MS,
  );

  test(
    'a request in flight is answered before its replica ends',
    async () => {
      const script =
        'Bun.serve({port:process.env.PORT,hostname:process.env.HOST,fetch:async(q)=>{if(new URL(q.url).pathname==="/slow"){console.log("x");await Bun.sleep(600)}return new Response("done")}})';
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
      });
      const slow = fetch(`${ringmaster.url}/slow`);
      // It is in flight once a quick one that was sent after it is answered.
      await fetch(`${ringmaster.url}/quick`);
      const ended = ringmaster.end('SIGTERM');
      expect(await (await slow).text()).toBe('done');
      expect(await ended).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'a second signal cuts what the first one waits for',
    async () => {
      const script =
        'Bun.serve({port:process.env.PORT,hostname:process.env.HOST,idleTimeout:0,fetch:(q)=>new URL(q.url).pathname==="/never"?new Promise(()=>{}):new Response("done")})';
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'process',
        DRAIN_TIMEOUT_MS: '3600000',
        REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
      });
      const never = fetch(`${ringmaster.url}/never`).catch(() => 'cut');
      await fetch(`${ringmaster.url}/quick`);
      ringmaster.signal('SIGTERM');
      await eventually(() => ringmaster.output().includes('"stopping"'));
      // Signals that come together are one press of Ctrl-C: again, until it counts as the second.
      const again = setInterval(() => ringmaster.signal('SIGTERM'), 100);
      const status = await ringmaster.exited;
      clearInterval(again);
      expect(status).toBe(143);
      await never;
    },
    PATIENCE_MS,
  );

  test(
    'a signal while the replicas are being started leaves nothing',
    async () => {
      const child = Bun.spawn([process.execPath, 'src/main.ts'], {
        cwd: new URL('..', import.meta.url).pathname,
        env: environment({ RUNTIME: 'process', REPLICA_COMMAND: 'sleep 1000', CLUSTER: 'early' }),
        stdout: 'pipe',
        stderr: 'pipe',
      });
      await eventually(async () => (await childrenOf(child.pid)).length === 4);
      const pids = await childrenOf(child.pid);
      child.kill('SIGTERM');
      expect(await child.exited).toBe(0);
      for (const pid of pids) await eventually(() => gone(pid));
    },
    PATIENCE_MS,
  );

  test(
    'killed with -9 it takes its processes with it',
    async () => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process' });
      const children = await childrenOf(ringmaster.pid);
      // Three replicas and the warden.
      expect(children).toHaveLength(4);
      await ringmaster.end('SIGKILL');
      for (const pid of children) await eventually(() => gone(pid));
    },
    PATIENCE_MS,
  );

  test(
    'killed with -9 as `bun run start`, the server below it ends too',
    async () => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process' }, [process.execPath, 'run', 'start']);
      const [server] = await childrenOf(ringmaster.pid);
      await ringmaster.end('SIGKILL');
      await eventually(() => gone(server as number));
      await eventually(() =>
        fetch(`${ringmaster.url}/heartbeat`).then(
          () => false,
          () => true,
        ),
      );
    },
    PATIENCE_MS,
  );

  test(
    '`bun run start` passes a signal on and ends with status 0',
    async () => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process' }, [process.execPath, 'run', 'start']);
      expect(await ringmaster.end('SIGTERM')).toBe(0);
      expect(ringmaster.output()).toContain('"stopped"');
    },
    PATIENCE_MS,
  );
});
