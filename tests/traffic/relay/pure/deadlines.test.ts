import { afterEach, describe, expect, test } from 'bun:test';
import { Deadlines, TICK_MS, type Timed } from '../../../../src/traffic/relay/deadlines.ts';

let nowMs = 0;
let deadlines: Deadlines;

/** Looks only when a test says so: its own timer never finds that time has passed. */
function begin(): Deadlines {
  nowMs = 1000;
  deadlines = new Deadlines(() => nowMs);
  return deadlines;
}

class Due implements Timed {
  calls = 0;

  constructor(
    public deadlineMs: number,
    readonly act: () => void = () => {},
  ) {}

  onDeadline(): void {
    this.calls++;
    this.act();
  }
}

/** A look after so much time. */
function after(ms: number): void {
  nowMs += ms;
  deadlines.look();
}

afterEach(() => deadlines.close());

describe('a deadline', () => {
  test('is met, and nobody gets less than was promised', () => {
    const { nowMs: begun } = begin();
    const due = new Due(begun + 250);
    deadlines.add(due);
    // Set by the time of a look, which may have been a tick ago.
    const calls = [100, 100, 100, 49, 1].map((ms) => {
      after(ms);
      return due.calls;
    });
    expect(calls).toEqual([0, 0, 0, 0, 1]);
    expect(deadlines.nowMs).toBe(nowMs);
  });

  test('that is moved or taken away is not met', () => {
    const { nowMs: begun } = begin();
    const moved = new Due(begun + 100);
    const removed = new Due(begun + 100);
    const never = new Due(Number.POSITIVE_INFINITY);
    for (const one of [moved, removed, never]) deadlines.add(one);
    after(100);
    moved.deadlineMs += 300;
    deadlines.remove(removed);
    after(300);
    expect([moved.calls, removed.calls, never.calls]).toEqual([0, 0, 0]);
    after(100);
    expect([moved.calls, removed.calls, never.calls]).toEqual([1, 0, 0]);
  });

  test('at 0 is met at the next look', () => {
    begin();
    const due = new Due(0);
    deadlines.add(due);
    after(1);
    expect(due.calls).toBe(1);
  });

  test('may take away or add others as it is met', () => {
    const { nowMs: begun } = begin();
    const second = new Due(begun);
    const late = new Due(begun + 10_000);
    const first = new Due(begun, () => {
      deadlines.remove(first);
      deadlines.remove(second);
      deadlines.add(late);
    });
    deadlines.add(first);
    deadlines.add(second);
    after(2 * TICK_MS);
    after(2 * TICK_MS);
    expect([first.calls, second.calls, late.calls]).toEqual([1, 0, 0]);
  });

  test('is not met by anybody once all is closed', () => {
    const { nowMs: begun } = begin();
    const due = new Due(begun);
    deadlines.add(due);
    deadlines.close();
    after(2 * TICK_MS);
    expect(due.calls).toBe(0);
  });
});

describe('a look that comes late', () => {
  test('leaves time for what was sent meanwhile to be read', () => {
    const { nowMs: begun } = begin();
    const due = new Due(begun + 200);
    deadlines.add(due);
    after(5 * TICK_MS + 1);
    expect(due.calls).toBe(0);
    expect(deadlines.nowMs).toBe(nowMs);
    after(TICK_MS);
    expect(due.calls).toBe(1);
  });

  test('is no reason to wait where it is just in time', () => {
    const { nowMs: begun } = begin();
    const due = new Due(begun + 200);
    deadlines.add(due);
    after(5 * TICK_MS);
    expect(due.calls).toBe(1);
  });

  test('does not stop time where all do', () => {
    // Once each of them was passed over, and on a machine that is too busy nothing ever timed out.
    const { nowMs: begun } = begin();
    const due = new Due(begun + 200);
    deadlines.add(due);
    after(6 * TICK_MS);
    expect(due.calls).toBe(0);
    after(6 * TICK_MS);
    expect(due.calls).toBe(1);
    // The next that is late after one in time is passed over again.
    due.deadlineMs = Number.POSITIVE_INFINITY;
    after(TICK_MS);
    due.deadlineMs = nowMs;
    after(6 * TICK_MS);
    expect(due.calls).toBe(1);
  });
});

test('the looks come by themselves', async () => {
  let looked: () => void = () => {};
  const seen = new Promise<void>((resolve) => {
    looked = resolve;
  });
  let clockMs = 0;
  deadlines = new Deadlines(() => (clockMs += TICK_MS));
  deadlines.add(new Due(0, () => looked()));
  await seen;
  expect(clockMs).toBeGreaterThan(TICK_MS);
}, 30_000);
