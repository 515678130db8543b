import { describe, expect, test } from 'bun:test';
import { turn, until } from './client.ts';
import { valuesOf } from './message.ts';
import { BAD_BODIES, BAD_HEADS, ODD, SHORT_BODIES, SHORT_HEADS, type OddReply } from './odd-replies.ts';
import { echo, type Script } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { each, sendAll, waysOf } from './ways.ts';

const ask = (method: string, target = '/', fields = ''): string =>
  `${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

/** How a replica ends its connection after a reply; undefined: not at all. */
type Last = 'fin' | 'reset' | undefined;

/** Answers /odd with those bytes in those pieces, and all else as it should. */
function inPieces(pieces: readonly Uint8Array[], last: Last): Script {
  return async (exchange) => {
    if (exchange.target !== '/odd') return echo(exchange);
    await sendAll(exchange, pieces);
    if (last === 'fin') exchange.channel.close();
    if (last === 'reset') exchange.channel.reset();
  };
}

const whole = (bytes: string): Uint8Array[] => [Buffer.from(bytes, 'latin1')];

/** Runs a check for each way in which the reply can arrive. */
async function forEachWay(bytes: string, last: Last, check: (rig: Rig) => Promise<void>): Promise<void> {
  await each(waysOf(bytes), async (pieces) => {
    await using rig = new Rig([inPieces(pieces, last)]);
    await check(rig);
  });
}

describe('a bad head is 502, and its connection is closed', () => {
  test.each(BAD_HEADS)('%s', async (_, bytes) => {
    await forEachWay(bytes, undefined, async (rig) => {
      const client = await rig.client();
      client.write(ask('GET', '/odd'));
      const reply = await client.final();
      expect(reply.status).toBe(502);
      expect(reply.complete).toBe(true);
      expect(JSON.parse(reply.body.text)).toEqual({
        message: expect.stringMatching(/^<Error> ./),
        status: 'failure',
      });
      expect(reply.values('x')).toEqual([]);
      const { channel } = await rig.upstream().exchange(0);
      await channel.closed;
      expect(channel.requests).toBe(1);
      // The client has done nothing wrong.
      client.write(ask('GET', '/next'));
      expect((await client.reply()).status).toBe(200);
    });
  });
});

describe('a head that ends too early is 502', () => {
  test.each(
    SHORT_HEADS.flatMap(
      ([name, bytes]) =>
        [
          [name, 'fin', bytes],
          [name, 'reset', bytes],
        ] as const,
    ),
  )('%s, by %s', async (_, last, bytes) => {
    await forEachWay(bytes, last, async (rig) => {
      const client = await rig.client();
      client.write(ask('POST', '/odd', 'Content-Length: 0\r\n'));
      expect((await client.final('POST')).status).toBe(502);
      client.write(ask('GET', '/next'));
      expect((await client.reply()).status).toBe(200);
    });
  });
});

/** The client has a message that broke, or was told by 502; never a whole one. */
async function expectBroken(rig: Rig): Promise<void> {
  const client = await rig.client();
  client.write(ask('GET', '/odd'));
  const reply = await client.final();
  if (reply.status === 502) return;
  expect(reply.status).toBe(200);
  expect(reply.complete).toBe(false);
  expect(reply.body.framing).not.toBe('close');
  await client.end();
}

describe('a bad body is never whole for the client, and its connection is closed', () => {
  test.each(BAD_BODIES)('%s', async (_, bytes) => {
    await forEachWay(bytes, undefined, async (rig) => {
      await expectBroken(rig);
      const { channel } = await rig.upstream().exchange(0);
      await channel.closed;
      expect(channel.requests).toBe(1);
    });
  });
});

const SHORT = [
  ...SHORT_BODIES,
  ['half of what has no length', 'HTTP/1.1 200 OK\r\n\r\nhello'] as const,
].flatMap(
  ([name, bytes]) =>
    [
      [name, 'fin', bytes],
      [name, 'reset', bytes],
    ] as const,
);
// To the end of the connection is as long as what has no length lasts: only a reset says that there was more.
const CUT = SHORT.filter(([name, last]) => !name.startsWith('half of what') || last === 'reset');

describe('a replica that dies in a body leaves the client a broken message', () => {
  test.each(CUT)('%s, by %s', async (_, last, bytes) => {
    await forEachWay(bytes, last, expectBroken);
  });

  test.each(CUT)(
    'with a client of HTTP/1.0, for which a clean end is an end: %s, by %s',
    async (_, last, bytes) => {
      await using rig = new Rig([inPieces(whole(bytes), last)]);
      const client = await rig.client();
      client.write('GET /odd HTTP/1.0\r\nHost: a\r\n\r\n');
      const reply = await client.reply();
      if (reply.status === 502) return;
      expect(reply.complete).toBe(false);
      if (reply.body.framing === 'close') expect(await client.end()).toBe('reset');
    },
  );
});

async function expectOdd(rig: Rig, one: OddReply): Promise<void> {
  const client = await rig.client();
  client.write(ask(one.method, '/odd'));
  for (const status of one.interim) {
    const reply = await client.reply(one.method);
    expect(reply.status).toBe(status);
  }
  const reply = await client.reply(one.method);
  expect(reply.status).toBe(one.status);
  expect(reply.complete).toBe(true);
  expect(reply.body.text).toBe(one.body);
  expect(reply.value('x-served-by')).toBe('r0');
  for (const name of new Set(one.fields.map(([name]) => name)))
    expect(reply.values(name)).toEqual(valuesOf(one.fields, name));
  expect(reply.body.trailers).toEqual([...one.trailers]);
  if (!one.reused) {
    const { channel } = await rig.upstream().exchange(0);
    await channel.closed;
    expect(channel.requests).toBe(1);
  }
  // A message to the end of the connection takes the client's with it, unless it was put into chunks.
  if (reply.body.framing === 'close') return;
  client.write(ask('GET', '/next'));
  expect((await client.reply()).status).toBe(200);
}

describe('an odd reply passes', () => {
  test.each(ODD.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await forEachWay(one.bytes, one.closes ? 'fin' : undefined, async (rig) => {
      await expectOdd(rig, one);
      if (!one.reused) {
        const { channel } = await rig.upstream().exchange(0);
        await channel.closed;
        expect(channel.requests).toBe(1);
      }
    });
  });

  test.each(ODD.filter((one) => one.reused).map((one) => [one.name, one] as const))(
    'and its connection is used again: %s',
    async (_, one) => {
      await using rig = new Rig([inPieces(whole(one.bytes), undefined)]);
      await expectOdd(rig, one);
      await expectOdd(rig, one);
      expect(rig.upstream().channels.length).toBe(1);
    },
  );

  test.each(ODD.filter((one) => !one.reused).map((one) => [one.name, one] as const))(
    'and its connection is not used again, not even at once: %s',
    async (_, one) => {
      await using rig = new Rig([inPieces(whole(one.bytes), one.closes ? 'fin' : undefined)]);
      for (let i = 0; i < 2; i++) {
        const client = await rig.client();
        client.write(ask(one.method, '/odd'));
        expect((await client.final(one.method)).body.text).toBe(one.body);
      }
      expect(rig.upstream().exchanges.map((exchange) => exchange.channel.number)).toEqual([0, 1]);
    },
  );
});

test('bytes that come when no reply is due close the connection, and are no reply to the next request', async () => {
  await using rig = new Rig([
    async (exchange) => {
      await echo(exchange);
      if (exchange.target !== '/poison') return;
      await turn();
      exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison');
    },
  ]);
  const client = await rig.client();
  client.write(ask('GET', '/poison'));
  expect((await client.reply()).status).toBe(200);
  const { channel } = await rig.upstream().exchange(0);
  await channel.closed;
  client.write(ask('GET', '/next'));
  const next = await client.reply();
  expect(next.status).toBe(200);
  expect(next.body.text).toBe('');
});

test('an end of the connection while it is kept is no failure of the next request', async () => {
  await using rig = new Rig([
    async (exchange) => {
      await echo(exchange);
      if (exchange.target === '/last') exchange.channel.close();
    },
  ]);
  const client = await rig.client();
  client.write(ask('GET', '/last'));
  expect((await client.reply()).status).toBe(200);
  await until('the connection is gone', () => rig.upstream().openChannels === 0);
  client.write(ask('POST', '/next', 'Content-Length: 0\r\n'));
  expect((await client.reply()).status).toBe(200);
});

const EARLY = [
  ['a length', 'Content-Length: 1000000\r\n', 'x'.repeat(1000)],
  ['chunks', 'Transfer-Encoding: chunked\r\n', `3e8\r\n${'x'.repeat(1000)}\r\n`],
] as const;

describe('a reply before the end of the request reaches the client', () => {
  test.each(EARLY)('with %s, and the connection open', async (_, fields, body) => {
    await using rig = new Rig([
      async (exchange) => {
        if (exchange.target !== '/early') return echo(exchange);
        await exchange.arrived(1000);
        exchange.write('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmore');
      },
    ]);
    const client = await rig.client();
    client.write(ask('POST', '/early', fields), body);
    const reply = await client.reply('POST');
    expect(reply.status).toBe(413);
    expect(reply.body.text).toBe('more');
    const { channel } = await rig.upstream().exchange(0);
    client.reset();
    await channel.closed;
  });

  test.each(EARLY)('with %s, and the connection closed', async (_, fields, body) => {
    await using rig = new Rig([
      async (exchange) => {
        await exchange.arrived(1000);
        exchange.write('HTTP/1.1 403 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmore');
        exchange.channel.shutdown();
      },
    ]);
    const client = await rig.client();
    client.write(ask('POST', '/early', fields), body);
    const reply = await client.reply('POST');
    expect(reply.status).toBe(403);
    expect(reply.body.text).toBe('more');
    // What is left of the request can't be told from the next: the connection goes with it.
    client.shutdown();
    await client.end();
    expect(client.unread).toBe('');
  });
});

test('a reply before the end of the request, the rest of which does not come: the connection ends soon', async () => {
  await using rig = new Rig([
    (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly'),
  ]);
  const client = await rig.client();
  client.write(ask('POST', '/early', 'Content-Length: 10\r\n'), 'hello');
  expect((await client.reply('POST')).body.text).toBe('early');
  await client.end();
  client.close();
  await until('the lease is released', () => rig.released);
});

test('a reply before the end of the request, then the rest of it, then the next request', async () => {
  await using rig = new Rig([
    async (exchange) => {
      if (exchange.target !== '/early') return echo(exchange);
      await exchange.arrived(5);
      exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
    },
  ]);
  const client = await rig.client();
  client.write(ask('POST', '/early', 'Content-Length: 10\r\n'), 'hello');
  expect((await client.reply('POST')).body.text).toBe('early');
  client.write('world', ask('GET', '/next'));
  // Either it reads on and answers, or it has ended the connection; the rest is never taken for a request.
  const next = await client.reply().catch(() => undefined);
  if (next !== undefined) expect(next.status).toBe(200);
  const seen = rig.upstream().exchanges.map((one) => one.target);
  expect(seen).toEqual(next === undefined ? ['/early'] : ['/early', '/next']);
});
