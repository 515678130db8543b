import { afterEach, describe, expect, test } from 'bun:test';
import { Crowd } from './crowd.ts';
import { Load, type LoadFigures } from './load.ts';

const BODY = '{"message":"Hello"}';
const GOOD = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
/** Long enough for many requests on any machine; no figure is looked at. */
const DURATION_MS = 100;

const servers: { stop(force: boolean): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

interface Client {
  asked: number;
}

/** Answers the nth request of a connection with what `answer` says; undefined: closes in place of an answer. */
function serve(answer: (n: number) => readonly string[] | undefined): number {
  const server = Bun.listen<Client>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { asked: 0 };
      },
      data: (socket) => {
        const parts = answer(socket.data.asked++);
        if (parts === undefined) return void socket.end();
        for (const part of parts) {
          socket.write(part);
          socket.flush();
        }
      },
    },
  });
  servers.push(server);
  return server.port;
}

function load(port: number): Promise<LoadFigures> {
  return new Load({
    port,
    path: '/home',
    bodyBytes: BODY.length,
    connections: 4,
    warmUpMs: 0,
    durationMs: DURATION_MS,
    pids: [process.pid],
    ownPids: [process.pid],
  }).run();
}

describe('a load', () => {
  test('counts right replies, also those that come in pieces or in chunks', async () => {
    const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n${BODY}\r\n0\r\n\r\n`;
    const figures = await load(serve((n) => (n % 2 === 0 ? [GOOD.slice(0, 30), GOOD.slice(30)] : [chunked])));
    expect(figures).toMatchObject({ errors: 0, firstError: undefined });
    expect(figures.requests).toBeGreaterThan(0);
    expect(figures.p99Ms).toBeGreaterThanOrEqual(figures.p50Ms);
  });

  test.each([
    ['status 502', [GOOD.replace('200 OK', '502 Bad Gateway')]],
    ['18 bytes of body in place of 19', [GOOD.replace(': 19', ': 18').slice(0, -1)]],
    ['more than one reply to a request', [GOOD + GOOD]],
    ['closed before the reply was whole', undefined],
    ['neither a length nor chunks, or both', ['HTTP/1.1 200 OK\r\n\r\n']],
  ])('does not count as a request what failed: %s', async (why, bad) => {
    const figures = await load(serve(() => bad));
    expect(figures.requests).toBe(0);
    expect(figures.errors).toBeGreaterThan(0);
    expect(figures.firstError).toBe(why);
  });

  test('goes on with a new connection where the server ends one after its reply', async () => {
    const figures = await load(serve(() => [GOOD.replace('\r\n', '\r\nConnection: close\r\n')]));
    expect(figures.errors).toBe(0);
    expect(figures.requests).toBeGreaterThan(4);
  });

  test('tells of nothing that listens', async () => {
    const port = serve(() => [GOOD]);
    for (const server of servers.splice(0)) server.stop(true);
    const figures = await load(port);
    expect(figures.requests).toBe(0);
    expect(figures.errors).toBeGreaterThan(0);
  });
});

describe('a crowd', () => {
  const order = { path: '/home', bodyBytes: BODY.length, connections: 100 };

  test('stays connected after a request each', async () => {
    let asked = 0;
    const port = serve((n) => {
      asked++;
      return n === 0 ? [GOOD] : undefined;
    });
    const crowd = new Crowd();
    expect(await crowd.gather({ ...order, port })).toEqual({ open: 100, firstError: undefined });
    expect(asked).toBe(100);
    crowd.drop();
    expect(crowd.figures.open).toBe(0);
  });

  test('is smaller by those who were not answered', async () => {
    let asked = 0;
    const crowd = new Crowd();
    const { open, firstError } = await crowd.gather({
      ...order,
      port: serve(() => (asked++ < 10 ? [GOOD] : undefined)),
    });
    expect(open).toBe(10);
    expect(firstError).toBe('closed before the reply was whole');
    crowd.drop();
  });
});
