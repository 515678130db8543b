import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually, freePort, spawnRingmaster, type Environment, type Spawned } from '../spawned.ts';

// Nothing here depends on how long it takes; machines can be slow.
setDefaultTimeout(120_000);

/** A server that somebody else runs: it says its name, and holds what is sent to /held until it is let go. */
class Upstream {
  healthy = true;
  heartbeats = 0;
  held = 0;
  readonly #release = Promise.withResolvers<void>();
  #server: Bun.Server<undefined> | undefined;

  constructor(
    readonly name: string,
    public port = 0,
    readonly host = '127.0.0.1',
  ) {
    this.start();
    upstreams.add(this);
  }

  get authority(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  start(): void {
    this.#server = Bun.serve({
      hostname: this.host,
      port: this.port,
      idleTimeout: 0,
      fetch: (request) => this.#answer(new URL(request.url).pathname),
    });
    this.port = this.#server.port as number;
  }

  async stop(): Promise<void> {
    await this.#server?.stop(true);
    this.#server = undefined;
  }

  letGo(): void {
    this.#release.resolve();
  }

  async #answer(path: string): Promise<Response> {
    if (path === '/heartbeat') {
      this.heartbeats++;
      return new Response(null, { status: this.healthy ? 200 : 503 });
    }
    if (path === '/held') {
      this.held++;
      await this.#release.promise;
    }
    return new Response(`${this.name} has ${path}`);
  }
}

const upstreams = new Set<Upstream>();

/** On IPv6, where the machine has it. */
function withIpv6(name: string): Upstream {
  try {
    return new Upstream(name, 0, '::1');
  } catch {
    return new Upstream(name);
  }
}

const ringmasters = new Set<Spawned>();
afterEach(async () => {
  for (const one of upstreams) one.letGo();
  await Promise.all([...ringmasters].map((one) => one.end('SIGTERM')));
  await Promise.all([...upstreams].map((one) => one.stop()));
  ringmasters.clear();
  upstreams.clear();
});

async function balance(servers: readonly Upstream[], env: Environment = {}): Promise<Spawned> {
  const ringmaster = await spawnRingmaster({
    RUNTIME: 'static',
    UPSTREAMS: servers.map((one) => `${one.name}=${one.authority}`).join(','),
    HEARTBEAT_INTERVAL_MS: '50',
    ...env,
  });
  ringmasters.add(ringmaster);
  return ringmaster;
}

async function change(
  { url }: Spawned,
  verb: 'add' | 'rm',
  n: number,
  ...hostnames: string[]
): Promise<{ status: number; body: unknown }> {
  const reply = await fetch(`${url}/${verb}`, {
    method: verb === 'add' ? 'POST' : 'DELETE',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ n, hostnames }),
  });
  return { status: reply.status, body: await reply.json() };
}

const success = (...replicas: string[]) => ({
  status: 200,
  body: { message: { N: replicas.length, replicas }, status: 'successful' },
});

async function names({ url }: Spawned): Promise<string[]> {
  return ((await (await fetch(`${url}/rep`)).json()) as { replicas: string[] }).replicas;
}

/** Who is said to own each of some ids; each is sent there, and answered by nobody else. */
async function owners({ url }: Spawned, count = 40): Promise<string[]> {
  const found: string[] = [];
  for (let id = 0; id < count; id++) {
    const { mapped_server: owner } = (await (await fetch(`${url}/map_request?id=${id}`)).json()) as {
      mapped_server: string;
    };
    const reply = await fetch(`${url}/home?id=${id}`);
    expect([reply.status, reply.headers.get('x-served-by')]).toEqual([200, owner]);
    found.push(owner);
  }
  return found;
}

/** An id that the replica owns. */
async function idOf({ url }: Spawned, replica: string): Promise<number> {
  for (let id = 0; id < 10_000; id++) {
    const reply = await fetch(`${url}/map_request?id=${id}`);
    if (((await reply.json()) as { mapped_server: string }).mapped_server === replica) return id;
  }
  throw new Error(`${replica} owns no id`);
}

describe('upstream servers', () => {
  test('are balanced by key, in the order in which they are configured', async () => {
    const servers = [new Upstream('c'), new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance(servers);
    expect(await names(ringmaster)).toEqual(['c', 'a', 'b']);
    expect(new Set(await owners(ringmaster)).size).toBe(3);
    const reply = await fetch(`${ringmaster.url}/some/path?id=1`);
    expect(await reply.text()).toBe(`${reply.headers.get('x-served-by')} has /some/path`);
    expect(ringmaster.output()).toContain('"runtime":"static"');
  });

  test('join by host:port, and leave by it', async () => {
    const [a, b, c] = [new Upstream('a'), new Upstream('b'), new Upstream('c')];
    const ringmaster = await balance([a]);
    expect(await change(ringmaster, 'add', 2, b.authority, c.authority)).toEqual(
      success('a', b.authority, c.authority),
    );
    const id = await idOf(ringmaster, b.authority);
    const reply = await fetch(`${ringmaster.url}/home?id=${id}`);
    expect([await reply.text(), reply.headers.get('x-served-by')]).toEqual(['b has /home', b.authority]);
    expect(await change(ringmaster, 'rm', 1, b.authority)).toEqual(success('a', c.authority));
    // Without names the newest leaves.
    expect(await change(ringmaster, 'rm', 1)).toEqual(success('a'));
    expect(new Set(await owners(ringmaster))).toEqual(new Set(['a']));
  });

  test('that are configured and left come back by their name, and to their keys', async () => {
    const ringmaster = await balance([new Upstream('a'), new Upstream('b'), new Upstream('c')]);
    const before = await owners(ringmaster);
    expect(await change(ringmaster, 'rm', 1, 'a')).toEqual(success('b', 'c'));
    expect(await change(ringmaster, 'add', 1, 'a')).toEqual(success('b', 'c', 'a'));
    expect(await owners(ringmaster)).toEqual(before);
  });

  test('are found by a name of DNS, and by an IPv6 address', async () => {
    const a = new Upstream('a');
    const b = withIpv6('b');
    const ringmaster = await balance([b]);
    expect(await change(ringmaster, 'add', 1, `localhost:${a.port}`)).toEqual(
      success('b', `localhost:${a.port}`),
    );
    expect(new Set(await owners(ringmaster)).size).toBe(2);
  });

  test('may be none at first', async () => {
    const ringmaster = await balance([]);
    expect(await names(ringmaster)).toEqual([]);
    expect((await fetch(`${ringmaster.url}/home`)).status).toBe(503);
    const a = new Upstream('a');
    expect(await change(ringmaster, 'add', 1, a.authority)).toEqual(success(a.authority));
    expect(await (await fetch(`${ringmaster.url}/x`)).text()).toBe('a has /x');
  });

  test('live on when Ringmaster ends, and answer what it has sent them', async () => {
    const a = new Upstream('a');
    const ringmaster = await balance([a], { ON_EXIT: 'keep' });
    expect(ringmaster.output()).toContain('ON_EXIT=keep has no effect: servers that it does not own live on');
    const held = fetch(`${ringmaster.url}/held`);
    await eventually(() => a.held === 1);
    const ended = ringmaster.end('SIGTERM');
    await eventually(() => ringmaster.output().includes('"stopping"'));
    a.letGo();
    expect(await (await held).text()).toBe('a has /held');
    expect(await ended).toBe(0);
    ringmasters.delete(ringmaster);
    expect(await (await fetch(`http://${a.authority}/x`)).text()).toBe('a has /x');
  });
});

describe('a change of upstream servers', () => {
  test('without a name for each is refused, and says what to send', async () => {
    const ringmaster = await balance([new Upstream('a')]);
    for (const hostnames of [[], ['127.0.0.1:1']])
      expect(await change(ringmaster, 'add', 2, ...hostnames)).toEqual({
        status: 400,
        body: {
          message:
            '<Error> Names cannot be made up here: send as many hostnames as n says. A hostname is host:port, with an IPv6 address in brackets and a port from 1 to 65535, or a name from UPSTREAMS',
          status: 'failure',
        },
      });
    expect(await names(ringmaster)).toEqual(['a']);
  });

  test('to a server by what is no name is refused', async () => {
    const ringmaster = await balance([]);
    for (const name of [
      'server-1',
      'host',
      'host:',
      ':80',
      'host:0',
      'host:65536',
      'host:80:80',
      'http://host:80',
      'host:80/path',
      'user@host:80',
      'a b:80',
      'host:80\r\nx: y',
      '::1:80',
      '[::1]',
      '999.1.1.1:80',
      '../etc:80',
    ]) {
      const { status, body } = await change(ringmaster, 'add', 1, name);
      expect([name, status, (body as { message: string }).message]).toEqual([
        name,
        400,
        expect.stringMatching(/^<Error> A hostname is host:port, /) as string,
      ]);
    }
    expect(await names(ringmaster)).toEqual([]);
  });

  test('to a server that is there already, under whichever name, is refused', async () => {
    const [a, b] = [new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance([a]);
    await change(ringmaster, 'add', 1, b.authority);
    for (const name of ['a', 'A', a.authority, b.authority, `127.1:${a.port}`, `0x7f.1:${b.port}`])
      expect(await change(ringmaster, 'add', 1, name)).toMatchObject({ status: 409 });
    for (const twice of [
      ['h:1', 'H:1'],
      ['127.0.0.1:1', '127.1:1'],
    ])
      expect(await change(ringmaster, 'add', 2, ...twice)).toMatchObject({ status: 400 });
    expect(await names(ringmaster)).toEqual(['a', b.authority]);
  });

  test('to one that is down is refused within the start timeout, with all that came with it', async () => {
    const [a, b] = [new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance([a], { START_TIMEOUT_MS: '500' });
    const { status, body } = await change(ringmaster, 'add', 2, b.authority, `127.0.0.1:${await freePort()}`);
    expect([status, body]).toMatchObject([503, { status: 'failure' }]);
    expect(ringmaster.output()).toContain('did not answer /heartbeat within 500 ms');
    expect(await names(ringmaster)).toEqual(['a']);
    expect(await change(ringmaster, 'add', 1, b.authority)).toEqual(success('a', b.authority));
  });

  test('that removes one waits for its requests, and does nothing to the server', async () => {
    const [a, b] = [new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance([a, b]);
    const id = await idOf(ringmaster, 'b');
    const held = fetch(`${ringmaster.url}/held?id=${id}`);
    await eventually(() => b.held === 1);
    let left = false;
    const leaving = change(ringmaster, 'rm', 1, 'b').then((reply) => {
      left = true;
      return reply;
    });
    // It has begun to leave once its keys are another's.
    await eventually(
      async () => (await fetch(`${ringmaster.url}/home?id=${id}`)).headers.get('x-served-by') === 'a',
    );
    expect(left).toBe(false);
    b.letGo();
    expect(await (await held).text()).toBe('b has /held');
    expect(await leaving).toEqual(success('a'));
    expect(await (await fetch(`http://${b.authority}/x`)).text()).toBe('b has /x');
  });

  test('that removes one waits no longer than the drain timeout', async () => {
    const [a, b] = [new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance([a, b], { DRAIN_TIMEOUT_MS: '200' });
    const cut = new AbortController();
    const held = fetch(`${ringmaster.url}/held?id=${await idOf(ringmaster, 'b')}`, { signal: cut.signal });
    await eventually(() => b.held === 1);
    expect(await change(ringmaster, 'rm', 1, 'b')).toEqual(success('a'));
    expect(ringmaster.output()).toContain('drain timeout: requests are cut');
    cut.abort();
    await held.catch(() => {});
    expect(await (await fetch(`http://${b.authority}/x`)).text()).toBe('b has /x');
  });
});

describe('an upstream server that is down', () => {
  test('is off the ring at once, and back with all of its keys when it is up', async () => {
    const [a, b] = [new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance([a, b]);
    const before = await owners(ringmaster);
    await b.stop();
    const id = before.indexOf('b');
    const reply = await fetch(`${ringmaster.url}/home?id=${id}`);
    expect([reply.status, reply.headers.get('x-served-by')]).toEqual([200, 'a']);
    expect(new Set(await owners(ringmaster))).toEqual(new Set(['a']));
    expect(await names(ringmaster)).toEqual(['a', 'b']);
    b.start();
    await eventually(
      async () => (await fetch(`${ringmaster.url}/home?id=${id}`)).headers.get('x-served-by') === 'b',
    );
    expect(await owners(ringmaster)).toEqual(before);
  });

  // After twice the heartbeats that it may miss it was given up and "started" again, with a back-off that grew: the
  // longer it had been down, the longer it stayed off the ring when it was up.
  test('for long is asked on and on, and never taken for one to start again', async () => {
    const [a, b] = [new Upstream('a'), new Upstream('b')];
    const ringmaster = await balance([a, b], { LOG_LEVEL: 'debug' });
    const id = await idOf(ringmaster, 'b');
    b.healthy = false;
    const from = b.heartbeats;
    await eventually(() => b.heartbeats > from + 30);
    b.healthy = true;
    await eventually(
      async () => (await fetch(`${ringmaster.url}/home?id=${id}`)).headers.get('x-served-by') === 'b',
    );
    const states = [...ringmaster.output().matchAll(/"replica":"b","from":"\w+","to":"(\w+)"/g)];
    expect(new Set(states.map(([, state]) => state))).toEqual(new Set(['ready', 'ejected']));
  });

  test('at the start does not keep Ringmaster from starting, and joins when it is up', async () => {
    const a = new Upstream('a');
    const b = new Upstream('b');
    await b.stop();
    const ringmaster = await balance([a, b], { START_TIMEOUT_MS: '3600000' });
    expect(ringmaster.output()).toContain('begun without those that do not answer /heartbeat yet');
    expect(await names(ringmaster)).toEqual(['a', 'b']);
    expect(new Set(await owners(ringmaster))).toEqual(new Set(['a']));
    b.start();
    const joined = async (): Promise<boolean> => new Set(await owners(ringmaster)).size === 2;
    await eventually(joined);
  });

  test('at the start with all others leaves nobody to ask, and the first that is up takes all', async () => {
    const a = new Upstream('a');
    await a.stop();
    const ringmaster = await balance([a], { START_TIMEOUT_MS: '3600000' });
    const reply = await fetch(`${ringmaster.url}/home`);
    expect([reply.status, reply.headers.has('retry-after')]).toEqual([503, true]);
    a.start();
    await eventually(async () => (await fetch(`${ringmaster.url}/home`)).ok);
  });
});
