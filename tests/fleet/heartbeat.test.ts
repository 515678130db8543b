import { afterEach, describe, expect, test } from 'bun:test';
import { createServer, type Server, type Socket } from 'node:net';
import { httpHeartbeat, type HeartbeatResult } from '../../src/fleet/heartbeat.ts';
import type { Address } from '../../src/runtime/runtime.ts';

const NEVER = new AbortController().signal;
/** Long enough for a busy machine to answer on loopback. */
const PATIENT_MS = 20_000;
/** For what nobody answers: short, so that the test is. */
const SHORT_MS = 50;

describe('a heartbeat', () => {
  test.each([
    ['200 OK', 'answered'],
    ['204 No Content', 'answered'],
    ['299 Fine', 'answered'],
    ['301 Moved Permanently\r\nLocation: /', 'failed'],
    ['404 Not Found', 'failed'],
    ['500 Internal Server Error', 'failed'],
    ['503 Service Unavailable', 'failed'],
  ])('that is replied to with %s has %s', async (status, expected) => {
    const address = await listen((socket) => {
      const length = status.startsWith('204') ? '' : 'Content-Length: 5\r\n';
      const body = status.startsWith('204') ? '' : 'Hello';
      socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\n${length}\r\n${body}`));
    });
    expect(await beat(address)).toBe(expected as HeartbeatResult);
  });

  test('asks for the path it is given, on a connection of its own', async () => {
    const heads: string[] = [];
    const address = await listen((socket) => {
      socket.once('data', (data) => {
        heads.push(data.toString());
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n');
      });
    });
    for (const path of ['/heartbeat', '/health?deep=1'])
      expect(await httpHeartbeat(address, path, PATIENT_MS, NEVER)).toBe('answered');
    expect(heads.map((head) => head.split('\r\n')[0])).toEqual([
      'GET /heartbeat HTTP/1.1',
      'GET /health?deep=1 HTTP/1.1',
    ]);
    for (const head of heads) expect(head.toLowerCase()).toContain('\r\nconnection: close\r\n');
  });

  test('is answered by a reply whose body has no length and ends with the connection', async () => {
    const address = await listen((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nHello'));
    });
    expect(await beat(address)).toBe('answered');
  });

  test('is refused where nothing listens', async () => {
    const address = await listen(() => {});
    await close();
    expect(await beat(address)).toBe('refused');
  });

  describe('fails by its deadline', () => {
    test('where the connection is accepted and nothing comes', async () => {
      const address = await listen(() => {});
      expect(await httpHeartbeat(address, '/', SHORT_MS, NEVER)).toBe('failed');
    });

    test.each([
      ['a head without its end', 'HTTP/1.1 200 OK\r\nContent-'],
      ['a body without its end', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHel'],
      ['chunks without the last', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nHel\r\n'],
      ['an interim reply', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ])('where %s comes and no more', async (_, part) => {
      const address = await listen((socket) => {
        socket.once('data', () => socket.write(part));
      });
      expect(await httpHeartbeat(address, '/', SHORT_MS, NEVER)).toBe('failed');
    });

    test('where the body never ends, however much of it comes', async () => {
      const address = await listen((socket) => {
        const more = (): void => {
          if (socket.writable) socket.write('5\r\nHello\r\n', () => setImmediate(more));
        };
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
          more();
        });
      });
      expect(await httpHeartbeat(address, '/', SHORT_MS, NEVER)).toBe('failed');
    });
  });

  describe('fails at once', () => {
    test.each([
      ['nothing', ''],
      ['half a head', 'HTTP/1.1 200 OK\r\nContent-'],
      ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHel'],
      ['half the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nHel\r\n'],
      ['no HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ])('where %s comes before the connection ends', async (_, part) => {
      const address = await listen((socket) => {
        socket.once('data', () => socket.end(part));
      });
      expect(await beat(address)).toBe('failed');
    });

    test('where the connection is reset', async () => {
      const address = await listen((socket) => {
        socket.once('data', () => socket.resetAndDestroy());
      });
      expect(await beat(address)).toBe('failed');
    });

    test('where the reply breaks off after its head by a reset', async () => {
      const address = await listen((socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHel', () => socket.resetAndDestroy());
        });
      });
      expect(await beat(address)).toBe('failed');
    });

    test('where it is called off, and its connection is closed', async () => {
      const abort = new AbortController();
      const closed = Promise.withResolvers<void>();
      const address = await listen((socket) => {
        socket.once('data', () => abort.abort());
        socket.once('close', () => closed.resolve());
      });
      expect(await httpHeartbeat(address, '/', PATIENT_MS, abort.signal)).toBe('failed');
      await closed.promise;
    });

    // A signal that has fired already fires no event: the heartbeat was sent all the same, and who wanted a replica
    // that was starting to leave waited for a silent one until the deadline.
    test('where it was called off before it began, and nothing is sent', async () => {
      let connections = 0;
      const address = await listen(() => connections++);
      expect(await httpHeartbeat(address, '/', PATIENT_MS, AbortSignal.abort())).toBe('failed');
      expect(connections).toBe(0);
    });
  });

  test('that hang do not keep others from being answered', async () => {
    const silent = await listen(() => {});
    const well = await listen((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    });
    const abort = new AbortController();
    // More than the 256 that `fetch` runs at once.
    const hanging = Array.from({ length: 300 }, () => httpHeartbeat(silent, '/', PATIENT_MS, abort.signal));
    expect(await beat(well)).toBe('answered');
    abort.abort();
    expect(new Set(await Promise.all(hanging))).toEqual(new Set(['failed']));
  });
});

const servers = new Set<Server>();
const sockets = new Set<Socket>();
afterEach(close);

async function listen(serve: (socket: Socket) => void): Promise<Address> {
  const server = createServer((socket) => {
    sockets.add(socket);
    // That a heartbeat cuts its connection is what some tests are about.
    socket.on('error', () => {});
    serve(socket);
  });
  servers.add(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen on a port');
  return { host: '127.0.0.1', port: address.port };
}

async function close(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(
    [...servers].map((server) => new Promise<void>((resolve) => void server.close(() => resolve()))),
  );
  servers.clear();
}

function beat(address: Address): Promise<HeartbeatResult> {
  return httpHeartbeat(address, '/', PATIENT_MS, NEVER);
}
