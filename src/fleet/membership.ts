import { InvalidChange, NameTaken, TooManyReplicas, UnknownReplica } from './errors.ts';

/** A wish for joins or leaves: `n` replicas, of which `hostnames` name some (at most n). */
export interface Change {
  readonly n: number;
  readonly hostnames: readonly string[];
}

/**
 * Names become labels, container names, DNS aliases and text on a page: letters and digits first, then also
 * "_", "." and "-"; 1 to 63 characters, the longest label DNS has (RFC 1035, section 2.3.4).
 */
export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$';
const NAME = new RegExp(NAME_PATTERN);
const GENERATED_PREFIX = 'server-';

/** Refuses what no membership could make right. Throws InvalidChange. */
export function checkJoin(change: Change): void {
  checkCount(change, 'Length of hostname list is more than newly added instances');
  checkNames(change.hostnames);
}

/** Refuses what no membership could make right. Throws InvalidChange. */
export function checkLeave(change: Change): void {
  checkCount(change, 'Length of hostname list is more than removable instances');
  checkNames(change.hostnames);
}

/**
 * The names that a checked `change` adds to `taken` (members in joining order): those asked for, then generated ones.
 * Throws NameTaken or TooManyReplicas; pure, so a refusal has changed nothing.
 */
export function joining(taken: readonly string[], change: Change, maxReplicas: number): string[] {
  const { n, hostnames } = change;
  const used = new Set(taken.map(fold));
  const clash = hostnames.find((name) => used.has(fold(name)));
  if (clash !== undefined)
    throw new NameTaken(`Hostname ${clash} is taken: choose a name that /rep does not list`);
  if (taken.length + n > maxReplicas)
    throw new TooManyReplicas(
      `${taken.length} replicas and ${n} more would be over the limit of ${maxReplicas}: add fewer or raise MAX_REPLICAS`,
    );
  for (const name of hostnames) used.add(fold(name));
  const names = [...hostnames];
  for (let i = 1; names.length < n; i++) {
    const name = `${GENERATED_PREFIX}${i}`;
    if (used.has(name)) continue;
    names.push(name);
  }
  return names;
}

/**
 * The names that a checked `change` takes from `members` (in joining order): those asked for, then the newest.
 * Throws InvalidChange or UnknownReplica; pure, so a refusal has changed nothing.
 */
export function leaving(members: readonly string[], change: Change): string[] {
  const { n, hostnames } = change;
  const known = new Map(members.map((name) => [fold(name), name]));
  const unknown = hostnames.find((name) => !known.has(fold(name)));
  if (unknown !== undefined)
    throw new UnknownReplica(`Hostname ${unknown} is not a replica: /rep lists those that are`);
  if (n > members.length)
    throw new InvalidChange(
      `Cannot remove ${n} of ${members.length} replicas: ask for no more than /rep lists`,
    );
  const names = new Set(hostnames.map((name) => known.get(fold(name)) as string));
  for (let i = members.length - 1; names.size < n; i--) names.add(members[i] as string);
  return [...names];
}

/** DNS and some file systems do not tell case apart, so neither may two replicas. */
function fold(name: string): string {
  return name.toLowerCase();
}

function checkCount({ n, hostnames }: Change, tooManyNames: string): void {
  if (!Number.isSafeInteger(n) || n < 1) throw new InvalidChange('n must be a whole number, 1 or more');
  if (hostnames.length > n) throw new InvalidChange(tooManyNames);
}

function checkNames(hostnames: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of hostnames) {
    if (!NAME.test(name))
      throw new InvalidChange(
        'A hostname is 1 to 63 letters, digits, "_", "." or "-", and begins with a letter or digit',
      );
    if (seen.has(fold(name)))
      throw new InvalidChange(`Hostname ${name} is there twice: names must differ, without regard to case`);
    seen.add(fold(name));
  }
}
