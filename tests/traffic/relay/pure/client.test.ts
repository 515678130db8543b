import { describe, expect, test } from 'bun:test';
import { Pair } from './fake-socket.ts';

/** A client with a reply of so many bytes, of which its kernel takes `room`. */
function replied(bytes: number, room: number): Pair {
  const pair = new Pair({ room });
  pair.exchange(
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`,
  );
  return pair;
}

describe('a relay that stops', () => {
  test('closes a connection without a request at once', () => {
    using pair = replied(10, 10_000);
    pair.client.stop();
    expect(pair.clientSocket.done).toEqual(['end']);
  });

  // It was closed with a reset, and the end of the reply was lost.
  test('sends the end of a reply that its client has not taken yet, and closes then', () => {
    using pair = replied(10_000, 1000);
    const { client, clientSocket } = pair;
    client.stop();
    expect(clientSocket.done).toEqual([]);
    clientSocket.room = Number.POSITIVE_INFINITY;
    client.onDrain();
    expect(clientSocket.taken.length).toBeGreaterThan(10_000);
    expect(clientSocket.done).toEqual(['shutdown']);
  });
});
