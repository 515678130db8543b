import { describe, expect, test } from 'bun:test';
import { NOBODY, type ReplicaTally } from '../../../src/traffic/tally.ts';
import { counted } from '../counted.ts';
import { REFUSING } from '../raw-upstream.ts';
import { until, type Client } from './client.ts';
import { echo, type Script } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { open, Switched } from './switched.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

const saying =
  (status: string, fields = ''): Script =>
  (exchange) =>
    exchange.write(`HTTP/1.1 ${status}\r\n${fields}Content-Length: 0\r\n\r\n`);

const told = ({ lines }: Rig): Rig['lines'] => lines.filter(({ message }) => message === 'request');

const latencies = ({ latency }: ReplicaTally): number => latency.reduce((sum, one) => sum + one, 0);

async function reply(client: Client, request = GET, method = 'GET'): Promise<number> {
  client.write(request);
  return (await client.reply(method)).status;
}

describe('a request is counted once,', () => {
  test.each([
    ['answered', 200],
    ['not found', 404],
    ['refused by its replica', 403],
  ])('%s', async (_, status) => {
    await using rig = new Rig([saying(`${status} X`)]);
    const client = await rig.client();
    expect(await reply(client)).toBe(status);
    expect(counted(rig, 'r0')).toEqual({ [status]: 1 });
    expect(latencies(rig.tally.of('r0'))).toBe(1);
    expect(rig.tally.find(NOBODY)).toBeUndefined();
  });

  test('also where it and its reply are like those before', async () => {
    await using rig = new Rig([saying('200 OK', 'Date: x\r\n')]);
    const client = await rig.client();
    for (let i = 0; i < 5; i++) await reply(client);
    expect(counted(rig, 'r0')).toEqual({ 200: 5 });
    expect(latencies(rig.tally.of('r0'))).toBe(5);
  });

  test('with a body, and without one in the reply', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    await reply(client, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', 'POST');
    await reply(client, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HEAD');
    expect(counted(rig, 'r0')).toEqual({ 200: 2 });
  });

  test('answered before its end', async () => {
    await using rig = new Rig([
      async (exchange) => {
        await exchange.arrived(5);
        exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      },
    ]);
    const client = await rig.client();
    const half = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello';
    expect(await reply(client, half, 'POST')).toBe(200);
    client.write('world');
    await until('its replica has the rest', () => rig.released);
    expect(counted(rig, 'r0')).toEqual({ 200: 1 });
  });

  test('by the replica that answered it in place of another', async () => {
    await using rig = new Rig([REFUSING, echo]);
    expect(await reply(await rig.client())).toBe(200);
    expect(counted(rig, 'r0')).toEqual({ retries: 1 });
    expect(counted(rig, 'r1')).toEqual({ 200: 1, failovers: 1 });
  });

  test('by the replica that did better', async () => {
    await using rig = new Rig([saying('500 X'), echo]);
    expect(await reply(await rig.client())).toBe(200);
    expect(counted(rig, 'r0')).toEqual({ retries: 1 });
    expect(counted(rig, 'r1')).toEqual({ 200: 1, failovers: 1 });
  });

  test('by the last of those that all fail', async () => {
    await using rig = new Rig([saying('500 X'), saying('500 X'), saying('500 X')]);
    expect(await reply(await rig.client())).toBe(500);
    expect(counted(rig, 'r0')).toEqual({ retries: 1 });
    expect(counted(rig, 'r1')).toEqual({ retries: 1 });
    expect(counted(rig, 'r2')).toEqual({ 500: 1, failovers: 1 });
  });

  test('by the only one, that gives no reply: nobody else is asked', async () => {
    await using rig = new Rig([(exchange) => exchange.channel.reset()]);
    expect(await reply(await rig.client())).toBe(502);
    expect(counted(rig, 'r0')).toEqual({ 502: 1 });
    expect(rig.tally.find(NOBODY)).toBeUndefined();
  });

  test('by the only one, that fails', async () => {
    await using rig = new Rig([saying('500 X')]);
    expect(await reply(await rig.client())).toBe(500);
    expect(counted(rig, 'r0')).toEqual({ 500: 1 });
  });

  test('by the replica that failed, where no other may be asked', async () => {
    await using rig = new Rig([(exchange) => exchange.channel.reset()]);
    expect(await reply(await rig.client(), 'POST / HTTP/1.1\r\nHost: a\r\n\r\n', 'POST')).toBe(502);
    expect(counted(rig, 'r0')).toEqual({ 502: 1 });
    expect(rig.tally.of('r0').errors).toBe(1);
  });

  test('whose reply breaks off', async () => {
    const short: Script = (exchange) => {
      exchange.channel.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      exchange.channel.close();
    };
    await using rig = new Rig([short]);
    const client = await rig.client();
    client.write(GET);
    await client.end();
    expect(counted(rig, 'r0')).toEqual({ 200: 1, broken: 1 });
    expect(rig.tally.of('r0').errors).toBe(1);
    expect(latencies(rig.tally.of('r0'))).toBe(0);
  });

  test('whose client goes away', async () => {
    await using rig = new Rig([() => {}]);
    const client = await rig.client();
    client.write(GET);
    await until('the replica has it', () => rig.seen[0] === 1);
    client.reset();
    await until('it is let go', () => rig.released);
    expect(counted(rig, 'r0')).toEqual({ 499: 1 });
    expect(rig.tally.of('r0').errors).toBe(0);
  });

  test('that becomes a tunnel', async () => {
    const switched = new Switched();
    await using rig = new Rig([switched.script]);
    await open(rig);
    expect(rig.relay.clients()).toEqual({ active: 0, idle: 0, tunnel: 1, closing: 0 });
    expect(counted(rig, 'r0')).toEqual({ 101: 1 });
    expect(latencies(rig.tally.of('r0'))).toBe(0);
  });
});

describe('what no replica has had is counted as nobody’s:', () => {
  test.each([
    ['no replica', GET, 503],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['an end to forwarding', 'OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n', 200],
  ])('%s', async (_, request, status) => {
    await using rig = new Rig([]);
    expect(await reply(await rig.client(), request)).toBe(status);
    expect(counted(rig, NOBODY)).toEqual({ [status]: 1 });
  });
});

test('connections are told apart by what they are there for', async () => {
  await using rig = new Rig([() => {}]);
  const clients = [await rig.client(), await rig.client(), await rig.client()];
  await until('all are connected', () => rig.relay.connections === 3);
  expect(rig.relay.clients()).toEqual({ active: 0, idle: 3, tunnel: 0, closing: 0 });
  clients[0]?.write(GET);
  clients[1]?.write('GET / HT');
  clients[2]?.write('nonsense\r\n\r\n');
  await until('each has its use', () => rig.relay.clients().idle === 0 && rig.seen[0] === 1);
  const { active, idle, tunnel } = rig.relay.clients();
  expect({ active, idle, tunnel }).toEqual({ active: 2, idle: 0, tunnel: 0 });
});

describe('with ACCESS_LOG', () => {
  const GET_SECRET = 'GET /a%20b/c?token=hidden&id=1 HTTP/1.1\r\nHost: a\r\nCookie: hidden\r\n\r\n';

  test('each request has a line, at its end, without what may be a secret', async () => {
    await using rig = new Rig([REFUSING, saying('404 X')], { accessLog: 1 });
    const client = await rig.client();
    client.write('\r\n', GET_SECRET);
    expect((await client.reply()).status).toBe(404);
    client.write('POST /b HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nContent-Length: 3\r\n\r\nabc');
    await client.reply('POST');
    expect(told(rig).map(({ fields }) => fields)).toEqual([
      {
        plane: 'traffic',
        requestId: expect.stringMatching(/^[0-9a-f]{28}$/),
        method: 'GET',
        path: '/a%20b/c',
        replica: 'r1',
        status: 404,
        tookMs: expect.any(Number),
        peer: '127.0.0.1',
      },
      expect.objectContaining({ requestId: 'mine', method: 'POST', path: '/b', status: 404 }),
    ]);
    expect(JSON.stringify(told(rig))).not.toContain('hidden');
  });

  test('the line has the id that its client and its replica know', async () => {
    await using rig = new Rig([saying('200 OK')], { accessLog: 1 });
    const client = await rig.client();
    client.write(GET);
    const reply = await client.reply();
    const [line] = told(rig);
    expect(line?.fields['requestId']).toBe(reply.value('x-request-id') ?? '');
    expect((await rig.upstream().exchange(0)).value('x-request-id')).toBe(reply.value('x-request-id'));
  });

  test('one that no replica has had, says so', async () => {
    await using rig = new Rig([], { accessLog: 1 });
    await reply(await rig.client());
    expect(told(rig).map(({ fields }) => [fields['status'], fields['replica']])).toEqual([[503, undefined]]);
  });
});
