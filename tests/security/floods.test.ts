import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { forgetPeak, memoryOf } from '../processes.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { change, rawCall, stateOf } from './calls.ts';

const PATIENCE_MS = 120_000;
const KIB = 1024;
/** What a flood may cost, at most; most of it is not ours, but the garbage collector's leisure. */
const GROWN_MAX_BYTES = 150 * KIB * KIB;
const LINE = 'GET /rep HTTP/1.1\r\nHost: localhost\r\n';

const floods: [what: string, bytes: string, statuses: number[]][] = [
  ['one field of 64 KiB', `${LINE}X: ${'x'.repeat(64 * KIB)}\r\n\r\n`, [431]],
  ['one field of 16 MiB', `${LINE}X: ${'x'.repeat(16 * KIB * KIB)}\r\n\r\n`, [431]],
  ['a field without an end', `${LINE}X: ${'x'.repeat(KIB * KIB)}`, [431]],
  ['10,000 fields', `${LINE}${'X: y\r\n'.repeat(10_000)}\r\n`, [431]],
  ['10,000 fields of other names', `${LINE}${fields(10_000)}\r\n`, [431]],
  ['10,000 cookies', `${LINE}${'Cookie: a=b\r\n'.repeat(10_000)}\r\n`, [431]],
  ['a field name of 64 KiB', `${LINE}${'x'.repeat(64 * KIB)}: y\r\n\r\n`, [400, 431]],
  ['a target of 64 KiB', `GET /${'x'.repeat(64 * KIB)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, [414, 431]],
  ['a query of 64 KiB', `GET /rep?${'a&'.repeat(32 * KIB)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, [414, 431]],
  ['a method of 64 KiB', `${'G'.repeat(64 * KIB)} / HTTP/1.1\r\nHost: localhost\r\n\r\n`, [400, 431, 501, 0]],
];

function fields(count: number): string {
  return Array.from({ length: count }, (_, i) => `X-${i}: y\r\n`).join('');
}

describe('a head that is too much', () => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '1',
      CLUSTER: `sec-${process.pid}`,
      REPLICA_COMMAND: `'${process.execPath}' tests/security/hostile-replica.ts`,
      REPLY_HEADER_TIMEOUT_MS: '2000',
    });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  const ports = [
    ['control', () => ringmaster.url],
    ['traffic', () => ringmaster.traffic],
  ] as const;

  for (const [port, at] of ports) {
    test.each(floods)(
      `%s is refused on the port for ${port}, and the others are served`,
      async (_, bytes, statuses) => {
        const before = await stateOf(ringmaster.url);
        expect(statuses).toContain((await rawCall(at(), bytes)).status);
        expect((await fetch(`${at()}/anything`)).status).toBe(200);
        expect(await stateOf(ringmaster.url)).toBe(before);
      },
      PATIENCE_MS,
    );

    test(
      `a thousand of them in a row leave no memory behind, on the port for ${port}`,
      async () => {
        const flood = `${LINE}X: ${'x'.repeat(64 * KIB)}\r\n\r\n`;
        const { residentBytes } = memoryOf(ringmaster.pid);
        const COUNT = 1000;
        const AT_ONCE = 20;
        for (let sent = 0; sent < COUNT; sent += AT_ONCE)
          await Promise.all(Array.from({ length: AT_ONCE }, () => rawCall(at(), flood)));
        expect(memoryOf(ringmaster.pid).residentBytes - residentBytes).toBeLessThan(GROWN_MAX_BYTES);
      },
      PATIENCE_MS,
    );

    test(
      `heads of 200 clients that come drop by drop hold up nobody, on the port for ${port}`,
      async () => {
        const CLIENTS = 200;
        const open = await Promise.all(
          Array.from({ length: CLIENTS }, () =>
            Bun.connect({
              hostname: '127.0.0.1',
              port: Number(new URL(at()).port),
              socket: { data() {}, error() {} },
            }),
          ),
        );
        const drops = 'GET /rep HTTP/1.1\r\nHost: loc';
        for (const drop of drops) {
          for (const socket of open) socket.write(drop);
          expect((await fetch(`${at()}/anything`)).status).toBe(200);
        }
        expect(await change(ringmaster.url, 1)).toBe(200);
        expect(await change(ringmaster.url, -1)).toBe(200);
        for (const socket of open) socket.terminate();
      },
      PATIENCE_MS,
    );

    test(
      `of a replica is 502 on the port for ${port}, and costs nothing more`,
      async () => {
        await forgetPeak(ringmaster.pid);
        const { residentBytes } = memoryOf(ringmaster.pid);
        for (const path of [
          '/head-of-10000-fields',
          '/endless-value',
          '/endless-fields',
          '/endless-interims',
        ]) {
          const { status } = await fetch(at() + path);
          // Interim replies without an end are no reply.
          expect([path, [502, 504].includes(status)]).toEqual([path, true]);
        }
        expect(memoryOf(ringmaster.pid).peakBytes - residentBytes).toBeLessThan(GROWN_MAX_BYTES);
        expect((await fetch(`${ringmaster.url}/rep`)).status).toBe(200);
      },
      PATIENCE_MS,
    );
  }

  test('none of it was a bug, by the log', () => {
    expect(ringmaster.output()).not.toMatch(/unexpected|a bug in/);
  });
});

describe('what a replica says to its clients passes as it is', () => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '1',
      CLUSTER: `sec-${process.pid}`,
      REPLICA_COMMAND: `'${process.execPath}' tests/security/hostile-replica.ts`,
    });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  test.each([
    ['cookies', '/cookie', /^set-cookie: a=b\r\n(?:.*\r\n)*?set-cookie: c=d; Path=\/\r?$/im],
    [
      'redirects',
      '/redirect',
      /^HTTP\/1\.1 302 Found\r\n(?:.*\r\n)*?location: http:\/\/evil\.example\/\r?$/im,
    ],
    ['permission for other origins', '/cors', /^access-control-allow-origin: \*\r?$/im],
  ])(
    '%s',
    async (_, path, expected) => {
      for (const base of [ringmaster.url, ringmaster.traffic]) {
        const { head } = await rawCall(base, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        expect(`${head}\r\n`).toMatch(expected);
      }
    },
    PATIENCE_MS,
  );

  test(
    'but for its name, which it can’t choose, and with nothing of it on paths that are ours',
    async () => {
      for (const base of [ringmaster.url, ringmaster.traffic]) {
        const reply = await fetch(`${base}/served-by`);
        expect(reply.headers.get('x-served-by')).toBe('server-1');
      }
      for (const path of ['/rep', '/heartbeat', '/map_request?id=1', '/swagger/json']) {
        const reply = await fetch(ringmaster.url + path);
        expect(reply.headers.get('x-beat')).toBeNull();
        expect(reply.headers.get('x-served-by')).toBeNull();
      }
    },
    PATIENCE_MS,
  );
});
