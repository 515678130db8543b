/**
 * Requests and replies one after the other: whatever the relay remembers of those before, each is passed on as if it
 * were the first.
 */
import { describe, expect, test } from 'bun:test';
import { FAIR, type Seen } from './fair-requests.ts';
import { REFUSALS } from './hostile-requests.ts';
import { valuesOf } from './message.ts';
import { ODD } from './odd-replies.ts';
import { echo, type Exchange } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { expectSeen } from './seen.ts';

const BYTES_MAX = 1000;
const SINGLE = FAIR.filter((one) => one.sees.length === 1 && !one.closes && one.bytes.length < BYTES_MAX);
const WARM = 'POST / HTTP/1.1\r\nHost: warm\r\nContent-Length: 4\r\n\r\nwarm';

describe('a request before leaves nothing in those after it', () => {
  test.each(SINGLE.map((one) => [one.name, one] as const))('%s', async (_, first) => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    const served = async (bytes: string, seen: Seen): Promise<Exchange> => {
      client.write(bytes);
      const reply = await client.final(seen.method);
      expect(reply.status).toBe(200);
      expect(reply.body.text).toBe(seen.method === 'HEAD' ? '' : seen.body);
      const exchange = rig.upstream().exchanges.at(-1) as Exchange;
      expect(reply.value('x-request-id')).toBe(exchange.value('x-request-id') as string);
      return exchange;
    };
    // A connection to the replica that is kept: what comes now is written at once.
    client.write(WARM);
    await client.reply();
    for (const one of [first, first, ...SINGLE]) {
      const [seen] = one.sees as [Seen];
      const exchange = await served(one.bytes, seen);
      expectSeen(exchange, seen);
      expect(exchange.values('x-forwarded-host')).toEqual(exchange.values('host'));
    }
    const ids = rig.upstream().exchanges.map((one) => one.value('x-request-id'));
    expect(new Set(ids).size).toBe(ids.length);
  });
});

test('a Host that an absolute target overrides is none of the next request’s', async () => {
  await using rig = new Rig([echo]);
  const client = await rig.client();
  client.write(WARM);
  await client.reply();
  for (const [line, target, host] of [
    ['GET http://inner/b HTTP/1.1', '/b', 'inner'],
    ['GET / HTTP/1.1', '/', 'outer'],
    ['GET http://inner HTTP/1.1', '/', 'inner'],
    ['GET /c HTTP/1.1', '/c', 'outer'],
  ] as const) {
    client.write(`${line}\r\nHost: outer\r\n\r\n`);
    expect((await client.reply()).status).toBe(200);
    const exchange = rig.upstream().exchanges.at(-1);
    expect(exchange?.target).toBe(target);
    expect(exchange?.values('host')).toEqual([host]);
  }
});

describe('a good request with the same fields makes no bad one good', () => {
  const SHORT = REFUSALS.filter((one) => one.bytes.length < BYTES_MAX && one.bytes.includes('\r\n'));

  test.each(SHORT.map((one) => [one.name, one] as const))('%s', async (_, { bytes, statuses }) => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    client.write(WARM);
    await client.reply();
    const fields = bytes.slice(bytes.indexOf('\r\n') + 2);
    for (let i = 0; i < 2; i++) {
      // It may be as bad as the other: then that one comes on a connection of its own.
      const twin = await rig.client();
      twin.write(`GET / HTTP/1.1\r\n${fields}`);
      twin.shutdown();
      await twin.end();
    }
    const before = rig.upstream().completed.length;
    client.write(bytes);
    expect(statuses).toContain((await client.reply('POST')).status);
    await client.end();
    expect(rig.upstream().completed.length).toBe(before);
  });
});

const REUSED = ODD.filter((one) => one.reused && one.interim.length === 0);

describe('a reply before leaves nothing in those after it', () => {
  test.each(REUSED.map((one) => [one.name, one] as const))('%s', async (_, first) => {
    const all = [first, first, ...REUSED];
    let next = 0;
    await using rig = new Rig([(exchange) => exchange.write(all[next]?.bytes ?? '')]);
    const client = await rig.client();
    for (const one of all) {
      client.write(`${one.method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const reply = await client.reply(one.method);
      next++;
      expect(reply.status).toBe(one.status);
      expect(reply.complete).toBe(true);
      expect(reply.body.text).toBe(one.body);
      expect(reply.body.trailers).toEqual([...one.trailers]);
      for (const [name] of one.fields) expect(reply.values(name)).toEqual(valuesOf(one.fields, name));
      const ours = ['x-served-by', 'x-request-id', 'via', 'date'];
      expect(ours.map((name) => reply.values(name).length)).toEqual([1, 1, 1, 1]);
      const { exchanges } = rig.upstream();
      expect(reply.value('x-request-id')).toBe(exchanges.at(-1)?.value('x-request-id') as string);
    }
  });

  test('nor in those to a client of another kind', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
    ]);
    for (let round = 0; round < 2; round++) {
      const client = await rig.client();
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.reply()).body.text).toBe('hello');
      client.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
      const reply = await client.reply();
      expect(reply.values('transfer-encoding')).toEqual([]);
      expect(reply.body.text).toBe('hello');
      const closing = await rig.client();
      closing.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      expect((await closing.reply()).value('connection')?.toLowerCase()).toBe('close');
      expect(await closing.end()).toBe('fin');
    }
  });
});
