import { printable } from '../../config.ts';
import { barred, type Mark, type Outcome } from './outcome.ts';
import { POINTS, type Point } from './points.ts';
import { Scene, type Access } from './scene.ts';

/** All points together; what is not tried by then is not tried at all. */
const GRADE_TIMEOUT_MS = 1_200_000;
/** Of what a server said, in one line. */
const CAME_CHARS_MAX = 300;

export interface GradedPoint {
  readonly id: string;
  readonly asks: string;
  readonly why: string;
  readonly mark: Mark;
  /** Safe to print: one line without escape codes. */
  readonly came: string;
  /** Where it was not tried since it is an extension that is not there. */
  readonly isNotAsked?: true;
  /** Where it was not tried since we were kept from it. */
  readonly isBarred?: true;
}

export interface Verdict {
  readonly url: string;
  readonly points: readonly GradedPoint[];
  readonly passed: number;
  readonly failed: number;
  /** Neither passed nor failed. What is not there and not asked for is in none of these numbers. */
  readonly notTried: number;
  /** What of the servers is not as it was found; undefined: they are the same. */
  readonly left: string | undefined;
}

export interface Grading extends Access {
  readonly now: () => number;
  /** Is told of each point as it is decided. */
  readonly onPoint?: (point: GradedPoint) => void;
  /** Aborted: what is not tried yet is left out, and servers are put back. */
  readonly signal?: AbortSignal;
}

/**
 * Checks an implementation of the assignment point by point. It adds and removes servers, and puts them back after each
 * point, so that each finds the same servers. A fault that several points run into fails the first, and the others are not
 * tried.
 *
 * @throws Unreachable where nothing answers at the URL
 */
export async function grade(grading: Grading): Promise<Verdict> {
  const { url, token, now, onPoint, signal } = grading;
  const scene = await Scene.open(grading);
  const line = (text: string): string => oneLine(withoutToken(text, token));
  const endMs = now() + GRADE_TIMEOUT_MS;
  const points: GradedPoint[] = [];
  try {
    for (const point of POINTS) {
      const over =
        signal?.aborted === true ? 'interrupted' : now() > endMs ? 'there was no time left' : undefined;
      const outcome = await outcomeOf(point, scene, over);
      const { id, asks, why } = point;
      const graded = { ...outcome, id, asks, why, came: line(outcome.came) };
      points.push(graded);
      onPoint?.(graded);
      if (over === undefined && scene.found !== undefined) await scene.restore();
    }
    const left = await scene.restore(true);
    const count = (mark: Mark): number =>
      points.filter((point) => point.mark === mark && point.isNotAsked !== true).length;
    return {
      url,
      points,
      passed: count('pass'),
      failed: count('fail'),
      notTried: count('not tried'),
      left: left === undefined ? undefined : line(left),
    };
  } finally {
    scene.close();
  }
}

async function outcomeOf({ id, run }: Point, scene: Scene, over: string | undefined): Promise<Outcome> {
  const why = over ?? (scene.lost ? 'the server does not answer any more' : undefined);
  if (why !== undefined) return barred(why);
  scene.turnTo(id);
  const outcome = await run(scene);
  return scene.denied ? barred(DENIED) : outcome;
}

const DENIED = 'changes are answered with 401: give the token that they need in the variable GRADE_TOKEN';

/** A server may send back what it was sent, and a token is not to be shown. */
function withoutToken(text: string, token: string | undefined): string {
  if (token === undefined) return text;
  const inJson = JSON.stringify(token).slice(1, -1);
  return text.replaceAll(inJson, HIDDEN).replaceAll(token, HIDDEN);
}

const HIDDEN = '***';

function oneLine(text: string): string {
  const line = printable(
    text
      .trim()
      .slice(0, CAME_CHARS_MAX + 1)
      .replaceAll(/\s+/g, ' '),
  );
  return line.length > CAME_CHARS_MAX ? `${line.slice(0, CAME_CHARS_MAX - 1)}…` : line;
}
