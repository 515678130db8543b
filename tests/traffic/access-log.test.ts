import { describe, expect, test } from 'bun:test';
import { silentLog, type Log } from '../../src/log.ts';
import {
  AccessLog,
  accessLogOf,
  pathOf,
  SHOWN_MAX_CHARS,
  type Access,
} from '../../src/traffic/access-log.ts';
import { controlsIn, HOSTILE } from '../security/terminal.ts';
import { Balancer } from './balancer.ts';
import type { Answer } from './raw-upstream.ts';

type Line = Record<string, unknown> & { readonly msg: string };

function recorder(): { lines: Line[]; log: Log } {
  const lines: Line[] = [];
  const info = (fields: object, msg: string): void => void lines.push({ ...fields, msg });
  return { lines, log: { ...silentLog, info } };
}

const access: Access = {
  plane: 'traffic',
  requestId: 'req-1',
  method: 'GET',
  path: '/home?id=42',
  replica: 'server-1',
  status: 200,
  tookMs: 1.23456,
  peer: '192.0.2.1',
};

describe('a line', () => {
  test('tells of a request without its query', () => {
    const { lines, log } = recorder();
    new AccessLog(1, log).write(access);
    expect(lines).toEqual([{ ...access, path: '/home', tookMs: 1.23, msg: 'request' }]);
  });

  test('is one line and moves no terminal, whatever a client sends, and has a bound', () => {
    const { lines, log } = recorder();
    for (const text of [HOSTILE, HOSTILE.repeat(100), 'x'.repeat(100_000)])
      new AccessLog(1, log).write({ ...access, method: text, path: `/${text}`, requestId: text });
    for (const line of lines)
      for (const field of ['method', 'path', 'requestId']) {
        expect(controlsIn(String(line[field]))).toEqual([]);
        expect(String(line[field])).not.toContain('\n');
        expect(String(line[field]).length).toBeLessThanOrEqual(SHOWN_MAX_CHARS);
      }
  });

  test('shows what has just the longest length whole, and marks what is cut', () => {
    const { lines, log } = recorder();
    for (const length of [SHOWN_MAX_CHARS, SHOWN_MAX_CHARS + 1])
      new AccessLog(1, log).write({ ...access, path: `/${'a'.repeat(length - 1)}` });
    expect(lines.map(({ path }) => [String(path).length, String(path).at(-1)])).toEqual([
      [SHOWN_MAX_CHARS, 'a'],
      [SHOWN_MAX_CHARS, '…'],
    ]);
  });

  test.each([
    ['/', '/'],
    ['/a/b?token=x', '/a/b'],
    ['/a?', '/a'],
    ['/a#frag?x', '/a'],
    ['/a?x#y?z', '/a'],
    ['/a?x\r\ny', '/a'],
    ['*', '*'],
    ['http://user:secret@host:80/a?x', '/a'],
    ['http://host?token=x', ''],
    ['HTTPS://host/a', '/a'],
    ['//user@host/a', '//user@host/a'],
    ['/http://u:p@h/', '/http://u:p@h/'],
  ])('of the target %j has the path %j', (target, path) => {
    expect(pathOf(target)).toBe(path);
  });
});

describe('the part that gets a line', () => {
  test.each([
    [1, 100],
    [0.5, 50],
    [0.01, 1],
  ])('of %p is that of the random numbers below it', (rate, lines) => {
    let i = 0;
    const log = new AccessLog(rate, silentLog, () => i++ / 100);
    let sampled = 0;
    for (let n = 0; n < 100; n++) if (log.sample()) sampled++;
    expect(sampled).toBe(lines);
  });

  test('of none costs nothing', () => {
    expect(accessLogOf(0, silentLog)).toBeUndefined();
    expect(accessLogOf(0.001, silentLog)).toBeInstanceOf(AccessLog);
  });
});

const answers: Answer = (exchange) =>
  exchange.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok');

describe('on the control port', () => {
  async function lineOf(
    replicas: readonly (Answer | { host: string; port: number })[],
    ask: (balancer: Balancer) => Promise<unknown>,
  ): Promise<Line[]> {
    const { lines, log } = recorder();
    await using balancer = await Balancer.open(replicas, { accessLog: new AccessLog(1, log), retries: 0 });
    await ask(balancer);
    return lines.map((line) => ({ ...line, tookMs: Number(line['tookMs']) >= 0 }));
  }
  const told = {
    plane: 'control',
    requestId: 'req-1',
    method: 'GET',
    path: '/x',
    replica: 'r0',
    tookMs: true,
    peer: '127.0.0.1',
    msg: 'request',
  };
  const headers = { 'x-request-id': 'req-1' };
  const get = async (balancer: Balancer, path = '/x?token=secret'): Promise<Response> => {
    const reply = await balancer.fetch(path, { headers });
    await reply.text().catch(() => {});
    return reply;
  };

  test('a reply is told of with its status', async () => {
    expect(await lineOf([answers], (balancer) => get(balancer))).toEqual([{ ...told, status: 200 }]);
  });

  test('a reply that comes in chunks is told of once, at its end', async () => {
    const chunked: Answer = (exchange) =>
      exchange.write('HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
    expect(await lineOf([chunked], (balancer) => get(balancer))).toEqual([{ ...told, status: 404 }]);
  });

  test('of Ringmaster’s own errors it is their status', async () => {
    expect(await lineOf([], (balancer) => get(balancer))).toEqual([
      { ...told, replica: undefined, status: 503 },
    ]);
    const dead = { host: '127.0.0.1', port: 1 };
    expect(await lineOf([dead], (balancer) => get(balancer))).toEqual([{ ...told, status: 502 }]);
    const flawed = (balancer: Balancer): Promise<unknown> =>
      balancer.raw('GET /x HTTP/1.1\r\nHost: a@b\r\nX-Request-Id: req-1\r\nConnection: close\r\n\r\n');
    expect(await lineOf([answers], flawed)).toEqual([{ ...told, replica: undefined, status: 400 }]);
  });

  test('an error of Ringmaster’s own has the id that the replica was sent', async () => {
    let sent: string | undefined;
    const closes: Answer = (exchange) => {
      sent = exchange.value('x-request-id');
      exchange.socket.destroy();
    };
    await lineOf([closes], async (balancer) => {
      const reply = await balancer.fetch('/x', { method: 'POST', body: 'x' });
      expect(reply.status).toBe(502);
      expect(sent).toBeString();
      expect(reply.headers.get('x-request-id')).toBe(sent as string);
    });
  });
});
