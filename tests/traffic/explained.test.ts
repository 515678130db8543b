import { describe, expect, test } from 'bun:test';
import type { Explanation } from '../../src/fleet/explain.ts';
import { EXPLAINED, explainedFields, LISTED_MAX } from '../../src/traffic/explained.ts';
import { Balancer } from './balancer.ts';
import type { Exchange } from './raw-upstream.ts';
import { CLAIMED, FIELDS, saidBy, saying, SAYING_NOTHING, told } from './told.ts';

const answer = (exchange: Exchange): void =>
  exchange.write(`HTTP/1.1 200 OK\r\n${CLAIMED}Content-Length: 2\r\n\r\nok`);
const of = (reply: Response) => ({ values: (name: string) => [reply.headers.get(name) ?? []].flat() });
const ASKING = { headers: { 'X-Ringmaster-Explain': '1' } };

describe('the fields', () => {
  const found: Explanation = told(['a', 'b'])('42');

  test('are those that are taken away from replicas, in their order', () => {
    expect(explainedFields(found).map(([name]) => name)).toEqual([...FIELDS]);
    expect(EXPLAINED).toEqual([...FIELDS]);
  });

  test('are empty where there is nobody to name', () => {
    const none = { ...found, owner: undefined, preference: [], passedOver: [] };
    expect(explainedFields(none).map(([, value]) => value)).toEqual(['0000beef', '48879', '', '', '']);
  });

  test(`list at most ${LISTED_MAX}, and a reason as one token`, () => {
    const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
    const passedOver = names.map((replica) => ({ replica, reason: 'over its bound', detail: 'it has 5' }));
    const values = explainedFields({ ...found, preference: names, passedOver }).map(([, value]) => value);
    expect(values[3]).toBe('s0, s1, s2, s3, s4, s5, s6, s7');
    expect(values[4]?.split(', ')).toEqual(names.slice(0, 8).map((name) => `${name};reason=over-its-bound`));
  });
});

describe('on the control port a request that asks', () => {
  test('is told in its reply why it went where it went, in the place of what the replica says', async () => {
    await using balancer = await Balancer.open([answer, answer]);
    const reply = await balancer.fetch('/?id=42', ASKING);
    expect([reply.status, saidBy(of(reply))]).toEqual([200, saying(['r0', 'r1'])]);
    expect(balancer.upstream(0).exchanges[0]?.values('x-ringmaster-explain')).toEqual([]);
    const other = await balancer.fetch('/?id=42');
    expect(saidBy(of(other))).toEqual(SAYING_NOTHING);
  });

  test.each(['0', 'true', '11', '1, 1', ''])('with %j asks for nothing', async (value) => {
    await using balancer = await Balancer.open([answer]);
    const reply = await balancer.fetch('/', { headers: { 'x-ringmaster-explain': value } });
    expect(saidBy(of(reply))).toEqual(SAYING_NOTHING);
    expect(balancer.upstream(0).exchanges[0]?.values('x-ringmaster-explain')).toEqual([]);
  });

  test('is told who failed it before, and who answered', async () => {
    const failing = (exchange: Exchange): void =>
      exchange.write('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n');
    for (const first of [(exchange: Exchange) => exchange.socket.destroy(), failing]) {
      await using balancer = await Balancer.open([first, answer]);
      const reply = await balancer.fetch('/?id=42', ASKING);
      expect([reply.status, saidBy(of(reply))]).toEqual([
        200,
        saying(['r0', 'r1'], 'r0;reason=asked-before'),
      ]);
    }
  });

  test('is told, too, where nobody answers, and where nobody is there', async () => {
    await using failing = await Balancer.open([(exchange) => void exchange.socket.destroy()]);
    const reply = await failing.fetch('/?id=42', ASKING);
    expect([reply.status, saidBy(of(reply))]).toEqual([502, saying(['r0'], 'r0;reason=asked-before')]);
    expect(saidBy(of(await failing.fetch('/?id=42')))).toEqual(SAYING_NOTHING);
    await using empty = await Balancer.open([]);
    const none = await empty.fetch('/?id=42', ASKING);
    expect([none.status, none.headers.get('retry-after'), saidBy(of(none))]).toEqual([503, '1', saying([])]);
  });

  test('of HTTP/1.0, for a HEAD, and with a body in chunks both ways', async () => {
    await using balancer = await Balancer.open([
      (exchange) =>
        exchange.method === 'HEAD'
          ? exchange.write(`HTTP/1.1 200 OK\r\n${CLAIMED}Content-Length: 2\r\n\r\n`)
          : exchange.write(
              `HTTP/1.1 200 OK\r\n${CLAIMED}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
            ),
    ]);
    const field = 'x-ringmaster-explain: 1\r\nConnection: close\r\n';
    for (const request of [
      `HEAD /?id=1 HTTP/1.1\r\nHost: a\r\n${field}\r\n`,
      `GET /?id=1 HTTP/1.0\r\nHost: a\r\n${field}\r\n`,
      `POST /?id=1 HTTP/1.1\r\nHost: a\r\n${field}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    ]) {
      const reply = await balancer.raw(request);
      expect([reply.status, saidBy(reply)]).toEqual([200, saying(['r0'])]);
    }
  });
});
