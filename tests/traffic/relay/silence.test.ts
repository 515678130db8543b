/** A replica that takes requests and answers none: a second opinion tells whether it is to blame. */
import { describe, expect, test } from 'bun:test';
import { until, type Client } from './client.ts';
import { echo, type Exchange, type Script } from './recording-upstream.ts';
import { Rig, type RigOptions } from './rig.ts';

/** Requests that have to wait, replies that must have been seen, and how long a silence lasts at least. */
const ENOUGH = 5;
const REPLIES = 100;
const SILENCE_MS = 2000;

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const ask = (target = '/', method = 'GET', fields = ''): string =>
  `${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const silent: Script = () => {};
/** Reported as one that answers nobody. */
const blamed = (rig: Rig): string[] =>
  rig.leases.filter(({ silences }) => silences > 0).map(({ replica }) => replica);

interface Quiet extends AsyncDisposable {
  readonly rig: Rig;
  /** Those that wait at r0. */
  readonly clients: readonly Client[];
  /** Requests that replica had since then. */
  had(replica: number): Exchange[];
}

/** A relay that knows how fast replies are, and r0 that from now on says nothing to `waiting` requests; r1 answers as it is told. */
async function quiet(
  second: Script,
  { waiting = ENOUGH, request = ask(), ...options }: RigOptions & { waiting?: number; request?: string } = {},
): Promise<Quiet> {
  let script: Script = echo;
  const rig = new Rig([(exchange) => script(exchange), second], options);
  const warm = await rig.client();
  for (let i = 0; i < REPLIES + 5; i++) {
    warm.write(ask());
    await warm.reply();
  }
  script = silent;
  const before = rig.seen;
  const clients: Client[] = [];
  for (let i = 0; i < waiting; i++) {
    const client = await rig.client();
    client.write(request);
    await rig.upstream().exchange((before[0] ?? 0) + i);
    clients.push(client);
  }
  return {
    rig,
    clients,
    had: (replica) => rig.upstream(replica).exchanges.slice(before[replica]),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

/** Long enough for a silence to be seen. */
const silence = (): Promise<void> => Bun.sleep(SILENCE_MS + 1000);

describe.concurrent('a replica that keeps requests waiting', () => {
  test('is reported when another answers one of them, which nobody gets to see', async () => {
    await using at = await quiet((exchange) => exchange.write(OK));
    await until('it is reported', () => blamed(at.rig).length > 0);
    expect(blamed(at.rig)).toEqual(['r0']);
    expect(at.had(1)).toHaveLength(1);
    expect(at.clients.map(({ receivedBytes }) => receivedBytes)).toEqual(at.clients.map(() => 0));
    // The fleet takes it off the ring, and tells so: all of them go elsewhere.
    for (const lease of at.rig.leases.filter(({ replica }) => replica === 'r0')) lease.onLost?.();
    for (const client of at.clients) expect((await client.reply()).value('x-served-by')).toBe('r1');
  });

  test('has one request at a time put to another, as it came, but to a connection of its own', async () => {
    await using at = await quiet(silent, { request: ask('/path?a=b', 'GET', 'X-Field: value\r\n') });
    await until('another is asked', () => at.had(1).length > 0);
    await silence();
    expect(at.had(1)).toHaveLength(1);
    const [first, second] = [at.had(0), at.had(1)].map((seen) => (seen[0] as Exchange).head);
    expect(second?.line).toBe(first?.line as string);
    const fields = (head: typeof first): string[] =>
      (head?.fields ?? [])
        .map(([name, value]) => `${name}: ${value}`)
        .filter((one) => !/^x-request-id/i.test(one));
    expect(fields(second)).toEqual(fields(first));
    expect(blamed(at.rig)).toEqual([]);
  });

  // Five reports that take ten seconds each had three healthy replicas ejected in turn.
  test('is not reported where its work takes the other as long, and its answers are what clients get', async () => {
    await using at = await quiet(silent);
    await until('another is asked', () => at.had(1).length > 0);
    for (const exchange of at.had(0)) exchange.write(OK);
    for (const client of at.clients) expect((await client.reply()).value('x-served-by')).toBe('r0');
    expect(blamed(at.rig)).toEqual([]);
    // The other is not kept busy with it.
    await at.had(1)[0]?.channel.closed;
    expect(at.rig.released).toBe(true);
  });

  test.each([
    ['an error', 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'],
    ['that it knows of nothing', 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n'],
    ['another place', 'HTTP/1.1 302 No\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n'],
    ['nonsense', 'nonsense\r\n\r\n'],
  ])('is not reported where the other has %s to say', async (_, reply) => {
    await using at = await quiet((exchange) => exchange.write(reply));
    await until('another is asked', () => at.had(1).length > 0);
    await silence();
    expect(blamed(at.rig)).toEqual([]);
  });

  test('is reported for success after an interim reply, in pieces', async () => {
    await using at = await quiet(async (exchange) => {
      for (const piece of ['HTTP/1.1 103 Ea', 'rly Hints\r\n\r\nHTTP/1.1 2', '04 No Content\r\n\r\n']) {
        exchange.write(piece);
        await exchange.channel.flushed;
        await Bun.sleep(20);
      }
    });
    await until('it is reported', () => blamed(at.rig).length > 0);
  });

  test.each<[string, RigOptions & { waiting?: number; request?: string }]>([
    ['fewer wait', { waiting: ENOUGH - 1 }],
    ['they are not safe to send twice', { request: ask('/', 'DELETE') }],
    ['RETRIES=0', { retries: 0 }],
    ['the other has no place', { limits: { replicaInFlightMax: 0 } }],
  ])('is left alone where %s', async (why, { limits, ...options }) => {
    if (limits !== undefined) {
      // The other is full: with as many as wait at the first.
      await using at = await quiet(silent, {
        limits: { replicaInFlightMax: ENOUGH },
        preference: (key) => (key === 'other' ? [1] : [0, 1]),
      });
      for (let i = 0; i < ENOUGH; i++) (await at.rig.client()).write(ask('/?id=other'));
      await until('it is full', () => at.had(1).length === ENOUGH);
      await silence();
      expect(at.had(1)).toHaveLength(ENOUGH);
      return;
    }
    await using at = await quiet((exchange) => exchange.write(OK), options);
    await silence();
    expect([why, at.had(1).length, blamed(at.rig)]).toEqual([why, 0, []]);
  });

  test('lets the other go when that leaves', async () => {
    await using at = await quiet(silent);
    await until('another is asked', () => at.had(1).length > 0);
    const lease = at.rig.leases.find(({ replica }) => replica === 'r1');
    lease?.onLeaving?.();
    await lease?.released;
    expect(lease?.releases).toBe(1);
    expect(blamed(at.rig)).toEqual([]);
  });

  test('is not doubted for requests that are over', async () => {
    await using at = await quiet((exchange) => exchange.write(OK));
    for (const [i, client] of at.clients.entries())
      if (i % 2 === 0) client.reset();
      else
        at.rig.leases
          .filter(({ replica }) => replica === 'r0')
          .at(i - ENOUGH)
          ?.onCut?.();
    await until('all are over', () => at.rig.released);
    const again = await at.rig.client();
    again.write(ask());
    await silence();
    expect(at.had(1)).toHaveLength(0);
  });
});
