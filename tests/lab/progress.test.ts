import { describe, expect, test } from 'bun:test';
import { durationText, Progress, progressText } from '../../src/lab/progress.ts';

/** A terminal that notes what it is told. */
function noting(rewrites: boolean) {
  const told: string[] = [];
  return {
    told,
    begin: () => rewrites,
    step: (text: string) => void told.push(text),
    end: () => void told.push('end'),
    print: (text: string) => void told.push(text),
  };
}

describe('progress', () => {
  test('on a pipe is a line for each stage, and nothing between', () => {
    const terminal = noting(false);
    const progress = new Progress({ total: 100, terminal, now: () => 0 });
    progress.stage('one');
    for (let i = 0; i < 50; i++) progress.advance(1);
    progress.stage('two');
    progress.end();
    expect(terminal.told).toEqual(['  0 % one\n', ' 50 % two\n', 'end']);
  });

  test('on a terminal is drawn anew, but no more often than is seen', () => {
    let nowMs = 0;
    const terminal = noting(true);
    const progress = new Progress({ total: 1000, terminal, now: () => nowMs });
    progress.stage('one');
    for (; nowMs < 1000; nowMs++) progress.advance(1);
    expect(terminal.told.length).toBeWithin(10, 12);
    expect(terminal.told.at(-1)).toBe(`${'#'.repeat(18)}..  90 % one`);
  });

  test('says how long it will take once that can be known', () => {
    const base = { stage: 'x', bar: false };
    expect(progressText({ ...base, part: 0.5, elapsedMs: 1000 })).toBe(' 50 % x');
    expect(progressText({ ...base, part: 0.01, elapsedMs: 9000 })).toBe('  1 % x');
    expect(progressText({ ...base, part: 0.25, elapsedMs: 10_000 })).toBe(' 25 % (about 30 s left) x');
    expect(progressText({ ...base, part: 1, elapsedMs: 10_000 })).toBe('100 % x');
  });

  test('says durations as people do', () => {
    expect([10, 1499, 59_000, 61_000, 100_000, 600_000].map(durationText)).toEqual([
      '1 s',
      '1 s',
      '59 s',
      '1 min',
      '1.5 min',
      '10 min',
    ]);
  });
});
