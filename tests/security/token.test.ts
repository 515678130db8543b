import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { childrenOf, replicasOf, workersOf } from '../processes.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { change, rawCall, requestWith, stateOf } from './calls.ts';

const PATIENCE_MS = 60_000;
const TOKEN = 'Correct-Horse+Battery=Staple';
const RIGHT = { authorization: `Bearer ${TOKEN}` };
const FIELDS = ['Host: localhost', 'Content-Type: application/json'];

describe('where ADMIN_TOKEN is set', () => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '2',
      WORKERS: '2',
      ADMIN_TOKEN: TOKEN,
      LOG_LEVEL: 'trace',
      CLUSTER: `sec-${process.pid}`,
    });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  const bearer = (value: string): string => `Authorization: Bearer ${value}`;
  const wrong: [what: string, target: string, fields: string[]][] = [
    ['none', '/add', []],
    ['an empty one', '/add', [bearer('')]],
    ['another', '/add', [bearer('wrong-horse-battery')]],
    ['its beginning', '/add', [bearer(TOKEN.slice(0, -1))]],
    ['its end', '/add', [bearer(TOKEN.slice(1))]],
    ['more than it', '/add', [bearer(`${TOKEN}x`)]],
    ['it in other case', '/add', [bearer(TOKEN.toLowerCase())]],
    ['it in quotes', '/add', [bearer(`"${TOKEN}"`)]],
    ['it encoded', '/add', [bearer(encodeURIComponent(TOKEN))]],
    ['it in Base64', '/add', [bearer(btoa(TOKEN))]],
    ['it twice in one field', '/add', [bearer(`${TOKEN}, Bearer ${TOKEN}`)]],
    ['it after a wrong one', '/add', [bearer('wrong-horse-battery'), bearer(TOKEN)]],
    ['it before a wrong one', '/add', [bearer(TOKEN), bearer('wrong-horse-battery')]],
    ['it without Bearer', '/add', [`Authorization: ${TOKEN}`]],
    ['it as a password', '/add', [`Authorization: Basic ${btoa(`admin:${TOKEN}`)}`]],
    ['it in another field', '/add', [`Proxy-Authorization: Bearer ${TOKEN}`, `X-Admin-Token: ${TOKEN}`]],
    ['it in a cookie', '/add', [`Cookie: token=${TOKEN}; ADMIN_TOKEN=${TOKEN}`]],
    ['it in the query', `/add?token=${TOKEN}&access_token=${TOKEN}&ADMIN_TOKEN=${TOKEN}`, []],
    ['the word of a proxy for who asks', '/add', ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1']],
  ];
  test.each(wrong)(
    'a change with %s is refused',
    async (_, target, fields) => {
      const before = await stateOf(ringmaster.url);
      const reply = await rawCall(
        ringmaster.url,
        requestWith(`POST ${target}`, [...FIELDS, ...fields], '{"n":1}'),
      );
      expect(reply.status).toBe(401);
      expect(reply.head).toMatch(/^www-authenticate: Bearer$/im);
      expect(reply.head + reply.body).not.toContain(TOKEN);
      expect(await stateOf(ringmaster.url)).toBe(before);
    },
    PATIENCE_MS,
  );

  test(
    'a change with it is made',
    async () => {
      expect(await change(ringmaster.url, 1, RIGHT)).toBe(200);
      expect(await change(ringmaster.url, -1, RIGHT)).toBe(200);
    },
    PATIENCE_MS,
  );

  test(
    'no other process gets it, neither by its arguments nor by its environment',
    async () => {
      const workers = await workersOf(ringmaster.pid);
      const replicas = await replicasOf(ringmaster.pid);
      expect([workers.length, replicas.size]).toEqual([2, 2]);
      const others = await childrenOf(ringmaster.pid);
      // The warden, too.
      expect(others.length).toBe(5);
      for (const pid of [ringmaster.pid, ...others])
        expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).not.toContain(TOKEN);
      for (const pid of others) {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        expect(environment).not.toContain(TOKEN);
        expect(environment).not.toContain('ADMIN_TOKEN');
      }
      // The look is not in vain: where it has to be, it is.
      expect(readFileSync(`/proc/${ringmaster.pid}/environ`, 'latin1')).toContain(TOKEN);
    },
    PATIENCE_MS,
  );

  test(
    'no log line has it, whatever goes wrong with it',
    async () => {
      const { url, pid } = ringmaster;
      const withIt = [...FIELDS, bearer(TOKEN)];
      for (const body of ['{"n":1e9}', '{"n":', '{"n":1,"hostnames":["a b"]}'])
        expect((await rawCall(url, requestWith('POST /add', withIt, body))).status).toBeGreaterThanOrEqual(
          400,
        );
      // On the port for traffic, where it has no business.
      await rawCall(ringmaster.traffic, requestWith('POST /add?x y', withIt, '{}'));
      for (const replica of (await replicasOf(pid)).values()) process.kill(replica, 'SIGKILL');
      await eventually(() => ringmaster.output().includes('replica process ended'));
      for (const worker of await workersOf(pid)) process.kill(worker, 'SIGKILL');
      await eventually(() => ringmaster.output().includes('another takes its place'));
      expect(ringmaster.output()).toContain('"changes":"who sends ADMIN_TOKEN"');
      expect(ringmaster.output()).not.toContain(TOKEN);
    },
    PATIENCE_MS,
  );
});

describe('a token that is not allowed', () => {
  test.each(['short', 'with a space', `x${'y'.repeat(600)}`, 'änderung-token'])(
    '%j stops the start without being shown',
    async (token) => {
      const error = await spawnRingmaster({ RUNTIME: 'process', ADMIN_TOKEN: token }).catch(
        (failure: Error) => failure.message,
      );
      expect(error).toContain('ADMIN_TOKEN="(hidden)" is not allowed');
      expect(error).not.toContain(token);
    },
    PATIENCE_MS,
  );
});
