import { describe, expect, test } from 'bun:test';
import { CLAIMED, saidBy, saying, SAYING_NOTHING } from '../told.ts';
import type { Exchange } from './recording-upstream.ts';
import { Rig } from './rig.ts';

const OK = `HTTP/1.1 200 OK\r\n${CLAIMED}Content-Length: 2\r\n\r\nok`;
const answer = (exchange: Exchange): void => exchange.write(OK);
const asking = (target: string, value = '1'): string =>
  `GET ${target} HTTP/1.1\r\nHost: a\r\nX-Ringmaster-Explain: ${value}\r\n\r\n`;
const plain = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

describe('a request that asks for it', () => {
  test('is told in its reply why it went where it went, in the place of what the replica says', async () => {
    await using rig = new Rig([answer, answer]);
    const client = await rig.client();
    client.write(asking('/?id=42'));
    const reply = await client.reply();
    expect([reply.status, saidBy(reply)]).toEqual([200, saying(['r0', 'r1'])]);
    expect(reply.value('x-served-by')).toBe('r0');
  });

  test('is not seen asking by the replica', async () => {
    await using rig = new Rig([answer]);
    const client = await rig.client();
    client.write(asking('/?id=1'));
    await client.reply();
    expect((await rig.upstream().exchange(0)).values('x-ringmaster-explain')).toEqual([]);
  });

  test.each(['0', '', 'true', '11', '1, 1', '"1"', '01'])('with %j asks for nothing', async (value) => {
    await using rig = new Rig([answer]);
    const client = await rig.client();
    client.write(asking('/', value));
    expect(saidBy(await client.reply())).toEqual(SAYING_NOTHING);
    expect((await rig.upstream().exchange(0)).values('x-ringmaster-explain')).toEqual([]);
  });

  test('twice asks for nothing', async () => {
    await using rig = new Rig([answer]);
    const client = await rig.client();
    client.write('GET / HTTP/1.1\r\nHost: a\r\nX-Ringmaster-Explain: 1\r\nX-Ringmaster-Explain: 1\r\n\r\n');
    expect(saidBy(await client.reply())).toEqual(SAYING_NOTHING);
  });

  test('is told alone: neighbours on the connection, one after the other or all at once, are not', async () => {
    await using rig = new Rig([answer]);
    const client = await rig.client();
    // The plain ones come again until their heads, and the replies to them, are known.
    const order = [false, false, false, true, false, true, true, false, false, true];
    const say = (asks: boolean, i: number): string => (asks ? asking(`/?id=${i}`) : plain(`/?id=${i}`));
    const found: string[][][] = [];
    for (const [i, asks] of order.entries()) {
      client.write(say(asks, i));
      found.push(saidBy(await client.reply()));
    }
    client.write(order.map(say).join(''));
    for (const _ of order) found.push(saidBy(await client.reply()));
    expect(found).toEqual([...order, ...order].map((asks) => (asks ? saying(['r0']) : SAYING_NOTHING)));
  });

  test('is told although one with the same fields was sent before by another', async () => {
    await using rig = new Rig([answer]);
    for (let i = 0; i < 4; i++) {
      const client = await rig.client();
      client.write(asking(`/?id=${i}`));
      expect(saidBy(await client.reply())).toEqual(saying(['r0']));
    }
  });

  test('is told who failed it before, and who answered', async () => {
    await using rig = new Rig([(exchange) => exchange.channel.reset(), answer]);
    const client = await rig.client();
    client.write(asking('/?id=42'));
    const reply = await client.reply();
    expect(saidBy(reply)).toEqual(saying(['r0', 'r1'], 'r0;reason=asked-before'));
    expect(reply.value('x-served-by')).toBe('r1');
  });

  test('is told so, too, where a failing reply was compared with that of another', async () => {
    const failing = (exchange: Exchange): void =>
      exchange.write('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n');
    await using rig = new Rig([failing, answer]);
    const client = await rig.client();
    client.write(asking('/?id=42'));
    const reply = await client.reply();
    expect([reply.status, saidBy(reply)]).toEqual([200, saying(['r0', 'r1'], 'r0;reason=asked-before')]);
  });

  test('is told, too, where nobody answers, and where nobody is there', async () => {
    await using failing = new Rig([(exchange) => exchange.channel.reset()]);
    const client = await failing.client();
    client.write(asking('/?id=42'), plain('/?id=42'));
    const [reply, neighbour] = [await client.reply(), await client.reply()];
    expect([reply.status, saidBy(reply)]).toEqual([502, saying(['r0'], 'r0;reason=asked-before')]);
    expect([neighbour.status, saidBy(neighbour)]).toEqual([502, SAYING_NOTHING]);
    await using empty = new Rig([]);
    const other = await empty.client();
    other.write(asking('/?id=42'), plain('/?id=42'));
    const [none, next] = [await other.reply(), await other.reply()];
    expect([none.status, saidBy(none)]).toEqual([503, saying([])]);
    expect([next.status, saidBy(next)]).toEqual([503, SAYING_NOTHING]);
  });

  test('of HTTP/1.0, for a HEAD, and with a body in chunks both ways', async () => {
    const chunked = (exchange: Exchange): void =>
      exchange.write(`HTTP/1.1 200 OK\r\n${CLAIMED}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`);
    await using rig = new Rig([
      (exchange) =>
        exchange.method === 'HEAD'
          ? exchange.write(`HTTP/1.1 200 OK\r\n${CLAIMED}Content-Length: 2\r\n\r\n`)
          : chunked(exchange),
    ]);
    const client = await rig.client();
    client.write('HEAD /?id=1 HTTP/1.1\r\nHost: a\r\nx-ringmaster-explain: 1\r\n\r\n');
    const head = await client.reply('HEAD');
    expect([head.status, saidBy(head)]).toEqual([200, saying(['r0'])]);
    client.write(
      'POST /?id=1 HTTP/1.1\r\nHost: a\r\nx-ringmaster-explain: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      '3\r\nabc\r\n0\r\n\r\n',
    );
    const post = await client.reply();
    expect([post.status, saidBy(post)]).toEqual([200, saying(['r0'])]);
    const old = await rig.client();
    old.write('GET /?id=1 HTTP/1.0\r\nx-ringmaster-explain: 1\r\n\r\n');
    const reply = await old.reply();
    expect([reply.status, saidBy(reply)]).toEqual([200, saying(['r0'])]);
  });

  test('for another protocol is told with the 101, and not in what comes before', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write(
          `HTTP/1.1 101 Switching Protocols\r\n${CLAIMED}Connection: Upgrade\r\nUpgrade: echo/1\r\n\r\n`,
        ),
      (exchange) => exchange.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`),
    ]);
    const client = await rig.client();
    client.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/1\r\nx-ringmaster-explain: 1\r\n\r\n',
    );
    const reply = await client.reply();
    expect([reply.status, saidBy(reply)]).toEqual([101, saying(['r0', 'r1'])]);
    await using hinting = new Rig([
      (exchange) => exchange.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`),
    ]);
    const other = await hinting.client();
    other.write(asking('/'));
    const [hints, final] = [await other.reply(), await other.reply()];
    expect([hints.status, saidBy(hints)]).toEqual([103, SAYING_NOTHING]);
    expect([final.status, saidBy(final)]).toEqual([200, saying(['r0'])]);
  });

  test('is told of no more than eight of each', async () => {
    const replicas = Array.from({ length: 12 }, () => answer);
    await using rig = new Rig(replicas);
    const client = await rig.client();
    client.write(asking('/'));
    const names = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7'];
    expect(saidBy(await client.reply())[3]).toEqual([names.join(', ')]);
  });
});
