import type { Weights } from '../../src/fleet/membership.ts';
import { Broken } from './rule.ts';

/** What a caller asks for. */
export interface Wish {
  readonly verb: 'add' | 'remove';
  readonly n: number;
  readonly hostnames: readonly string[];
  /** Possible ones, of who joins by name. */
  readonly weights?: Weights | undefined;
}

/** Statuses with which a wish is refused that some membership does not allow. */
export type Refusal = 400 | 404 | 409 | 413;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** The members after `wish` is granted to `names`, or why it can't be: the contract, written down a second time. */
export function granted(names: readonly string[], wish: Wish, max: number): string[] | Refusal {
  const { verb, n, hostnames } = wish;
  if (!Number.isSafeInteger(n) || n < 1 || hostnames.length > n) return 400;
  const folded = hostnames.map((name) => name.toLowerCase());
  if (!hostnames.every((name) => NAME.test(name)) || new Set(folded).size < folded.length) return 400;
  return verb === 'add' ? added(names, n, hostnames, max) : removed(names, n, folded);
}

function added(
  names: readonly string[],
  n: number,
  hostnames: readonly string[],
  max: number,
): string[] | Refusal {
  const used = new Set(names.map((name) => name.toLowerCase()));
  if (hostnames.some((name) => used.has(name.toLowerCase()))) return 409;
  if (names.length + n > max) return 413;
  const after = [...names, ...hostnames];
  for (const name of hostnames) used.add(name.toLowerCase());
  for (let i = 1; after.length < names.length + n; i++)
    if (!used.has(`server-${i}`)) after.push(`server-${i}`);
  return after;
}

function removed(names: readonly string[], n: number, folded: readonly string[]): string[] | Refusal {
  const known = new Set(names.map((name) => name.toLowerCase()));
  if (folded.some((name) => !known.has(name))) return 404;
  if (n > names.length) return 400;
  const gone = new Set(folded);
  for (const name of names.toReversed()) if (gone.size < n) gone.add(name.toLowerCase());
  return names.filter((name) => !gone.has(name.toLowerCase()));
}

/** A call without an answer yet. */
export interface Call {
  readonly wish: Wish;
  /** Why some membership since it was asked would have refused it. */
  readonly refusals: Set<Refusal>;
}

/** The members became others, by one of some calls. */
interface Effect {
  readonly names: readonly string[];
  readonly candidates: Set<Call>;
}

/** Changes that can follow each other between two looks at the members. */
const EFFECTS_AT_ONCE_MAX = 3;

/**
 * Whether calls and answers are a linearizable history of one list of members: each accepted call takes effect once,
 * at a moment between its asking and its answer, none other ever does, and the list is at all times what they make of it.
 */
export class History {
  readonly #max: number;
  readonly #pending = new Set<Call>();
  /** Those of which no answer has said yet whose they were. */
  #effects: Effect[] = [];
  #names: readonly string[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  get pending(): ReadonlySet<Call> {
    return this.#pending;
  }

  /** A Ringmaster begins with these members; calls to the one before are never answered. */
  begin(names: readonly string[]): void {
    this.#pending.clear();
    this.#effects = [];
    this.#names = names;
  }

  asked(wish: Wish): Call {
    const call: Call = { wish, refusals: new Set() };
    this.#pending.add(call);
    this.#consider(call, this.#names);
    return call;
  }

  /** The members are these now. */
  observe(names: readonly string[]): void {
    if (same(names, this.#names)) return;
    const path = this.#path(this.#names, names, EFFECTS_AT_ONCE_MAX, new Set());
    if (path === undefined)
      throw new Broken('history', `no call makes ${shown(names)} of ${shown(this.#names)}${this.#told()}`);
    for (const effect of path) {
      this.#effects.push(effect);
      for (const call of this.#pending) this.#consider(call, effect.names);
    }
    this.#names = names;
  }

  accepted(call: Call, names: readonly string[]): void {
    this.observe(names);
    const mine = this.#effects.findIndex((one) => one.candidates.has(call) && same(one.names, names));
    if (mine === -1)
      throw new Broken('history', `${told(call)} is answered ${shown(names)} and has had no effect`);
    this.#effects.splice(mine, 1);
    this.#answered(call, 'took effect twice');
  }

  /** `excused`: there was a reason that has nothing to do with who the members are. */
  refused(call: Call, status: number, excused: boolean): void {
    if (!excused && !call.refusals.has(status as Refusal))
      throw new Broken(
        'refusal',
        `${told(call)} is refused with ${status} for no reason; ${shown(this.#names)}`,
      );
    this.#answered(call, 'was refused, and took effect');
  }

  #answered(call: Call, otherwise: string): void {
    this.#pending.delete(call);
    for (const { candidates, names } of this.#effects)
      if (candidates.delete(call) && candidates.size === 0)
        throw new Broken('history', `${told(call)} ${otherwise}: ${shown(names)}`);
  }

  #consider(call: Call, names: readonly string[]): void {
    const result = granted(names, call.wish, this.#max);
    if (typeof result === 'number') call.refusals.add(result);
  }

  /** The fewest effects of different calls that lead from one list to the other. */
  #path(
    from: readonly string[],
    to: readonly string[],
    most: number,
    used: ReadonlySet<Call>,
  ): Effect[] | undefined {
    const next: { readonly call: Call; readonly names: string[] }[] = [];
    for (const call of this.#pending) {
      if (used.has(call)) continue;
      const names = granted(from, call.wish, this.#max);
      if (typeof names !== 'number') next.push({ call, names });
    }
    const last = next.filter(({ names }) => same(names, to)).map(({ call }) => call);
    if (last.length > 0) return [{ names: to, candidates: new Set(last) }];
    if (most <= 1) return undefined;
    for (const { call, names } of next) {
      const rest = this.#path(names, to, most - 1, new Set([...used, call]));
      if (rest !== undefined) return [{ names, candidates: new Set([call]) }, ...rest];
    }
    return undefined;
  }

  #told(): string {
    return ` (${[...this.#pending].map(told).join(', ') || 'none is waiting'})`;
  }
}

export function same(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function shown(names: readonly string[]): string {
  return `[${names.join(' ')}]`;
}

export function told({ wish: { verb, n, hostnames } }: Pick<Call, 'wish'>): string {
  return `${verb} ${n}${hostnames.length > 0 ? ` ${hostnames.join(' ')}` : ''}`;
}
