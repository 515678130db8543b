import { describe, expect, test } from 'bun:test';
import { parseConfig } from '../../../../src/config.ts';
import { silentLog } from '../../../../src/log.ts';
import { ClientConnection } from '../../../../src/traffic/relay/client.ts';
import { RelayContext } from '../../../../src/traffic/relay/context.ts';
import type { Upstream } from '../../../../src/traffic/relay/upstream.ts';
import type { WireSocket } from '../../../../src/traffic/relay/wire.ts';
import { CountedLease } from '../../balancer.ts';

/** A socket whose kernel has room for so many bytes, and what was done with it. */
class FakeSocket implements WireSocket {
  readonly done: string[] = [];
  taken = 0;

  constructor(public room: number) {}

  write(_: Uint8Array, __: number, length: number): number {
    const taken = Math.min(this.room, length);
    this.room -= taken;
    this.taken += taken;
    return taken;
  }

  pause(): void {
    this.done.push('pause');
  }

  resume(): void {
    this.done.push('resume');
  }

  shutdown(): void {
    this.done.push('shutdown');
  }

  end(): void {
    this.done.push('end');
  }

  terminate(): void {
    this.done.push('terminate');
  }
}

/** A client with a reply of so many bytes, of which its kernel takes `room`. */
function replied(
  bytes: number,
  room: number,
): { context: RelayContext; client: ClientConnection; socket: FakeSocket } {
  let replica: Upstream | undefined;
  const context = new RelayContext({
    config: parseConfig({}),
    log: silentLog,
    claim: (key) => new CountedLease(key, 'a', { host: '127.0.0.1', port: 1 }),
    dial: (_, upstream) => {
      replica = upstream;
    },
    upstreamsMax: 10,
  });
  const socket = new FakeSocket(room);
  const client = new ClientConnection(context, socket, '127.0.0.1');
  client.onData(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  replica?.onOpen(new FakeSocket(Number.POSITIVE_INFINITY));
  replica?.onData(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`));
  return { context, client, socket };
}

describe('a relay that stops', () => {
  test('closes a connection without a request at once', () => {
    const { context, client, socket } = replied(10, 10_000);
    client.stop();
    expect(socket.done).toEqual(['end']);
    context.deadlines.close();
  });

  // It was closed with a reset, and the end of the reply was lost.
  test('sends the end of a reply that its client has not taken yet, and closes then', () => {
    const { context, client, socket } = replied(10_000, 1000);
    client.stop();
    expect(socket.done).toEqual([]);
    socket.room = Number.POSITIVE_INFINITY;
    client.onDrain();
    expect(socket.taken).toBeGreaterThan(10_000);
    expect(socket.done).toEqual(['shutdown']);
    context.deadlines.close();
  });
});
