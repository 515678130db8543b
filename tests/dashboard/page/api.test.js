// @ts-check
import { describe, expect, test } from 'bun:test';
import { Api, Locked, NotAllowed } from '../../../src/dashboard/page/api.js';

const PLAN = { moved: 0, least: 0, moves: [], before: {}, after: {}, add: ['server-4'] };

/** @param {number} status @param {unknown} body */
const reply = (status, body) => Response.json(body, { status });

/**
 * An API before a server that answers with `replies`, and people who type `tokens`.
 *
 * @param {(path: string, init: RequestInit) => Response} replies
 * @param {(string | null)[]} [tokens]
 */
function rig(replies, tokens = []) {
  /** @type {{ path: string, method: string, headers: Headers, body: unknown }[]} */
  const sent = [];
  /** @type {boolean[]} */
  const asked = [];
  const api = new Api(
    (again) => {
      asked.push(again);
      return Promise.resolve(tokens.shift() ?? null);
    },
    (path, init) => {
      const body = typeof init.body === 'string' ? JSON.parse(init.body) : null;
      sent.push({ path, method: init.method ?? 'GET', headers: new Headers(init.headers), body });
      return Promise.resolve(replies(path, init));
    },
  );
  return { api, sent, asked };
}

const { signal } = new AbortController();

describe('a preview', () => {
  test('is never asked of a server that makes no plans, as that would take it for the change itself', async () => {
    for (const no of [
      () => reply(404, { message: '<Error> nothing here', status: 'failure' }),
      () => reply(200, { message: 'Hello from Server: server-1', status: 'successful' }),
      () => reply(503, { message: '<Error> none ready', status: 'failure' }),
    ]) {
      const { api, sent } = rig(no);
      expect(await api.planAdd(1, [], signal)).toBeNull();
      expect(await api.planRemove(1, [], 'server-1', signal)).toBeNull();
      expect(new Set(sent.map(({ path }) => path))).toEqual(new Set(['/plan']));
    }
  });

  test('is a dry run of the change where plans are made', async () => {
    const { api, sent } = rig(() => reply(200, PLAN));
    expect((await api.planAdd(1, [], signal))?.add).toEqual(['server-4']);
    await api.planRemove(1, [], 'server-1', signal);
    expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /plan',
      'POST /add?dry_run=true',
      'DELETE /rm?dry_run=true',
    ]);
  });

  test('is tried anew with another Ringmaster', async () => {
    let plans = false;
    const { api } = rig(() => (plans ? reply(200, PLAN) : reply(404, null)));
    expect(await api.planAdd(1, [], signal)).toBeNull();
    plans = true;
    expect(await api.planAdd(1, [], signal)).toBeNull();
    api.forgetAbilities();
    expect(await api.planAdd(1, [], signal)).not.toBeNull();
  });
});

describe('a preview without the token that is needed', () => {
  const after = { 'server-1': 0.5, a: 0.5 };
  const before = { 'server-1': 1 };

  test('is asked of /plan, which tells anybody, where all are named', async () => {
    const { api, sent } = rig((_, { body }) =>
      reply(
        200,
        String(body).includes('rm') ? { ...PLAN, before: after, after: before } : { ...PLAN, before, after },
      ),
    );
    api.needsToken = true;
    expect((await api.planAdd(1, ['a'], signal, { a: 2 }))?.add).toEqual(['a']);
    expect((await api.planRemove(1, ['a'], 'server-1', signal))?.rm).toEqual(['a']);
    await api.planWeigh({ 'server-1': 2 }, signal);
    expect(sent.map(({ method, path, body }) => [`${method} ${path}`, body])).toEqual([
      ['POST /plan', { add: ['a'], weights: { a: 2 } }],
      ['POST /plan', { rm: ['a'] }],
      ['POST /plan', { weights: { 'server-1': 2 } }],
    ]);
  });

  test('is not asked for where the names are left to the server', async () => {
    const { api, sent } = rig(() => reply(200, PLAN));
    api.needsToken = true;
    await expect(api.planAdd(2, ['a'], signal)).rejects.toBeInstanceOf(Locked);
    await expect(api.planRemove(1, [], 'server-1', signal)).rejects.toBeInstanceOf(Locked);
    expect(sent).toEqual([]);
  });
});

describe('the token', () => {
  test('opens a preview too, and is forgotten where it was the wrong one', async () => {
    const { api, asked } = rig(
      (_, init) =>
        new Headers(init.headers).get('authorization') === 'Bearer right'
          ? reply(200, PLAN)
          : reply(401, null),
      ['wrong', 'right'],
    );
    expect(api.locked).toBe(false);
    api.needsToken = true;
    expect(api.locked).toBe(true);
    await api.unlock();
    expect(api.locked).toBe(false);
    await api
      .planAdd(1, [], signal)
      .catch((/** @type {Error} */ error) => expect(error.name).toBe('Refused'));
    expect(api.locked).toBe(true);
    await api.unlock();
    expect(await api.planAdd(1, [], signal)).not.toBeNull();
    expect(asked).toEqual([false, false]);
  });
});

describe('a change', () => {
  test('is refused in the server’s own words', async () => {
    const { api } = rig(() => reply(409, { message: '<Error> A hostname is taken', status: 'failure' }));
    await expect(api.add(1, ['a'])).rejects.toThrow(/^A hostname is taken$/);
  });

  test('needs no token where none is asked for, and then sends none', async () => {
    const { api, sent, asked } = rig(() => reply(200, {}));
    await api.remove(1, []);
    expect(asked).toEqual([]);
    expect(sent[0]?.headers.has('authorization')).toBe(false);
  });

  test('asks for the token, asks again where it is the wrong one, and remembers the right one', async () => {
    const { api, sent, asked } = rig(
      (_, init) =>
        new Headers(init.headers).get('authorization') === 'Bearer right' ? reply(200, {}) : reply(401, null),
      ['wrong', 'right'],
    );
    api.needsToken = true;
    await api.add(1, []);
    await api.kill('server-1');
    expect(asked).toEqual([false, true]);
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual([
      'Bearer wrong',
      'Bearer right',
      'Bearer right',
    ]);
  });

  test('is not made where the question for the token is closed', async () => {
    const { api, sent } = rig(() => reply(200, {}), [null]);
    api.needsToken = true;
    await expect(api.add(1, [])).rejects.toBeInstanceOf(NotAllowed);
    expect(sent).toEqual([]);
  });

  test('says so where nobody answers', async () => {
    const { api } = rig(() => {
      throw new TypeError('fetch failed');
    });
    await expect(api.add(1, [])).rejects.toThrow('does not answer');
  });
});
