import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { Client, settled, type Reply } from '../traffic/relay/client.ts';
import { RecordingUpstream, type Exchange } from '../traffic/relay/recording-upstream.ts';
import { Random } from '../traffic/relay/streams.ts';

setDefaultTimeout(120_000);

/** What becomes of a connection, seen from the server. */
const FATES = [
  'answers',
  'answers',
  'answers and closes, as it said',
  'answers and closes, without a word',
  'resets before a byte',
  'closes before a byte',
  'resets within the head of its reply',
  'resets within the body of its reply',
] as const;
const CLIENTS = 16;
const POSTS = 4000;
const SEED = 11;
const BODY = 'x'.repeat(700);

/** A server of which every connection may break at any time; it counts what it is sent. */
class Fragile {
  /** How often each request came, by its target; whole or not. */
  readonly received = new Map<string, number>();
  /** Requests that were whole. */
  readonly whole = new Set<string>();
  readonly upstream: RecordingUpstream;

  constructor(readonly random: Random) {
    this.upstream = new RecordingUpstream((exchange) => this.#answer(exchange));
  }

  async #answer(exchange: Exchange): Promise<void> {
    if (exchange.target === '/heartbeat') return answer(exchange, '');
    this.received.set(exchange.target, (this.received.get(exchange.target) ?? 0) + 1);
    const fate = this.random.of(FATES);
    // Sometimes before the body has come.
    if (fate.endsWith('before a byte') && this.random.chance(0.3)) return this.#end(exchange, fate);
    await exchange.whole;
    this.whole.add(exchange.target);
    switch (fate) {
      case 'answers':
        return answer(exchange, '');
      case 'answers and closes, as it said':
        answer(exchange, 'Connection: close\r\n');
        return exchange.channel.shutdown();
      case 'answers and closes, without a word':
        answer(exchange, '');
        return exchange.channel.shutdown();
      case 'resets within the head of its reply':
        exchange.write('HTTP/1.1 200 OK\r\nConten');
        break;
      case 'resets within the body of its reply':
        exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nsome of it');
        break;
      default:
    }
    await exchange.channel.flushed;
    this.#end(exchange, fate);
  }

  #end({ channel }: Exchange, fate: (typeof FATES)[number]): void {
    if (fate.startsWith('resets')) channel.reset();
    else channel.close();
  }
}

function answer(exchange: Exchange, fields: string): void {
  exchange.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`);
}

let ringmaster: Spawned | undefined;
const servers: Fragile[] = [];
afterEach(async () => {
  await ringmaster?.end('SIGTERM');
  ringmaster = undefined;
  for (const { upstream } of servers.splice(0)) await upstream[Symbol.asyncDispose]();
});

describe('what is not idempotent', () => {
  test.each(['1', '2'])(
    'WORKERS=%s: reaches one server once at most, however its connection breaks, and once if that is said',
    async (workers) => {
      const random = new Random(SEED);
      servers.push(new Fragile(random), new Fragile(random), new Fragile(random));
      const list = servers.map(({ upstream }, i) => `r${i}=127.0.0.1:${upstream.address.port}`);
      ringmaster = await spawnRingmaster({
        RUNTIME: 'static',
        UPSTREAMS: list.join(','),
        WORKERS: workers,
        // It is asked again soon after it is suspected, and so not off the ring for long.
        HEARTBEAT_INTERVAL_MS: '50',
      });
      const port = Number(new URL(ringmaster.traffic).port);
      const counts = { answered: 0, failed: 0, broken: 0, abandoned: 0 };
      const answered = new Set<string>();
      let next = 0;
      const post = async (): Promise<void> => {
        let client: Client | undefined;
        while (next < POSTS) {
          const target = `/post?id=${next++}`;
          client ??= await Client.open(port);
          client.write(`POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: ${BODY.length}\r\n\r\n`);
          // Some clients are gone half-way through what they send, or before it is answered.
          const leaves = random.chance(0.05);
          client.write(leaves && random.chance(0.5) ? BODY.slice(1) : BODY);
          if (leaves) {
            client.reset();
            client = undefined;
            counts.abandoned++;
            continue;
          }
          const reply: Reply | undefined = await client.reply('POST').catch(() => undefined);
          if (reply?.status === 200 && reply.complete) answered.add(target);
          if (reply === undefined || !reply.complete) counts.broken++;
          else if (reply.status === 200) counts.answered++;
          else {
            expect([502, 503]).toContain(reply.status);
            counts.failed++;
          }
          if (reply?.complete !== true || reply.value('connection') === 'close') {
            client.close();
            client = undefined;
          }
        }
        client?.close();
      };
      await Promise.all(Array.from({ length: CLIENTS }, post));
      // Nothing comes late.
      await settled(() => servers.reduce((sum, one) => sum + one.received.size, 0));
      const received = new Map<string, number>();
      for (const server of servers)
        for (const [target, times] of server.received)
          received.set(target, (received.get(target) ?? 0) + times);
      const twice = [...received].filter(([, times]) => times > 1);
      expect(twice).toEqual([]);
      for (const target of answered) expect(servers.some((one) => one.whole.has(target))).toBe(true);
      // Each kind of end has been met with.
      for (const count of Object.values(counts)) expect(count).toBeGreaterThan(POSTS / 100);
      // One of the three may be off the ring for most of it, since its requests fail; never two.
      const busy = servers.filter(({ received: { size } }) => size > POSTS / 20);
      expect(busy.length).toBeGreaterThanOrEqual(2);
      process.stdout.write(
        `WORKERS=${workers}: ${POSTS} POSTs, ${received.size} received, none twice: ${JSON.stringify(counts)}\n`,
      );
    },
  );
});
