import { describe, expect, test } from 'bun:test';
import { raw } from './raw.ts';
import { spawnRingmaster } from './spawned.ts';

const PATIENCE_MS = 60_000;

describe('the control port', () => {
  // Each of these was a 500 and a line in the log that anybody could write there.
  test.each([
    ['no Host on HTTP/1.0', 'GET /heartbeat HTTP/1.0\r\n\r\n', 200],
    ['an empty Host', 'GET /rep HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 400],
    ['a Host that is none', 'GET /rep HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
    [
      'a Host that makes no URL',
      'GET /map_request?id=-1 HTTP/1.1\r\nHost: a:b\r\nConnection: close\r\n\r\n',
      503,
    ],
    [
      'a port that is none',
      'GET /map_request?id=x HTTP/1.1\r\nHost: a:99999\r\nConnection: close\r\n\r\n',
      400,
    ],
    ['a path that is none', 'GET rep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 400],
  ])(
    '%s is not our error',
    async (_, bytes, status) => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '0' });
      const reply = await raw(ringmaster.url, bytes);
      expect(reply).toStartWith(`HTTP/1.1 ${status} `);
      expect(ringmaster.output()).not.toContain('unexpected');
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'a short Host does not lead to another path',
    async () => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '1' });
      for (const host of ['a', 'lb', 'a:1']) {
        const reply = await raw(
          ringmaster.url,
          `GET /x/rep HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        );
        expect(reply).toContain("<Error> '/x/rep' endpoint does not exist");
      }
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    'an upload over 128 MiB streams through',
    async () => {
      const ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '1' });
      const part = new Uint8Array(1024 * 1024).fill(7);
      let left = 160;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (left-- === 0) controller.close();
          else controller.enqueue(part);
        },
      });
      const reply = await fetch(`${ringmaster.url}/echo`, {
        method: 'POST',
        body,
        duplex: 'half',
      } as RequestInit);
      let received = 0;
      for await (const chunk of reply.body as ReadableStream<Uint8Array>) received += chunk.byteLength;
      expect([reply.status, received]).toEqual([200, 160 * 1024 * 1024]);
      expect(await ringmaster.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );
});

test(
  'a change that is called for is one line, with the id that its caller has',
  async () => {
    const ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '1' });
    const call = (method: string, path: string, id: string): Promise<Response> =>
      fetch(ringmaster.url + path, {
        method,
        headers: { 'content-type': 'application/json', 'x-request-id': id },
        body: '{"n":1}',
      });
    expect((await call('POST', '/add', 'id-of-add')).headers.get('x-request-id')).toBe('id-of-add');
    expect((await call('POST', '/add?dry_run=true', 'id-of-try')).status).toBe(200);
    expect((await call('DELETE', '/rm', 'id-of-rm')).status).toBe(200);
    expect(await ringmaster.end('SIGTERM')).toBe(0);
    const lines = ringmaster
      .output()
      .split('\n')
      .filter((line) => line.includes('id-of-'));
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(told.map(({ requestId, method, path, status }) => [requestId, method, path, status])).toEqual([
      ['id-of-add', 'POST', '/add', 200],
      ['id-of-rm', 'DELETE', '/rm', 200],
    ]);
  },
  PATIENCE_MS,
);
