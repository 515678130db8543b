import { describe, expect, test } from 'bun:test';
import { noise, sha256 } from '../noise.ts';
import { settled, turn, until, within, type Client } from './client.ts';
import { closeCode, closeFrame, frame, GOING_AWAY, MASK, TEXT } from './frames.ts';
import { Rig } from './rig.ts';
import { open, Switched, WEBSOCKET } from './switched.ts';

describe('a replica leaves', () => {
  test('both sides are sent 1001, masked on the way to the replica alone', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig, WEBSOCKET);
    const toReplica = frame(TEXT, Buffer.from('hello'), MASK);
    const toClient = frame(TEXT, Buffer.from('welcome'));
    client.write(toReplica);
    await replica.has(toReplica.byteLength);
    replica.exchange?.write(toClient);
    await client.has(toClient.byteLength);
    client.takeUnread();
    rig.lease(0).onLeaving?.();
    await client.has(4);
    const unmasked = client.takeUnread();
    expect(closeCode(unmasked)).toBe(GOING_AWAY);
    expect((unmasked[1] as number) & 0x80).toBe(0);
    const masked = (await replica.has(toReplica.byteLength + 8)).subarray(toReplica.byteLength);
    expect(closeCode(masked)).toBe(GOING_AWAY);
    expect((masked[1] as number) & 0x80).toBe(0x80);
    // Both answer, and that is the end of it.
    client.write(closeFrame(GOING_AWAY, MASK));
    replica.exchange?.write(closeFrame(GOING_AWAY));
    await client.end();
    expect(client.unread).toBe('');
    client.close();
    replica.exchange?.channel.close();
    await until('the lease is released', () => rig.released);
  });

  test.each([125, 126, 70_000])(
    'a frame of %d bytes that has begun is completed first, both ways',
    async (length) => {
      const replica = new Switched();
      await using rig = new Rig([replica.script]);
      const client = await open(rig, WEBSOCKET);
      const payload = noise(length);
      const up = frame(TEXT, payload, MASK);
      const down = frame(2, payload);
      for (const cut of [1, 2, 3, 8, 13, 14, 100, length - 1].filter((one) => one < up.byteLength)) {
        const replica = new Switched();
        await using rig = new Rig([replica.script]);
        const client = await open(rig, WEBSOCKET);
        client.write(up.subarray(0, cut));
        replica.exchange?.write(down.subarray(0, Math.min(cut, down.byteLength - 1)));
        await replica.has(cut);
        await client.has(Math.min(cut, down.byteLength - 1));
        rig.lease(0).onLeaving?.();
        await turn();
        client.write(up.subarray(cut));
        replica.exchange?.write(down.subarray(Math.min(cut, down.byteLength - 1)));
        const atReplica = await replica.has(up.byteLength + 8);
        expect(atReplica.subarray(0, up.byteLength).equals(up)).toBe(true);
        expect(closeCode(atReplica.subarray(up.byteLength))).toBe(GOING_AWAY);
        await client.has(down.byteLength + 4);
        const atClient = client.takeUnread();
        expect(atClient.subarray(0, down.byteLength).equals(down)).toBe(true);
        expect(closeCode(atClient.subarray(down.byteLength))).toBe(GOING_AWAY);
        client.reset();
      }
      client.reset();
    },
  );

  // It was cut off as soon as the replica left: what its server had sent to a slow reader was lost.
  test('what its server still sends before its own Close is passed on, however slow the reader', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const [slow, silent] = [await open(rig, WEBSOCKET), await open(rig, WEBSOCKET)];
    const message = frame(2, noise(16 * 1024 * 1024));
    slow.pause();
    const { channel } = await rig.upstream().exchange(0);
    channel.write(message);
    await settled(() => channel.unsentBytes);
    for (const lease of rig.leases) lease.onLeaving?.();
    channel.write(message);
    channel.write(closeFrame(1000));
    // By then all time for goodbyes is over.
    await silent.end();
    slow.resume();
    await slow.end();
    const got = slow.takeUnread();
    const end = 2 * message.byteLength;
    expect(sha256(got.subarray(0, end))).toBe(sha256(Buffer.concat([message, message])));
    expect(closeCode(got.subarray(end))).toBe(GOING_AWAY);
  });

  test('nothing follows its Close to either side', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig, WEBSOCKET);
    rig.lease(0).onLeaving?.();
    await client.has(4);
    await replica.has(8);
    client.write(frame(TEXT, Buffer.from('too late'), MASK));
    replica.exchange?.write(frame(TEXT, Buffer.from('too late')));
    client.write(closeFrame(GOING_AWAY, MASK));
    replica.exchange?.write(closeFrame(GOING_AWAY));
    await client.end();
    expect(closeCode(client.takeUnread())).toBe(GOING_AWAY);
    expect(closeCode(replica.received)).toBe(GOING_AWAY);
  });

  test('a peer that does not answer is cut at some point', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig, WEBSOCKET);
    rig.lease(0).onLeaving?.();
    await client.end();
    client.close();
    await within('the replica hears of it', (await rig.upstream().exchange(0)).channel.ended);
    await until('the lease is released', () => rig.released);
  });

  test('only its own connections end', async () => {
    const replicas = [new Switched(), new Switched()];
    await using rig = new Rig(
      replicas.map((one) => one.script),
      { preference: (key) => [Number(key)] },
    );
    const clients = [await rig.client(), await rig.client()];
    for (const [i, client] of clients.entries()) {
      client.write(WEBSOCKET.replace('/chat', `/?id=${i}`));
      expect((await client.reply()).status).toBe(101);
    }
    rig.leases.find((one) => one.replica === 'r0')?.onLeaving?.();
    const [first, second] = clients as [Client, Client];
    await first.has(4);
    expect(closeCode(first.takeUnread())).toBe(GOING_AWAY);
    second.write(frame(TEXT, Buffer.from('still here'), MASK));
    await replicas[1]?.has(16);
    expect(second.unread).toBe('');
    expect(second.ended).toBeUndefined();
  });

  // With ON_EXIT=keep no replica leaves, and nothing else would have told them.
  test('of a relay that stops end, whether their replicas leave or not', async () => {
    const replica = new Switched();
    await using rig = new Rig([replica.script]);
    const client = await open(rig, WEBSOCKET);
    rig.relay.stop();
    await client.has(4);
    expect(closeCode(client.takeUnread())).toBe(GOING_AWAY);
    await replica.has(8);
    expect(closeCode(replica.received)).toBe(GOING_AWAY);
  });

  test('before the 101: the connection that comes of it is ended, too', async () => {
    const go = Promise.withResolvers<void>();
    const replica = new Switched();
    await using rig = new Rig([replica.after(go.promise)]);
    const client = await rig.client();
    client.write(WEBSOCKET);
    await rig.upstream().exchange(0);
    rig.lease(0).onLeaving?.();
    go.resolve();
    const reply = await client.reply();
    if (reply.status === 101) {
      await client.has(4);
      expect(closeCode(client.takeUnread())).toBe(GOING_AWAY);
    } else expect(reply.status).toBeGreaterThanOrEqual(500);
  });
});

describe('the WebSocket of Bun on both sides', () => {
  /** An echo server, and what it heard of the end of each connection. */
  function serve(): { port: number; codes: number[]; stop: () => Promise<void> } {
    const codes: number[] = [];
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response('no', { status: 426 })),
      websocket: {
        maxPayloadLength: 64 * 1024 * 1024,
        message: (socket, message) => {
          socket.send(message);
        },
        close: (_, code) => {
          codes.push(code);
        },
      },
    });
    return { port: server.port as number, codes, stop: () => server.stop(true) };
  }

  async function connect(port: number): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.binaryType = 'arraybuffer';
    const opened = new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('the WebSocket did not open')));
    });
    await within('the WebSocket opens', opened);
    return socket;
  }

  const next = (socket: WebSocket): Promise<unknown> =>
    within(
      'a message',
      new Promise((resolve) =>
        socket.addEventListener('message', ({ data }) => resolve(data), { once: true }),
      ),
    );
  const end = (socket: WebSocket): Promise<number> =>
    within(
      'the WebSocket closes',
      new Promise((resolve) => socket.addEventListener('close', ({ code }) => resolve(code))),
    );

  test('messages of all sizes come back as they were', async () => {
    const server = serve();
    try {
      await using rig = new Rig([{ host: '127.0.0.1', port: server.port }]);
      const socket = await connect(rig.relay.port);
      for (const text of ['', 'hello', 'x'.repeat(125), 'x'.repeat(126), 'ä'.repeat(40_000)]) {
        const answer = next(socket);
        socket.send(text);
        expect(await answer).toBe(text);
      }
      const bytes = noise(8_000_000);
      const answer = next(socket);
      socket.send(bytes);
      expect(sha256(new Uint8Array((await answer) as ArrayBuffer))).toBe(sha256(bytes));
      const closed = end(socket);
      socket.close(4000, 'done');
      expect(await closed).toBe(4000);
      await until('the server heard of it', () => server.codes.length === 1);
      expect(server.codes).toEqual([4000]);
    } finally {
      await server.stop();
    }
  });

  test('a replica that leaves: both hear 1001', async () => {
    const server = serve();
    try {
      await using rig = new Rig([{ host: '127.0.0.1', port: server.port }]);
      const socket = await connect(rig.relay.port);
      const answer = next(socket);
      socket.send('before');
      expect(await answer).toBe('before');
      const closed = end(socket);
      rig.lease(0).onLeaving?.();
      expect(await closed).toBe(GOING_AWAY);
      await until('the server heard of it', () => server.codes.length === 1);
      expect(server.codes).toEqual([GOING_AWAY]);
      await until('the lease is released', () => rig.released);
    } finally {
      await server.stop();
    }
  });
});
