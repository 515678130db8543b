import { describe, expect, test } from 'bun:test';
import { Pair } from './fake-socket.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
const SILENCE = { RETRIES: '0' };
/** Attempts to connect that one replica may leave without an answer. */
const GIVEN_UP_MAX = 32;

/** The status of the reply that came last. */
function status(pair: Pair): string | undefined {
  return /^HTTP\/1\.1 (\d{3})/.exec(pair.clientSocket.take().toString())?.[1];
}

/** A connection that is kept, with the second request on it. */
function asked(env: Record<string, string>, method = 'GET'): Pair {
  const pair = new Pair({ env });
  pair.exchange(GET, OK);
  pair.clientSocket.take();
  pair.client.onData(Buffer.from(GET.replace('GET', method)));
  expect(pair.replicas).toHaveLength(1);
  return pair;
}

describe('a kept connection that is closed as it is used', () => {
  // The replica that it is refused by then may have died of it: one request went on until it had ended them all.
  test.each([0, 1, 2])('with its replica: at most RETRIES=%d others are asked', (retries) => {
    using pair = asked({ RETRIES: String(retries) });
    pair.replica.onClose();
    expect(pair.replicas).toHaveLength(2);
    for (let i = 0; i <= retries; i++) {
      expect(status(pair)).toBeUndefined();
      pair.replicas[1 + i]?.onOpen(pair.replicaSocket);
      pair.replicas[1 + i]?.onClose();
    }
    expect(status(pair)).toBe('502');
    expect(pair.replicas).toHaveLength(2 + retries);
  });

  test('and a replica that refuses then: that counts as tried, and is told to the fleet', () => {
    using pair = asked({ RETRIES: '0' });
    pair.replica.onClose();
    pair.replicas[1]?.onConnectError();
    expect(status(pair)).toBe('502');
    expect(pair.replicas).toHaveLength(2);
    expect(pair.leases[1]?.unreachables).toBe(1);
  });

  test('has the same replica asked again only as long as there is a budget for it', () => {
    using pair = asked({ RETRIES: '0' });
    let spent = 0;
    while (pair.context.budget.withdraw(pair.context.deadlines.nowMs)) spent++;
    expect(spent).toBeGreaterThan(0);
    pair.replica.onClose();
    expect(status(pair)).toBe('502');
    expect(pair.replicas).toHaveLength(1);
  });

  test('by a request that may not be sent twice is the end of it', () => {
    using pair = asked({}, 'POST');
    pair.replica.onClose();
    expect(status(pair)).toBe('502');
    expect(pair.replicas).toHaveLength(1);
  });
});

describe('attempts to connect that get no answer', () => {
  /** So many requests, each to its connect timeout. */
  function wait(pair: Pair, requests: number): void {
    for (let i = 0; i < requests; i++) {
      pair.client.onData(Buffer.from(GET));
      pair.replicas.at(-1)?.onDeadline();
      expect(status(pair)).toBe('504');
    }
  }

  // They were forgotten with their requests, and went on to hold their descriptors: too many, and healthy replicas could not be reached any more.
  test('count as connections until the kernel is through with them', () => {
    using pair = new Pair({ env: SILENCE });
    wait(pair, 3);
    expect(pair.context.pools.connections).toBe(3);
    const [one, other, third] = pair.replicas;
    one?.onConnectError();
    other?.onOpen(pair.replicaSocket);
    expect(pair.replicaSocket.done).toEqual(['terminate']);
    other?.onClose();
    expect(pair.context.pools.connections).toBe(1);
    third?.onConnectError();
    expect(pair.context.pools.connections).toBe(0);
  });

  test('are not added to without end: then the next replica is asked at once', () => {
    using pair = new Pair({ env: SILENCE });
    wait(pair, GIVEN_UP_MAX);
    expect(pair.replicas).toHaveLength(GIVEN_UP_MAX);
    const claims = pair.leases.length;
    // Here the next replica has the same address, until there is none.
    pair.claims = 3;
    pair.client.onData(Buffer.from(GET.replace('GET', 'POST')));
    expect(status(pair)).toBe('504');
    expect([pair.replicas.length, pair.leases.length - claims]).toEqual([GIVEN_UP_MAX, 3]);
    expect(pair.leases.every((lease) => lease.releases === 1 && lease.unreachables === 0)).toBe(true);
    // One has come to its end: there may be another.
    pair.claims = Number.POSITIVE_INFINITY;
    pair.replicas[0]?.onConnectError();
    pair.client.onData(Buffer.from(GET));
    expect(pair.replicas).toHaveLength(GIVEN_UP_MAX + 1);
  });
});

test.each(['HEAD / HTTP/1.1\r\n\r\n', 'HEAD / HTTP/1.1\r\nHost: a\r\nExpect: y\r\n\r\n'])(
  'a HEAD that is refused gets no body: %j',
  (request) => {
    using pair = new Pair();
    pair.client.onData(Buffer.from(request));
    expect(pair.clientSocket.take().toString()).toMatch(/^HTTP\/1\.1 4\d\d [^]*\r\n\r\n$/);
  },
);
