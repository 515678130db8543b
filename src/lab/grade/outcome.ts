/** How a point came out, and which point is blamed where several see the same fault. */

export type Mark = 'pass' | 'fail' | 'not tried';

export interface Outcome {
  readonly mark: Mark;
  /** What came, in one line. May hold text of the server, not yet made safe to print. */
  readonly came: string;
  /** It was not tried since it is an extension, not asked of everyone, that is not there: it counts for nothing. */
  readonly isNotAsked?: true;
  /** It was not tried since we were kept from it: by a token, the time, or who has interrupted. */
  readonly isBarred?: true;
}

/** What several points need: the first that finds it broken fails, and the others are not tried. */
export type Ability =
  | 'list servers'
  | 'count servers'
  | 'greet'
  | 'answer every id'
  | 'be ready once added'
  | 'be listed'
  | 'same id, same server'
  | 'spread ids'
  | 'add by name'
  | 'make up names'
  | 'remove by name'
  | 'choose who leaves'
  | 'reply to a change'
  | 'refuse by status'
  | 'leave keys where they are'
  | 'leave removed servers alone';

export interface Fault {
  /** What is broken by it. */
  readonly shows?: Ability;
  /** What would have to work for it to be a fault of its own. */
  readonly needs?: readonly Ability[];
}

export const pass = (came: string): Outcome => ({ mark: 'pass', came });
export const notTried = (came: string): Outcome => ({ mark: 'not tried', came });
export const barred = (came: string): Outcome => ({ mark: 'not tried', came, isBarred: true });
export const notThere = (came: string): Outcome => ({ mark: 'not tried', came, isNotAsked: true });

/** Sees to it that one fault is one failed point, however many points run into it. */
export class Blame {
  readonly #blamed = new Map<Ability, string>();
  #point = '';

  /** Says which point is tried from here on. */
  turnTo(point: string): void {
    this.#point = point;
  }

  /** The point before this one that has found it broken; undefined where none has. */
  of(ability: Ability): string | undefined {
    const point = this.#blamed.get(ability);
    return point === this.#point ? undefined : point;
  }

  /** A failure, or where a point before is to blame for it, that this one was not tried. */
  fail(came: string, { shows, needs = [] }: Fault = {}): Outcome {
    for (const ability of shows === undefined ? needs : [...needs, shows]) {
      const point = this.of(ability);
      if (point !== undefined) return notTried(`depends on '${point}', which failed`);
    }
    if (shows !== undefined) this.#blamed.set(shows, this.#point);
    return { mark: 'fail', came };
  }
}
