import { describe, expect, test } from 'bun:test';
import { Pulse, PULSE_DEADLINE_MS, PULSE_FRESH_MS } from '../../src/fleet/pulse.ts';
import { FakeClock } from './fake-clock.ts';

/** An engine that takes its time, and how often it is asked. */
class Rig {
  readonly clock = new FakeClock();
  tookMs = 0;
  fails = false;
  asked = 0;
  underWay = 0;
  readonly pulse = new Pulse({
    clock: this.clock,
    ask: async () => {
      this.asked++;
      expect(++this.underWay).toBe(1);
      if (this.tookMs > 0) await this.clock.sleep(this.tookMs);
      this.underWay--;
      if (this.fails) throw new Error('gone');
    },
  });

  beats(): boolean {
    return this.clock.passUntil(this.pulse.beats());
  }
}

describe('whether the engine answers', () => {
  test.each([
    ['at once', 0, false, true],
    ['within the deadline', PULSE_DEADLINE_MS - 1, false, true],
    ['too late', PULSE_DEADLINE_MS + 1, false, false],
    ['that it can not', 0, true, false],
    ['that it can not, after a while', 300, true, false],
  ])('when it answers %s', (_, tookMs, fails, beats) => {
    const rig = new Rig();
    Object.assign(rig, { tookMs, fails });
    expect(rig.beats()).toBe(beats);
    expect(rig.clock.now()).toBe(Math.min(tookMs, PULSE_DEADLINE_MS));
  });

  test.each([
    [true, PULSE_FRESH_MS - 1, 1],
    [true, PULSE_FRESH_MS, 2],
    [false, PULSE_FRESH_MS - 1, 1],
    [false, PULSE_FRESH_MS, 2],
  ])('an answer of %p that is %d ms old means that it is asked %d times', (beats, ms, times) => {
    const rig = new Rig();
    rig.fails = !beats;
    expect(rig.beats()).toBe(beats);
    rig.clock.pass(ms);
    expect(rig.beats()).toBe(beats);
    expect(rig.asked).toBe(times);
  });

  test('an answer counts from when it came, not from when it was asked for', () => {
    const rig = new Rig();
    rig.tookMs = 900;
    expect(rig.beats()).toBe(true);
    rig.clock.pass(PULSE_FRESH_MS - 1);
    expect([rig.beats(), rig.asked]).toEqual([true, 1]);
  });

  test('those that ask at the same time share one question', () => {
    const rig = new Rig();
    rig.tookMs = 100;
    const all = Promise.all(Array.from({ length: 50 }, () => rig.pulse.beats()));
    expect(new Set(rig.clock.passUntil(all))).toEqual(new Set([true]));
    expect(rig.asked).toBe(1);
  });

  test('who asks later has what is left of the deadline', () => {
    const rig = new Rig();
    rig.tookMs = 10_000;
    void rig.pulse.beats();
    rig.clock.pass(700);
    expect(rig.beats()).toBe(false);
    expect(rig.clock.now()).toBe(PULSE_DEADLINE_MS);
  });

  test('one that hangs is not asked again, says no at once, and yes when it answers after all', () => {
    const rig = new Rig();
    rig.tookMs = 10_000;
    expect(rig.beats()).toBe(false);
    rig.clock.pass(3000);
    const nowMs = rig.clock.now();
    for (let i = 0; i < 10; i++) expect(rig.beats()).toBe(false);
    expect([rig.clock.now(), rig.asked]).toEqual([nowMs, 1]);
    rig.clock.pass(10_000 - nowMs);
    expect([rig.beats(), rig.asked]).toEqual([true, 1]);
  });

  test('what does not answer once may answer the next time', () => {
    const rig = new Rig();
    rig.fails = true;
    expect(rig.beats()).toBe(false);
    rig.fails = false;
    rig.clock.pass(PULSE_FRESH_MS);
    expect(rig.beats()).toBe(true);
  });

  test('leaves no timer behind', () => {
    const rig = new Rig();
    rig.tookMs = 10;
    rig.beats();
    expect(rig.clock.sleepers).toBe(0);
  });
});
