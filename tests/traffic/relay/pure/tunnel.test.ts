import { describe, expect, test } from 'bun:test';
import { closeCode, closeFrame, frame, GOING_AWAY, MASK, TEXT } from '../frames.ts';
import { Pair } from './fake-socket.ts';

/** A tunnel that was just opened. */
function opened(protocol: string, env: Record<string, string> = {}): Pair {
  const pair = new Pair({ env });
  pair.exchange(
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
    `HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
  );
  pair.clientSocket.take();
  pair.replicaSocket.take();
  pair.clientSocket.done.length = 0;
  pair.replicaSocket.done.length = 0;
  return pair;
}

const HELLO = Buffer.from('hello');
const DOWN = frame(TEXT, HELLO);
const UP = frame(TEXT, HELLO, MASK);

describe('when its replica leaves', () => {
  test('the server is asked to close first, and what it still sends before that is passed on', () => {
    using pair = opened('websocket');
    pair.lease.onLeaving?.();
    expect(closeCode(pair.replicaSocket.take())).toBe(GOING_AWAY);
    expect(pair.clientSocket.taken).toHaveLength(0);
    pair.replica.onData(DOWN);
    expect(pair.clientSocket.take()).toEqual(DOWN);
    // Its answer in the same piece as its last message, in the middle of the header.
    const last = Buffer.concat([DOWN, closeFrame(1000)]);
    pair.replica.onData(last.subarray(0, DOWN.length + 1));
    pair.replica.onData(last.subarray(DOWN.length + 1));
    const got = pair.clientSocket.take();
    expect(got.subarray(0, DOWN.length)).toEqual(DOWN);
    expect(closeCode(got.subarray(DOWN.length))).toBe(GOING_AWAY);
    pair.client.onData(closeFrame(GOING_AWAY, MASK));
    expect(pair.replicaSocket.taken).toHaveLength(0);
    expect(pair.clientSocket.done).toEqual(['shutdown']);
  });

  test('a server that does not answer has its time, then the client is told, and then it is over', () => {
    using pair = opened('websocket');
    pair.lease.onLeaving?.();
    pair.client.onDeadline();
    expect(closeCode(pair.clientSocket.take())).toBe(GOING_AWAY);
    expect(pair.lease.releases).toBe(0);
    pair.client.onDeadline();
    expect([pair.lease.releases, pair.replicaSocket.done]).toEqual([1, ['terminate']]);
    expect(pair.clientSocket.done).toEqual(['end']);
  });

  test.each([
    ['ends', 'onEnd'],
    ['is gone', 'onClose'],
  ] as const)('a server that %s without an answer: the client is told', (_, how) => {
    using pair = opened('websocket');
    pair.lease.onLeaving?.();
    pair.replica[how]();
    expect(closeCode(pair.clientSocket.take())).toBe(GOING_AWAY);
    expect(pair.clientSocket.done).toEqual(['shutdown']);
  });

  test('a client in the middle of a frame completes it; the server is asked then', () => {
    using pair = opened('websocket');
    pair.client.onData(UP.subarray(0, 3));
    pair.lease.onLeaving?.();
    expect(pair.replicaSocket.take()).toEqual(UP.subarray(0, 3));
    pair.client.onData(Buffer.concat([UP.subarray(3), UP]));
    const got = pair.replicaSocket.take();
    expect(got.subarray(0, UP.length - 3)).toEqual(UP.subarray(3));
    expect(closeCode(got.subarray(UP.length - 3))).toBe(GOING_AWAY);
  });

  test('a server that is late in the middle of a frame completes it; the client is told then', () => {
    using pair = opened('websocket');
    pair.lease.onLeaving?.();
    pair.replica.onData(DOWN.subarray(0, 3));
    pair.client.onDeadline();
    expect(pair.clientSocket.take()).toEqual(DOWN.subarray(0, 3));
    pair.replica.onData(Buffer.concat([DOWN.subarray(3), DOWN]));
    const got = pair.clientSocket.take();
    expect(got.subarray(0, DOWN.length - 3)).toEqual(DOWN.subarray(3));
    expect(closeCode(got.subarray(DOWN.length - 3))).toBe(GOING_AWAY);
  });

  test('a slow reader is waited for, until the time to drain is over', () => {
    using pair = opened('websocket');
    pair.clientSocket.room = 0;
    pair.replica.onData(DOWN);
    pair.lease.onLeaving?.();
    for (let i = 0; i < 10; i++) pair.client.onDeadline();
    expect(pair.lease.releases).toBe(0);
    pair.lease.onCut?.();
    expect(pair.lease.releases).toBe(1);
    // What waits was taken from the server, and is not thrown away.
    expect(pair.clientSocket.done).toEqual([]);
    pair.clientSocket.room = Number.POSITIVE_INFINITY;
    pair.client.onDrain();
    const got = pair.clientSocket.take();
    expect(got.subarray(0, DOWN.length)).toEqual(DOWN);
    expect(closeCode(got.subarray(DOWN.length))).toBe(GOING_AWAY);
    expect(pair.clientSocket.done).toEqual(['shutdown']);
  });

  test('a slow reader of a close that its server has begun is waited for, too', () => {
    using pair = opened('websocket');
    pair.clientSocket.room = 0;
    pair.replica.onData(Buffer.concat([DOWN, closeFrame(4000)]));
    pair.lease.onLeaving?.();
    pair.client.onDeadline();
    expect(pair.lease.releases).toBe(0);
    pair.clientSocket.room = Number.POSITIVE_INFINITY;
    pair.client.onDrain();
    expect(closeCode(pair.clientSocket.take().subarray(DOWN.length))).toBe(4000);
  });

  test('a server that sends for ever is cut when the time to drain is over, and the client told', () => {
    using pair = opened('websocket');
    pair.lease.onLeaving?.();
    pair.replica.onData(DOWN);
    pair.clientSocket.take();
    pair.lease.onCut?.();
    expect(closeCode(pair.clientSocket.take())).toBe(GOING_AWAY);
    expect([pair.lease.releases, pair.replicaSocket.done]).toEqual([1, ['terminate']]);
    expect(pair.clientSocket.done).toEqual(['shutdown']);
  });

  test('in the middle of a frame when the time to drain is over: the client sees it break off', () => {
    using pair = opened('websocket');
    pair.replica.onData(DOWN.subarray(0, 3));
    pair.lease.onLeaving?.();
    pair.lease.onCut?.();
    expect(pair.clientSocket.take()).toEqual(DOWN.subarray(0, 3));
    expect(pair.clientSocket.done).toEqual(['terminate']);
  });

  test('a close that its client has begun goes its own way', () => {
    using pair = opened('websocket');
    pair.client.onData(closeFrame(4000, MASK));
    expect(closeCode(pair.replicaSocket.take())).toBe(4000);
    pair.lease.onLeaving?.();
    expect(pair.replicaSocket.taken).toHaveLength(0);
    pair.replica.onData(closeFrame(4000));
    expect(closeCode(pair.clientSocket.take())).toBe(4000);
  });

  test('a close that its server has begun goes its own way', () => {
    using pair = opened('websocket');
    pair.replica.onData(closeFrame(4000));
    expect(closeCode(pair.clientSocket.take())).toBe(4000);
    pair.lease.onLeaving?.();
    expect(pair.replicaSocket.taken).toHaveLength(0);
    pair.client.onData(closeFrame(4000, MASK));
    expect(closeCode(pair.replicaSocket.take())).toBe(4000);
    expect(pair.clientSocket.taken).toHaveLength(0);
  });

  test('a close that a peer has begun and does not end is over at some point', () => {
    using pair = opened('websocket');
    pair.replica.onData(closeFrame(4000));
    pair.lease.onLeaving?.();
    pair.client.onDeadline();
    expect([pair.lease.releases, pair.clientSocket.done]).toEqual([1, ['terminate']]);
  });

  test('of another protocol nothing is known: it has until the time to drain is over', () => {
    using pair = opened('echo/1');
    pair.lease.onLeaving?.();
    pair.client.onData(HELLO);
    expect(pair.replicaSocket.take()).toEqual(HELLO);
    expect(pair.clientSocket.taken).toHaveLength(0);
    pair.lease.onCut?.();
    expect([pair.clientSocket.done, pair.replicaSocket.done]).toEqual([['terminate'], ['terminate']]);
  });
});

describe('a tunnel', () => {
  test('of a WebSocket that is silent for its time is closed as if its replica left', () => {
    using pair = opened('websocket');
    pair.client.onDeadline();
    expect(closeCode(pair.replicaSocket.take())).toBe(GOING_AWAY);
    pair.replica.onData(closeFrame(GOING_AWAY));
    expect(closeCode(pair.clientSocket.take())).toBe(GOING_AWAY);
  });

  test('of another protocol that is silent for its time is cut', () => {
    using pair = opened('echo/1');
    pair.client.onDeadline();
    expect([pair.clientSocket.done, pair.replicaSocket.done]).toEqual([['terminate'], ['terminate']]);
  });

  // It was cut though its reader took bytes all the time, since only what was taken whole counted.
  test.each(['client', 'replica'] as const)(
    'is not silent while its %s takes a part of what waits',
    (reader) => {
      using pair = opened('echo/1');
      const [to, from] =
        reader === 'client' ? [pair.client, pair.replica] : ([pair.replica, pair.client] as const);
      const socket = reader === 'client' ? pair.clientSocket : pair.replicaSocket;
      socket.room = 0;
      from.onData(HELLO);
      pair.client.deadlineMs = 0;
      socket.room = 1;
      to.onDrain();
      expect(socket.taken).toHaveLength(1);
      expect(pair.client.deadlineMs).toBeGreaterThan(pair.context.deadlines.nowMs);
    },
  );

  // A thousand WebSockets to one replica would have had it refuse every request.
  test('takes no place of a request, and is waited for by drain all the same', () => {
    using pair = opened('websocket', { REPLICA_IN_FLIGHT_MAX: '1' });
    expect(pair.context.pools.of(pair.lease.address).inFlight).toBe(0);
    expect(pair.lease.releases).toBe(0);
    pair.client.onClose();
    expect(pair.lease.releases).toBe(1);
  });
});
