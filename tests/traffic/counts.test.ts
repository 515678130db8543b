import { describe, expect, test } from 'bun:test';
import { NOBODY } from '../../src/traffic/tally.ts';
import { eventually } from '../spawned.ts';
import { Balancer } from './balancer.ts';
import { counted } from './counted.ts';
import { REFUSING, type Answer } from './raw-upstream.ts';

const saying =
  (status: string, body = ''): Answer =>
  (exchange) =>
    void exchange.body.then(() =>
      exchange.write(
        `HTTP/1.1 ${status}\r\ncontent-type: a/b\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      ),
    );
const breaks: Answer = (exchange) => void exchange.body.then(() => exchange.socket.destroy());

describe('on port 5000 a request is counted once,', () => {
  test.each([
    ['answered', 200],
    ['not found', 404],
    ['without a body', 204],
  ])('%s', async (_, status) => {
    await using balancer = await Balancer.open([saying(`${status} X`, status === 204 ? '' : 'ok')]);
    await (await balancer.fetch('/')).text();
    expect(counted(balancer, 'r0')).toEqual({ [status]: 1 });
    expect(balancer.tally.of('r0').latency.reduce((sum, one) => sum + one, 0)).toBe(1);
  });

  test('in pieces', async () => {
    const pieces: Answer = (exchange) =>
      void exchange.body.then(() =>
        exchange.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
      );
    await using balancer = await Balancer.open([pieces]);
    await (await balancer.fetch('/')).text();
    expect(counted(balancer, 'r0')).toEqual({ 200: 1 });
  });

  test('by the replica that answered it in place of another', async () => {
    await using balancer = await Balancer.open([REFUSING, saying('200 OK', 'ok')]);
    await (await balancer.fetch('/')).text();
    expect(counted(balancer, 'r0')).toEqual({ retries: 1 });
    expect(counted(balancer, 'r1')).toEqual({ 200: 1, failovers: 1 });
  });

  test('by the replica that did better', async () => {
    await using balancer = await Balancer.open([saying('500 X'), saying('200 OK', 'ok')]);
    await (await balancer.fetch('/')).text();
    expect(counted(balancer, 'r0')).toEqual({ retries: 1 });
    expect(counted(balancer, 'r1')).toEqual({ 200: 1, failovers: 1 });
  });

  test('by the last of those that all fail', async () => {
    await using balancer = await Balancer.open([saying('500 X'), saying('500 X'), saying('500 X')]);
    expect((await balancer.fetch('/')).status).toBe(500);
    expect(counted(balancer, 'r0')).toEqual({ retries: 1 });
    expect(counted(balancer, 'r2')).toEqual({ 500: 1, failovers: 1 });
  });

  test('by the replica that failed, where no other may be asked', async () => {
    await using balancer = await Balancer.open([breaks]);
    expect((await balancer.fetch('/', { method: 'POST', body: 'x' })).status).toBe(502);
    expect(counted(balancer, 'r0')).toEqual({ 502: 1 });
  });

  test('by nobody, where there is nobody', async () => {
    await using balancer = await Balancer.open([]);
    expect((await balancer.fetch('/')).status).toBe(503);
    expect(counted(balancer, NOBODY)).toEqual({ 503: 1 });
  });

  test('whose reply breaks off', async () => {
    const short: Answer = (exchange) =>
      void exchange.body.then(() => {
        exchange.write('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 100000\r\n\r\nhello');
        exchange.socket.end();
      });
    await using balancer = await Balancer.open([short]);
    const asked = balancer.fetch('/').then((reply) => reply.text());
    await expect(asked).rejects.toThrow();
    await eventually(() => expect(counted(balancer, 'r0')).toEqual({ 200: 1, broken: 1 }));
  });

  test('whose client goes away', async () => {
    await using balancer = await Balancer.open([() => {}]);
    const gone = new AbortController();
    const asked = balancer.fetch('/', { signal: gone.signal }).catch(() => {});
    await eventually(() => balancer.seen[0] === 1);
    gone.abort();
    await asked;
    await eventually(() => expect(counted(balancer, 'r0')).toEqual({ 499: 1 }));
  });
});
