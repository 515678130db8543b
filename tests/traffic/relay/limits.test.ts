import { describe, expect, test } from 'bun:test';
import type { TrafficLimits } from '../../../src/config.ts';
import { BlackHole } from './black-hole.ts';
import { turn, until, within, type Client, type Reply } from './client.ts';
import { echo, type Exchange, type Script } from './recording-upstream.ts';
import { Rig, type Replica } from './rig.ts';

const SHORT_MS = 100;

const rigOf = (limits: Partial<TrafficLimits>, ...replicas: readonly Replica[]): Rig =>
  new Rig(replicas.length === 0 ? [echo] : replicas, { limits });

const silent: Script = () => {};

/** A refusal of the relay's own. */
function expectFailure(reply: Reply, status: number): void {
  expect(reply.status).toBe(status);
  expect(reply.complete).toBe(true);
  expect(JSON.parse(reply.body.text)).toEqual({
    message: expect.stringMatching(/^<Error> ./),
    status: 'failure',
  });
}

async function expectRefused(client: Client, status: number): Promise<void> {
  const reply = await client.reply();
  expectFailure(reply, status);
  expect(reply.value('connection')?.toLowerCase()).toBe('close');
  await client.end();
  expect(client.unread).toBe('');
}

describe('sizes', () => {
  const head = (bytes: number, extra = ''): string => {
    const rest = `GET / HTTP/1.1\r\nHost: a\r\n${extra}X: \r\n\r\n`;
    return rest.replace('X: ', `X: ${'x'.repeat(bytes - rest.length)}`);
  };

  test('a head of just the limit passes, and of a byte more is 431', async () => {
    await using rig = rigOf({ headBytesMax: 300 });
    const client = await rig.client();
    client.write(head(300));
    expect((await client.reply()).status).toBe(200);
    client.write(head(301));
    await expectRefused(client, 431);
    expect(rig.seen).toEqual([1]);
  });

  test('as many fields as the limit pass, and one more is 431', async () => {
    await using rig = rigOf({ headFieldsMax: 5 });
    const client = await rig.client();
    const fields = (n: number): string => `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(n - 1)}\r\n`;
    client.write(fields(5));
    expect((await client.reply()).status).toBe(200);
    client.write(fields(6));
    await expectRefused(client, 431);
    expect(rig.seen).toEqual([1]);
  });

  test('a target of just the limit passes, and of a byte more is 414', async () => {
    await using rig = rigOf({ targetBytesMax: 10 });
    const client = await rig.client();
    client.write('GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.reply()).status).toBe(200);
    client.write('GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n');
    await expectRefused(client, 414);
    expect(rig.seen).toEqual([1]);
  });

  test.each([
    ['a target', 'GET /', 'x', [414]],
    ['a method', 'G', 'G', [400, 501]],
    ['a value', 'GET / HTTP/1.1\r\nX: ', 'x', [431]],
    ['a name', 'GET / HTTP/1.1\r\n', 'x', [400, 431]],
    ['fields', 'GET / HTTP/1.1\r\nHost: a\r\n', 'X: y\r\n', [431]],
  ])(
    '%s without an end is refused when it is too long, not when it ends',
    async (_, start, more, statuses) => {
      await using rig = rigOf({});
      const client = await rig.client();
      client.write(start);
      const PIECES_MAX = 200;
      const piece = more.repeat(Math.ceil(1000 / more.length));
      for (let i = 0; i < PIECES_MAX && client.receivedBytes === 0; i++) {
        client.write(piece);
        await turn();
      }
      const reply = await client.reply();
      expect(statuses).toContain(reply.status);
      await client.end();
    },
  );

  test('a client that goes on sending what was refused can read why before it is cut', async () => {
    await using rig = rigOf({});
    const client = await rig.client();
    client.write(`GET /${'x'.repeat(10_000)}`);
    for (let i = 0; i < 10; i++) {
      client.write('y'.repeat(20_000));
      await turn();
    }
    await expectRefused(client, 414);
    // A reset would have taken the reply from a client that reads it later (RFC 9112, section 9.6).
    expect(client.wasReset).toBe(false);
    const PIECES_MAX = 10_000;
    for (let i = 0; i < PIECES_MAX && !client.wasReset; i++) {
      client.write('z'.repeat(20_000));
      await turn();
    }
    expect(client.wasReset).toBe(true);
  });
});

describe('the time for a head', () => {
  test.each(['GET / HT', 'GET / HTTP/1.1\r\nHost: a\r\n', '\r\n'])('is over: 408 (%j)', async (part) => {
    await using rig = rigOf({ headTimeoutMs: SHORT_MS, idleTimeoutMs: SHORT_MS * 3 });
    const client = await rig.client();
    client.write(part);
    // An empty line may be no byte of a head; then there is nothing to answer.
    if (part === '\r\n') {
      await client.end();
      return;
    }
    await expectRefused(client, 408);
    expect(rig.seen).toEqual([0]);
  });

  test('is not longer for one that comes byte by byte', async () => {
    await using rig = rigOf({ headTimeoutMs: SHORT_MS });
    const client = await rig.client();
    client.write('GET /');
    const PIECE_MS = SHORT_MS / 5;
    const dripping = setInterval(() => client.write('x'), PIECE_MS);
    try {
      await expectRefused(client, 408);
    } finally {
      clearInterval(dripping);
    }
  });

  test('does not run while a reply is waited for', async () => {
    const held = Promise.withResolvers<void>();
    await using rig = rigOf({ headTimeoutMs: SHORT_MS, idleTimeoutMs: SHORT_MS }, async (exchange) => {
      await held.promise;
      await echo(exchange);
    });
    const client = await rig.client();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await rig.upstream().exchange(0);
    // Another's time passes in full while this one waits.
    const other = await rig.client();
    other.write('G');
    await expectRefused(other, 408);
    expect(client.ended).toBeUndefined();
    held.resolve();
    expect((await client.reply()).status).toBe(200);
  });
});

describe('the time between requests', () => {
  test('is over before the first: the connection ends without a word', async () => {
    await using rig = rigOf({ idleTimeoutMs: SHORT_MS });
    const client = await rig.client();
    expect(await client.end()).toBe('fin');
    expect(client.unread).toBe('');
  });

  test('is over after one: the connection ends without a word', async () => {
    await using rig = rigOf({ idleTimeoutMs: SHORT_MS });
    const client = await rig.client();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.reply()).status).toBe(200);
    expect(await client.end()).toBe('fin');
    expect(client.unread).toBe('');
  });
});

describe('the time for a connection', () => {
  test('is over for all: 504', async () => {
    using hole = new BlackHole();
    await using rig = rigOf({ connectTimeoutMs: SHORT_MS }, hole.address);
    const client = await rig.client();
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    expectFailure(await client.reply('POST'), 504);
  });

  test('is over for the first: the next is asked, whatever the method', async () => {
    using hole = new BlackHole();
    await using rig = rigOf({ connectTimeoutMs: SHORT_MS }, hole.address, echo);
    const client = await rig.client();
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    const reply = await client.reply('POST');
    expect(reply.status).toBe(200);
    expect(reply.body.text).toBe('hello');
    expect(reply.value('x-served-by')).toBe('r1');
  });
});

describe('the time for the head of a reply', () => {
  test.each(['GET', 'POST'])('is over: 504, and the replica is cut (%s)', async (method) => {
    await using rig = rigOf({ replyHeaderTimeoutMs: SHORT_MS }, silent);
    const client = await rig.client();
    client.write(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
    expectFailure(await client.reply(method), 504);
    const { channel } = await rig.upstream().exchange(0);
    await within('the replica is cut', channel.closed);
  });

  test.each(['HTTP/1.1 200 OK\r\nX: y\r\n', 'HTTP/1.1 100 Continue\r\n\r\n'])(
    'is over in the middle of it: 504 (%j)',
    async (part) => {
      await using rig = rigOf({ replyHeaderTimeoutMs: SHORT_MS }, (exchange) => exchange.write(part));
      const client = await rig.client();
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
      expectFailure(await client.final('POST'), 504);
    },
  );

  test('begins when the request is sent, not before', async () => {
    await using rig = rigOf({ replyHeaderTimeoutMs: SHORT_MS });
    const client = await rig.client();
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell');
    await rig.upstream().exchange(0);
    // Another's time passes in full while this one is sent.
    await using other = rigOf({ replyHeaderTimeoutMs: SHORT_MS }, silent);
    const second = await other.client();
    second.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expectFailure(await second.reply(), 504);
    client.write('o');
    expect((await client.reply('POST')).body.text).toBe('hello');
  });
});

describe('the time for a body to move', () => {
  test('is over for a client that sends no more', async () => {
    await using rig = rigOf({ bodyStallTimeoutMs: SHORT_MS });
    const client = await rig.client();
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    await client.end();
    const exchange = await rig.upstream().exchange(0);
    await within('the replica is cut', exchange.channel.closed);
    expect(exchange.complete).toBe(false);
    if (client.unread !== '') expect([408, 504]).toContain((await client.reply('POST')).status);
  });

  test('is over for a replica that sends no more: the message is broken', async () => {
    await using rig = rigOf({ bodyStallTimeoutMs: SHORT_MS }, (exchange) =>
      exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
    );
    const client = await rig.client();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const reply = await client.reply();
    expect(reply.status).toBe(200);
    expect(reply.complete).toBe(false);
    const { channel } = await rig.upstream().exchange(0);
    await within('the replica is cut', channel.closed);
  });

  const LARGE = Buffer.alloc(32 * 1024 * 1024);

  test('is over for a client that takes no more', async () => {
    await using rig = rigOf({ bodyStallTimeoutMs: SHORT_MS }, (exchange) =>
      exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE.byteLength}\r\n\r\n`, LARGE),
    );
    const client = await rig.client({ paused: true });
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { channel } = await rig.upstream().exchange(0);
    await within('the replica is cut', channel.closed);
    await until('the lease is released', () => rig.released);
    client.reset();
  });

  test('is over for a replica that takes no more', async () => {
    await using rig = rigOf({ bodyStallTimeoutMs: SHORT_MS }, (exchange: Exchange) => {
      exchange.channel.socket.pause();
    });
    const client = await rig.client();
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.byteLength}\r\n\r\n`, LARGE);
    await client.end();
    await until('the lease is released', () => rig.released);
    const { channel } = await rig.upstream().exchange(0);
    channel.socket.resume();
    await within('the replica is cut', channel.closed);
  });

  test('is not over while it moves', async () => {
    const PIECES = 12;
    const PIECE_MS = SHORT_MS / 5;
    await using rig = rigOf(
      { bodyStallTimeoutMs: SHORT_MS, replyHeaderTimeoutMs: SHORT_MS },
      async (exchange) => {
        exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${PIECES}\r\n\r\n`);
        for (let i = 0; i < PIECES; i++) {
          await Bun.sleep(PIECE_MS);
          exchange.write('x');
        }
      },
    );
    const client = await rig.client();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const reply = await client.reply();
    expect(reply.complete).toBe(true);
    expect(reply.body.text).toBe('x'.repeat(PIECES));
  });
});

describe('connections in all', () => {
  test('one too many is 503 and closed; when one has gone, the next is served', async () => {
    await using rig = rigOf({ connectionsMax: 2 });
    const first = await rig.client();
    const second = await rig.client();
    await until('both are in', () => rig.relay.connections === 2);
    const third = await rig.client();
    third.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const reply = await third.reply();
    expectFailure(reply, 503);
    expect(Number(reply.value('retry-after'))).toBeGreaterThan(0);
    await third.end();
    expect(rig.seen).toEqual([0]);
    for (const client of [first, second]) {
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.reply()).status).toBe(200);
    }
    first.reset();
    third.close();
    await until('one is gone', () => rig.relay.connections === 1);
    const fourth = await rig.client();
    fourth.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await fourth.reply()).status).toBe(200);
  });
});

describe('requests in flight at a replica', () => {
  test('one too many is 503 with Retry-After, and the connection stays', async () => {
    const held = Promise.withResolvers<void>();
    await using rig = rigOf({ replicaInFlightMax: 2 }, async (exchange) => {
      await held.promise;
      await echo(exchange);
    });
    const clients = [await rig.client(), await rig.client()];
    for (const client of clients) client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await rig.upstream().exchange(1);
    const third = await rig.client();
    third.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const refusal = await third.reply();
    expectFailure(refusal, 503);
    expect(Number(refusal.value('retry-after'))).toBeGreaterThan(0);
    expect(rig.seen).toEqual([2]);
    held.resolve();
    for (const client of clients) expect((await client.reply()).status).toBe(200);
    third.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await third.reply()).status).toBe(200);
  });

  test('is counted for each replica by itself', async () => {
    const held = Promise.withResolvers<void>();
    const wait: Script = async (exchange) => {
      await held.promise;
      await echo(exchange);
    };
    await using rig = new Rig([wait, wait], {
      limits: { replicaInFlightMax: 1 },
      preference: (key) => [Number(key)],
    });
    const clients = [await rig.client(), await rig.client()];
    clients.forEach((client, i) => client.write(`GET /?id=${i} HTTP/1.1\r\nHost: a\r\n\r\n`));
    await rig.upstream(0).exchange(0);
    await rig.upstream(1).exchange(0);
    held.resolve();
    for (const client of clients) expect((await client.reply()).status).toBe(200);
  });
});
