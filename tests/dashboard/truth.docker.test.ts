import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Happening } from '../../src/fleet/journal.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { OpenPage } from './pages.ts';

setDefaultTimeout(120_000);
const CLUSTER = `page-${process.pid}`;
const NAME = 'server-2';
const CONTAINER = `${CLUSTER}-${NAME}`;

let ringmaster: Spawned;
let page: OpenPage;

beforeAll(async () => {
  ringmaster = await spawnRingmaster({ RUNTIME: 'docker', CLUSTER, CHAOS: '1' });
  page = await OpenPage.open(ringmaster.url);
  // What it is told first is how it came about.
  await page.until(() => true);
}, 120_000);
afterAll(async () => {
  await page?.[Symbol.asyncDispose]();
  await ringmaster?.end('SIGTERM');
}, 60_000);

function docker(...args: string[]): void {
  const { success, stderr } = Bun.spawnSync(['docker', ...args]);
  // runc now and then fails to freeze on a busy machine.
  if (!success && args[0] === 'pause') return docker(...args);
  if (!success) throw new Error(stderr.toString());
}

/** What the page is told of the replica from here on, up to and with what ends it. */
async function toldUntil(end: Happening, act: () => void | Promise<void>): Promise<string[]> {
  const from = page.updates.length;
  await act();
  const told = (): string[] =>
    page.updates
      .slice(from)
      .flatMap(({ events }) => events)
      .filter(({ replica }) => replica === NAME)
      .map(({ what, why }) => `${what}: ${why}`);
  const ended = await page.until(
    (snapshot) =>
      told().some((one) => one.startsWith(`${end}: `)) &&
      snapshot.replicas.every(({ state }) => state === 'ready'),
  );
  expect(ended.replicas).toHaveLength(3);
  return told();
}

/**
 * How the instance ended, the first that is told.
 *
 * Between its end and the engine's word of it there is a moment in which a heartbeat
 * or a request may find out: then an ejection, just as true, is told before.
 */
function endOf(told: string[]): string | undefined {
  return told[0]?.startsWith('ejected: ') ? told[1] : told[0];
}

describe('a container that is broken behind Ringmaster’s back: the page is told what happened, and that it is well again,', () => {
  test.each<[string, string[], Happening, string]>([
    ['killed', ['kill', CONTAINER], 'healed', 'died: its instance ended'],
    ['stopped', ['stop', '-t', '1', CONTAINER], 'healed', 'died: its instance ended'],
    ['removed', ['rm', '-f', CONTAINER], 'healed', 'died: its instance ended'],
    [
      'cut off',
      ['network', 'disconnect', CLUSTER, CONTAINER],
      'healed',
      'died: its address is not its own any more',
    ],
  ])('%s', async (_, command, end, first) => {
    const told = await toldUntil(end, () => docker(...command));
    expect(endOf(told)).toBe(first);
    expect(told.at(-1)).toBe('healed: its new instance answers');
  });

  test('paused', async () => {
    const told = await toldUntil('back', async () => {
      const from = page.updates.length;
      docker('pause', CONTAINER);
      await page.until(
        ({ replicas }) => replicas.find(({ name }) => name === NAME)?.state === 'ejected',
        from,
      );
      docker('unpause', CONTAINER);
    });
    expect(told[0]).toBe('ejected: paused');
  });

  test('killed by the page itself', async () => {
    const told = await toldUntil('healed', async () => {
      const reply = await fetch(`${ringmaster.url}/dashboard/kill`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: NAME }),
      });
      expect(reply.status).toBe(200);
    });
    expect(endOf(told)).toBe('died: its instance ended');
  });
});

test('how old an instance is is told also of one that was there before', async () => {
  const kept = await spawnRingmaster({
    RUNTIME: 'docker',
    CLUSTER: `${CLUSTER}-kept`,
    REPLICAS: '1',
    ON_EXIT: 'keep',
  });
  await using first = await OpenPage.open(kept.url);
  const before = (await first.until(() => true)).replicas[0]?.started_at ?? 0;
  await kept.end('SIGTERM');
  const next = await spawnRingmaster({ RUNTIME: 'docker', CLUSTER: `${CLUSTER}-kept` });
  await using second = await OpenPage.open(next.url);
  const after = (await second.until(() => true)).replicas[0]?.started_at ?? 0;
  await next.end('SIGTERM');
  // The list has it to the second, and from when it was made.
  expect(before).toBeGreaterThan(0);
  expect(Math.abs(after - before)).toBeLessThan(30_000);
});
