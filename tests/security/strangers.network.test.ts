import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnRingmaster, type Spawned } from '../spawned.ts';

const PATIENCE_MS = 60_000;
const STRANGER = '203.0.113.9';
const STRANGER_V6 = '2001:db8::9';
const TOKEN = 'correct-horse-battery';
/** Of a network of its own, with nothing but a loopback; the addresses are those kept for examples (RFC 5737, RFC 3849). */
const ADDRESSES = [STRANGER, STRANGER_V6, '10.1.2.3', '192.168.7.7', '100.64.0.1', 'fd12:3456::1'];
const SET_UP = [
  'ip link set lo up',
  ...ADDRESSES.map((address) => `ip addr add ${address} dev lo`),
  'exec "$0" --no-orphans src/main.ts',
].join(' && ');

/** Ringmaster in a network of its own. */
function spawnApart(env: Record<string, string>): Promise<Spawned> {
  const command = ['unshare', '--user', '--map-root-user', '--net', 'sh', '-c', SET_UP, process.execPath];
  return spawnRingmaster(
    { RUNTIME: 'process', REPLICAS: '0', CLUSTER: `sec-${process.pid}`, ...env },
    command,
  );
}

/** A call from one address to another in that network, by curl; gives the status, or the body where that is asked for. */
async function callFrom(
  from: string,
  { pid, url }: Spawned,
  { to = from, fields = [] as string[], path = '/add', show = '%{http_code}' } = {},
): Promise<string> {
  const host = to.includes(':') ? `[${to}]` : to;
  const args = ['-s', '--max-time', '30', '--interface', `host!${from}`];
  if (path === '/add') args.push('-H', 'content-type: application/json', '-d', '{"n":1}');
  for (const field of fields) args.push('-H', field);
  if (show !== '') args.push('-o', '/dev/null', '-w', show);
  const within = ['nsenter', '--target', String(pid), '--user', '--preserve-credentials', '--net'];
  const target = `http://${host}:${new URL(url).port}${path}`;
  return Bun.$`${[...within, 'curl', ...args, target]}`.quiet().text();
}

const countOf = async (ringmaster: Spawned): Promise<number> =>
  (JSON.parse(await callFrom('127.0.0.1', ringmaster, { path: '/rep', show: '' })) as { N: number }).N;

const lies = ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1', 'X-Real-IP: 127.0.0.1', 'Via: 1.1 a'];

describe.each([
  ['0.0.0.0', [STRANGER], ['127.0.0.1', '127.9.9.9', '10.1.2.3', '192.168.7.7']],
  // There IPv4 addresses come as ::ffff:203.0.113.9.
  ['::', [STRANGER, STRANGER_V6], ['127.0.0.1', '::1', '10.1.2.3', 'fd12:3456::1']],
])('on %s, from a real connection', (host, strangers, own) => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnApart({ HOST: host, TRUSTED_PROXIES: '0.0.0.0/0,::/0' });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  test(
    'a public address may change nothing, whatever it says of itself',
    async () => {
      for (const from of [...strangers, '100.64.0.1']) {
        expect(await callFrom(from, ringmaster, { path: '/rep' })).toBe('200');
        for (const fields of [[], lies, ['Authorization: Bearer undefined'], ['Host: localhost', ...lies]])
          expect([from, fields, await callFrom(from, ringmaster, { fields })]).toEqual([from, fields, '403']);
        expect(await countOf(ringmaster)).toBe(0);
      }
    },
    PATIENCE_MS,
  );

  test(
    'loopback and private addresses may',
    async () => {
      for (const [i, from] of own.entries()) {
        expect([from, await callFrom(from, ringmaster)]).toEqual([from, '200']);
        expect(await countOf(ringmaster)).toBe(i + 1);
      }
    },
    PATIENCE_MS,
  );

  test(
    'it is who calls that counts, not the address that is called',
    async () => {
      const before = await countOf(ringmaster);
      for (const from of strangers) {
        const to = from.includes(':') ? '::1' : '127.0.0.1';
        expect(await callFrom(from, ringmaster, { to })).toBe('403');
      }
      expect(await countOf(ringmaster)).toBe(before);
    },
    PATIENCE_MS,
  );
});

test(
  'with ADMIN_TOKEN it is the token that counts, from everywhere',
  async () => {
    const ringmaster = await spawnApart({ HOST: '0.0.0.0', ADMIN_TOKEN: TOKEN });
    const right = { fields: [`Authorization: Bearer ${TOKEN}`] };
    for (const from of ['127.0.0.1', '10.1.2.3', STRANGER])
      expect([from, await callFrom(from, ringmaster)]).toEqual([from, '401']);
    expect(await countOf(ringmaster)).toBe(0);
    expect(await callFrom(STRANGER, ringmaster, right)).toBe('200');
    expect(await countOf(ringmaster)).toBe(1);
    expect(await ringmaster.end('SIGTERM')).toBe(0);
  },
  PATIENCE_MS,
);
