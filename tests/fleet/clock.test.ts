import { describe, expect, test } from 'bun:test';
import { systemClock } from '../../src/fleet/clock.ts';

/** As good as never: a test that waited for it would not end. */
const FOREVER_MS = 2 ** 31 - 1;

describe('the system clock', () => {
  test('never goes back', () => {
    let last = systemClock.now();
    for (let i = 0; i < 1000; i++) {
      const now = systemClock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  test('lets those sleep less who asked for less', async () => {
    const woken: number[] = [];
    const sleep = async (ms: number): Promise<void> => {
      await systemClock.sleep(ms);
      woken.push(ms);
    };
    await Promise.all([sleep(20), sleep(0), sleep(10)]);
    expect(woken).toEqual([0, 10, 20]);
  });

  test('wakes at once, and without an error, who is called', async () => {
    const call = new AbortController();
    const sleeping = systemClock.sleep(FOREVER_MS, call.signal);
    call.abort(new Error('a reason that nobody asked for'));
    await sleeping;
    await systemClock.sleep(FOREVER_MS, call.signal);
  });

  test('wakes all who sleep by the same signal', async () => {
    const call = new AbortController();
    const sleeping = Array.from({ length: 100 }, () => systemClock.sleep(FOREVER_MS, call.signal));
    call.abort();
    await Promise.all(sleeping);
  });

  // A signal that lives as long as the fleet is slept by again and again: what it still knew of each would pile up.
  test('leaves nothing on a signal that outlives the sleep', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...[type, listener]: Parameters<typeof add>): void => {
      listeners++;
      add(type, listener);
    };
    signal.removeEventListener = (...[type, listener]: Parameters<typeof remove>): void => {
      listeners--;
      remove(type, listener);
    };
    for (let i = 0; i < 5; i++) await systemClock.sleep(0, signal);
    expect(listeners).toBe(0);
  });
});
