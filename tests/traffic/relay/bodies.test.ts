import { describe, expect, test } from 'bun:test';
import { noise, sha256 } from '../noise.ts';
import { settled, within } from './client.ts';
import type { Exchange } from './recording-upstream.ts';
import { Rig } from './rig.ts';

const BIG_BYTES = 64 * 1024 * 1024;

describe('big bodies', () => {
  const bytes = noise(BIG_BYTES);
  const sum = sha256(bytes);
  const slices = Array.from({ length: 64 }, (_, i) => bytes.subarray(i * 1_048_576, (i + 1) * 1_048_576));
  const chunk = (slice: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${slice.byteLength.toString(16)}\r\n`), slice, Buffer.from('\r\n')]);
  const FRAMES = [
    ['a length', `Content-Length: ${BIG_BYTES}\r\n`, () => slices],
    ['chunks', 'Transfer-Encoding: chunked\r\n', () => [...slices.map(chunk), Buffer.from('0\r\n\r\n')]],
  ] as const;

  test.each(FRAMES)('64 MB to the replica and 64 MB back, with %s', async (_, fields, pieces) => {
    await using rig = new Rig([
      async (exchange) => {
        exchange.write(`HTTP/1.1 200 OK\r\n${fields}\r\n`, ...pieces());
        await exchange.channel.flushed;
      },
    ]);
    const client = await rig.client();
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, ...pieces());
    const reply = await client.reply('POST');
    expect(reply.complete).toBe(true);
    expect(reply.body.sha256).toBe(sum);
    const exchange = await rig.upstream().exchange(0);
    await within('the replica has all', exchange.whole);
    expect(exchange.body.sha256).toBe(sum);
  });

  test.each(FRAMES)('a client that does not read stops the replica, with %s', async (_, fields, pieces) => {
    await using rig = new Rig([
      (exchange) => exchange.write(`HTTP/1.1 200 OK\r\n${fields}\r\n`, ...pieces()),
    ]);
    const client = await rig.client({ paused: true });
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { channel } = await rig.upstream().exchange(0);
    await settled(() => channel.unsentBytes);
    expect(channel.unsentBytes).toBeGreaterThan(BIG_BYTES / 2);
    client.resume();
    const reply = await client.reply();
    expect(reply.body.sha256).toBe(sum);
  });

  test.each(FRAMES)('a replica that does not read stops the client, with %s', async (_, fields, pieces) => {
    let taken: Exchange | undefined;
    await using rig = new Rig([
      async (exchange) => {
        taken = exchange;
        exchange.channel.socket.pause();
        await exchange.whole;
        exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      },
    ]);
    const client = await rig.client();
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, ...pieces());
    await rig.upstream().exchange(0);
    await settled(() => client.unsentBytes);
    expect(client.unsentBytes).toBeGreaterThan(BIG_BYTES / 2);
    taken?.channel.socket.resume();
    expect((await client.reply('POST')).status).toBe(200);
    expect(taken?.body.sha256).toBe(sum);
  });
});
