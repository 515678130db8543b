import { NAME_PATTERN, WEIGHT_MAX, WEIGHT_SUM_MAX } from '../config.ts';
import { COURSE_REPLICAS_MAX } from '../ring/course.ts';
import type { Algorithm, Site } from '../ring/placement.ts';
import { foldName, type Naming } from '../runtime/naming.ts';
import { InvalidChange, NameTaken, TooManyReplicas, UnknownReplica } from './errors.ts';

/** A wish for joins or leaves: `n` replicas, of which `hostnames` name some (at most n). */
export interface Change {
  readonly n: number;
  readonly hostnames: readonly string[];
  /** Of those in `hostnames` that join with another weight than 1. */
  readonly weights?: Weights | undefined;
}

/** Weights by name: a replica's share of the keys, as a multiple of the share of weight 1. */
export type Weights = Readonly<Record<string, number>>;

/** A change that is asked about before it is made: joins, leaves, other weights, or all at once. */
export interface Proposal {
  readonly join?: Change;
  readonly leave?: Change;
  /** Of those who stay, and of those who join by name. */
  readonly weigh?: Weights;
  /** How keys would be placed; as they are where it is not said. */
  readonly hash?: Algorithm;
}

/** What a proposal comes to, by name. */
export interface Plan {
  /** Who would join, in joining order. */
  readonly joining: readonly string[];
  /** Who would leave. */
  readonly leaving: readonly string[];
  /** The members of now, and those of after it, in joining order, as placements know them. */
  readonly before: readonly Site[];
  readonly after: readonly Site[];
  /** How keys are placed now, and how after it. */
  readonly hash: { readonly before: Algorithm; readonly after: Algorithm };
}

/** A member, and its weight. */
export type Weighted = Pick<Site, 'name' | 'weight'>;

/** What decides who may join. */
export interface JoinLimits {
  readonly maxReplicas: number;
  readonly hash?: Algorithm;
  readonly naming: Naming;
}

/** What decides which weights are possible. */
export interface WeightLimits {
  readonly naming: Naming;
  readonly hash: Algorithm;
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
  { maxReplicas, naming, hash }: JoinLimits,
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
      `${taken.length} replicas and ${n} more would be over the limit of ${maxReplicas}: ${
        maxReplicas < COURSE_REPLICAS_MAX || hash !== 'course'
          ? 'add fewer or raise MAX_REPLICAS'
          : 'add fewer, HASH=course has room for no more'
      }`,
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

/** Refuses weights that no membership could make right. Throws InvalidChange. */
export function checkWeights(weights: Weights, { naming, hash }: WeightLimits): void {
  const names = Object.keys(weights);
  checkNames(names, naming, (name) => NAME.test(name) || naming.allows(name));
  for (const name of names) {
    const weight = weights[name] as number;
    if (!Number.isSafeInteger(weight) || weight < 1 || weight > WEIGHT_MAX)
      throw new InvalidChange(`The weight of ${name} must be a whole number from 1 to ${WEIGHT_MAX}`);
    if (hash === 'course' && weight !== 1)
      throw new InvalidChange('With HASH=course every weight is 1: choose another HASH for others');
  }
}

/** Refuses a join whose weights are of others than those it names, or can not be. Throws InvalidChange. */
export function checkJoinWeights({ hostnames, weights = {} }: Change, limits: WeightLimits): void {
  const { naming } = limits;
  checkWeights(weights, limits);
  const named = new Set(hostnames.map((name) => naming.identity(name)));
  const other = Object.keys(weights).find((name) => !named.has(naming.identity(name)));
  if (other !== undefined)
    throw new InvalidChange(
      `weights has ${other}, which hostnames has not: a weight is for one that is named`,
    );
}

/** The members as they are with the checked weights, `joining` beside them. Throws UnknownReplica, or InvalidChange where they sum up to too much. */
export function weighed(
  members: readonly Weighted[],
  weights: Weights,
  naming: Naming,
  joining: readonly Weighted[] = [],
): Weighted[] {
  const known = new Set(members.map(({ name }) => naming.identity(name)));
  const unknown = Object.keys(weights).find((name) => !known.has(naming.identity(name)));
  if (unknown !== undefined)
    throw new UnknownReplica(`Hostname ${unknown} is not a replica: /rep lists those that are`);
  const after = withWeights(members, weights, naming);
  checkSum([...after, ...joining]);
  return after;
}

/** Names with the weights that are said of them, and 1 otherwise. Throws InvalidChange where all sum up to too much. */
export function weighted(
  names: readonly string[],
  weights: Weights,
  naming: Naming,
  members: readonly Weighted[],
): Weighted[] {
  const fresh = names.map((name) => ({ name, weight: 1 }));
  const joined = withWeights(fresh, weights, naming);
  checkSum([...members, ...joined]);
  return joined;
}

/** What comes of a weight that was kept: where the algorithm has none it is not said, whatever an engine still says. */
export function weightUnder(hash: Algorithm, weight: number | undefined): number | undefined {
  return hash === 'course' ? undefined : weight;
}

/** Weights by name, in joining order. */
export function weightsOf(members: readonly Weighted[]): Weights {
  return Object.fromEntries(members.map(({ name, weight }) => [name, weight]));
}

/** A member as placements know it. */
export function siteOf({ name, weight }: Weighted, naming: Naming): Site {
  return { name, weight, label: naming.label?.(name) };
}

/**
 * What `proposal` would come to with `members` (in joining order). Throws what making it would: InvalidChange, NameTaken,
 * TooManyReplicas or UnknownReplica. Who leaves makes room for who joins, so that one may be put in the place of another.
 */
export function planned(
  members: readonly Weighted[],
  { join: wish, leave, weigh: weights = {}, hash }: Proposal,
  inForce: JoinLimits & WeightLimits,
): Plan {
  const { naming } = inForce;
  const { join, weigh } = divided(wish, weights, naming);
  const limits = { ...inForce, hash: hash ?? inForce.hash };
  if (join !== undefined) checkJoin(join, naming);
  if (join !== undefined) checkJoinWeights(join, limits);
  if (leave !== undefined) checkLeave(leave, naming);
  checkWeights(weigh, limits);
  const wished = new Set(join?.hostnames.map((name) => naming.identity(name)));
  const both = leave?.hostnames.find((name) => wished.has(naming.identity(name)));
  if (both !== undefined)
    throw new InvalidChange(`Hostname ${both} is to join and to leave: it can be in one list only`);
  const going = new Set(leave?.hostnames.map((name) => naming.identity(name)));
  const weightless = Object.keys(weigh).find((name) => going.has(naming.identity(name)));
  if (weightless !== undefined)
    throw new InvalidChange(`Hostname ${weightless} is to leave: it has no weight then`);
  const left = leave === undefined ? [] : leaving(namesOf(members), leave, naming);
  const gone = new Set(left);
  const stay = members.filter(({ name }) => !gone.has(name));
  const joined = join === undefined ? [] : joining(namesOf(stay), join, limits);
  const stayed = weighed(stay, weigh, naming);
  const after = [...stayed, ...weighted(joined, join?.weights ?? {}, naming, stayed)];
  if (limits.hash === 'course' && after.length > COURSE_REPLICAS_MAX)
    throw new InvalidChange(
      `The map of course has room for ${COURSE_REPLICAS_MAX} replicas, not for ${after.length}: plan for fewer or with another hash`,
    );
  // It has no weights, whatever they were before.
  const weighs = limits.hash !== 'course';
  const sites = (all: readonly Weighted[]): Site[] => all.map((one) => siteOf(one, naming));
  return {
    joining: joined,
    leaving: left,
    before: sites(members),
    after: sites(after.map(({ name, weight }) => ({ name, weight: weighs ? weight : 1 }))),
    hash: { before: inForce.hash, after: limits.hash },
  };
}

/** Weights of those who are to join belong to the join. */
function divided(
  join: Change | undefined,
  weights: Weights,
  naming: Naming,
): { readonly join: Change | undefined; readonly weigh: Weights } {
  const names = new Set(join?.hostnames.map((name) => naming.identity(name)));
  const of = (joins: boolean): Weights =>
    Object.fromEntries(
      Object.entries(weights).filter(([name]) => names.has(naming.identity(name)) === joins),
    );
  return { join: join && { ...join, weights: { ...join.weights, ...of(true) } }, weigh: of(false) };
}

function withWeights(members: readonly Weighted[], weights: Weights, naming: Naming): Weighted[] {
  const byIdentity = new Map(
    Object.entries(weights).map(([name, weight]) => [naming.identity(name), weight] as const),
  );
  return members.map(({ name, weight }) => ({
    name,
    weight: byIdentity.get(naming.identity(name)) ?? weight,
  }));
}

function checkSum(members: readonly Weighted[]): void {
  const sum = members.reduce((total, { weight }) => total + weight, 0);
  if (sum > WEIGHT_SUM_MAX)
    throw new InvalidChange(`All weights together would be ${sum}: they can be ${WEIGHT_SUM_MAX} at most`);
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
