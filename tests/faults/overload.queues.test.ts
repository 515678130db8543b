import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { CHANGES_WAITING_MAX } from '../../src/fleet/queue.ts';
import { memoryOf } from '../processes.ts';
import { eventually, spawnRingmaster, type Environment, type Spawned } from '../spawned.ts';
import { Client, settled } from '../traffic/relay/client.ts';

setDefaultTimeout(120_000);

const MB = 1_000_000;
const HOUR_MS = '3600000';

/** Servers whose replies wait until they are let go, those to heartbeats too where they are `silent`. */
class Slow {
  asked = 0;
  readonly #release = Promise.withResolvers<void>();
  readonly #server: Bun.Server<undefined>;

  constructor(silent: boolean) {
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: async (request) => {
        const heartbeat = new URL(request.url).pathname === '/heartbeat';
        if (!heartbeat) this.asked++;
        if (!heartbeat || silent) await this.#release.promise;
        return new Response('at last');
      },
    });
  }

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
}

let ringmaster: Spawned | undefined;
const servers: Slow[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const one of servers) one.letGo();
  for (const one of clients.splice(0)) one.reset();
  await ringmaster?.end('SIGTERM');
  await Promise.all(servers.splice(0).map((one) => one.stop()));
});

function serve(silent: boolean): Slow {
  const server = new Slow(silent);
  servers.push(server);
  return server;
}

async function start(env: Environment = {}): Promise<Spawned> {
  ringmaster = await spawnRingmaster({
    RUNTIME: 'static',
    UPSTREAMS: `s0=${serve(false).address}`,
    START_TIMEOUT_MS: HOUR_MS,
    REPLY_HEADER_TIMEOUT_MS: HOUR_MS,
    ...env,
  });
  return ringmaster;
}

describe('changes', () => {
  const OVER = 30;

  test('over those that may wait are told at once to come later, and the others have their turn', async () => {
    const { url } = await start();
    const silent = serve(true);
    const statuses: number[] = [];
    const add = async (): Promise<void> => {
      const reply = await fetch(`${url}/add`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ n: 1, hostnames: [silent.address] }),
      });
      statuses.push(reply.status);
      if (reply.status === 503) expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    };
    // One is under way, and can't end.
    const asked = Array.from({ length: 1 + CHANGES_WAITING_MAX + OVER }, add);
    await eventually(() => statuses.length === OVER);
    expect(statuses).toEqual(Array.from({ length: OVER }, () => 503));
    expect(await (await fetch(`${url}/rep`)).json()).toEqual({ N: 1, replicas: ['s0'] });
    silent.letGo();
    await Promise.all(asked);
    // Who comes second finds the name taken.
    const expected = [200, ...Array.from({ length: CHANGES_WAITING_MAX }, () => 409)];
    expect(statuses.slice(OVER)).toEqual(expected);
    expect(await (await fetch(`${url}/rep`)).json()).toEqual({ N: 2, replicas: ['s0', silent.address] });
  });
});

describe('requests that a client sends without waiting for replies', () => {
  const SENT_BYTES = 200 * MB;
  /** What the kernel's buffers of both ends and of both connections may hold is no memory of ours. */
  const TAKEN_MAX_BYTES = 40 * MB;
  const GROWTH_MAX_BYTES = 40 * MB;
  const ROUND_TRIPS = 100;
  const REQUEST = `GET /any?id=1 HTTP/1.1\r\nHost: test\r\n\r\n`;

  test.each(['8080', '5000'])('port %s: are not read any more once there are too many', async (port) => {
    const { url, traffic, pid } = await start();
    const base = port === '8080' ? traffic : url;
    const client = await Client.open(Number(new URL(base).port));
    clients.push(client);
    client.write(REQUEST);
    const [first] = servers;
    await eventually(() => first?.asked === 1);
    const before = memoryOf(pid).residentBytes;
    client.write(Buffer.from(REQUEST.repeat(Math.ceil(SENT_BYTES / REQUEST.length))));
    // Whoever answers this many times could have read on this many times.
    let same = 0;
    for (let last = Number.NaN; same < ROUND_TRIPS; same = client.unsentBytes === last ? same + 1 : 0) {
      last = client.unsentBytes;
      expect((await fetch(`${url}/heartbeat`)).status).toBe(200);
    }
    const taken = SENT_BYTES - client.unsentBytes;
    const growth = memoryOf(pid).residentBytes - before;
    process.stdout.write(
      `port ${port}: of ${SENT_BYTES / MB} MB of requests ${(taken / MB).toFixed(1)} MB were taken, ${(growth / MB).toFixed(1)} MB of memory\n`,
    );
    expect(first?.asked).toBe(1);
    // Where the connection was closed instead, nothing is left to be sent.
    if (client.ended === undefined) expect(taken).toBeLessThan(TAKEN_MAX_BYTES);
    expect(growth).toBeLessThan(GROWTH_MAX_BYTES);
  });
});

describe('clients that come while nobody accepts them', () => {
  const CLIENTS = 3000;

  test('wait in a queue that the kernel bounds, and are served when it goes on', async () => {
    const { traffic } = await start();
    const port = Number(new URL(traffic).port);
    ringmaster?.signal('SIGSTOP');
    let connected = 0;
    const coming = Array.from({ length: CLIENTS }, () =>
      Client.open(port).then(
        (client) => {
          connected++;
          clients.push(client);
        },
        () => {},
      ),
    );
    await settled(() => connected);
    const queued = connected;
    ringmaster?.signal('SIGCONT');
    process.stdout.write(`of ${CLIENTS} clients ${queued} were let in while nobody accepted them\n`);
    expect(queued).toBeGreaterThan(0);
    expect(queued).toBeLessThan(CLIENTS);
    await Promise.all(coming);
    servers[0]?.letGo();
    const last = clients.at(-1);
    last?.write('GET /any?id=1 HTTP/1.1\r\nHost: test\r\n\r\n');
    expect((await last?.reply())?.status).toBe(200);
  });
});
