import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { LISTENERS_MAX } from '../../src/dashboard/stream.ts';
import { rssBytesOf } from '../bench/usage.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { OpenPage } from './pages.ts';

const PATIENCE_MS = 60_000;
const JSON_TYPE = { 'content-type': 'application/json' };
const TOKEN = 'a-secret-of-the-operator';

let ringmaster: Spawned;
beforeAll(async () => {
  ringmaster = await spawnRingmaster({ RUNTIME: 'process', CHAOS: '1' });
}, PATIENCE_MS);
afterAll(async () => {
  await ringmaster.end('SIGTERM');
}, PATIENCE_MS);

function kill(url: string, body: unknown, headers: Record<string, string> = JSON_TYPE): Promise<Response> {
  return fetch(`${url}/dashboard/kill`, { method: 'POST', headers, body: JSON.stringify(body) });
}

describe('the page', () => {
  test.each([
    '/',
    '/dashboard/main.js',
    '/dashboard/style.css',
    '/dashboard/uplot.js',
    '/dashboard/uplot.css',
  ])('%s may run nothing but what comes from here, and be in no frame', async (path) => {
    const reply = await fetch(ringmaster.url + path);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-security-policy')).toBe(
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
    expect(reply.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    const head = await fetch(ringmaster.url + path, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String((await reply.arrayBuffer()).byteLength));
  });

  test('is sent again only where it has changed', async () => {
    const first = await fetch(ringmaster.url);
    const etag = first.headers.get('etag') ?? '';
    const again = await fetch(ringmaster.url, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    expect(again.headers.get('etag')).toBe(etag);
    const other = await fetch(ringmaster.url, { headers: { 'if-none-match': '"other"' } });
    expect(other.status).toBe(200);
  });

  test('is at /, where /dashboard leads', async () => {
    const reply = await fetch(`${ringmaster.url}/dashboard`, { redirect: 'manual' });
    expect([reply.status, reply.headers.get('location')]).toEqual([308, '/']);
  });

  test.each([
    ['GET', '/dashboard/nothing', 404],
    ['GET', '/dashboard/..%2f..%2fpackage.json', 404],
    ['GET', '/dashboard/page.ts', 404],
    ['GET', '/dashboard/main.js/x', 404],
    ['POST', '/', 405],
    ['POST', '/dashboard/main.js', 405],
    ['HEAD', '/dashboard/stream', 405],
    ['DELETE', '/dashboard/stream', 405],
    ['GET', '/dashboard/kill', 405],
  ])('%s %s: %p', async (method, path, status) => {
    const reply = await fetch(ringmaster.url + path, { method });
    expect(reply.status).toBe(status);
    if (method !== 'HEAD') expect(await reply.json()).toMatchObject({ status: 'failure' });
  });
});

describe('what the page asks for', () => {
  test('are the points of the ring that is in force', async () => {
    const { digest } = (await (await fetch(`${ringmaster.url}/ring`)).json()) as { digest: string };
    const points = (await (await fetch(`${ringmaster.url}/dashboard/ring`)).json()) as Record<string, string>;
    expect(points['digest']).toBe(digest);
    expect(points['names']).toEqual(['server-1', 'server-2', 'server-3'] as unknown as string);
    expect(Buffer.from(points['positions'] ?? '', 'base64').byteLength).toBe(3 * 1024 * 4);
    expect(Buffer.from(points['owners'] ?? '', 'base64').byteLength).toBe(3 * 1024 * 2);
  });

  test.each(['42', 'a b/ü'])('is who owns %p, where requests then go, and by which point', async (key) => {
    const found = (await (
      await fetch(`${ringmaster.url}/explain?key=${encodeURIComponent(key)}`)
    ).json()) as { key: string; owner: string; position: number; point: number; preference: string[] };
    expect(found.key).toBe(key);
    expect(found.preference[0]).toBe(found.owner);
    expect(found.preference.toSorted()).toEqual(['server-1', 'server-2', 'server-3']);
    const served = await fetch(`${ringmaster.url}/home?id=${encodeURIComponent(key)}`);
    expect(served.headers.get('x-served-by')).toBe(found.owner);
    // The lens finds the point among those that it is told.
    const { positions } = (await (await fetch(`${ringmaster.url}/dashboard/ring`)).json()) as {
      positions: string;
    };
    const bytes = Buffer.from(positions, 'base64');
    const points = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(i * 4));
    expect(points.find((at) => at >= found.position) ?? points[0]).toBe(found.point);
  });
});

describe('the stream', () => {
  test(
    'tells of a death and of its healing, and counts what both ports relay',
    async () => {
      await using page = await OpenPage.open(ringmaster.url);
      expect(page.headers.get('content-type')).toStartWith('text/event-stream');
      await page.until(({ replicas }) => replicas.every(({ state }) => state === 'ready'));
      for (let i = 0; i < 20; i++) {
        await fetch(`${ringmaster.traffic}/home?id=${i}`);
        await fetch(`${ringmaster.url}/home?id=${i}`);
      }
      await page.until(({ replicas }) => replicas.reduce((sum, { requests }) => sum + requests, 0) >= 40);
      await page.until(({ totals }) => totals.requests_per_s > 0 && totals.p99_ms !== null);
      const killed = await kill(ringmaster.url, { name: 'server-2' });
      expect(await killed.json()).toMatchObject({ status: 'successful' });
      await page.until(({ replicas }) =>
        replicas.some((one) => one.name === 'server-2' && one.restarts === 1),
      );
      const told = page.updates
        .flatMap(({ events }) => events)
        .filter(({ replica }) => replica === 'server-2');
      expect(told.map(({ what }) => what)).toEqual(['joined', 'died', 'restarting', 'healed']);
      expect(told[1]?.why).toBe('its instance ended');
      expect(page.updates.flatMap(({ samples }) => samples?.at ?? []).length).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );

  test(
    'goes on where it was lost, with nothing twice and nothing left out',
    async () => {
      const before = await OpenPage.open(ringmaster.url);
      await before.until(() => true);
      await before[Symbol.asyncDispose]();
      await kill(ringmaster.url, { name: 'server-3' });
      await using after = await OpenPage.open(ringmaster.url, before.lastId);
      await after.until((_, { events }) => events.some(({ what }) => what === 'healed'));
      expect(after.updates[0]?.reset).toBe(false);
      const seqs = [...before.updates, ...after.updates].flatMap(({ events }) =>
        events.map(({ seq }) => seq),
      );
      expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] as number) + i));
    },
    PATIENCE_MS,
  );

  test(
    'costs no memory where nobody reads it, and takes no more pages than there is room for',
    async () => {
      const { port } = new URL(ringmaster.url);
      const sockets = Array.from({ length: LISTENERS_MAX }, () => connect(Number(port), '127.0.0.1'));
      for (const socket of sockets) {
        socket.on('error', () => {});
        socket.pause();
        socket.write('GET /dashboard/stream HTTP/1.1\r\nHost: a\r\n\r\n');
      }
      await eventually(async () => (await fetch(`${ringmaster.url}/dashboard/stream`)).status === 503);
      const refused = await fetch(`${ringmaster.url}/dashboard/stream`);
      expect(refused.headers.get('retry-after')).toBe('1');
      const before = rssBytesOf([ringmaster.pid]) ?? 0;
      // What is told meanwhile to who reads it would be megabytes for each.
      for (let i = 0; i < 2000; i++) await fetch(`${ringmaster.url}/map_request?id=${i}`);
      expect((rssBytesOf([ringmaster.pid]) ?? 0) - before).toBeLessThan(64 * 1024 * 1024);
      for (const socket of sockets) socket.destroy();
      await eventually(async () => {
        await using page = await OpenPage.open(ringmaster.url);
        return page.status === 200;
      });
    },
    PATIENCE_MS,
  );
});

describe('to kill a replica', () => {
  test.each([
    ['a replica that is not there', { name: 'nobody' }, JSON_TYPE, 404],
    ['no name', {}, JSON_TYPE, 400],
    ['a name that is none', { name: 7 }, JSON_TYPE, 400],
    ['more than a name', { name: 'server-1', all: true }, JSON_TYPE, 400],
    ['no JSON', { name: 'server-1' }, { 'content-type': 'text/plain' }, 415],
    ['a page of another site', { name: 'server-1' }, { ...JSON_TYPE, 'sec-fetch-site': 'cross-site' }, 403],
    ['another origin', { name: 'server-1' }, { ...JSON_TYPE, origin: 'http://evil.example' }, 403],
  ])('%s is refused', async (_, body, headers, status) => {
    const reply = await kill(ringmaster.url, body, headers);
    expect(reply.status).toBe(status);
    expect(await reply.json()).toMatchObject({ status: 'failure' });
  });

  test(
    'takes CHAOS=1, replicas of ours, and the token where there is one',
    async () => {
      const calm = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '1', ADMIN_TOKEN: TOKEN });
      const bearer = { ...JSON_TYPE, authorization: `Bearer ${TOKEN}` };
      expect((await kill(calm.url, { name: 'server-1' })).status).toBe(401);
      const refused = await kill(calm.url, { name: 'server-1' }, bearer);
      expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('CHAOS=1')]);
      await using page = await OpenPage.open(calm.url);
      expect(await page.until(() => true)).toMatchObject({ needs_token: true, chaos: false });
      await calm.end('SIGTERM');
      const foreign = await spawnRingmaster({ RUNTIME: 'static', UPSTREAMS: 'a=127.0.0.1:9', CHAOS: '1' });
      expect((await kill(foreign.url, { name: 'a' })).status).toBe(403);
      await using other = await OpenPage.open(foreign.url);
      expect(await other.until(() => true)).toMatchObject({ chaos: false, needs_token: false });
      await foreign.end('SIGTERM');
    },
    PATIENCE_MS,
  );
});

test(
  'workers’ requests and connections are counted, too',
  async () => {
    const several = await spawnRingmaster({ RUNTIME: 'process', WORKERS: '2' });
    await using page = await OpenPage.open(several.url);
    for (let i = 0; i < 50; i++) await fetch(`${several.traffic}/home?id=${i}`, { keepalive: false });
    await page.until(({ replicas }) => replicas.reduce((sum, { requests }) => sum + requests, 0) === 50);
    const idle = connect(Number(new URL(several.traffic).port), '127.0.0.1');
    await page.until(({ totals }) => totals.clients.idle > 0);
    idle.destroy();
    await several.end('SIGTERM');
  },
  PATIENCE_MS,
);

test(
  'a Ringmaster that ends tells that its replicas leave, and ends its streams',
  async () => {
    const ending = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '2' });
    await using page = await OpenPage.open(ending.url);
    await page.until(({ replicas }) => replicas.length === 2);
    expect(await ending.end('SIGTERM')).toBe(0);
    await page.ended;
    const told = page.updates.flatMap(({ events }) => events.map(({ what }) => what));
    expect(told).toContain('draining');
  },
  PATIENCE_MS,
);
