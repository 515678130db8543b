import { describe, expect, test } from 'bun:test';
import { FakeClock } from './fake-clock.ts';

describe('the fake clock', () => {
  test('wakes who is due, in order, at their time, with all that follows before the next', async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const sleep = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      seen.push(`${name} ${clock.now()}`);
      await Promise.resolve();
      seen.push(`${name} went on`);
    };
    void sleep('late', 20);
    void sleep('first', 10);
    void sleep('second', 10);
    void sleep('never', 31);
    await clock.advance(30);
    expect(seen).toEqual([
      'first 10',
      'first went on',
      'second 10',
      'second went on',
      'late 20',
      'late went on',
    ]);
    expect(clock.now()).toBe(30);
    expect(clock.sleepers).toBe(1);
  });

  test('an abort wakes at once and never rejects; a signal that was aborted before lets nobody sleep', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const sleeping = clock.sleep(1000, abort.signal);
    abort.abort();
    await sleeping;
    await clock.sleep(1000, abort.signal);
    expect(clock.now()).toBe(0);
    expect(clock.sleepers).toBe(0);
  });

  test('says so when a loop sleeps for nothing for ever', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) await clock.sleep(0, stop.signal);
    })();
    await expect(clock.advance(1)).rejects.toThrow('a loop without a pause');
    stop.abort();
  });

  test('says so when two let time go by at once', async () => {
    const clock = new FakeClock();
    const within = clock.sleep(7).then(() => clock.pass(5));
    clock.pass(10);
    await expect(within).rejects.toThrow('Somebody else');
    expect(clock.now()).toBe(10);
  });

  test('says so when what is waited for cannot come', async () => {
    await expect(new FakeClock().until(new Promise(() => {}))).rejects.toThrow('no passing of time');
  });
});
