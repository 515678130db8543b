import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { OpenPage } from '../dashboard/pages.ts';

export interface Subject {
  readonly url: string;
  close(): Promise<unknown>;
}

const JSON_BODY = { 'content-type': 'application/json' };
/** Starting replicas on a busy machine takes a while; nothing here depends on how long. */
const PATIENCE_MS = 120_000;

/** What moves; of a dry run also who would come or go. */
interface Plan {
  readonly add?: string[];
  readonly rm?: string[];
  readonly moved: number;
  readonly least: number;
  readonly moves: readonly { readonly from: string | null; readonly to: string | null }[];
  readonly before: object;
  readonly after: object;
  readonly largest_over_mean: object;
}

interface Reply {
  status: number;
  headers: Headers;
  text: string;
}

export interface ContractOptions {
  /** False where names cannot be made up, since each says which server is meant: then a join has to name them all. */
  readonly generates?: boolean;
}

/** Every name that may join where names cannot be made up, beside the three that are there. */
export const JOINING_NAMES = ['server-4', 'a', 'b', 'x', 'y', 'extra'] as const;

/**
 * What every user of the API relies on, run against a real Ringmaster at a URL that has three replicas, server-1 to
 * server-3, of the sample server.
 */
export function endpointContract(
  name: string,
  open: () => Promise<Subject>,
  { generates = true }: ContractOptions = {},
): void {
  describe(`endpoint contract: ${name}`, () => {
    let subject: Subject;
    beforeAll(async () => {
      subject = await open();
    }, PATIENCE_MS);
    afterAll(async () => {
      await subject?.close();
    }, PATIENCE_MS);

    const call = async (
      method: string,
      path: string,
      body?: unknown,
      headers: HeadersInit = JSON_BODY,
    ): Promise<Reply> => {
      const sent =
        body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body), headers };
      const reply = await fetch(subject.url + path, { method, redirect: 'manual', ...sent });
      return { status: reply.status, headers: reply.headers, text: await reply.text() };
    };
    const json = async (method: string, path: string, body?: unknown): Promise<unknown> =>
      JSON.parse((await call(method, path, body)).text);
    const names = async (): Promise<string[]> =>
      ((await json('GET', '/rep')) as { replicas: string[] }).replicas;
    /** Names that a join may leave out where Ringmaster makes them up. */
    const generated = (...replicas: string[]): string[] => (generates ? [] : replicas);
    const expectFailure = (reply: Reply, status: number, text?: string): void => {
      expect(reply.status).toBe(status);
      expect(reply.headers.get('content-type')).toStartWith('application/json');
      const body = JSON.parse(reply.text) as Record<string, string>;
      expect(Object.keys(body).sort()).toEqual(['message', 'status']);
      expect(body['status']).toBe('failure');
      expect(body['message']).toStartWith('<Error> ');
      // Nothing of the inside: no stack, no path of a file, no engine's words.
      expect(body['message']).not.toMatch(/\bat .*:\d+:\d+|\/src\/|\/home\/|node_modules|docker\.sock/);
      if (text !== undefined) expect(body['message']).toBe(text);
    };

    test('GET /heartbeat says Hello as text', async () => {
      const reply = await call('GET', '/heartbeat');
      expect([reply.status, reply.text]).toEqual([200, 'Hello']);
      expect(reply.headers.get('content-type')).toStartWith('text/plain');
    });

    test('GET /ready says whether requests find a replica', async () => {
      const reply = await call('GET', '/ready');
      expect([reply.status, reply.text]).toEqual([200, '{"ready":true}']);
    });

    test('GET /rep lists the replicas in joining order', async () => {
      const reply = await call('GET', '/rep');
      expect(reply.status).toBe(200);
      expect(reply.text).toBe('{"N":3,"replicas":["server-1","server-2","server-3"]}');
    });

    test('GET /ring shows the map, by a digest that is another when the map is', async () => {
      const before = (await json('GET', '/ring')) as Record<string, unknown>;
      expect(before).toEqual({
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        revision: 0,
        algorithm: 'ring',
        points: 1024,
        replicas: ['server-1', 'server-2', 'server-3'].map((name) => ({ name, weight: 1, state: 'ready' })),
        reached: [],
        leaving: [],
        ringmasters: [],
        disagreement_ms: 0,
      });
      expect(await json('GET', '/ring')).toEqual(before);
    });

    test('GET / is the page, which is told of the replicas by a stream', async () => {
      const page = await call('GET', '/');
      expect(page.headers.get('content-type')).toStartWith('text/html');
      expect(page.text).toContain('<title>Ringmaster</title>');
      await using open = await OpenPage.open(subject.url);
      const { replicas } = await open.until(() => true);
      expect(replicas.map(({ name, state }) => `${name} ${state}`)).toEqual(
        ['server-1', 'server-2', 'server-3'].map((name) => `${name} ready`),
      );
    });

    test('GET /metrics is what Prometheus reads', async () => {
      const reply = await call('GET', '/metrics');
      expect(reply.headers.get('content-type')).toStartWith('text/plain; version=0.0.4');
      const lines = reply.text.trimEnd().split('\n');
      expect(lines).toContain('ringmaster_ring_replicas 3');
      expect(lines).toContain('ringmaster_ring_disagreement_seconds 0');
      expect(lines).toContain('ringmaster_replica_state{replica="server-2",state="ready"} 1');
      for (const line of lines)
        expect(line).toMatch(
          /^$|^# (?:HELP|TYPE) \w+ .+$|^\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [\d.e+-]+$/,
        );
      // Its length is another each time, with the CPU time that it tells of.
      const head = await call('HEAD', '/metrics');
      expect([head.status, head.text]).toEqual([200, '']);
      expect(head.headers.get('content-type')).toBe(reply.headers.get('content-type'));
      expect(Number(head.headers.get('content-length'))).toBeGreaterThan(1000);
    });

    test('GET /map_request names the owner and sends nothing', async () => {
      const reply = (await json('GET', '/map_request?id=42')) as Record<string, unknown>;
      expect(Object.keys(reply)).toEqual(['request_id', 'mapped_server']);
      expect(reply['request_id']).toBe(42);
      expect(await names()).toContain(reply['mapped_server'] as string);
    });

    test.each([
      '',
      '?id=',
      '?id=abc',
      '?id=1.5',
      '?id=042',
      '?id=%2042',
      '?id=1e3',
      '?id=1&id=2',
      `?id=${'9'.repeat(30)}`,
    ])('GET /map_request%s is refused', async (query) => {
      expectFailure(await call('GET', `/map_request${query}`), 400);
    });

    test('GET /explain names the same owner, and says why a request goes there', async () => {
      for (let id = 0; id < 20; id++) {
        const { mapped_server: owner } = (await json('GET', `/map_request?id=${id}`)) as Record<
          string,
          unknown
        >;
        const reply = (await json('GET', `/explain?id=${id}`)) as Record<string, unknown>;
        expect(reply).toMatchObject({
          key: String(id),
          id,
          home: owner,
          owner,
          goes_to: owner,
          passed_over: [],
        });
        expect((reply['preference'] as string[]).toSorted()).toEqual((await names()).toSorted());
        const { id: _, ...byKey } = reply;
        expect(await json('GET', `/explain?key=${id}`)).toEqual(byKey);
      }
    });

    test('a request that carries x-ringmaster-explain: 1 is told the same in its reply', async () => {
      for (let id = 0; id < 10; id++) {
        const told = (await json('GET', `/explain?id=${id}`)) as Record<string, unknown>;
        const reply = await fetch(`${subject.url}/home?id=${id}`, {
          headers: { 'x-ringmaster-explain': '1' },
        });
        await reply.text();
        expect(reply.headers.get('x-served-by')).toBe(told['goes_to'] as string);
        const said = ['key-hash', 'position', 'owner', 'preference', 'passed-over'].map((one) =>
          reply.headers.get(`x-ringmaster-${one}`),
        );
        const order = (told['preference'] as string[]).join(', ');
        expect(said).toEqual([
          told['hash'] as string,
          String(told['position']),
          told['owner'] as string,
          order,
          '',
        ]);
      }
      const plain = await call('GET', '/home?id=1');
      expect([...plain.headers.keys()].filter((name) => name.startsWith('x-ringmaster'))).toEqual([]);
    });

    test.each(['', '?id=', '?id=042', '?id=1&id=2', '?id=1&key=1', '?key=', '?key=a&key=b', '?Key=a'])(
      'GET /explain%s is refused',
      async (query) => {
        expectFailure(await call('GET', `/explain${query}`), 400);
      },
    );

    test('GET /home goes where /map_request says, for every id, with the reply of the replica itself', async () => {
      const hits = new Map<string, number>();
      for (let id = -20; id < 180; id++) {
        const { mapped_server: owner } = (await json('GET', `/map_request?id=${id}`)) as {
          mapped_server: string;
        };
        const reply = await call('GET', `/home?id=${id}`);
        expect([reply.status, reply.text]).toEqual([
          200,
          `{"message":"Hello from Server: ${owner}","status":"successful"}`,
        ]);
        expect(reply.headers.get('x-served-by')).toBe(owner);
        hits.set(owner, (hits.get(owner) ?? 0) + 1);
      }
      expect([...hits.keys()].sort()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    test('GET /hot tells which keys are asked for most, and whose they are', async () => {
      const sent = 40;
      for (let i = 0; i < sent; i++) await call('GET', '/home?id=4711');
      const { mapped_server: owner } = (await json('GET', '/map_request?id=4711')) as {
        mapped_server: string;
      };
      const hot = (await json('GET', '/hot')) as {
        requests: number;
        keys: { key: string | null; hash: string; share: number; error: number; replica: string }[];
        replicas: { name: string; share: number; home_share: number }[];
      };
      expect(hot).toMatchObject({ at_home: 1, half_life_ms: 60_000, spread: { over: 1, from_share: 0.1 } });
      expect(hot.requests).toBeGreaterThan(sent / 2);
      expect(hot.keys.find(({ key }) => key === '4711')).toEqual({
        key: '4711',
        hash: expect.stringMatching(/^[0-9a-f]{8}$/),
        share: expect.any(Number),
        error: 0,
        replica: owner,
      });
      expect(hot.replicas.map(({ name }) => name)).toEqual(['server-1', 'server-2', 'server-3']);
      for (const which of ['share', 'home_share'] as const)
        expect(hot.replicas.reduce((sum, each) => sum + each[which], 0)).toBeCloseTo(1, 4);
    });

    test('GET /shadow says what to do where no second algorithm is watched', async () => {
      expectFailure(
        await call('GET', '/shadow'),
        404,
        '<Error> No second algorithm is watched: set SHADOW_HASH to another of ring, maglev, rendezvous, course, nginx, ketama than HASH, and start again',
      );
    });

    test('GET /home without an id spreads over the replicas', async () => {
      const served = new Set<string | null>();
      for (let i = 0; i < 60; i++) served.add((await call('GET', '/home')).headers.get('x-served-by'));
      expect(served.size).toBe(3);
    });

    test('any other path goes to the owner of its key, whatever the method', async () => {
      const { mapped_server: owner } = (await json('GET', '/map_request?id=7')) as { mapped_server: string };
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
        const reply = await call(
          method,
          '/some/where?id=7',
          method === 'GET' || method === 'HEAD' ? undefined : 'x',
        );
        expect([method, reply.status, reply.headers.get('x-served-by')]).toEqual([method, 404, owner]);
      }
    });

    test('bodies pass through in both directions, byte for byte', async () => {
      const bytes = new Uint8Array(3 * 1024 * 1024).map((_, i) => (i * 7919) >>> 3);
      const reply = await fetch(`${subject.url}/echo?id=1`, { method: 'POST', body: bytes });
      expect(reply.status).toBe(200);
      expect(Bun.hash(await reply.arrayBuffer())).toBe(Bun.hash(bytes));
    });

    test('a body is streamed: its first part arrives before its last is sent', async () => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const pending = fetch(`${subject.url}/echo?id=1`, {
        method: 'POST',
        body: readable,
        duplex: 'half',
      } as RequestInit);
      await writer.write(new TextEncoder().encode('first '));
      const reader = ((await pending).body as ReadableStream<Uint8Array>).getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toBe('first ');
      await writer.write(new TextEncoder().encode('last'));
      await writer.close();
      expect(new TextDecoder().decode((await reader.read()).value)).toBe('last');
    });

    test('own paths refuse other methods, and say which they take', async () => {
      for (const [method, path, allow] of [
        ['POST', '/rep', 'GET, HEAD'],
        ['DELETE', '/heartbeat', 'GET, HEAD'],
        ['GET', '/add', 'POST'],
        ['POST', '/rm', 'DELETE'],
        ['GET', '/weights', 'POST'],
        ['PUT', '/map_request?id=1', 'GET, HEAD'],
        ['POST', '/ring', 'GET, HEAD'],
        ['POST', '/hot', 'GET, HEAD'],
        ['DELETE', '/shadow', 'GET, HEAD'],
        ['POST', '/metrics', 'GET, HEAD'],
        ['GET', '/plan', 'POST'],
        ['POST', '/ready', 'GET, HEAD'],
        ['POST', '/explain?id=1', 'GET, HEAD'],
      ] as const) {
        const reply = await call(method, path);
        expectFailure(reply, 405);
        expect(reply.headers.get('allow')).toBe(allow);
      }
    });

    test.each(['/rep', '/home?id=3', '/heartbeat', '/map_request?id=3', '/explain?id=3', '/ring', '/ready'])(
      'HEAD %s has the fields of GET and no body',
      async (path) => {
        const [head, get] = [await call('HEAD', path), await call('GET', path)];
        expect([head.status, head.text]).toEqual([200, '']);
        expect(head.headers.get('content-length')).toBe(String(get.text.length));
        expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      },
    );

    test(
      'POST /add and DELETE /rm change the replicas and answer with them',
      async () => {
        expect(
          await call('POST', '/add', { n: 2, hostnames: ['a', ...generated('server-4')] }),
        ).toMatchObject({
          status: 200,
          text: '{"message":{"N":5,"replicas":["server-1","server-2","server-3","a","server-4"]},"status":"successful"}',
        });
        expect((await call('GET', '/home?id=1')).status).toBe(200);
        expect(await call('DELETE', '/rm', { n: 1, hostnames: ['a'] })).toMatchObject({
          status: 200,
          text: '{"message":{"N":4,"replicas":["server-1","server-2","server-3","server-4"]},"status":"successful"}',
        });
        // Without names the newest leave.
        expect(await json('DELETE', '/rm', { n: 1 })).toEqual({
          message: { N: 3, replicas: ['server-1', 'server-2', 'server-3'] },
          status: 'successful',
        });
      },
      PATIENCE_MS,
    );

    test(
      'joining takes only what becomes its own; leaving gives back exactly that',
      async () => {
        const map = async (): Promise<string[]> =>
          Promise.all(
            Array.from({ length: 300 }, async (_, id) =>
              String(
                ((await json('GET', `/map_request?id=${id}`)) as Record<string, unknown>)['mapped_server'],
              ),
            ),
          );
        const before = await map();
        await json('POST', '/add', { n: 1, hostnames: ['extra'] });
        const during = await map();
        expect(during.filter((owner) => owner === 'extra').length).toBeGreaterThan(0);
        for (const [id, owner] of during.entries())
          if (owner !== 'extra') expect(owner).toBe(before[id] as string);
        await json('DELETE', '/rm', { n: 1, hostnames: ['extra'] });
        expect(await map()).toEqual(before);
      },
      PATIENCE_MS,
    );

    test(
      'POST /plan says what a change will move, and then that moves',
      async () => {
        const owners = async (): Promise<string[]> =>
          Promise.all(
            Array.from({ length: 300 }, async (_, id) =>
              String(
                ((await json('GET', `/map_request?id=${id}`)) as Record<string, unknown>)['mapped_server'],
              ),
            ),
          );
        const before = await owners();
        const plan = (await json('POST', '/plan', { add: ['extra'], rm: ['server-2'] })) as Plan;
        expect(plan).toEqual({
          moved: expect.any(Number),
          least: expect.closeTo(1 / 3),
          moves: expect.any(Array),
          before: Object.fromEntries(
            ['server-1', 'server-2', 'server-3'].map((name) => [name, expect.any(Number)]),
          ),
          after: Object.fromEntries(
            ['extra', 'server-1', 'server-3'].map((name) => [name, expect.any(Number)]),
          ),
          largest_over_mean: { before: expect.any(Number), after: expect.any(Number) },
        });
        expect([await names(), await owners()]).toEqual([['server-1', 'server-2', 'server-3'], before]);
        await json('POST', '/add', { n: 1, hostnames: ['extra'] });
        await json('DELETE', '/rm', { n: 1, hostnames: ['server-2'] });
        const after = await owners();
        const moved = before.filter((owner, id) => owner !== after[id]).length;
        // Within five standard deviations of a sample of 300, which chance exceeds once in 1.7 million times.
        expect(Math.abs(moved / 300 - plan.moved)).toBeLessThan(5 * Math.sqrt(0.25 / 300));
        for (const [id, owner] of before.entries())
          if (owner !== after[id])
            expect(plan.moves.some(({ from, to }) => from === owner && to === after[id])).toBe(true);
        await json('POST', '/add', { n: 1, hostnames: ['server-2'] });
        await json('DELETE', '/rm', { n: 2, hostnames: ['extra', 'server-3'] });
        await json('POST', '/add', { n: 1, hostnames: ['server-3'] });
        expect(await owners()).toEqual(before);
      },
      PATIENCE_MS,
    );

    test('a dry run of /add and /rm names who would come or go, and what would move, and changes nothing', async () => {
      const body = { n: 2, hostnames: ['a', ...generated('server-4')] };
      const { add, ...joining } = (await json('POST', '/add?dry_run=true', body)) as Plan;
      expect(add).toEqual(['a', 'server-4']);
      expect(joining).toEqual((await json('POST', '/plan', { add })) as Plan);
      const { rm, ...leaving } = (await json('DELETE', '/rm?dry_run=true', { n: 2 })) as Plan;
      expect(rm).toEqual(['server-3', 'server-2']);
      expect(leaving).toEqual((await json('POST', '/plan', { rm })) as Plan);
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    test(
      'POST /add and POST /weights give weights, and only keys that are due move',
      async () => {
        const owners = async (): Promise<string[]> =>
          Promise.all(
            Array.from({ length: 300 }, async (_, id) => {
              const { mapped_server } = (await json('GET', `/map_request?id=${id}`)) as Record<
                string,
                unknown
              >;
              return String(mapped_server);
            }),
          );
        const onMap = async (): Promise<unknown> => {
          const { replicas } = (await json('GET', '/ring')) as {
            replicas: { name: string; weight: number }[];
          };
          return Object.fromEntries(replicas.map(({ name, weight }) => [name, weight]));
        };
        await json('POST', '/add', { n: 1, hostnames: ['extra'], weights: { extra: 3 } });
        expect(await onMap()).toEqual({ extra: 3, 'server-1': 1, 'server-2': 1, 'server-3': 1 });
        const before = await owners();
        expect(before.filter((owner) => owner === 'extra').length).toBeGreaterThan(90);

        const dry = (await json('POST', '/weights?dry_run=true', { weights: { 'server-1': 2 } })) as Plan;
        expect(dry).toMatchObject({ weights: { extra: 3, 'server-1': 2, 'server-2': 1, 'server-3': 1 } });
        expect(new Set(dry.moves.map(({ to }) => to))).toEqual(new Set(['server-1']));
        expect(await owners()).toEqual(before);

        expect(await call('POST', '/weights', { weights: { 'server-1': 2 } })).toMatchObject({
          status: 200,
          text: '{"message":{"weights":{"server-1":2,"server-2":1,"server-3":1,"extra":3}},"status":"successful"}',
        });
        const after = await owners();
        expect(after).not.toEqual(before);
        for (const [id, owner] of after.entries())
          if (owner !== 'server-1') expect(owner).toBe(before[id] as string);

        await json('POST', '/weights', { weights: { 'server-1': 1 } });
        expect(await owners()).toEqual(before);
        await json('DELETE', '/rm', { n: 1, hostnames: ['extra'] });
      },
      PATIENCE_MS,
    );

    test.each([
      ['of 0', { 'server-1': 0 }, 400],
      ['of 101', { 'server-1': 101 }, 400],
      ['of 1.5', { 'server-1': 1.5 }, 400],
      ['as a text', { 'server-1': '3' }, 400],
      ['of null', { 'server-1': null }, 400],
      ['of one name twice but for case', { 'server-1': 2, 'SERVER-1': 2 }, 400],
      ['of no possible name', { '-': 2 }, 400],
      ['of nobody', {}, 400],
      ['as a list', [2], 400],
      ['as a number', 2, 400],
      ['of one who is no member', { 'server-1': 2, nobody: 2 }, 404],
    ] as const)('weights %s are refused, and nothing is changed', async (_, weights, status) => {
      const before = await json('GET', '/ring');
      expectFailure(await call('POST', '/weights', { weights }), status);
      expectFailure(await call('POST', '/weights?dry_run=true', { weights }), status);
      expect(await json('GET', '/ring')).toEqual(before);
    });

    test('weights of who joins are refused where they can not be, and nobody joins', async () => {
      for (const weights of [
        { b: 0 },
        { b: 101 },
        { b: 1.5 },
        { b: '3' },
        { a: 2 },
        { b: 2, B: 2 },
        [2],
        'b',
        null,
      ])
        expectFailure(await call('POST', '/add', { n: 1, hostnames: generated('b'), weights }), 400);
      expectFailure(await call('DELETE', '/rm', { n: 1, weights: { 'server-1': 2 } }), 400);
      expectFailure(await call('POST', '/weights', { weights: { 'server-1': 2 }, n: 1 }), 400);
      expectFailure(await call('POST', '/weights', ''), 400);
      expectFailure(
        await call('POST', '/weights', '{"weights":{"a":2}}', { 'content-type': 'text/plain' }),
        415,
      );
      const page = { ...JSON_BODY, origin: 'http://evil.example' };
      expectFailure(await call('POST', '/weights', { weights: { 'server-1': 2 } }, page), 403);
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    test('what can not be planned is refused as the change would be', async () => {
      expectFailure(await call('POST', '/plan', { add: ['SERVER-1'] }), 409);
      expectFailure(await call('POST', '/plan', { rm: ['nobody'] }), 404);
      expectFailure(await call('POST', '/plan', { add: ['a'], rm: ['A'] }), 400);
      expectFailure(await call('POST', '/plan', {}), 400);
      const over = Array.from({ length: 62 }, (_, i) => (generates ? `over-${i}` : `h:${i + 1}`));
      expectFailure(await call('POST', '/plan', { add: over }), 413);
      expectFailure(await call('POST', '/plan', '{"add":["a"]}', { 'content-type': 'text/plain' }), 415);
      for (const [method, path] of [
        ['POST', '/add'],
        ['DELETE', '/rm'],
      ] as const) {
        expectFailure(await call(method, `${path}?dry_run=1`, { n: 1 }), 400);
        expectFailure(
          await call(method, `${path}?dry_run=true`, { n: 1 }, { ...JSON_BODY, origin: 'null' }),
          403,
        );
      }
      expectFailure(
        await call('POST', '/add?dry_run=true', { n: 1, hostnames: ['a', 'b'] }),
        400,
        '<Error> Length of hostname list is more than newly added instances',
      );
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    const malformed: [string, unknown][] = [
      ['no body', ''],
      ['malformed JSON', '{"n":'],
      ['a list', []],
      ['null', 'null'],
      ['a text', '"n"'],
      ['n missing', { hostnames: ['a'] }],
      ['n of 0', { n: 0 }],
      ['n of -1', { n: -1 }],
      ['n of 1.5', { n: 1.5 }],
      ['n as a text', { n: '3' }],
      ['n of true', { n: true }],
      ['n over every number', '{"n":1e400}'],
      ['hostnames as a text', { n: 1, hostnames: 'a' }],
      ['hostnames of numbers', { n: 1, hostnames: [1] }],
      ['a misspelt field', { n: 1, hostname: ['a'] }],
      ['a path as a name', { n: 1, hostnames: ['../etc'] }],
      ['an empty name', { n: 1, hostnames: [''] }],
      ['a space in a name', { n: 1, hostnames: ['a b'] }],
      ['line breaks in a name', { n: 1, hostnames: ['a\r\nSet-Cookie: b'] }],
      ['an escape code in a name', { n: 1, hostnames: ['\u001b[31ma'] }],
      ['HTML as a name', { n: 1, hostnames: ['<b>a</b>'] }],
      ['a letter that is not ASCII', { n: 1, hostnames: ['ä'] }],
      ['a name of 64 characters', { n: 1, hostnames: ['a'.repeat(64)] }],
      ['a name that begins with a dash', { n: 1, hostnames: ['-a'] }],
      ['the same name twice', { n: 2, hostnames: ['a', 'a'] }],
      ['the same name twice but for case', { n: 2, hostnames: ['a', 'A'] }],
    ];
    test.each(malformed)('%s is refused by /add and /rm, and changes nothing', async (_, body) => {
      expectFailure(await call('POST', '/add', body), 400);
      expectFailure(await call('DELETE', '/rm', body), 400);
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    test('more names than n, in the words that clients expect', async () => {
      expectFailure(
        await call('POST', '/add', { n: 1, hostnames: ['a', 'b'] }),
        400,
        '<Error> Length of hostname list is more than newly added instances',
      );
      expectFailure(
        await call('DELETE', '/rm', { n: 1, hostnames: ['server-1', 'server-2'] }),
        400,
        '<Error> Length of hostname list is more than removable instances',
      );
    });

    test('what the fleet can not do is refused with its own status, and changes nothing', async () => {
      expectFailure(await call('POST', '/add', { n: 1, hostnames: ['server-2'] }), 409);
      expectFailure(await call('POST', '/add', { n: 2, hostnames: ['b', 'SERVER-2'] }), 409);
      // One more than there is room for, and very many more.
      const over = Array.from({ length: 62 }, (_, i) => `h:${i + 1}`);
      expectFailure(await call('POST', '/add', { n: 62, hostnames: generated(...over) }), 413);
      if (generates) expectFailure(await call('POST', '/add', { n: 1e9 }), 413);
      expectFailure(
        await call('POST', '/add', `{"n":1,"hostnames":["${'a'.repeat(2 * 1024 * 1024)}"]}`),
        413,
      );
      expectFailure(await call('DELETE', '/rm', { n: 1, hostnames: ['nobody'] }), 404);
      expectFailure(await call('DELETE', '/rm', { n: 4 }), 400);
      expectFailure(await call('DELETE', '/rm', { n: 1e9 }), 400);
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    test('a change needs JSON, and no page of another site can ask for it', async () => {
      const body = '{"n":1}';
      expectFailure(await call('POST', '/add', body, { 'content-type': 'text/plain' }), 415);
      expectFailure(await call('POST', '/add', body, { ...JSON_BODY, origin: 'http://evil.example' }), 403);
      expectFailure(await call('POST', '/add', body, { ...JSON_BODY, origin: 'null' }), 403);
      expectFailure(await call('POST', '/add', body, { ...JSON_BODY, 'sec-fetch-site': 'cross-site' }), 403);
      expectFailure(await call('DELETE', '/rm', body, { ...JSON_BODY, host: 'evil.example' }), 403);
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
    });

    test(
      'concurrent joins and leaves lose and duplicate nobody',
      async () => {
        const replies = await Promise.all([
          call('POST', '/add', { n: 1, hostnames: ['x'] }),
          call('POST', '/add', { n: 1, hostnames: ['y'] }),
          call('POST', '/add', { n: 1, hostnames: ['x'] }),
          call('DELETE', '/rm', { n: 1, hostnames: ['server-3'] }),
        ]);
        expect(replies.map((reply) => reply.status).sort()).toEqual([200, 200, 200, 409]);
        expect((await names()).sort()).toEqual(['server-1', 'server-2', 'x', 'y']);
        await call('POST', '/add', { n: 1, hostnames: ['server-3'] });
        await call('DELETE', '/rm', { n: 2, hostnames: ['x', 'y'] });
        expect(await names()).toEqual(['server-1', 'server-2', 'server-3']);
      },
      PATIENCE_MS,
    );

    test(
      'without replicas requests are told to come back, and the first that joins takes them',
      async () => {
        expect(await json('DELETE', '/rm', { n: 3 })).toMatchObject({ message: { N: 0, replicas: [] } });
        for (const path of ['/home?id=1', '/map_request?id=1', '/explain?id=1', '/other', '/ready']) {
          const reply = await call('GET', path);
          expectFailure(reply, 503);
          expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
        }
        expect(
          await json('POST', '/add', { n: 3, hostnames: generated('server-1', 'server-2', 'server-3') }),
        ).toMatchObject({
          message: { N: 3, replicas: ['server-1', 'server-2', 'server-3'] },
        });
        expect((await call('GET', '/home?id=1')).status).toBe(200);
      },
      PATIENCE_MS,
    );

    test('the description of the API and its page need nothing from elsewhere', async () => {
      const page = await call('GET', '/swagger');
      expect(page.status).toBe(200);
      const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
      expect(sources.length).toBeGreaterThan(0);
      for (const source of sources) expect(source).toStartWith('/swagger/');
      for (const asset of ['boot.js', 'swagger-ui.css', 'swagger-ui-bundle.js'])
        expect((await call('GET', `/swagger/assets/${asset}`)).status).toBe(200);
      const { paths } = (await json('GET', '/swagger/json')) as { paths: object };
      expect(Object.keys(paths).sort()).toEqual([
        '/add',
        '/explain',
        '/heartbeat',
        '/home',
        '/hot',
        '/map_request',
        '/metrics',
        '/plan',
        '/ready',
        '/rep',
        '/ring',
        '/rm',
        '/shadow',
        '/weights',
      ]);
    });
  });
}
