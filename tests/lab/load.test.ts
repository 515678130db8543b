import { describe, expect, test } from 'bun:test';
import type { Exchange } from '../../src/lab/exchange.ts';
import { load, LOAD_CONCURRENCY } from '../../src/lab/load.ts';
import { Interrupted } from '../../src/lab/errors.ts';

const hello = (name: string): Exchange => ({
  ok: true,
  status: 200,
  text: `{"message":"Hello from Server: ${name}","status":"successful"}`,
});
const never = new AbortController().signal;

describe('load', () => {
  test('asks for every id once, and keeps who answered in the order of the ids', async () => {
    const ids = Array.from({ length: 500 }, (_, i) => i);
    let replies = 0;
    const answers = await load({
      caller: {
        call: async (path) => {
          const id = Number(new URL(path, 'http://x').searchParams.get('id'));
          // The later ones come back first.
          for (let i = 0; i < 20 - (id % 20); i++) await Promise.resolve();
          if (id % 100 === 7) return { ok: false, timedOut: true, why: 'late' };
          return id % 100 === 8 ? { ok: true, status: 503, text: '{}' } : hello(`s${id}`);
        },
      },
      ids,
      signal: never,
      onReply: () => replies++,
      now: () => 0,
    });
    expect(answers.owners).toEqual(ids.map((id) => ([7, 8].includes(id % 100) ? undefined : `s${id}`)));
    expect([answers.failed, replies]).toEqual([10, 500]);
  });

  test('has no more in flight than it says', async () => {
    let [inFlight, most] = [0, 0];
    await load({
      caller: {
        call: async () => {
          most = Math.max(most, ++inFlight);
          await Promise.resolve();
          inFlight--;
          return hello('s');
        },
      },
      ids: Array.from({ length: 1000 }, (_, i) => i),
      signal: never,
      onReply: () => {},
      now: () => 0,
    });
    expect(most).toBe(LOAD_CONCURRENCY);
  });

  test('ends when it is interrupted', async () => {
    const stopping = new AbortController();
    let calls = 0;
    const loading = load({
      caller: {
        call: () => {
          if (++calls === 100) stopping.abort();
          return Promise.resolve(hello('s'));
        },
      },
      ids: Array.from({ length: 10_000 }, (_, i) => i),
      signal: stopping.signal,
      onReply: () => {},
      now: () => 0,
    });
    await expect(loading).rejects.toBeInstanceOf(Interrupted);
    expect(calls).toBeLessThan(100 + LOAD_CONCURRENCY);
  });
});
