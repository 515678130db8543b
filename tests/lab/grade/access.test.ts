import { describe, expect, test } from 'bun:test';
import { createServer } from 'node:https';
import { POINTS } from '../../../src/lab/grade/points.ts';
import { Scene, Unreachable } from '../../../src/lab/grade/scene.ts';
import { exitCodeOf, verdictJson } from '../../../src/lab/grade/verdict.ts';
import { selfSigned } from './certificate.ts';
import { Fake, type FakeOptions } from './fake.ts';
import { CALL_TIMEOUT_MS, cameOf, gradeFake, gradeUrl, marked } from './grading.ts';

describe('where a change needs a token', () => {
  const TOKEN = 'a-"secret"-of-the-balancer';
  const guarded: FakeOptions['twist'] = (_, { method, authorization }) =>
    method === 'GET' || authorization === `Bearer ${TOKEN}`
      ? undefined
      : { status: 401, body: { message: `<Error> not ${authorization}`, status: 'failure' } };

  test('it is sent with changes and with nothing else', async () => {
    const sent = new Set<string>();
    await using fake = await Fake.open({
      twist: (self, asked) => {
        if (asked.authorization !== undefined) sent.add(`${asked.method} ${asked.path}`);
        return guarded(self, asked);
      },
    });
    const verdict = await gradeUrl(fake.url, CALL_TIMEOUT_MS, TOKEN);
    expect(marked(verdict, 'pass')).toEqual(POINTS.map(({ id }) => id));
    expect([...sent].toSorted()).toEqual(['DELETE /rm', 'POST /add']);
  });

  test('nothing fails without it, and what needs it is not tried', async () => {
    const { verdict } = await gradeFake({ twist: guarded });
    expect(marked(verdict, 'fail')).toEqual([]);
    expect(cameOf(verdict, 'add-names')).toContain('GRADE_TOKEN');
    expect(marked(verdict, 'pass')).not.toContain('add-bad-n');
    expect(exitCodeOf(verdict)).toBe(3);
  });

  test('it is not shown, even where the server sends it back', async () => {
    await using fake = await Fake.open({
      twist: (_, { path, method, authorization }) =>
        method === 'POST' ? { status: 500, body: { path, echo: authorization } } : undefined,
    });
    const verdict = await gradeUrl(fake.url, CALL_TIMEOUT_MS, TOKEN);
    expect(cameOf(verdict, 'add-names')).toContain('Bearer ***');
    const shown = JSON.stringify(verdict) + verdictJson(verdict);
    for (const part of ['secret', 'a-\\"']) expect(shown).not.toContain(part);
  });
});

test('of https a certificate that nobody vouches for is taken only with --insecure', async () => {
  const tls = createServer(selfSigned('localhost'), (_, reply) => reply.end('{"N":0,"replicas":[]}'));
  await new Promise<void>((resolve) => {
    tls.listen(0, '127.0.0.1', resolve);
  });
  const address = tls.address();
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const access = { url, timeoutMs: CALL_TIMEOUT_MS };
  try {
    await expect(Scene.open(access)).rejects.toBeInstanceOf(Unreachable);
    const scene = await Scene.open({ ...access, insecure: true });
    expect(scene.found).toEqual([]);
    scene.close();
  } finally {
    tls.closeAllConnections();
    tls.close();
  }
});
