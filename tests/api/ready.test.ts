import { expect, test } from 'bun:test';
import { createApp, type AppOptions } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { Unavailable } from '../../src/fleet/errors.ts';
import { silentLog } from '../../src/log.ts';

/** As much of a fleet as is asked here. */
function appOf(fleet: Pick<AppOptions['fleet'], 'owner' | 'pulse'>): (method: string) => Promise<Response> {
  const app = createApp({ fleet: fleet as AppOptions['fleet'], config: parseConfig({}), log: silentLog });
  return async (method) => app(new Request('http://localhost:5000/ready', { method }), () => '127.0.0.1');
}

const cutOff = (): never => {
  throw new Unavailable('This Ringmaster is cut off');
};

test.each<[string, () => string | undefined, boolean, number, string]>([
  ['a replica and an engine', () => 'a', true, 200, '{"ready":true}'],
  ['no replica', () => undefined, true, 503, 'No replica is ready'],
  ['no engine', () => 'a', false, 503, 'The engine does not answer'],
  ['neither', () => undefined, false, 503, 'No replica is ready, and the engine does not answer'],
  ['no word from the others', cutOff, true, 503, 'This Ringmaster is cut off'],
])('with %s', async (_, owner, beats, status, said) => {
  const ask = appOf({ owner, pulse: () => Promise.resolve(beats) });
  const reply = await ask('GET');
  const text = await reply.text();
  expect([reply.status, text]).toEqual([
    status,
    status === 200 ? said : `{"message":"<Error> ${said}","status":"failure"}`,
  ]);
  expect(reply.headers.get('retry-after')).toBe(status === 200 ? null : '1');
  const head = await ask('HEAD');
  expect([head.status, await head.text()]).toEqual([status, '']);
  expect(head.headers.get('content-length')).toBe(String(text.length));
});
