import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { eventually, spawnRingmaster, type Environment, type Spawned } from '../spawned.ts';

const PATIENCE_MS = 60_000;
const NAMES = ['a', 'b', 'c'];

/** A server that answers `/held` only when it is told to, and says who it is. */
class SlowServer {
  readonly #server: Bun.Server<undefined>;
  #held: (() => void)[] = [];

  constructor(readonly name: string) {
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: async (request) => {
        if (new URL(request.url).pathname === '/held')
          await new Promise<void>((resolve) => void this.#held.push(resolve));
        return new Response(name);
      },
    });
  }

  get upstream(): string {
    return `${this.name}=127.0.0.1:${this.#server.port}`;
  }

  get inFlight(): number {
    return this.#held.length;
  }

  letGo(): void {
    for (const go of this.#held.splice(0)) go();
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }
}

let servers: SlowServer[] = [];
beforeAll(() => {
  servers = NAMES.map((name) => new SlowServer(name));
});
afterAll(() => Promise.all(servers.map((server) => server.stop())));
const opened: Spawned[] = [];
afterEach(async () => {
  for (const server of servers) server.letGo();
  for (const one of opened.splice(0)) await one.end('SIGTERM');
});

async function open(env: Environment): Promise<Spawned> {
  const upstreams = servers.map(({ upstream }) => upstream).join(',');
  const ringmaster = await spawnRingmaster({ RUNTIME: 'static', UPSTREAMS: upstreams, ...env });
  opened.push(ringmaster);
  return ringmaster;
}

/** How many each has once all are in flight; then all are answered. */
async function spreadOf(targets: readonly string[]): Promise<number[]> {
  const replies = targets.map((target) => fetch(target, { keepalive: false }));
  await eventually(() => servers.reduce((sum, { inFlight }) => sum + inFlight, 0) === targets.length);
  const counts = servers.map(({ inFlight }) => inFlight);
  for (const server of servers) server.letGo();
  for (const reply of await Promise.all(replies)) expect(reply.status).toBe(200);
  return counts;
}

interface Hot {
  readonly requests: number;
  readonly at_home: number;
  readonly keys: readonly { readonly key: string; readonly share: number; readonly spread_over?: string[] }[];
}

const hotOf = async ({ url }: Spawned): Promise<Hot> => (await (await fetch(`${url}/hot`)).json()) as Hot;

describe('with LOAD_FACTOR', () => {
  test(
    'a key that all ask for at once fills its owner up to the bound, on either port and on both together',
    async () => {
      const ringmaster = await open({ LOAD_FACTOR: '1.25' });
      const { url, traffic } = ringmaster;
      const of = (base: string, n: number): string[] => Array.from({ length: n }, () => `${base}/held?id=7`);
      const { mapped_server } = (await (await fetch(`${url}/map_request?id=7`)).json()) as {
        mapped_server: string;
      };
      const owner = NAMES.indexOf(mapped_server);
      for (const targets of [of(url, 24), of(traffic, 24), [...of(url, 12), ...of(traffic, 12)]]) {
        const counts = await spreadOf(targets);
        // ceil(1.25 * 24 / 3) = 10, and it is its owner that has so many.
        expect(Math.max(...counts)).toBe(10);
        expect(counts[owner]).toBe(10);
      }
      const { at_home } = await hotOf(ringmaster);
      expect(at_home).toBeCloseTo(10 / 24, 1);
    },
    PATIENCE_MS,
  );

  test(
    'off, its owner gets them all',
    async () => {
      const { traffic } = await open({});
      const counts = await spreadOf(Array.from({ length: 24 }, () => `${traffic}/held?id=7`));
      expect(counts.toSorted((a, b) => a - b)).toEqual([0, 0, 24]);
    },
    PATIENCE_MS,
  );
});

describe('with two workers', () => {
  test(
    '/hot and /shadow have the requests of both and of the control port, each once, and drawn keys in no list',
    async () => {
      const ringmaster = await open({ WORKERS: '2', SHADOW_HASH: 'maglev' });
      const { url, traffic } = ringmaster;
      const [onTraffic, onControl, without] = [60, 20, 10];
      const ask = async (target: string, n: number): Promise<void> => {
        // A connection for each: so both workers get some.
        const asked = Array.from({ length: n }, () => fetch(target, { keepalive: false }));
        for (const reply of await Promise.all(asked)) expect(await reply.text()).toBeOneOf(NAMES);
      };
      await ask(`${traffic}/x?id=7`, onTraffic);
      await ask(`${url}/x?id=7`, onControl);
      await ask(`${traffic}/x`, without / 2);
      await ask(`${url}/x`, without / 2);
      interface Shadow {
        readonly requests: number;
        readonly agreement: number;
        readonly replicas: readonly { readonly name: string; readonly live_share: number }[];
      }
      const shadow = async (): Promise<Shadow> => (await (await fetch(`${url}/shadow`)).json()) as Shadow;
      await eventually(async () => (await shadow()).requests === onTraffic + onControl);
      expect(await shadow()).toMatchObject({ hash: 'ring', shadow: 'maglev' });
      expect((await shadow()).agreement).toBeOneOf([0, 1]);
      expect((await shadow()).replicas.map(({ live_share }) => live_share).sort()).toEqual([0, 0, 1]);
      // Whatever became of those without a key, they are no part of the key's share when all have been told.
      await eventually(async () => ((await hotOf(ringmaster)).keys[0]?.share ?? 1) < 0.93);
      const { requests, keys } = await hotOf(ringmaster);
      expect(requests).toBeLessThanOrEqual(onTraffic + onControl + without);
      expect(keys.map(({ key }) => key)).toEqual(['7']);
      expect(keys[0]?.share).toBeCloseTo(80 / 90, 1);
    },
    PATIENCE_MS,
  );
});

test(
  'HOT_KEY_SPREAD has a hot key answered by two, in both ports’ eyes, and /map_request still names its owner',
  async () => {
    const ringmaster = await open({ HOT_KEY_SPREAD: '2', HOT_KEY_SHARE: '0.5' });
    const { url, traffic } = ringmaster;
    const ownerOf = async (): Promise<string> =>
      ((await (await fetch(`${url}/map_request?id=7`)).json()) as { mapped_server: string }).mapped_server;
    const owner = await ownerOf();
    await eventually(async () => {
      for (let i = 0; i < 100; i++) await (await fetch(`${traffic}/x?id=7`)).text();
      return (await hotOf(ringmaster)).keys[0]?.spread_over !== undefined;
    });
    const over = (await hotOf(ringmaster)).keys[0]?.spread_over ?? [];
    expect(over[0]).toBe(owner);
    expect(over).toHaveLength(2);
    for (const base of [traffic, url]) {
      const served = new Set<string>();
      for (let i = 0; i < 10; i++) served.add(await (await fetch(`${base}/x?id=7`)).text());
      expect([...served].sort()).toEqual(over.toSorted());
    }
    expect(await ownerOf()).toBe(owner);
  },
  PATIENCE_MS,
);
