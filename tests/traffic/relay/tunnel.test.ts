import { describe, expect, test } from 'bun:test';
import { noise, sha256 } from '../noise.ts';
import { settled, turn, until, within, type Client } from './client.ts';
import { echo, type Exchange } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { KEY, open, RAW, Switched, WEBSOCKET } from './switched.ts';

const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

describe('an upgrade', () => {
  test('the handshake passes, with nothing missing', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
            `Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
        ),
    ]);
    const client = await rig.client();
    client.write(WEBSOCKET);
    const reply = await client.reply();
    expect(reply.status).toBe(101);
    expect(reply.value('upgrade')).toBe('websocket');
    expect(reply.value('connection')?.toLowerCase()).toBe('upgrade');
    expect(reply.value('sec-websocket-accept')).toBe(ACCEPT);
    const seen = await rig.upstream().exchange(0);
    expect(seen.value('upgrade')).toBe('websocket');
    expect(seen.value('connection')?.toLowerCase()).toBe('upgrade');
    expect(seen.value('sec-websocket-key')).toBe(KEY);
    expect(seen.value('sec-websocket-version')).toBe('13');
  });

  test('to any protocol: bytes pass both ways as they are', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    const bytes = noise(3_000_000);
    client.write(bytes);
    expect(sha256(await replica.has(bytes.byteLength))).toBe(sha256(bytes));
    replica.exchange?.write(bytes);
    await client.has(bytes.byteLength);
    expect(sha256(client.takeUnread())).toBe(sha256(bytes));
  });

  test('what looks like requests is none any more', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    client.write(RAW, 'nonsense\r\n\r\n');
    const text = `${RAW}nonsense\r\n\r\n`;
    expect((await replica.has(text.length)).toString('latin1')).toBe(text);
    expect(rig.seen).toEqual([1]);
  });

  test('bytes in the same packet as the 101 reach the client', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write('HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\nHTTP/1.1 early'),
    ]);
    const client = await open(rig);
    await client.has(14);
    expect(client.unread).toBe('HTTP/1.1 early');
  });

  test('bytes that the client sends before the 101 reach the replica after it', async () => {
    const go = Promise.withResolvers<void>();
    const replica = new Switched();
    await using rig = new Rig([replica.after(go.promise)]);
    const client = await rig.client();
    client.write(`${RAW}early`);
    await rig.upstream().exchange(0);
    client.write(', and more');
    await turn();
    go.resolve();
    expect((await client.reply()).status).toBe(101);
    expect((await replica.has(15)).toString()).toBe('early, and more');
    expect(rig.upstream().complaints).toEqual([]);
  });

  test.each([
    ['200', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200],
    [
      '426',
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: other/2\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno',
      426,
    ],
    ['400', 'HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno', 400],
  ])('that is refused with %s leaves an HTTP connection', async (_, bytes, status) => {
    await using rig = new Rig([
      (exchange) => (exchange.target === '/next' ? echo(exchange) : exchange.write(bytes)),
    ]);
    const client = await rig.client();
    client.write(WEBSOCKET);
    const reply = await client.reply();
    expect(reply.status).toBe(status);
    client.write('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.reply()).status).toBe(200);
  });

  test('that is refused, with a request behind it: that is served as one', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    client.write(`${WEBSOCKET}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect((await client.reply()).status).toBe(200);
    expect((await client.reply()).status).toBe(200);
    expect(rig.upstream().exchanges.map((one) => one.target)).toEqual(['/chat', '/next']);
  });

  const SWITCH = 'HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
  test.each([
    ['that was not asked for', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', SWITCH],
    ['that Connection did not name', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n', SWITCH],
    [
      'that HTTP/1.0 asked for',
      'GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade, keep-alive\r\nUpgrade: x\r\n\r\n',
      SWITCH,
    ],
    ['without Upgrade in the reply', RAW, 'HTTP/1.1 101 OK\r\nConnection: upgrade\r\n\r\n'],
  ])('%s is 502', async (_, request, bytes) => {
    await using rig = new Rig([(exchange) => exchange.write(bytes)]);
    const client = await rig.client();
    client.write(request);
    expect((await client.reply()).status).toBe(502);
    const { channel } = await rig.upstream().exchange(0);
    await within('the replica is cut', channel.closed);
  });

  test('with a body: the body is none of the tunnel', async () => {
    const replica = new Switched();
    await using rig = new Rig([
      async (exchange) => {
        await exchange.whole;
        await replica.script(exchange);
      },
    ]);
    const client = await rig.client();
    client.write(
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nContent-Length: 5\r\n\r\nhellotunnel',
    );
    const reply = await client.reply('POST');
    // Whoever does not support that says so, in whichever way; nobody mixes them up.
    if (reply.status === 101) expect((await replica.has(6)).toString()).toBe('tunnel');
    else expect(reply.status).toBeGreaterThanOrEqual(400);
    expect((await rig.upstream().exchange(0)).body.text).toBe('hello');
  });
});

describe('the end of a tunnel', () => {
  test('a client that sends no more still receives', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    client.write('last');
    client.shutdown();
    await replica.has(4);
    const { channel } = await rig.upstream().exchange(0);
    await within('the replica hears that no more will come', channel.ended);
    replica.exchange?.write('goodbye');
    await client.has(7);
    expect(client.unread).toBe('goodbye');
    channel.close();
    expect(await client.end()).toBe('fin');
    await until('the lease is released', () => rig.released);
  });

  test('a replica that sends no more still receives', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    const { channel } = await rig.upstream().exchange(0);
    channel.write('last');
    channel.shutdown();
    expect(await client.end()).toBe('fin');
    expect(client.unread).toBe('last');
    client.write('goodbye');
    expect((await replica.has(7)).toString()).toBe('goodbye');
    client.close();
    await within('the replica hears of it', channel.closed);
    await until('the lease is released', () => rig.released);
  });

  test.each(['fin', 'reset'] as const)('a client that is gone by %s takes the replica along', async (how) => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    const { channel } = await rig.upstream().exchange(0);
    if (how === 'fin') client.close();
    else client.reset();
    await within('the replica hears of it', channel.ended);
    channel.close();
    // Of a protocol of which nothing is known only that can tell whether all has come.
    expect(await within('the connection is gone', channel.closed)).toBe(how);
    await until('the lease is released', () => rig.released);
  });

  test.each(['fin', 'reset'] as const)('a replica that is gone by %s takes the client along', async (how) => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    const { channel } = await rig.upstream().exchange(0);
    channel.write('last words');
    await client.has(10);
    if (how === 'fin') channel.close();
    else channel.reset();
    expect(await client.end()).toBe(how);
    client.close();
    await until('the lease is released', () => rig.released);
  });

  test('without a byte for its own time it is cut; the time between requests is another', async () => {
    const SHORT_MS = 100;
    const replica = new Switched();
    await using rig = new Rig([replica.script], {
      limits: { tunnelIdleTimeoutMs: SHORT_MS * 3, idleTimeoutMs: SHORT_MS, headTimeoutMs: SHORT_MS },
    });
    const client = await open(rig);
    // Bytes of one side alone keep it open, past the time between requests.
    for (let i = 0; i < 6; i++) {
      await Bun.sleep(SHORT_MS);
      client.write('x');
      expect(client.ended).toBeUndefined();
    }
    await client.end();
    const { channel } = await rig.upstream().exchange(0);
    await within('the replica hears of it', channel.ended);
    await until('the lease is released', () => rig.released);
  });

  test.each([
    ['the client', (client: Client, channel: Exchange['channel']) => [client, channel] as const],
    ['the replica', (client: Client, channel: Exchange['channel']) => [channel, client] as const],
  ])('what %s sends waits for the other to take it', async (_, order) => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    const { channel } = await rig.upstream().exchange(0);
    const [sender, receiver] = order(client, channel);
    if (receiver === client) client.pause();
    else channel.socket.pause();
    const bytes = noise(64 * 1024 * 1024);
    sender.write(bytes);
    await settled(() => sender.unsentBytes);
    expect(sender.unsentBytes).toBeGreaterThan(bytes.byteLength / 2);
    if (receiver === client) {
      client.resume();
      await client.has(bytes.byteLength);
      expect(sha256(client.takeUnread())).toBe(sha256(bytes));
    } else {
      channel.socket.resume();
      expect(sha256(await replica.has(bytes.byteLength))).toBe(sha256(bytes));
    }
  });

  test('close cuts it', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    rig.relay.close();
    await client.end();
    await within('the replica hears of it', (await rig.upstream().exchange(0)).channel.ended);
  });

  test('the time to drain is over: it is cut', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig);
    rig.lease(0).onCut?.();
    await client.end();
    await within('the replica hears of it', (await rig.upstream().exchange(0)).channel.ended);
    await until('the lease is released', () => rig.released);
  });
});
