import { compareVariants, diagnose } from '../../src/lab/course-study.ts';
import type { Verdict } from '../../src/lab/grade/grade.ts';
import { randomIds } from '../../src/lab/ids.ts';
import { LAB_ALGORITHMS, type LabAlgorithm } from '../../src/lab/options.ts';
import type { LiveResult, Results } from '../../src/lab/results.ts';

/** What a server could call itself, to become part of a page or of a formula. */
export const HOSTILE = '=1+"<script>alert(1)</script>,\n&';

function live(algorithm: LabAlgorithm, names: readonly string[]): LiveResult {
  const measured = {
    names,
    counts: [30, 50, 20],
    failed: 0,
    astray: 0,
    shares: [0.3, 0.5, 0.2],
    elapsedMs: 12.5,
  };
  const endpoints: Verdict = {
    url: 'http://127.0.0.1:1',
    points: [{ id: 'rep', asks: 'GET /rep', why: 'why', mark: 'pass', came: `N is 3: ${names.join(', ')}` }],
    passed: 1,
    failed: 0,
    notTried: 0,
    left: undefined,
  };
  return {
    algorithm,
    runtime: 'process',
    even: measured,
    grown: [
      { ...measured, names: names.slice(0, 2), counts: [60, 40], shares: [0.6, 0.4], moved: undefined },
      { ...measured, moved: 0.25 },
    ],
    endpoints,
    kills: [
      { victim: names[0] ?? '', noticedMs: 5, healedMs: 80, answersMs: 90, sent: 100, failed: 0 },
      {
        victim: names[1] ?? '',
        noticedMs: undefined,
        healedMs: 120,
        answersMs: undefined,
        sent: 50,
        failed: 1,
      },
    ],
  };
}

/** Results as the lab has them, of servers with these names. */
export function resultsOf(names: readonly string[] = ['server-1', 'server-2', 'server-3']): Results {
  return {
    options: {
      requests: 100,
      replicas: [2, 3],
      algorithms: LAB_ALGORITHMS,
      out: 'x',
      runtime: 'process',
      seed: 1,
    },
    date: '2001-02-03T04:05:06.000Z',
    live: LAB_ALGORITHMS.map((algorithm) => live(algorithm, names)),
    numbers: [2, 3],
    variants: compareVariants(randomIds(100, 1), [2, 3]),
    diagnosis: diagnose(),
  };
}
