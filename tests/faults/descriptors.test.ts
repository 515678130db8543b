import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { descriptorsOf, workersOf } from '../processes.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { Client } from '../traffic/relay/client.ts';
import { REFUSALS } from '../traffic/relay/hostile-requests.ts';
import { RecordingUpstream, type Exchange } from '../traffic/relay/recording-upstream.ts';
import { Random, streamOf } from '../traffic/relay/streams.ts';

setDefaultTimeout(120_000);

const SEED = 7;
/** Clients at the same time. */
const CLIENTS = 160;
/** How often each kind of client comes. */
const TIMES = 150;
const LONG_BYTES = 300_000;
const LONG = 'x'.repeat(LONG_BYTES);

/** Serves what is asked for well or badly. */
async function script(exchange: Exchange): Promise<void> {
  const { channel, target } = exchange;
  if (target.startsWith('/resets')) return channel.reset();
  if (target.startsWith('/breaks')) {
    exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LONG_BYTES}\r\n\r\nsome`);
    await channel.flushed;
    return channel.reset();
  }
  if (target.startsWith('/nonsense')) return exchange.write('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n');
  if (target.startsWith('/silent')) return;
  if (target.startsWith('/tunnel')) return exchange.switchTo('mine', (bytes) => channel.write(bytes));
  await exchange.whole;
  const body = target.startsWith('/long') ? LONG : 'ok';
  exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`, body);
}

type Act = (client: Client, random: Random) => void | Promise<unknown>;
const get = (target: string): string => `GET ${target}?id=1 HTTP/1.1\r\nHost: test\r\n\r\n`;
const put = 'PUT /up?id=1 HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n';
const chunked = 'POST /up?id=1 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n';
const upgrade = 'GET /tunnel?id=1 HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: mine\r\n\r\n';

/** Clients of which nobody wants to have many. What they leave open is closed on the other side. */
const CLIENTS_OF: Readonly<Record<string, Act>> = {
  'says nothing': () => {},
  'says nothing more after half a head': (client) => client.write('GET /any HTTP/1.1\r\nHo'),
  'closes its half at once': (client) => client.shutdown(),
  'closes its half within a head': (client) => {
    client.write('GET /any HTTP/1.1\r\nHo');
    client.shutdown();
  },
  'resets at once': (client) => client.reset(),
  'says nothing more after half a body': (client) => client.write(put, LONG),
  'closes its half within a body': (client) => {
    client.write(put, LONG);
    client.shutdown();
  },
  'resets within a body': async (client) => {
    client.write(put, LONG);
    await client.flushed;
    client.reset();
  },
  'resets within a chunk': async (client) => {
    client.write(chunked, 'ffff\r\nxxxx');
    await client.flushed;
    client.reset();
  },
  'breaks the rules within a body': (client) => client.write(chunked, '5\r\nhelloX'),
  'resets before its reply': async (client) => {
    client.write(get('/long'));
    await client.flushed;
    client.reset();
  },
  'resets within its reply': async (client) => {
    client.write(get('/long'));
    await client.has(1000);
    client.reset();
  },
  'never reads its reply': (client) => {
    client.pause();
    client.write(...Array.from({ length: 30 }, () => get('/long')));
  },
  'waits for a reply that never comes': (client) => client.write(get('/silent')),
  'is answered by a server that resets': (client) => client.write(get('/resets')),
  'is answered by half': (client) => client.write(get('/breaks')),
  'is answered with nonsense': (client) => client.write(get('/nonsense')),
  'sends many requests and resets': async (client) => {
    client.write(...Array.from({ length: 50 }, () => get('/any')));
    await client.has(200);
    client.reset();
  },
  'says nothing more in a tunnel': (client) => client.write(upgrade),
  'resets in a tunnel': async (client) => {
    client.write(upgrade, 'hello');
    await client.has(30);
    client.reset();
  },
  'sends what is no request': (client, random) =>
    client.write(Buffer.from(random.of(REFUSALS).bytes, 'latin1')),
  'sends a stream that was harmed': (client, random) => client.pieces(streamOf(random).pieces),
};

let ringmaster: Spawned | undefined;
let upstream: RecordingUpstream | undefined;
afterEach(async () => {
  await ringmaster?.end('SIGTERM');
  await upstream?.[Symbol.asyncDispose]();
});

describe('after thousands of bad clients', () => {
  test.each(['1', '2'])(
    'WORKERS=%s: no descriptor is left open, and good ones are served',
    async (workers) => {
      upstream = new RecordingUpstream(script);
      ringmaster = await spawnRingmaster({
        RUNTIME: 'static',
        UPSTREAMS: `a=127.0.0.1:${upstream.address.port}`,
        WORKERS: workers,
        HEAD_TIMEOUT_MS: '500',
        IDLE_TIMEOUT_MS: '500',
        BODY_STALL_TIMEOUT_MS: '1000',
        REPLY_HEADER_TIMEOUT_MS: '1000',
        TUNNEL_IDLE_TIMEOUT_MS: '1000',
      });
      const { pid, traffic } = ringmaster;
      const port = Number(new URL(traffic).port);
      const pids = [pid, ...(await workersOf(pid))];
      expect(pids).toHaveLength(workers === '1' ? 1 : 3);
      const open = (): number[] => pids.map(descriptorsOf);
      const start = open();

      const random = new Random(SEED);
      const todo = Object.values(CLIENTS_OF).flatMap((act) => Array.from({ length: TIMES }, () => act));
      for (let i = todo.length - 1; i > 0; i--) {
        const other = random.below(i + 1);
        [todo[i], todo[other]] = [todo[other] as Act, todo[i] as Act];
      }
      const count = todo.length;
      const most = [...start];
      const come = async (): Promise<void> => {
        for (let act = todo.pop(); act !== undefined; act = todo.pop()) {
          const client = await Client.open(port);
          await act(client, random);
          open().forEach((now, i) => (most[i] = Math.max(most[i] ?? 0, now)));
          // It is there until the other side has had enough of it. A reply that nobody reads keeps it waiting to its end.
          await client.end();
          client.close();
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, come));
      let after = open();
      await eventually(() => {
        after = open();
        return after.every((now, i) => now <= (start[i] ?? 0));
      });
      const reply = await fetch(`${traffic}/any?id=1`, { headers: { connection: 'close' } });
      expect([reply.status, await reply.text()]).toEqual([200, 'ok']);
      expect(ringmaster.output()).not.toContain('a bug in');
      for (const [i, now] of most.slice(workers === '1' ? 0 : 1).entries())
        expect(now).toBeGreaterThan((start[i] ?? 0) + CLIENTS / 8);
      process.stdout.write(
        `WORKERS=${workers}: ${count} clients, descriptors ${start.join('+')} before, at most ${most.join('+')}, ${after.join('+')} after\n`,
      );
    },
  );
});
