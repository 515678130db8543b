import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as fc from 'fast-check';
import { Ring } from '../src/ring/ring.ts';
import { childrenOf, gone, listenersOf } from './processes.ts';
import {
  eventually,
  freePort,
  runRingmaster,
  spawnRingmaster,
  type Environment,
  type Spawned,
} from './spawned.ts';
import { Client, turn } from './traffic/relay/client.ts';

// Nothing here depends on how long it takes; machines can be slow.
setDefaultTimeout(60_000);

const HOUR_MS = '3600000';
/** Fits the socket buffers of the kernel, where a reset of the connection destroys it. */
const LONG_BYTES = 500_000;
const NAMES = ['a', 'b', 'c'] as const;

/** Servers that say their names, hold what is sent to /held until they are let go, and have a long page. */
class Servers {
  held = 0;
  readonly #release = Promise.withResolvers<void>();
  readonly #servers = NAMES.map((name) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#answer(name, new URL(request.url).pathname),
    }),
  );

  get env(): Environment {
    const list = this.#servers.map((one, i) => `${NAMES[i]}=127.0.0.1:${one.port}`);
    return { RUNTIME: 'static', UPSTREAMS: list.join(',') };
  }

  letGo(): void {
    this.#release.resolve();
  }

  async stop(): Promise<void> {
    this.letGo();
    await Promise.all(this.#servers.map((one) => one.stop(true)));
  }

  async #answer(name: string, path: string): Promise<Response> {
    if (path === '/long') return new Response('x'.repeat(LONG_BYTES));
    if (path === '/held') {
      this.held++;
      await this.#release.promise;
    }
    return new Response(name);
  }
}

const ringmasters: Spawned[] = [];
const clients: Client[] = [];
const all: Servers[] = [];
afterEach(async () => {
  for (const one of clients.splice(0)) one.close();
  const servers = all.splice(0);
  for (const one of servers) one.letGo();
  await Promise.all(ringmasters.splice(0).map((one) => one.end('SIGTERM')));
  await Promise.all(servers.map((one) => one.stop()));
});

async function start(env: Environment): Promise<Spawned> {
  const ringmaster = await spawnRingmaster(env);
  ringmasters.push(ringmaster);
  return ringmaster;
}

function serve(): Servers {
  const servers = new Servers();
  all.push(servers);
  return servers;
}

async function connect(ringmaster: Spawned, options: { readonly paused?: boolean } = {}): Promise<Client> {
  const client = await Client.open(portOf(ringmaster.traffic), options);
  clients.push(client);
  return client;
}

async function refused(ringmaster: Spawned): Promise<boolean> {
  return connect(ringmaster).then(
    () => false,
    () => true,
  );
}

const portOf = (url: string): number => Number(new URL(url).port);
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

function startLine(ringmaster: Spawned): Record<string, unknown> {
  const line = ringmaster
    .output()
    .split('\n')
    .find((one) => one.includes('"msg":"ready'));
  return JSON.parse(line ?? '') as Record<string, unknown>;
}

/** A path for a file of one test; whether it is there is up to the test. */
const files: string[] = [];
function fileName(): string {
  const path = `${tmpdir()}/ringmaster-${process.pid}-${files.length}`;
  files.push(path);
  return path;
}
afterEach(() => Promise.all(files.map((path) => rm(path, { force: true }))));

/** Processes that relay: Ringmaster itself, or others. */
const WORKERS = ['1', '2'] as const;

describe('the start', () => {
  test('names the traffic port beside the control port, and listens on no other', async () => {
    const ringmaster = await start(serve().env);
    const { url, traffic, trafficPort, msg } = startLine(ringmaster);
    expect(ringmaster.traffic).not.toBe('');
    expect([url, traffic]).toEqual([ringmaster.url, ringmaster.traffic]);
    expect(msg).toBe(`ready: ${ringmaster.url}, traffic: ${ringmaster.traffic}`);
    expect(trafficPort).toBe(portOf(ringmaster.traffic));
    const ports = [portOf(ringmaster.url), portOf(ringmaster.traffic)];
    expect(listenersOf(ringmaster.pid)).toEqual(ports.sort((a, b) => a - b));
  });

  test('with TRAFFIC_PORT=off says so, listens on the control port alone, and forwards there', async () => {
    const ringmaster = await start({ ...serve().env, TRAFFIC_PORT: 'off', WORKERS: '2' });
    const { traffic, trafficPort, msg } = startLine(ringmaster);
    expect([traffic, trafficPort, msg]).toEqual(['off', undefined, `ready: ${ringmaster.url}, traffic: off`]);
    expect(listenersOf(ringmaster.pid)).toEqual([portOf(ringmaster.url)]);
    expect(await childrenOf(ringmaster.pid)).toEqual([]);
    const reply = await fetch(`${ringmaster.url}/any?id=1`);
    expect([reply.status, await reply.text()]).toEqual([200, reply.headers.get('x-served-by') ?? 'nobody']);
  });

  // Who shares a port gets a part of its connections, and nobody is told.
  test.each(WORKERS.flatMap((workers) => [false, true].map((shared) => [workers, shared] as const)))(
    'with WORKERS=%s stops where TRAFFIC_PORT is in use (by one who shares it: %p), with one line and nothing left',
    async (workers, shared) => {
      const taken = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        reusePort: shared,
        fetch: () => new Response(),
      });
      const port = String(taken.port);
      const started = fileName();
      // It ends only with its output, which a process that it left behind would hold open.
      const { status, stdout, stderr } = await runRingmaster({
        RUNTIME: 'process',
        WORKERS: workers,
        TRAFFIC_PORT: port,
        REPLICA_COMMAND: `/bin/sh -c 'touch "${started}"; exec sleep 1000'`,
      });
      await taken.stop(true);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toStartWith(`TRAFFIC_PORT=${port} is in use on 127.0.0.1: `);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(await Bun.file(started).exists()).toBe(false);
    },
  );

  test('refuses one port for both', async () => {
    const port = String(await freePort());
    const { status, stdout, stderr } = await runRingmaster({ PORT: port, TRAFFIC_PORT: port });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toStartWith(`TRAFFIC_PORT="${port}" is not allowed: it must be another port than PORT`);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test.each(WORKERS)(
    'with WORKERS=%s answers 503 with Retry-After on the traffic port until the replicas are ready',
    async (workers) => {
      const port = await freePort();
      const go = fileName();
      const server = `while ! test -e "${go}"; do sleep 0.05; done; exec "${process.execPath}" src/replica/main.ts`;
      const starting = start({
        RUNTIME: 'process',
        WORKERS: workers,
        TRAFFIC_PORT: String(port),
        REPLICA_COMMAND: `/bin/sh -c '${server}'`,
      });
      const url = `http://127.0.0.1:${port}/home?id=1`;
      let early: Response | undefined;
      await eventually(async () => {
        early = await fetch(url);
      });
      expect([early?.status, early?.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await early?.json()).toEqual({
        message: '<Error> No replica is ready: ask again, or /add some',
        status: 'failure',
      });
      await Bun.write(go, '');
      const ringmaster = await starting;
      // From the start line on it is served, by every worker.
      for (let i = 0; i < 16; i++)
        expect((await fetch(url, { headers: { connection: 'close' } })).status).toBe(200);
      expect(ringmaster.traffic).toBe(`http://127.0.0.1:${port}`);
    },
  );
});

describe('the exit', () => {
  test.each(WORKERS)(
    'with WORKERS=%s finishes what is in flight on the traffic port, closes what is idle, and leaves nothing',
    async (workers) => {
      const servers = serve();
      const ringmaster = await start({ ...servers.env, WORKERS: workers, DRAIN_TIMEOUT_MS: HOUR_MS });
      const children = await childrenOf(ringmaster.pid);
      expect(children).toHaveLength(workers === '1' ? 0 : Number(workers));
      const [idle, kept, held] = [
        await connect(ringmaster),
        await connect(ringmaster),
        await connect(ringmaster),
      ];
      kept.write(get('/any?id=1'));
      expect((await kept.reply()).status).toBe(200);
      held.write(get('/held?id=1'));
      await eventually(() => servers.held === 1);
      const ended = ringmaster.end('SIGTERM');
      expect([await idle.end(), await kept.end()]).toEqual(['fin', 'fin']);
      // A worker that stops a little later than those of the two still takes a connection, to close it.
      await eventually(() => refused(ringmaster));
      servers.letGo();
      const reply = await held.reply();
      expect([reply.status, reply.complete, reply.value('connection')]).toEqual([200, true, 'close']);
      expect(await held.end()).toBe('fin');
      for (const one of [idle, kept, held]) one.close();
      expect(await ended).toBe(0);
      for (const pid of children) expect(await gone(pid)).toBe(true);
    },
  );

  // The connection was reset as soon as the replica had sent the last of its reply, with half of it unread.
  test.each(WORKERS)(
    'with WORKERS=%s waits for a client that has not read its reply yet',
    async (workers) => {
      const env = { WORKERS: workers, DRAIN_TIMEOUT_MS: HOUR_MS, LOG_LEVEL: 'debug' };
      const ringmaster = await start({ ...serve().env, ...env });
      const slow = await connect(ringmaster, { paused: true });
      const other = await connect(ringmaster);
      slow.write(get('/long?id=1'));
      // The same id: the same replica, which has answered the first by then.
      other.write(get('/long?id=1'));
      expect((await other.reply()).complete).toBe(true);
      const ended = ringmaster.end('SIGTERM');
      expect(await other.end()).toBe('fin');
      other.close();
      // The fleet waits for nothing any more.
      await eventually(() => ringmaster.output().split('"to":"gone"').length > NAMES.length);
      await turn();
      slow.resume();
      const reply = await slow.reply();
      expect([reply.status, reply.complete, reply.body.size]).toEqual([200, true, LONG_BYTES]);
      slow.close();
      expect(await ended).toBe(0);
    },
  );

  test.each(WORKERS)('with WORKERS=%s is not waited for after a second signal', async (workers) => {
    const servers = serve();
    const ringmaster = await start({ ...servers.env, WORKERS: workers, DRAIN_TIMEOUT_MS: HOUR_MS });
    const children = await childrenOf(ringmaster.pid);
    const held = await connect(ringmaster);
    held.write(get('/held?id=1'));
    await eventually(() => servers.held === 1);
    ringmaster.signal('SIGTERM');
    await eventually(() => ringmaster.output().includes('"stopping"'));
    // Signals that come together are one press of Ctrl-C: again, until it counts as the second.
    const again = setInterval(() => ringmaster.signal('SIGTERM'), 100);
    const status = await ringmaster.exited;
    clearInterval(again);
    expect(status).toBe(143);
    await held.end();
    for (const pid of children) expect(await gone(pid)).toBe(true);
  });

  test('by -9 takes the workers along', async () => {
    const ringmaster = await start({ ...serve().env, WORKERS: '2' });
    const children = await childrenOf(ringmaster.pid);
    expect(children).toHaveLength(2);
    await ringmaster.end('SIGKILL');
    for (const pid of children) await eventually(() => gone(pid));
  });
});

/** Keys as text, and how a request has one: its target and its fields. */
interface Form {
  readonly hashKey: string;
  readonly keys: fc.Arbitrary<string>;
  readonly ask: (key: string) => { readonly target: string; readonly headers?: Record<string, string> };
}

const IDS = fc.maxSafeInteger().map(String);
const TOKENS = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,40}$/);
const TEXTS = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const QUERY: Form['ask'] = (key) => ({ target: `/any?x=1&id=${encodeURIComponent(key)}` });
const HEADER: Form['ask'] = (key) => ({ target: '/any', headers: { 'x-user': key } });

const FORMS: readonly Form[] = [
  { hashKey: 'query:id', keys: fc.oneof(IDS, TEXTS), ask: QUERY },
  { hashKey: 'header:X-User', keys: fc.oneof(IDS, TOKENS), ask: HEADER },
  {
    hashKey: 'cookie:session',
    keys: fc.oneof(IDS, TOKENS),
    ask: (key) => ({ target: '/any', headers: { cookie: `a=b; session=${key}; c=d` } }),
  },
  {
    hashKey: 'path',
    keys: fc.oneof(IDS, TOKENS).map((part) => `/in/${part}x`),
    ask: (key) => ({ target: `${key}?id=1` }),
  },
  { hashKey: 'query:none,cookie:none,header:X-User,path', keys: fc.oneof(IDS, TOKENS), ask: HEADER },
];
const RUNS = 200;
const SEED = 5;

describe('a key', () => {
  test.each(FORMS.flatMap((form) => WORKERS.map((workers) => [form.hashKey, workers, form] as const)))(
    'of HASH_KEY=%s goes to its owner on both ports, with WORKERS=%s',
    async (hashKey, workers, { keys, ask }) => {
      const ringmaster = await start({ ...serve().env, HASH_KEY: hashKey, WORKERS: workers });
      const ring = Ring.of(NAMES);
      const owners = new Set<string>();
      const property = fc.asyncProperty(keys, async (key) => {
        const { target, headers = {} } = ask(key);
        const served = await Promise.all(
          [ringmaster.url, ringmaster.traffic].map(async (base) => {
            const reply = await fetch(base + target, { headers });
            return [reply.status, await reply.text(), reply.headers.get('x-served-by') ?? 'nobody'];
          }),
        );
        const owner = ring.owner(key) ?? 'nobody';
        expect(served).toEqual([
          [200, owner, owner],
          [200, owner, owner],
        ]);
        owners.add(owner);
        if (!/^-?\d+$/.test(key)) return;
        const asking = { headers: { ...headers, 'x-ringmaster-explain': '1' } };
        const told = await Promise.all(
          [ringmaster.url, ringmaster.traffic].map(async (base) => {
            const reply = await fetch(base + target, asking);
            await reply.arrayBuffer();
            return ['key-hash', 'owner', 'preference'].map((one) => reply.headers.get(`x-ringmaster-${one}`));
          }),
        );
        const hash = ring.hash(key).toString(16).padStart(8, '0');
        const said = [hash, owner, ring.preference(key).join(', ')];
        expect(told).toEqual([said, said]);
        const mapped = await (await fetch(`${ringmaster.url}/map_request?id=${key}`)).json();
        expect(mapped).toEqual({ request_id: Number(key), mapped_server: owner });
      });
      await fc.assert(property, { numRuns: RUNS, seed: SEED });
      expect([...owners].sort()).toEqual([...NAMES]);
    },
  );
});
