import { NAME_PATTERN } from '../config.ts';
import { foldName, type Naming } from '../runtime/naming.ts';
import { InvalidChange, NameTaken, TooManyReplicas, UnknownReplica } from './errors.ts';

/** A wish for joins or leaves: `n` replicas, of which `hostnames` name some (at most n). */
export interface Change {
  readonly n: number;
  readonly hostnames: readonly string[];
}

/** A change that is asked about before it is made: joins, leaves, or both at once. */
export interface Proposal {
  readonly join?: Change;
  readonly leave?: Change;
}

/** What a proposal comes to, by name. */
export interface Plan {
  /** Who would join, in joining order. */
  readonly joining: readonly string[];
  /** Who would leave. */
  readonly leaving: readonly string[];
  /** The members of now, and those of after it, in joining order. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What decides who may join. */
export interface JoinLimits {
  readonly maxReplicas: number;
  readonly naming: Naming;
}

const NAME = new RegExp(NAME_PATTERN);

export function namesOf(replicas: readonly { readonly name: string }[]): string[] {
  return replicas.map(({ name }) => name);
}

/** Refuses what no membership could make right. Throws InvalidChange. */
export function checkJoin(change: Change, naming: Naming): void {
  checkCount(change, 'Length of hostname list is more than newly added instances');
  checkNames(change.hostnames, naming, (name) => naming.allows(name));
  if (naming.generated === undefined && change.hostnames.length < change.n)
    throw new InvalidChange(
      `Names cannot be made up here: send as many hostnames as n says. A hostname is ${naming.rule}`,
    );
}

/** Refuses what no membership could make right. Throws InvalidChange. */
export function checkLeave(change: Change, naming: Naming): void {
  checkCount(change, 'Length of hostname list is more than removable instances');
  // What looks like a name is taken for one, and who has it is the question: nobody may.
  checkNames(change.hostnames, naming, (name) => NAME.test(name) || naming.allows(name));
}

/**
 * The names that a checked `change` adds to `taken` (members in joining order): those asked for, then generated ones.
 * Throws NameTaken or TooManyReplicas; pure, so a refusal has changed nothing.
 */
export function joining(
  taken: readonly string[],
  change: Change,
  { maxReplicas, naming }: JoinLimits,
): string[] {
  const { n, hostnames } = change;
  const used = new Map(taken.map((name) => [naming.identity(name), name]));
  for (const name of hostnames) {
    const holder = used.get(naming.identity(name));
    if (holder === undefined) continue;
    throw new NameTaken(
      foldName(holder) === foldName(name)
        ? `Hostname ${name} is taken: choose a name that /rep does not list`
        : `Hostname ${name} is taken: /rep lists the same server as ${holder}`,
    );
  }
  if (taken.length + n > maxReplicas)
    throw new TooManyReplicas(
      `${taken.length} replicas and ${n} more would be over the limit of ${maxReplicas}: add fewer or raise MAX_REPLICAS`,
    );
  for (const name of hostnames) used.set(naming.identity(name), name);
  const names = [...hostnames];
  for (let i = 1; naming.generated !== undefined && names.length < n; i++) {
    const name = naming.generated(i);
    if (!used.has(naming.identity(name))) names.push(name);
  }
  return names;
}

/**
 * The names that a checked `change` takes from `members` (in joining order): those asked for, then the newest.
 * Throws InvalidChange or UnknownReplica; pure, so a refusal has changed nothing.
 */
export function leaving(members: readonly string[], change: Change, naming: Naming): string[] {
  const { n, hostnames } = change;
  const known = new Map(members.map((name) => [naming.identity(name), name]));
  const unknown = hostnames.find((name) => !known.has(naming.identity(name)));
  if (unknown !== undefined)
    throw new UnknownReplica(`Hostname ${unknown} is not a replica: /rep lists those that are`);
  if (n > members.length)
    throw new InvalidChange(
      `Cannot remove ${n} of ${members.length} replicas: ask for no more than /rep lists`,
    );
  const names = new Set(hostnames.map((name) => known.get(naming.identity(name)) as string));
  for (let i = members.length - 1; names.size < n; i--) names.add(members[i] as string);
  return [...names];
}

/**
 * What `proposal` would come to with `members` (in joining order). Throws what making it would: InvalidChange, NameTaken,
 * TooManyReplicas or UnknownReplica. Who leaves makes room for who joins, so that one may be put in the place of another.
 */
export function planned(members: readonly string[], { join, leave }: Proposal, limits: JoinLimits): Plan {
  const { naming } = limits;
  if (join !== undefined) checkJoin(join, naming);
  if (leave !== undefined) checkLeave(leave, naming);
  const wished = new Set(join?.hostnames.map((name) => naming.identity(name)));
  const both = leave?.hostnames.find((name) => wished.has(naming.identity(name)));
  if (both !== undefined)
    throw new InvalidChange(`Hostname ${both} is to join and to leave: it can be in one list only`);
  const left = leave === undefined ? [] : leaving(members, leave, naming);
  const gone = new Set(left);
  const stay = members.filter((name) => !gone.has(name));
  const joined = join === undefined ? [] : joining(stay, join, limits);
  return { joining: joined, leaving: left, before: [...members], after: [...stay, ...joined] };
}

function checkCount({ n, hostnames }: Change, tooManyNames: string): void {
  if (!Number.isSafeInteger(n) || n < 1) throw new InvalidChange('n must be a whole number, 1 or more');
  if (hostnames.length > n) throw new InvalidChange(tooManyNames);
}

function checkNames(hostnames: readonly string[], naming: Naming, allowed: (name: string) => boolean): void {
  const seen = new Set<string>();
  for (const name of hostnames) {
    if (!allowed(name)) throw new InvalidChange(`A hostname is ${naming.rule}`);
    const identity = naming.identity(name);
    if (seen.has(identity))
      throw new InvalidChange(`Hostname ${name} is there twice: names must differ, ${naming.difference}`);
    seen.add(identity);
  }
}
