import { describe, expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { parseConfig } from '../../../src/config.ts';
import { silentLog } from '../../../src/log.ts';
import { openRelay } from '../../../src/traffic/relay/relay.ts';
import { Client, until, within } from './client.ts';
import { named } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { Tally } from '../../../src/traffic/tally.ts';

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

describe('the listener', () => {
  test('says which port it has, and counts its clients', async () => {
    await using rig = new Rig([named]);
    expect(rig.relay.port).toBeGreaterThan(0);
    expect(rig.relay.connections).toBe(0);
    const clients = await Promise.all([rig.client(), rig.client()]);
    await until('both are counted', () => rig.relay.connections === 2);
    for (const client of clients) client.reset();
    await until('none is counted', () => rig.relay.connections === 0);
  });

  const open = (port: number, shared: boolean): ReturnType<typeof openRelay> =>
    openRelay({
      host: '127.0.0.1',
      port,
      shared,
      log: silentLog,
      config: parseConfig({}),
      claim: () => undefined,
      tally: new Tally(),
    });

  test('a port in use is refused by name', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(() => open(port, false)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
    await new Promise((resolve) => taken.close(resolve));
  });

  test('says how many clients it has descriptors for, where those are fewer than are allowed', () => {
    const CONNECTIONS_MAX = 2 ** 40;
    const said: unknown[] = [];
    const log = { ...silentLog, info: (fields: object) => void said.push(fields) };
    const config = { ...parseConfig({}), connectionsMax: CONNECTIONS_MAX };
    const tally = new Tally();
    openRelay({
      host: '127.0.0.1',
      port: 0,
      shared: false,
      log,
      config,
      tally,
      claim: () => undefined,
    }).close();
    expect(said).toEqual([{ descriptors: expect.any(Number), clientsMax: expect.any(Number) }]);
    const [{ clientsMax }] = said as [{ clientsMax: number }];
    expect(clientsMax).toBeLessThan(CONNECTIONS_MAX);
  });

  test('a port that is not shared is refused to a second relay; one that is shared is not', () => {
    const alone = open(0, false);
    expect(() => open(alone.port, false)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
    alone.close();
    const first = open(0, true);
    const second = open(first.port, true);
    expect(second.port).toBe(first.port);
    first.close();
    second.close();
  });

  test('stop ends idle connections at once, and those in use after their reply', async () => {
    const held = Promise.withResolvers<void>();
    await using rig = new Rig([
      async (exchange) => {
        if (exchange.target === '/held') await held.promise;
        await named(exchange);
      },
    ]);
    const fresh = await rig.client();
    const idle = await rig.client();
    idle.write(get('/once'));
    await idle.reply();
    const busy = await rig.client();
    busy.write(get('/held'));
    await rig.upstream().exchange(1);
    rig.relay.stop();
    expect(await idle.end()).toBe('fin');
    expect(await fresh.end()).toBe('fin');
    await expect(Client.open(rig.relay.port)).rejects.toThrow();
    expect(busy.ended).toBeUndefined();
    held.resolve();
    const reply = await busy.reply();
    expect(reply.body.text).toBe('/held');
    expect(reply.value('connection')?.toLowerCase()).toBe('close');
    expect(await busy.end()).toBe('fin');
    await until('none is left', () => rig.relay.connections === 0);
  });

  test('close cuts what is left, and the replica hears of it', async () => {
    await using rig = new Rig([() => {}]);
    const client = await rig.client();
    client.write(get('/'));
    const { channel } = await rig.upstream().exchange(0);
    rig.relay.close();
    await client.end();
    expect(client.unread).toBe('');
    await within('the replica hears of it', channel.closed);
    await until('the lease is released', () => rig.released);
  });
});
