import type { GradedPoint, Verdict } from './grade.ts';
import type { Mark } from './outcome.ts';
import { wrapped } from '../../terminal.ts';

export interface Look {
  readonly colour: boolean;
  readonly columns: number;
}

const MARKS = { pass: ['✓', '32'], fail: ['✗', '31'], 'not tried': ['–', '2'] } as const;
const LABELS = { pass: 'pass', fail: 'FAIL', 'not tried': 'not tried' } as const;
const INDENT = '    ';
/** What is left for texts on the narrowest of terminals. */
const TEXT_COLUMNS_MIN = 20;

/** A point to read: its mark, what is asked, what came, and where it failed why it matters. */
export function pointLines(
  { id, asks, why, mark, came, isNotAsked }: GradedPoint,
  { colour, columns }: Look,
): string {
  const [sign, code] = MARKS[mark];
  const painted = (text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const room = Math.max(TEXT_COLUMNS_MIN, columns - INDENT.length - 1);
  const texts = [asks, `came: ${came}`, ...(mark === 'fail' ? [`why it matters: ${why}`] : [])];
  const lines = texts.flatMap((text) => wrapped(text, room)).map((line) => `${INDENT}${line}\n`);
  return `${painted(`${sign} ${isNotAsked === true ? 'not there' : LABELS[mark]}`)}  ${id}\n${lines.join('')}`;
}

/** The last lines: the score, what was left out, and whether the servers are as they were. */
export function scoreLines({ points, passed, failed, notTried, left }: Verdict): string {
  const parts = [
    `${passed} of ${passed + failed + notTried} points passed`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(notTried === 0 ? [] : [`${notTried} not tried`]),
  ];
  const listed = (mark: Mark): string =>
    points
      .filter((point) => point.mark === mark && point.isNotAsked !== true)
      .map(({ id }) => id)
      .join(', ');
  const lines = [
    `score: ${parts.join(', ')}`,
    ...(failed === 0 ? [] : [`failed: ${listed('fail')}`]),
    ...(notTried === 0 ? [] : [`not tried, neither passed nor failed: ${listed('not tried')}`]),
    ...(points.some(({ id, mark }) => id === 'add-moves' && mark === 'not tried')
      ? ['whether keys are placed by consistent hashing was NOT examined']
      : []),
    left === undefined
      ? 'the servers are the same as before'
      : `the servers are NOT as they were found: ${left}`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function verdictJson({ url, points, passed, failed, notTried, left }: Verdict): string {
  const score = { passed, failed, not_tried: notTried };
  return `${JSON.stringify({ url, score, points: points.map(plain), left_as_found: left === undefined, left: left ?? null }, null, 2)}\n`;
}

function plain({ id, asks, came, mark, why }: GradedPoint) {
  return { id, asks, came, mark, why };
}

/**
 * 1 where a point failed; 3 where none did, but we were kept from some; else 0: what can't be seen from outside is no fault
 * of who is graded. 2 is for what can't begin.
 */
export function exitCodeOf({
  failed,
  passed,
  points,
}: Pick<Verdict, 'failed' | 'passed' | 'points'>): 0 | 1 | 3 {
  if (failed > 0) return 1;
  return passed === 0 || points.some(({ isBarred }) => isBarred === true) ? 3 : 0;
}
