import { describe, expect, test } from 'bun:test';
import type { Verdict } from '../../../src/lab/grade/grade.ts';
import { exitCodeOf, pointLines, scoreLines, verdictJson } from '../../../src/lab/grade/verdict.ts';

describe('the verdict', () => {
  const points = [
    { id: 'rep', asks: 'a list', why: 'it is needed', mark: 'pass', came: 'N is 3' },
    { id: 'home', asks: 'a greeting', why: 'to know who', mark: 'fail', came: '500' },
    { id: 'heartbeat', asks: 'a 200', why: 'to know that', mark: 'not tried', came: 'no time' },
  ] as const;
  const verdict: Verdict = { url: 'http://x', points, passed: 1, failed: 1, notTried: 1, left: undefined };
  const look = { colour: false, columns: 80 };

  test('says of each point what is asked and what came, and of one that failed why it matters', () => {
    expect(points.map((point) => pointLines(point, look)).join('')).toBe(
      [
        '✓ pass  rep\n    a list\n    came: N is 3\n',
        '✗ FAIL  home\n    a greeting\n    came: 500\n    why it matters: to know who\n',
        '– not tried  heartbeat\n    a 200\n    came: no time\n',
      ].join(''),
    );
    expect(scoreLines(verdict)).toBe(
      'score: 1 of 3 points passed, 1 failed, 1 not tried\nfailed: home\nnot tried, neither passed nor failed: heartbeat\nthe servers are the same as before\n',
    );
  });

  test('as JSON has the same', () => {
    expect(JSON.parse(verdictJson(verdict))).toEqual({
      url: 'http://x',
      score: { passed: 1, failed: 1, not_tried: 1 },
      points: points.map(({ id, asks, came, mark, why }) => ({ id, asks, came, mark, why })),
      left_as_found: true,
      left: null,
    });
  });

  test('ends with 0 where nothing failed, but with 3 where we were kept from something', () => {
    const barred = { id: 'x', asks: '', why: '', came: '', mark: 'not tried', isBarred: true } as const;
    expect(exitCodeOf({ passed: 3, failed: 0, points })).toBe(0);
    expect(exitCodeOf({ passed: 3, failed: 1, points: [barred] })).toBe(1);
    expect(exitCodeOf({ passed: 3, failed: 0, points: [...points, barred] })).toBe(3);
    expect(exitCodeOf({ passed: 0, failed: 0, points: [] })).toBe(3);
  });
});
