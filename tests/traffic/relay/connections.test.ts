import { describe, expect, test } from 'bun:test';
import { settled, turn, until, within } from './client.ts';
import { echo, named } from './recording-upstream.ts';
import { Rig } from './rig.ts';

const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = (target: string, body: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('kept connections', () => {
  test('requests one after the other use one connection, whoever sends them', async () => {
    await using rig = new Rig([named]);
    for (let i = 0; i < 3; i++) {
      const client = await rig.client();
      for (let j = 0; j < 5; j++) {
        client.write(get(`/${i}/${j}`));
        expect((await client.reply()).body.text).toBe(`/${i}/${j}`);
      }
    }
    expect(rig.upstream().channels.length).toBe(1);
    expect(rig.leases.length).toBe(15);
    expect(rig.released).toBe(true);
  });

  test('requests at the same time have connections of their own, which are kept', async () => {
    const held: (() => void)[] = [];
    await using rig = new Rig([
      async (exchange) => {
        await new Promise<void>((resolve) => held.push(resolve));
        await named(exchange);
      },
    ]);
    const clients = await Promise.all([rig.client(), rig.client(), rig.client()]);
    for (let round = 0; round < 3; round++) {
      clients.forEach((client, i) => client.write(get(`/${i}`)));
      await until('three requests wait', () => held.length === 3);
      for (const release of held.splice(0)) release();
      for (const [i, client] of clients.entries()) expect((await client.reply()).body.text).toBe(`/${i}`);
    }
    expect(rig.upstream().channels.length).toBe(3);
  });

  test('a request with a body leaves its connection fit for the next', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    const chunks =
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n';
    for (const [bytes, body] of [
      [post('/', 'one'), 'one'],
      [chunks, 'abc'],
      [get('/'), ''],
    ] as const) {
      client.write(bytes);
      expect((await client.reply()).body.text).toBe(body);
    }
    expect(rig.upstream().channels.length).toBe(1);
  });
});

describe('pipelined requests', () => {
  test('100 in one write are answered in their order', async () => {
    await using rig = new Rig([named]);
    const client = await rig.client();
    const targets = Array.from({ length: 100 }, (_, i) => `/${i}`);
    client.write(targets.map((target) => get(target)).join(''));
    for (const target of targets) expect((await client.reply()).body.text).toBe(target);
    expect(rig.upstream().exchanges.map((one) => one.target)).toEqual(targets);
  });

  test('100 with bodies of both kinds in one write are answered in their order', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    const bodies = Array.from({ length: 100 }, (_, i) => 'x'.repeat(i));
    const requests = bodies.map((body, i) =>
      i % 3 === 0
        ? post('/', body)
        : `PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${i.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    client.write(requests.join(''));
    for (const body of bodies) expect((await client.reply()).body.text).toBe(body);
  });

  test('to two replicas, the slower one first', async () => {
    const slow = Promise.withResolvers<void>();
    await using rig = new Rig(
      [
        async (exchange) => {
          await slow.promise;
          await named(exchange);
        },
        named,
      ],
      { preference: (key) => [Number(key)] },
    );
    const client = await rig.client();
    client.write(get('/a?id=0'), get('/b?id=1'), get('/c?id=0'));
    await rig.upstream(0).exchange(0);
    await turn();
    expect(client.unread).toBe('');
    slow.resolve();
    for (const target of ['/a?id=0', '/b?id=1', '/c?id=0'])
      expect((await client.reply()).body.text).toBe(target);
  });

  test('behind one whose client takes nothing, they wait: memory stays small', async () => {
    await using rig = new Rig([named]);
    const client = await rig.client({ paused: true });
    const flood = get(`/${'x'.repeat(4000)}`).repeat(1000);
    for (let i = 0; i < 16; i++) client.write(flood);
    await settled(() => client.unsentBytes);
    // What the kernel holds of both connections, and some for the relay: far from the 64 MB that want in.
    expect(client.unsentBytes).toBeGreaterThan(32_000_000);
    client.reset();
  });
});

describe('a client that sends no more', () => {
  test('is answered, and then the connection ends', async () => {
    const held = Promise.withResolvers<void>();
    await using rig = new Rig([
      async (exchange) => {
        await held.promise;
        await named(exchange);
      },
    ]);
    const client = await rig.client();
    client.write(get('/half'));
    client.shutdown();
    await rig.upstream().exchange(0);
    await turn();
    held.resolve();
    expect((await client.reply()).body.text).toBe('/half');
    expect(await client.end()).toBe('fin');
  });

  test('is answered all that it sent', async () => {
    await using rig = new Rig([named]);
    const client = await rig.client();
    client.write(get('/0'), get('/1'), get('/2'));
    client.shutdown();
    for (const target of ['/0', '/1', '/2']) expect((await client.reply()).body.text).toBe(target);
    expect(await client.end()).toBe('fin');
  });

  test('in the middle of a head: no replica hears of it', async () => {
    await using rig = new Rig([named]);
    for (const part of [
      'G',
      'GET /',
      'GET / HTTP/1.1\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n\r',
    ]) {
      const client = await rig.client();
      client.write(part);
      client.shutdown();
      await client.end();
      if (client.unread !== '') expect((await client.reply()).status).toBe(400);
    }
    expect(rig.seen).toEqual([0]);
  });

  test.each([
    ['a length', 'Content-Length: 10\r\n', 'hello'],
    ['chunks', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n'],
    ['a last chunk without the end of all', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n'],
  ])('in the middle of a body with %s: the replica never has a whole request', async (_, fields, body) => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`);
    await turn();
    client.shutdown();
    await client.end();
    if (client.unread !== '') expect((await client.reply()).status).toBe(400);
    for (const exchange of rig.upstream().exchanges) {
      await exchange.channel.closed;
      expect(exchange.complete).toBe(false);
    }
  });
});

describe('a client that is gone', () => {
  test('before the reply: its request is given up', async () => {
    await using rig = new Rig([() => {}]);
    const client = await rig.client();
    client.write(get('/'));
    const { channel } = await rig.upstream().exchange(0);
    client.reset();
    await within('the connection to the replica is given up', channel.closed);
    await until('the lease is released', () => rig.released);
  });

  test('in its body: its request is given up', async () => {
    await using rig = new Rig([() => {}]);
    const client = await rig.client();
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    const exchange = await rig.upstream().exchange(0);
    client.reset();
    await within('the connection to the replica is given up', exchange.channel.closed);
    expect(exchange.complete).toBe(false);
  });

  test('in the reply: the rest of it is given up', async () => {
    await using rig = new Rig([
      (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
    ]);
    const client = await rig.client();
    client.write(get('/'));
    await client.has(60);
    client.reset();
    const { channel } = await rig.upstream().exchange(0);
    await within('the connection to the replica is given up', channel.closed);
  });
});

describe('HTTP/1.0', () => {
  const ask = (fields = ''): string => `GET /x HTTP/1.0\r\nHost: a\r\n${fields}\r\n`;

  test('the connection ends after the reply', async () => {
    await using rig = new Rig([named]);
    const client = await rig.client();
    client.write(ask());
    expect((await client.reply()).body.text).toBe('/x');
    expect(await client.end()).toBe('fin');
    // The relay's own connection does not.
    expect(rig.upstream().openChannels).toBe(1);
  });

  test('with keep-alive it is told so, and is served again', async () => {
    await using rig = new Rig([named]);
    const client = await rig.client();
    for (let i = 0; i < 3; i++) {
      client.write(ask('Connection: keep-alive\r\n'));
      const reply = await client.reply();
      expect(reply.body.text).toBe('/x');
      expect(reply.value('connection')?.toLowerCase()).toBe('keep-alive');
    }
  });

  test.each(['', 'Connection: keep-alive\r\n'])('never gets chunks (%j)', async (fields) => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n',
        ),
    ]);
    const client = await rig.client();
    client.write(ask(fields));
    const reply = await client.reply();
    expect(reply.values('transfer-encoding')).toEqual([]);
    expect(reply.complete).toBe(true);
    expect(reply.body.text).toBe('hello');
    expect(reply.body.trailers).toEqual([]);
  });

  test('never gets an interim reply', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write(
          'HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
        ),
    ]);
    const client = await rig.client();
    client.write('POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello');
    expect((await client.reply('POST')).status).toBe(200);
  });
});

describe('connection: close', () => {
  test('from the client: said back, and done', async () => {
    await using rig = new Rig([named]);
    const client = await rig.client();
    client.write(get('/', 'Connection: close\r\n'));
    const reply = await client.reply();
    expect(reply.value('connection')?.toLowerCase()).toBe('close');
    expect(await client.end()).toBe('fin');
  });

  test('from the replica: no matter of the client', async () => {
    await using rig = new Rig([
      (exchange) => {
        exchange.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
        exchange.channel.close();
      },
    ]);
    const client = await rig.client();
    for (let i = 0; i < 3; i++) {
      client.write(get('/'));
      const reply = await client.reply();
      expect(reply.body.text).toBe('ok');
      expect(reply.values('connection')).toEqual([]);
    }
    expect(rig.upstream().channels.length).toBe(3);
  });
});

describe('Expect: 100-continue', () => {
  const ASK = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';

  test('goes to the replica, whose 100 comes back before the body is sent', async () => {
    await using rig = new Rig([
      async (exchange) => {
        exchange.write('HTTP/1.1 100 Continue\r\n\r\n');
        await echo(exchange);
      },
    ]);
    const client = await rig.client();
    client.write(ASK);
    expect((await client.reply('POST')).status).toBe(100);
    expect((await rig.upstream().exchange(0)).value('expect')?.toLowerCase()).toBe('100-continue');
    client.write('hello');
    expect((await client.reply('POST')).body.text).toBe('hello');
    client.write(get('/'));
    await rig.upstream().exchange(1);
  });

  // The connection was kept for its body until that had stalled for a minute.
  test('a reply in its place ends the connection at once: the body is not to come', async () => {
    await using rig = new Rig([(exchange) => exchange.write('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n')]);
    const client = await rig.client();
    client.write(ASK);
    const reply = await client.reply('POST');
    expect([reply.status, reply.value('connection')]).toEqual([417, 'close']);
    expect(await client.end()).toBe('fin');
  });

  test('the body need not wait for it', async () => {
    await using rig = new Rig([
      async (exchange) => {
        exchange.write('HTTP/1.1 100 Continue\r\n\r\n');
        await echo(exchange);
      },
    ]);
    const client = await rig.client();
    client.write(ASK, 'hello');
    expect((await client.final('POST')).body.text).toBe('hello');
  });

  test('a refusal comes in its place; what comes then is the body or an end, never a request', async () => {
    await using rig = new Rig([(exchange) => exchange.write('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n')]);
    const client = await rig.client();
    client.write(ASK);
    expect((await client.reply('POST')).status).toBe(417);
    client.write('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
    client.shutdown();
    await client.end();
    expect(rig.upstream().exchanges.map((one) => one.method)).toEqual(['POST']);
  });
});
