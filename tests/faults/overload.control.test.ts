import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Ring } from '../../src/ring/ring.ts';
import { eventually, spawnRingmaster, type Environment, type Spawned } from '../spawned.ts';
import { Client } from '../traffic/relay/client.ts';

setDefaultTimeout(120_000);

const HOUR_MS = '3600000';

/** Answers heartbeats and /quick, and nothing else until it is let go. */
class Hanging {
  heartbeats = 0;
  hanging = 0;
  readonly #release = Promise.withResolvers<void>();
  readonly #server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch: (request) => this.#answer(new URL(request.url).pathname),
  });

  get address(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  letGo(): void {
    this.#release.resolve();
  }

  async stop(): Promise<void> {
    this.letGo();
    await this.#server.stop(true);
  }

  async #answer(path: string): Promise<Response> {
    if (path === '/heartbeat') this.heartbeats++;
    if (path === '/heartbeat' || path === '/quick') return new Response('quick');
    this.hanging++;
    await this.#release.promise;
    this.hanging--;
    return new Response('at last');
  }
}

let ringmaster: Spawned | undefined;
let servers: Hanging[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const one of servers) one.letGo();
  for (const one of clients.splice(0)) one.close();
  await ringmaster?.end('SIGTERM');
  await Promise.all(servers.map((one) => one.stop()));
});

/** Two of the three are in from the start. */
async function start(env: Environment): Promise<Spawned> {
  servers = [new Hanging(), new Hanging(), new Hanging()];
  const upstreams = servers.slice(0, 2).map((one, i) => `s${i}=${one.address}`);
  ringmaster = await spawnRingmaster({
    RUNTIME: 'static',
    UPSTREAMS: upstreams.join(','),
    REPLY_HEADER_TIMEOUT_MS: HOUR_MS,
    HEARTBEAT_INTERVAL_MS: '100',
    ...env,
  });
  return ringmaster;
}

const hanging = (): number => servers.reduce((sum, one) => sum + one.hanging, 0);

/** Asks as many times for what hangs; gives what is answered, which is refusals. */
function ask(base: string, count: number): Response[] {
  const answered: Response[] = [];
  for (let id = 0; id < count; id++)
    fetch(`${base}/hang?id=${id}`, { keepalive: false }).then(
      (reply) => answered.push(reply),
      () => {},
    );
  return answered;
}

function expectRefused(replies: readonly Response[]): void {
  for (const { status, headers } of replies) {
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
}

/** Every call of the control port's own does what it is there for. */
async function expectControl({ url }: Spawned): Promise<void> {
  const change = (verb: 'add' | 'rm'): Promise<Response> =>
    fetch(`${url}/${verb}`, {
      method: verb === 'add' ? 'POST' : 'DELETE',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ n: 1, hostnames: [servers[2]?.address] }),
    });
  expect(await (await fetch(`${url}/heartbeat`)).text()).toBe('Hello');
  expect(await (await fetch(`${url}/rep`)).json()).toEqual({ N: 2, replicas: ['s0', 's1'] });
  const owner = Ring.of(['s0', 's1']).owner('42') ?? '';
  expect(await (await fetch(`${url}/map_request?id=42`)).json()).toEqual({
    request_id: 42,
    mapped_server: owner,
  });
  expect((await change('add')).status).toBe(200);
  expect(await (await fetch(`${url}/rep`)).json()).toMatchObject({ N: 3 });
  expect((await change('rm')).status).toBe(200);
  // Nor has it cost a replica its place: heartbeats come through.
  const before = servers.slice(0, 2).map(({ heartbeats }) => heartbeats);
  await eventually(() => before.every((count, i) => (servers[i]?.heartbeats ?? 0) > count + 5));
  expect(await (await fetch(`${url}/map_request?id=42`)).json()).toMatchObject({ mapped_server: owner });
}

describe.each([1, 2])('the control port answers, WORKERS=%d', (workers) => {
  const IN_FLIGHT_MAX = 10;
  const CONNECTIONS_MAX = 30;

  test('while every place for a request on the traffic port is taken', async () => {
    const { traffic } = await start({
      WORKERS: String(workers),
      REPLICA_IN_FLIGHT_MAX: String(IN_FLIGHT_MAX),
    });
    const places = 2 * workers * IN_FLIGHT_MAX;
    // Of many clients each worker has its part.
    const asked = places * 5;
    const answered = ask(traffic, asked);
    await eventually(() => hanging() === places && answered.length === asked - places);
    expectRefused(answered);
    await expectControl(ringmaster as Spawned);
    expect(hanging()).toBe(places);
    // It has places of its own.
    expect((await fetch(`${ringmaster?.url}/quick?id=1`)).status).toBe(200);
  });

  test('while the traffic port has all the connections that it takes', async () => {
    const { traffic } = await start({ WORKERS: String(workers), CONNECTIONS_MAX: String(CONNECTIONS_MAX) });
    const held = workers * CONNECTIONS_MAX;
    const count = held * 5;
    const { port } = new URL(traffic);
    for (let i = 0; i < count; i++) clients.push(await Client.open(Number(port)));
    await eventually(() => clients.filter(({ ended }) => ended !== undefined).length === count - held);
    const refused = clients.find(({ ended }) => ended !== undefined);
    const reply = await refused?.reply();
    expect([reply?.status, reply?.value('retry-after')]).toEqual([503, '1']);
    await expectControl(ringmaster as Spawned);
    expect(clients.filter(({ ended }) => ended === undefined)).toHaveLength(held);
  });
});

describe('the control port answers, though all that it forwards hangs', () => {
  test.each([
    ['as many as it can send at all', { BUN_CONFIG_MAX_HTTP_REQUESTS: '40' }, 40],
    ['as many as there may be at each replica', { REPLICA_IN_FLIGHT_MAX: '20' }, 40],
  ])('%s', async (_, env, places) => {
    const { url, traffic } = await start(env);
    const answered = ask(url, places * 4);
    await eventually(() => hanging() === places && answered.length === places * 3);
    expectRefused(answered);
    await expectControl(ringmaster as Spawned);
    expect(hanging()).toBe(places);
    // Nor is the traffic port a part of that.
    expect((await fetch(`${traffic}/quick?id=1`)).status).toBe(200);
  });
});
