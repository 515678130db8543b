/**
 * Which server it was that greeted. The assignment asks for a name in `/rep` and for an id in the greeting, and not that
 * they are the same text: "Server 1" may greet as 1, as server-1, or as the id of its container. So who greets is taken for
 * one server by what it calls itself, and what is new or gone after a change tells who has come or left.
 */

/** Sightings of a greeter without which chance may have kept it out of the sample before. */
const SIGHTINGS_MIN = 3;
/** Standard deviations beyond which two samples do not agree by chance. */
const CHANCE_DEVIATIONS = 6;

/** How often each has greeted, in the order in which they came. O(n). */
export function sightings(greeters: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const one of greeters) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}

/** Those that greet in the second sample only. */
export function appeared(before: readonly string[], after: readonly string[]): string[] {
  const known = new Set(before);
  return [...new Set(after)].filter((one) => !known.has(one));
}

/** Of those that have appeared, those that chance can't have hidden before. */
export function surelyAppeared(before: readonly string[], after: readonly string[]): string[] {
  const counts = sightings(after);
  return appeared(before, after).filter((one) => (counts.get(one) ?? 0) >= SIGHTINGS_MIN);
}

/** Greeters and names that have no counterpart, by text or, where that is one to one, by number or letters. O(n). */
export function unmatched(
  greeters: readonly string[],
  names: readonly string[],
): { readonly strangers: string[]; readonly free: string[] } {
  const sameText = new Set(names);
  let strangers = [...new Set(greeters)].filter((one) => !sameText.has(one));
  const greeting = new Set(greeters);
  let free = names.filter((name) => !greeting.has(name));
  const [byGreeter, byName] = [uniqueKeys(strangers), uniqueKeys(free)];
  strangers = strangers.filter((one) => byGreeter.get(keyOf(one)) !== one || !byName.has(keyOf(one)));
  free = free.filter((one) => byName.get(keyOf(one)) !== one || !byGreeter.has(keyOf(one)));
  return { strangers, free };
}

function uniqueKeys(texts: readonly string[]): Map<string, string> {
  const counts = sightings(texts.map(keyOf));
  return new Map(texts.filter((one) => counts.get(keyOf(one)) === 1).map((one) => [keyOf(one), one]));
}

/** The number that a text ends in and that is its only one, or else its letters and digits. */
function keyOf(text: string): string {
  const number = /^\D*?0*(\d+)$/.exec(text)?.[1];
  return number ?? text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Whether each of these greeters calls itself as `/rep` does. */
export function isByName(greeters: readonly string[], names: readonly string[]): boolean {
  return greeters.every((one) => names.includes(one));
}

export type Repeat = 'same' | 'some' | 'chance';

/**
 * Whether ids decide who answers, by two samples of the same ids: all answers are the `same`; they agree as often as two
 * draws of the same shares do, by `chance`, so that the ids that were sent play no part; or they agree more often than
 * that, and yet not always (`some`). O(n).
 */
export function repeatOf(first: readonly string[], second: readonly string[]): Repeat {
  const agreeing = first.filter((one, i) => one === second[i]).length;
  if (agreeing === first.length) return 'same';
  const again = sightings(second);
  let expected = 0;
  for (const [one, count] of sightings(first))
    expected += (count / first.length) * ((again.get(one) ?? 0) / second.length);
  const deviation = Math.sqrt((expected * (1 - expected)) / first.length);
  return agreeing / first.length - expected > CHANCE_DEVIATIONS * deviation ? 'some' : 'chance';
}

export interface Moves {
  /** Keys that another server answers for. */
  readonly moved: number;
  /** Of those, the ones that neither went to who came nor lay at who left. */
  readonly needless: number;
  /** Keys that had to stay where they were: those of all others than who came or left. */
  readonly staying: number;
}

/** Moves, or why they can't be told. */
export type Told = Moves | string;

interface Change {
  /** The name of the one server that came or left. */
  readonly name: string;
  /** Whether all greeters are known to call themselves as `/rep` does. */
  readonly byName: boolean;
}

/** What moved when one server came, by who greets before and after for each key of the same list. O(n). */
export function movesToNew(before: readonly string[], after: readonly string[], change: Change): Told {
  const moved = after.filter((one, i) => one !== before[i]);
  return movesAt(change, moved, { changed: appeared(before, after), owners: after });
}

/** What moved when one server left, by who greets before and after for each key of the same list. O(n). */
export function movesFromOld(before: readonly string[], after: readonly string[], change: Change): Told {
  const moved = before.filter((one, i) => one !== after[i]);
  return movesAt(change, moved, { changed: appeared(after, before), owners: before });
}

/**
 * @param moved who has got, or had, each of the keys that moved
 * @param changed who greets in only one of the samples
 * @param owners all who greet in that sample
 */
function movesAt(
  { name, byName }: Change,
  moved: readonly string[],
  { changed, owners }: { readonly changed: readonly string[]; readonly owners: readonly string[] },
): Told {
  const at = byName || changed.includes(name) ? name : changed[0];
  if (at !== name && changed.length > 1)
    return `of one server that changed ${changed.length} greeters came or went: ${changed.join(', ')}`;
  const [only, ...others] = new Set(moved);
  if (at === undefined && only !== undefined && others.length === 0)
    return `all keys that moved are of ${only}, which two servers may call themselves`;
  const needless = moved.filter((one) => one !== at).length;
  return { moved: moved.length, needless, staying: owners.filter((one) => one !== at).length };
}
