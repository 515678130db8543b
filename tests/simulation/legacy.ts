import type { FakeEngine } from '../fleet/fake-engine.ts';
import { granted, same, shown, type Wish } from './history.ts';
import { FIRST_MEMBERS, MEMBERS_MAX } from './limits.ts';
import { Broken } from './rule.ts';
import type { World } from './world.ts';

/** What the next Ringmaster may make of what the engine holds. */
export interface Legacy {
  /** Who the members were, in their order. */
  readonly before: readonly string[];
  /** Who they may be: those of before, or those of after a call that was cut short; never something between. */
  readonly outcomes: readonly (readonly string[])[];
  /** Of whom the engine may hold nothing, for a reason that is no call's of the one who died. */
  readonly lost: ReadonlySet<string>;
  /** Those that came together and are no members by any answer: it takes in all or none. */
  readonly together: readonly (readonly string[])[];
  readonly held: ReadonlySet<string>;
  /** Marked, while the one that has died now had begun, by a call of the one before: they may be in, or not. */
  readonly late: ReadonlySet<string>;
  /** Whether it is the second that tries: what the one who died had sent may come in after the first had read the list. */
  readonly twice: boolean;
}

/** Calls that failed while the engine could not be told so: what it holds may still say that they were carried out. */
export class Doubts {
  readonly #world: World;
  #doubts: { readonly verb: Wish['verb']; readonly names: readonly string[] }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  forget(): void {
    this.#doubts = [];
  }

  /** Of whom nothing may be left. */
  get leavers(): string[] {
    return this.#doubts.flatMap(({ verb, names }) => (verb === 'remove' ? names : []));
  }

  refused(wish: Wish): void {
    const names = changedBy(this.#world.history.names, wish);
    if (names.length > 0) this.#doubts.push({ verb: wish.verb, names });
    this.look();
  }

  /** Drops those of which the engine says nothing any more. */
  look(): void {
    if (this.#doubts.length === 0) return;
    const { engine, history } = this.#world;
    this.#doubts = this.#doubts.filter(({ verb, names }) =>
      names.some((name) => {
        const all = engine.named(name);
        if (verb === 'add') return all.length > 0 && !history.names.includes(name);
        return (
          history.names.includes(name) &&
          (all.length === 0 || all.some(({ leaving }) => leaving !== undefined))
        );
      }),
    );
  }

  /** Who the members may be, for all that the engine says: each of the calls may turn out either way. */
  outcomes(names: readonly string[]): (readonly string[])[] {
    let outcomes: (readonly string[])[] = [names];
    for (const doubt of this.#doubts)
      outcomes = differing(
        outcomes.flatMap((some) => [
          some,
          doubt.verb === 'add'
            ? [...some, ...doubt.names]
            : some.filter((name) => !doubt.names.includes(name)),
        ]),
      );
    return outcomes;
  }
}

/** As it is at the moment when a Ringmaster dies, before anybody forgets what it was asked for. */
export function legacyOf(world: World, left: 'whole' | 'in part' = 'whole'): Legacy {
  const { engine, history, doubts } = world;
  const before = history.names;
  doubts.look();
  const outcomes = [before];
  for (const { wish } of history.pending) {
    const after = granted(before, wish, MEMBERS_MAX);
    if (typeof after !== 'number') outcomes.push(after);
  }
  const all = engine.all();
  const removed = left === 'whole' ? [] : before.filter((name) => engine.named(name).length === 0);
  const joins = Map.groupBy(
    all.filter(({ spec }) => !before.includes(spec.name)),
    ({ spec }) => spec.join,
  );
  const late = new Set(engine.late);
  engine.late.clear();
  return {
    before,
    outcomes: outcomes.flatMap((names) => doubts.outcomes(names)),
    lost: new Set([...engine.tampered, ...doubts.leavers, ...removed]),
    together: [...joins.values()].map((some) => some.map(({ spec }) => spec.name)),
    held: new Set([...all.map(({ spec }) => spec.name), ...before]),
    late,
    twice: false,
  };
}

/** Breaks a rule where these can't be what has become of the legacy. */
export function mustBeHeirs(names: readonly string[], legacy: Legacy, engine: FakeEngine): void {
  const { before, outcomes, together, held, twice } = legacy;
  const lost = new Set([...legacy.lost, ...(twice ? engine.tampered : [])]);
  const late = new Set([...legacy.late, ...(twice ? engine.late : [])]);
  const first = Array.from({ length: FIRST_MEMBERS }, (_, i) => `server-${i + 1}`);
  const required = (outcome: readonly string[]): string[] =>
    outcome.filter((name) => !lost.has(name) && !late.has(name));
  // Where there are no members it begins with the first ones, and knows nothing of what it has removed before.
  if (same(names, first) && outcomes.some((outcome) => required(outcome).length === 0)) return;
  const concerned = new Set(outcomes.flat());
  const ours = names.filter((name) => concerned.has(name) && !late.has(name));
  if (
    !outcomes.some(
      (some) => ours.every((n) => some.includes(n)) && required(some).every((n) => names.includes(n)),
    )
  )
    throw new Broken('takeover', `${outcomes.map(shown).join(' or ')} has become ${shown(names)}`);
  const known = names.filter((name) => before.includes(name));
  const expected = before.filter((name) => names.includes(name));
  if (!same(known, expected))
    throw new Broken('takeover', `${shown(expected)} is in another order: ${shown(known)}`);
  for (const some of together) {
    const left = some.filter((name) => !lost.has(name) && !late.has(name));
    if (left.some((name) => names.includes(name)) && !left.every((name) => names.includes(name)))
      throw new Broken('takeover', `of ${shown(left)} only some are members: ${shown(names)}`);
  }
  // A member that was just being started again may come in at the last moment.
  const made = names.find((name) => !held.has(name) && !concerned.has(name));
  if (made !== undefined) throw new Broken('takeover', `${made} was not there, and is a member`);
}

/**
 * One of all that have the same names. Each doubt doubles the outcomes, and a Ringmaster that closes with a full queue
 * leaves dozens of doubts, most of them about the same few names: seed 4723 took all memory there is.
 */
function differing(outcomes: readonly (readonly string[])[]): (readonly string[])[] {
  return [...new Map(outcomes.map((names) => [[...new Set(names)].toSorted().join(' '), names])).values()];
}

/** Whom the wish brings in or takes. */
function changedBy(names: readonly string[], wish: Wish): string[] {
  const after = granted(names, wish, MEMBERS_MAX);
  if (typeof after === 'number') return [];
  const [more, less] = wish.verb === 'add' ? [after, names] : [names, after];
  return more.filter((name) => !less.includes(name));
}
