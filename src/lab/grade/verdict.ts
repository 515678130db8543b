import type { GradedPoint, Verdict } from './grade.ts';
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
export function pointLines({ id, asks, why, mark, came }: GradedPoint, { colour, columns }: Look): string {
  const [sign, code] = MARKS[mark];
  const painted = (text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const room = Math.max(TEXT_COLUMNS_MIN, columns - INDENT.length - 1);
  const texts = [asks, `came: ${came}`, ...(mark === 'fail' ? [`why it matters: ${why}`] : [])];
  const lines = texts.flatMap((text) => wrapped(text, room)).map((line) => `${INDENT}${line}\n`);
  return `${painted(`${sign} ${LABELS[mark]}`)}  ${id}\n${lines.join('')}`;
}

/** The last lines: the score, and whether the servers are as they were. */
export function scoreLines({ points, passed, failed, notTried, left }: Verdict): string {
  const tried = passed + failed;
  const rest = notTried === 0 ? '' : `, ${notTried} not tried`;
  const score = `score: ${passed} of ${tried} points passed${rest}${tried === 0 ? '' : ` (${Math.floor((100 * passed) / tried)} %)`}\n`;
  const failing = points.filter(({ mark }) => mark === 'fail').map(({ id }) => id);
  const failures = failing.length === 0 ? '' : `failed: ${failing.join(', ')}\n`;
  const state =
    left === undefined
      ? 'the servers are the same as before\n'
      : `the servers are NOT as they were found: ${left}\n`;
  const isLeftOut = points.some(({ id, mark }) => id === 'add-moves' && mark === 'not tried');
  const doubt = isLeftOut ? 'whether keys are placed by consistent hashing was NOT examined\n' : '';
  return score + failures + doubt + state;
}

export function verdictJson({ url, points, passed, failed, notTried, left }: Verdict): string {
  const score = { passed, failed, not_tried: notTried };
  return `${JSON.stringify({ url, score, points: points.map(plain), left_as_found: left === undefined, left: left ?? null }, null, 2)}\n`;
}

function plain({ id, asks, came, mark, why }: GradedPoint) {
  return { id, asks, came, mark, why };
}

/** 0 where all that was tried passed, 1 otherwise: also where nothing could be tried. */
export function exitCodeOf({ failed, passed }: Pick<Verdict, 'failed' | 'passed'>): 0 | 1 {
  return failed === 0 && passed > 0 ? 0 : 1;
}
