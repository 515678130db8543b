import { afterEach, describe, expect, test } from 'bun:test';
import { askPeer, reportOf } from '../../../src/fleet/shared/ask-peer.ts';

const NEVER = new AbortController().signal;
const PATIENCE_MS = 20_000;
const TOLD = {
  digest: 'd',
  revision: 7,
  replicas: [
    { name: 'a', weight: 1, state: 'ready' },
    { name: 'b', weight: 1, state: 'waiting' },
  ],
  reached: ['c'],
  leaving: [{ name: 'e', in_flight: 2 }],
  ringmasters: [
    { url: 'http://x', answers: true, digest: 'd', revision: 6 },
    { url: 'http://y', answers: false },
  ],
};
const UNDERSTOOD = {
  digest: 'd',
  revision: 7,
  ready: new Set(['a']),
  reached: new Set(['c']),
  leaving: new Set(['e']),
  others: new Map([['http://x', 6]]),
};
const read = (value: unknown) => reportOf(new TextEncoder().encode(JSON.stringify(value)));

const servers: Bun.Server<undefined>[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop(true))));

function serve(answer: () => Response | Promise<Response>): string {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: answer });
  servers.push(server);
  return `http://127.0.0.1:${server.port}`;
}

describe('what another Ringmaster tells', () => {
  test('is understood', () => {
    expect(read(TOLD)).toEqual(UNDERSTOOD);
  });

  test.each([
    ['no JSON', undefined],
    ['nothing', null],
    ['a list', []],
    ['no digest', { ...TOLD, digest: 1 }],
    ['no revision', { ...TOLD, revision: '7' }],
  ])('is nothing where it is %s', (_, value) => {
    expect(value === undefined ? reportOf(new Uint8Array([123])) : read(value)).toBeUndefined();
  });

  test('is taken for what can be understood of it', () => {
    const odd = { ...TOLD, replicas: [1, { name: 2, state: 'ready' }, null], leaving: 'e', reached: [3] };
    expect(read({ ...odd, ringmasters: {} })).toEqual({
      ...UNDERSTOOD,
      ready: new Set(),
      reached: new Set(),
      leaving: new Set(),
      others: new Map(),
    });
  });
});

describe('asking', () => {
  test('gives what is told', async () => {
    const url = serve(() => Response.json(TOLD));
    expect(await askPeer(url, PATIENCE_MS, NEVER)).toEqual(UNDERSTOOD);
  });

  test.each([
    ['refuses', () => new Response('no', { status: 503 })],
    ['says something else', () => new Response('hello')],
    ['says far too much', () => new Response('x'.repeat(9 * 1024 * 1024))],
  ])('gives nothing of one that %s', async (_, answer) => {
    expect(await askPeer(serve(answer), PATIENCE_MS, NEVER)).toBeUndefined();
  });

  test('gives nothing of one that is silent, or is not there', async () => {
    const url = serve(() => new Promise<Response>(() => {}));
    expect(await askPeer(url, 50, NEVER)).toBeUndefined();
    expect(await askPeer('http://127.0.0.1:1', PATIENCE_MS, NEVER)).toBeUndefined();
    expect(await askPeer(url, PATIENCE_MS, AbortSignal.timeout(10))).toBeUndefined();
    expect(await askPeer(url, PATIENCE_MS, AbortSignal.abort())).toBeUndefined();
  });
});
