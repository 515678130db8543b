import { expect, test } from 'bun:test';
import { LOOP_DELAY_BOUNDS_MS, LoopDelay } from '../../src/traffic/loop-delay.ts';

test('what is late is counted by how late it was', () => {
  const delay = new LoopDelay();
  for (const ms of [0, 1, 1.5, 1000, 5000]) delay.late(ms);
  expect(delay.counts[0]).toBe(2);
  expect(delay.counts[1]).toBe(1);
  expect(delay.counts[LOOP_DELAY_BOUNDS_MS.length - 1]).toBe(1);
  expect(delay.counts[LOOP_DELAY_BOUNDS_MS.length]).toBe(1);
  expect(delay.sumMs).toBe(6002.5);
});

test('reports add up to what was counted', () => {
  const [worker, owner] = [new LoopDelay(), new LoopDelay()];
  for (const ms of [3, 7, 700]) {
    worker.late(ms);
    owner.apply(structuredClone(worker.report()));
  }
  owner.apply(worker.report());
  expect(owner).toEqual(expect.objectContaining({ counts: worker.counts, sumMs: worker.sumMs }));
});
