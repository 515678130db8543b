/** A body that hardly comes in takes a place at its replica for as long as it likes, until others need it. */
import { expect, test } from 'bun:test';
import { until, type Client } from './client.ts';
import { echo, type Script } from './recording-upstream.ts';
import { Rig } from './rig.ts';

const PLACES = 4;
/** From when on, and below how much, a body is slow. */
const SLOW_AFTER_MS = 5000;
const SLOW_BYTES_PER_S = 240;
/** More than the relay's clock is behind. */
const LATE_MS = 600;

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n';

/** Clients that take all places with a body of which so many bytes are there. */
async function filled(rig: Rig, bytes: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < PLACES; i++) {
    const client = await rig.client();
    client.write(POST, 'x'.repeat(bytes));
    await rig.upstream().exchange(i);
    clients.push(client);
  }
  return clients;
}

const options = { limits: { replicaInFlightMax: PLACES } };
const replying: Script = (exchange) =>
  exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n');

test.concurrent('bodies that hardly come in give way to who has no place, and not before', async () => {
  await using rig = new Rig(
    [(exchange) => (exchange.method === 'GET' ? echo(exchange) : undefined)],
    options,
  );
  const slow = await filled(rig, 1);
  const client = await rig.client();
  client.write(GET);
  expect((await client.reply()).status).toBe(503);
  await Bun.sleep(SLOW_AFTER_MS + LATE_MS);
  // Nobody needed their places.
  expect(slow.map(({ receivedBytes }) => receivedBytes)).toEqual(slow.map(() => 0));
  client.write(GET);
  expect((await client.reply()).status).toBe(200);
  const replies = await Promise.all(slow.map((one) => one.reply('POST')));
  for (const reply of replies) expect([reply.status, reply.value('connection')]).toEqual([408, 'close']);
  await until('the replica is rid of them', () => rig.lease(0).releases === 1);
});

test.concurrent.each<[string, Script, number]>([
  ['those that come in fast enough', () => {}, (SLOW_BYTES_PER_S * 3 * SLOW_AFTER_MS) / 1000],
  ['those that are replied to', replying, 1],
])('%s stay', async (_, script, bytes) => {
  await using rig = new Rig([script], options);
  const clients = await filled(rig, bytes);
  await Bun.sleep(SLOW_AFTER_MS + LATE_MS);
  const client = await rig.client();
  client.write(GET);
  expect((await client.reply()).status).toBe(503);
  expect(clients.map(({ ended }) => ended)).toEqual(clients.map(() => undefined));
});

test.concurrent('one that its replica does not take is not the client’s fault', async () => {
  await using rig = new Rig([(exchange) => exchange.channel.socket.pause()], options);
  const clients = await filled(rig, 1);
  for (const client of clients) client.write('x'.repeat(900_000));
  await Bun.sleep(SLOW_AFTER_MS + LATE_MS);
  const client = await rig.client();
  client.write(GET);
  expect((await client.reply()).status).toBe(503);
  expect(clients.map(({ ended }) => ended)).toEqual(clients.map(() => undefined));
});
