import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { change, countOf, rawCall, requestWith } from './calls.ts';

const PATIENCE_MS = 60_000;
const JSON_FIELD = 'Content-Type: application/json';
const ADD = requestBody(1);

function requestBody(n: number): string {
  return JSON.stringify({ n });
}

// A page of evil.example whose name is pointed at 127.0.0.1 speaks to us from loopback: only its Host tells.
describe('under a name that is not ours nothing can be changed', () => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '0',
      ALLOWED_HOSTS: 'lb.example',
      CLUSTER: `sec-${process.pid}`,
    });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  const foreign: [what: string, target: string, hosts: string[], status: number][] = [
    ['a foreign name', '/add', ['evil.example'], 403],
    ['with our port', '/add', ['evil.example:5000'], 403],
    ['with a dot at its end', '/add', ['evil.example.'], 403],
    ['with our address before it', '/add', ['127.0.0.1.evil.example'], 403],
    ['with a listed name before it', '/add', ['lb.example.evil.example'], 403],
    ['below a listed name', '/add', ['x.lb.example'], 403],
    ['with us as its user', '/add', ['localhost@evil.example'], 400],
    ['with itself as a user of ours', '/add', ['evil.example@localhost'], 400],
    ['beside ours', '/add', ['localhost, evil.example'], 400],
    ['before ours, in two fields', '/add', ['evil.example', 'localhost'], 403],
    ['after ours, in two fields', '/add', ['localhost', 'evil.example'], 403],
    ['none at all', '/add', [], 400],
    ['an empty one', '/add', [''], 400],
    // No browser sends a whole URL, and Bun takes of one nothing but the path.
    ['in a target, too', 'http://evil.example/add', ['evil.example'], 403],
    ['behind ours in a target', 'http://localhost/add', ['evil.example'], 403],
    ['with another way to write the path', '/x/../add/', ['evil.example'], 403],
    ['with an encoded way to write it', '/x/%2e%2e/add?id=1', ['evil.example'], 403],
    ['with back slashes', '/x\\..\\add', ['evil.example'], 403],
  ];
  test.each(foreign)(
    '%s: %s %j',
    async (_, target, hosts, status) => {
      const fields = [...hosts.map((host) => `Host: ${host}`), JSON_FIELD];
      const reply = await rawCall(ringmaster.url, requestWith(`POST ${target}`, fields, ADD));
      expect(reply.status).toBe(status);
      expect(reply.head).not.toMatch(/^access-control-/im);
      expect(await countOf(ringmaster.url)).toBe(0);
    },
    PATIENCE_MS,
  );

  // What is no path of ours goes to the replicas: there it may be anything, but never a change.
  test.each([
    '//add',
    '/add//',
    '/%61dd',
    '/ADD',
    '/add;x',
    '/add%00',
    '/add%20',
    '/add%2f',
    '/add#x',
    '/add\u00ff',
    '/add\\x',
  ])(
    'no other way to write /add leads past the check: %j',
    async (target) => {
      for (const host of ['localhost', 'evil.example']) {
        const fields = [`Host: ${host}`, JSON_FIELD];
        const reply = await rawCall(ringmaster.url, requestWith(`POST ${target}`, fields, ADD));
        // Forwarded, where there are no replicas, or checked all the same.
        expect([503, 403]).toContain(reply.status);
        expect(await countOf(ringmaster.url)).toBe(0);
      }
    },
    PATIENCE_MS,
  );

  test('no version of HTTP without a Host changes anything', async () => {
    for (const line of ['POST /add HTTP/1.0', 'POST http://localhost/add HTTP/1.0']) {
      const bytes = `${line}\r\n${JSON_FIELD}\r\nContent-Length: ${ADD.length}\r\n\r\n${ADD}`;
      const { status } = await rawCall(ringmaster.url, bytes);
      expect([400, 403]).toContain(status);
      expect(await countOf(ringmaster.url)).toBe(0);
    }
  });

  test(
    'under one that is ours it can',
    async () => {
      const names = ['localhost', '127.0.0.1:5000', '[::1]', 'ringmaster', 'LB.example.'];
      for (const [i, host] of names.entries()) {
        const fields = [`Host: ${host}`, JSON_FIELD];
        const reply = await rawCall(ringmaster.url, requestWith('POST /add', fields, ADD));
        expect([host, reply.status]).toEqual([host, 200]);
        expect(await countOf(ringmaster.url)).toBe(i + 1);
      }
      expect(await change(ringmaster.url, -names.length)).toBe(200);
    },
    PATIENCE_MS,
  );
});
