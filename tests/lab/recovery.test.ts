import { describe, expect, test } from 'bun:test';
import type { Exchange } from '../../src/lab/exchange.ts';
import { killAndWatch, type Killing } from '../../src/lab/recovery.ts';
import { Interrupted, LabError } from '../../src/lab/errors.ts';
import type { Subject } from '../../src/lab/subject.ts';

const hello = (name: string): Exchange => ({
  ok: true,
  status: 200,
  text: `{"message":"Hello from Server: ${name}","status":"successful"}`,
});
const FAILED: Exchange = { ok: false, timedOut: false, why: 'reset' };
const OWN_ID = 1;
const OTHER_ID = 2;

/** A clock that moves with each look at the state, and a replica whose states are given look by look. */
function scripted(states: readonly (string | undefined)[], owner: (look: number) => Exchange) {
  let look = 0;
  const subject = {
    kill: () => Promise.resolve(),
    stateOf: () => Promise.resolve(states[Math.min(look++, states.length - 1)]),
    traffic: {
      call: async (path: string) => {
        // As over a network, so that clients that never wait leave others their turn.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        if (path.endsWith(`id=${OWN_ID}`)) return owner(look);
        return path.endsWith(`id=${OTHER_ID}`) ? hello('b') : FAILED;
      },
    } as unknown as Subject['traffic'],
  };
  return { subject, now: () => look * 10 };
}

const killing = (script: ReturnType<typeof scripted>, more: Partial<Killing> = {}): Killing => ({
  ...script,
  victim: 'a',
  ids: [OTHER_ID],
  ownId: OWN_ID,
  signal: new AbortController().signal,
  ...more,
});

describe('a kill', () => {
  test('is noticed, healed and answered, each when it is first seen', async () => {
    const script = scripted(['ready', 'waiting', 'starting', 'ready'], (look) => hello(look < 5 ? 'b' : 'a'));
    const kill = await killAndWatch(killing(script));
    expect(kill).toMatchObject({ victim: 'a', noticedMs: 10, healedMs: 40, answersMs: 50, failed: 0 });
    expect(kill.sent).toBeGreaterThan(0);
  });

  test('a reply that was on its way when it died is no recovery', async () => {
    const script = scripted(['ready', 'ready', 'waiting', 'ready'], (look) =>
      hello(look < 2 || look > 3 ? 'a' : 'b'),
    );
    const kill = await killAndWatch(killing(script));
    expect([kill.noticedMs, kill.answersMs]).toEqual([20, 40]);
  });

  test('of one that owns no key ends when it is ready', async () => {
    const script = scripted(['waiting', 'ready'], () => hello('b'));
    const kill = await killAndWatch(killing(script, { ownId: undefined }));
    expect(kill).toMatchObject({ noticedMs: 10, healedMs: 20, answersMs: undefined });
  });

  test('counts requests that fail meanwhile', async () => {
    const script = scripted(['waiting', 'waiting', 'ready'], () => hello('a'));
    const kill = await killAndWatch(killing(script, { ids: [3] }));
    expect(kill.failed).toBe(kill.sent);
  });

  test('of one that never comes back is an error that says so', async () => {
    const script = scripted(['waiting'], () => hello('b'));
    const hasty = { ...script, now: () => script.now() * 10_000 };
    await expect(killAndWatch(killing(hasty))).rejects.toThrow(
      new LabError('a was killed, and was not back after 120 s'),
    );
  });

  test('ends when it is interrupted', async () => {
    const script = scripted(['waiting'], () => hello('b'));
    await expect(killAndWatch(killing(script, { signal: AbortSignal.abort() }))).rejects.toBeInstanceOf(
      Interrupted,
    );
  });
});
