import { describe, expect, test } from 'bun:test';
import { Elysia } from 'elysia';
import { Throttle } from '../../src/api/throttle.ts';
import { failureReply, isUnexpected, Refusal, type Thrown } from '../../src/api/errors.ts';
import { systemClock } from '../../src/fleet/clock.ts';
import { mapRequestApi } from '../../src/api/map-request.ts';
import { replicasApi } from '../../src/api/replicas.ts';
import { replicas } from '../../src/api/schemas.ts';
import {
  FleetError,
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  Unavailable,
  UnknownReplica,
} from '../../src/fleet/errors.ts';
import { Ring } from '../../src/ring/ring.ts';
import { ForwardError } from '../../src/traffic/forward.ts';
import { EMPTY_PLAN } from './empty-plan.ts';

const SECRET = '/srv/secret/app.ts:12 hunter2';
const BUG = 'Something went wrong inside Ringmaster: its log has the details';

async function replyTo(thrown: Thrown): Promise<{ status: number; message: string; headers: Headers }> {
  const reply = failureReply(thrown);
  const body: unknown = await reply.json();
  const message = (body as { message: string }).message;
  expect(body).toEqual({ message, status: 'failure' });
  expect(message).toStartWith('<Error> ');
  return { status: reply.status, message: message.slice('<Error> '.length), headers: reply.headers };
}

/** An error whose class says more than it may tell. */
class Later extends FleetError {
  readonly status = 503;
  override readonly retryAfterS = 7;
}

describe('what is known', () => {
  const named = ([error, status]: readonly [Error, number]) =>
    [error.constructor.name, status, error] as const;
  const rows: readonly (readonly [Error, number])[] = [
    [new InvalidChange('why'), 400],
    [new UnknownReplica('why'), 404],
    [new NameTaken('why'), 409],
    [new TooManyReplicas('why'), 413],
    [new Unavailable('why'), 503],
    [new Later('why'), 503],
    [new ForwardError(400, 'why'), 400],
    [new ForwardError(502, 'why'), 502],
    [new ForwardError(503, 'why'), 503],
    [new ForwardError(504, 'why'), 504],
    [new Refusal(400, 'why'), 400],
    [new Refusal(401, 'why'), 401],
    [new Refusal(403, 'why'), 403],
    [new Refusal(404, 'why'), 404],
    [new Refusal(405, 'why'), 405],
    [new Refusal(413, 'why'), 413],
    [new Refusal(415, 'why'), 415],
  ];
  test.each(rows.map(named))('%s is told as it is, with %d', async (_, status, error) => {
    // Elysia has its own idea of the code; ours are known by their class, whatever it says.
    for (const code of [undefined, 'UNKNOWN', 500, 'VALIDATION']) {
      const reply = await replyTo({ code, error });
      expect(reply.status).toBe(status);
      expect(reply.message).toBe('why');
      expect(reply.headers.get('content-type')).toStartWith('application/json');
      expect(reply.headers.has('retry-after')).toBe(status === 503);
      expect(isUnexpected({ code, error })).toBe(false);
    }
  });

  test('says when to ask again: as the error does, else in a second', async () => {
    const after = async (error: Error): Promise<string | null> =>
      (await replyTo({ code: undefined, error })).headers.get('retry-after');
    expect(await after(new Later('why'))).toBe('7');
    expect(await after(new Unavailable('why'))).toBe('1');
    expect(await after(new ForwardError(503, 'why'))).toBe('1');
  });

  test('brings the fields that belong to it', async () => {
    const { headers } = await replyTo({
      code: undefined,
      error: new Refusal(405, 'why', { allow: 'GET, HEAD' }),
    });
    expect(headers.get('allow')).toBe('GET, HEAD');
  });

  test('stays JSON whatever the message holds', async () => {
    const odd = 'a"b\\c\n\u0000\u2028</script>🎪\ud800';
    const { message } = await replyTo({ code: undefined, error: new InvalidChange(odd) });
    expect(message.slice(0, -1)).toBe(odd.slice(0, -1));
  });
});

describe('what is not known', () => {
  const cause = new Error(SECRET);
  test.each<[name: string, thrown: Thrown]>([
    ['an Error', { code: 'UNKNOWN', error: new Error(SECRET, { cause }) }],
    ['a TypeError', { code: undefined, error: new TypeError(SECRET) }],
    [
      'an error with a status of its own',
      { code: 400, error: Object.assign(new Error(SECRET), { status: 400 }) },
    ],
    [
      'an error of the system',
      { code: 'ENOENT', error: Object.assign(new Error(SECRET), { code: 'ENOENT' }) },
    ],
    [
      'one that only has the name',
      { code: undefined, error: Object.assign(new Error(SECRET), { name: 'Refusal' }) },
    ],
    ['a text', { code: undefined, error: SECRET }],
    ['nothing', { code: undefined, error: undefined }],
    ['null', { code: undefined, error: null }],
    ['an object', { code: undefined, error: { message: SECRET, status: 200, toString: () => SECRET } }],
    ['a Response', { code: 418, error: new Response(SECRET, { status: 418 }) }],
    ['a validation without its parts', { code: 'VALIDATION', error: new Error(SECRET) }],
    [
      'a reply of ours that breaks its schema',
      { code: 'VALIDATION', error: { type: 'response', all: [], message: SECRET } },
    ],
    ['a code of another framework', { code: 'toString', error: new Error(SECRET) }],
  ])('is a bug that tells nothing: %s', async (_, thrown) => {
    const reply = await replyTo(thrown);
    expect(reply).toMatchObject({ status: 500, message: BUG });
    expect(isUnexpected(thrown)).toBe(true);
    for (const [, value] of reply.headers) expect(value).not.toContain('secret');
  });
});

describe('what Elysia finds wrong with a request', () => {
  const app = new Elysia({ normalize: false })
    .onError({ as: 'global' }, ({ code, error }) => failureReply({ code, error }))
    .use(
      replicasApi(
        {
          names: () => [],
          plan: () => EMPTY_PLAN,
          ring: Ring.of([]),
          add: async () => {
            throw new Error(SECRET);
          },
          remove: async () => [],
        },
        new Throttle(systemClock),
      ),
    )
    .use(mapRequestApi({ owner: () => 'a' }))
    // A reply that its own schema forbids.
    .get('/wrong', () => ({ N: SECRET }) as never, { response: replicas });

  async function ask(
    path: string,
    init?: RequestInit,
  ): Promise<{ status: number; message: string; text: string }> {
    const reply = await app.handle(new Request(`http://localhost${path}`, init));
    const text = await reply.text();
    const body: { message: string; status: string } = JSON.parse(text);
    expect(Object.keys(body).sort()).toEqual(['message', 'status']);
    expect(body.status).toBe('failure');
    return { status: reply.status, message: body.message.replace(/^<Error> /, ''), text };
  }

  const change = (body: string, type = 'application/json') =>
    ask('/rm', { method: 'DELETE', body, headers: { 'content-type': type } });

  const COUNT = 'n must be a whole number, 1 or more';
  const NAMES = 'hostnames must be a list of texts';
  const BODY = 'The body must be JSON with n and, if wished, hostnames: {"n":2,"hostnames":["a"]}';

  test.each([
    ['{"n":"3"}', COUNT],
    ['{"n":0}', COUNT],
    ['{"n":-1}', COUNT],
    ['{"n":1.5}', COUNT],
    ['{"n":null}', COUNT],
    ['{"n":[1]}', COUNT],
    ['{"n":1e400}', COUNT],
    ['{}', COUNT],
    ['{"n":1,"hostnames":"a"}', NAMES],
    ['{"n":1,"hostnames":[1]}', NAMES],
    ['{"n":1,"hostnames":{}}', NAMES],
    ['{"n":1,"hostnames":null}', NAMES],
    ['[]', BODY],
    ['null', BODY],
    ['1', BODY],
    ['"n"', BODY],
    ['{"n":1,"hostname":["a"]}', BODY],
    // What went wrong: these were looked up in a plain object, and the reply showed what every object has.
    ['{"n":1,"constructor":1}', BODY],
    ['{"n":1,"__proto__":1}', BODY],
    ['{"n":1,"toString":1}', BODY],
    ['{"n":1,"hasOwnProperty":{}}', BODY],
    ['{"n":1,"":1}', BODY],
    [`{"n":1,"${SECRET}":1}`, BODY],
    ['{', 'The body is not JSON'],
    ['', 'The body is not JSON'],
    ['n=1', 'The body is not JSON'],
    [`{"n":${SECRET}}`, 'The body is not JSON'],
    ['\u0000', 'The body is not JSON'],
  ])('%j', async (body, message) => {
    const reply = await change(body);
    expect(reply).toMatchObject({ status: 400, message });
    expect(reply.text).not.toMatch(/secret|native code|\bat \/|node_modules/);
  });

  test('ours inside a handler are told no more than others', async () => {
    const reply = await ask('/add', {
      method: 'POST',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(reply).toMatchObject({ status: 500, message: BUG });
    expect(reply.text).not.toContain('secret');
  });

  test('a reply that breaks its own schema is our bug', async () => {
    const reply = await ask('/wrong');
    expect(reply).toMatchObject({ status: 500, message: BUG });
    expect(reply.text).not.toContain('secret');
  });

  test.each(['', '?id=', '?id=x', '?id=1.5', '?id=1e400', '?id=1&id=2', '?id=%00', '?id=__proto__'])(
    '/map_request%s',
    async (query) => {
      const reply = await ask(`/map_request${query}`);
      expect(reply.status).toBe(400);
      expect(reply.text).not.toMatch(/native code|\bat \/|node_modules|expected/);
    },
  );
});
