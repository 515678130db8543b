import { printable } from '../../config.ts';
import { POINTS, type Mark, type Outcome, type Point } from './points.ts';
import { Scene } from './scene.ts';

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
}

export interface Verdict {
  readonly url: string;
  readonly points: readonly GradedPoint[];
  readonly passed: number;
  readonly failed: number;
  readonly notTried: number;
  /** What of the servers is not as it was found; undefined: they are the same. */
  readonly left: string | undefined;
}

export interface Grading {
  readonly url: string;
  /** Of each call. */
  readonly timeoutMs: number;
  readonly now: () => number;
  /** Is told of each point as it is decided. */
  readonly onPoint?: (point: GradedPoint) => void;
  /** Aborted: what is not tried yet is left out, and servers are put back. */
  readonly signal?: AbortSignal;
}

/**
 * Checks an implementation of the assignment point by point. It adds and removes servers, and puts them back after each
 * point, so that none depends on the one before.
 *
 * @throws Unreachable where nothing answers at the URL
 */
export async function grade({ url, timeoutMs, now, onPoint, signal }: Grading): Promise<Verdict> {
  const scene = await Scene.open(url, timeoutMs);
  const endMs = now() + GRADE_TIMEOUT_MS;
  const points: GradedPoint[] = [];
  try {
    for (const point of POINTS) {
      const over =
        signal?.aborted === true ? 'interrupted' : now() > endMs ? 'there was no time left' : undefined;
      const outcome = await outcomeOf(point, scene, over);
      const graded = gradedPoint(point, outcome);
      points.push(graded);
      onPoint?.(graded);
      if (over === undefined && scene.found !== undefined) await scene.restore();
    }
    const left = await scene.restore();
    const count = (mark: Mark): number => points.filter((point) => point.mark === mark).length;
    return {
      url,
      points,
      passed: count('pass'),
      failed: count('fail'),
      notTried: count('not tried'),
      left: left === undefined ? undefined : oneLine(left),
    };
  } finally {
    scene.close();
  }
}

function outcomeOf({ run }: Point, scene: Scene, over: string | undefined): Promise<Outcome> {
  const why = over ?? (scene.lost ? 'the server does not answer any more' : undefined);
  return why === undefined ? run(scene) : Promise.resolve({ mark: 'not tried', came: why });
}

function gradedPoint({ id, asks, why }: Point, { mark, came }: Outcome): GradedPoint {
  return { id, asks, why, mark, came: oneLine(came) };
}

function oneLine(text: string): string {
  const line = printable(
    text
      .trim()
      .slice(0, CAME_CHARS_MAX + 1)
      .replaceAll(/\s+/g, ' '),
  );
  return line.length > CAME_CHARS_MAX ? `${line.slice(0, CAME_CHARS_MAX - 1)}…` : line;
}
