import { describe, expect, test } from 'bun:test';
import { Throttle, WAITING_MAX } from '../../src/api/throttle.ts';
import { Unavailable } from '../../src/fleet/errors.ts';
import { FakeClock } from '../fleet/fake-clock.ts';

/** A clock on which work takes time. */
class WorkClock extends FakeClock {
  #workedMs = 0;

  work(ms: number): void {
    this.#workedMs += ms;
  }

  override now(): number {
    return super.now() + this.#workedMs;
  }
}

describe('a throttle', () => {
  test('gives each call its turn, in order, and what it comes to', async () => {
    const clock = new FakeClock();
    const throttle = new Throttle(clock);
    const done: number[] = [];
    const turns = [1, 2, 3].map((n) => throttle.run(() => (done.push(n), n * 10)));
    expect(await clock.until(Promise.all(turns))).toEqual([10, 20, 30]);
    expect(done).toEqual([1, 2, 3]);
  });

  test('leaves others four times as long as a turn took before the next', async () => {
    const clock = new WorkClock();
    const throttle = new Throttle(clock);
    const done: number[] = [];
    for (const ms of [10, 30, 1])
      void throttle.run(() => {
        clock.work(ms);
        done.push(ms);
      });
    await clock.advance(39);
    expect(done).toEqual([10]);
    await clock.advance(1);
    expect(done).toEqual([10, 30]);
    await clock.advance(119);
    expect(done).toEqual([10, 30]);
    await clock.advance(1);
    expect(done).toEqual([10, 30, 1]);
    await clock.advance(4);
  });

  test('goes on after one that fails', async () => {
    const clock = new FakeClock();
    const throttle = new Throttle(clock);
    const failing = throttle.run(() => {
      throw new Error('why');
    });
    const next = throttle.run(() => 'next');
    await expect(failing).rejects.toThrow('why');
    expect(await clock.until(next)).toBe('next');
  });

  test(`has ${WAITING_MAX} wait, and tells more to come back`, async () => {
    const clock = new FakeClock();
    const throttle = new Throttle(clock);
    await throttle.run(() => {});
    const waiting = Array.from({ length: WAITING_MAX }, () => throttle.run(() => 'done'));
    await expect(throttle.run(() => 'done')).rejects.toBeInstanceOf(Unavailable);
    expect(await clock.until(Promise.all(waiting))).toEqual(Array(WAITING_MAX).fill('done'));
    expect(await clock.until(throttle.run(() => 'done'))).toBe('done');
  });
});
