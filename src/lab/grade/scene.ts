import { greeterOf, mappedServerOf, membersOf, type Members } from '../contract.ts';
import { Caller, type Call, type Exchange } from '../exchange.ts';
import { serverNumberOf } from '../../ring/course.ts';
import { Blame, type Fault, type Outcome } from './outcome.ts';

/** Calls in a row without a reply, after which nothing more is tried. */
const SILENT_CALLS_MAX = 3;
/**
 * Calls at once where many are needed: a server of one thread that lets five wait, as Python's own does, is left a moment
 * for each; of more it would drop some, which are then sent again only after a second.
 */
export const CONCURRENCY = 4;
/** Times that servers are put back before what differs is left. */
const RESTORE_ROUNDS_MAX = 2;
export const UNAUTHORIZED = 401;

/** The calls that change who is in. */
export type Method = 'add' | 'rm';
const CHANGES = { add: ['/add', 'POST'], rm: ['/rm', 'DELETE'] } as const;

/** Nothing answers at the URL, or not as an HTTP server. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** An id, and what came in place of a greeting. */
export interface Unanswered {
  readonly id: number;
  readonly came: Exchange;
}

/** A reply to something that had to be refused, kept for a look at all of them. */
export interface Refused {
  readonly what: string;
  readonly text: string;
}

export interface Access {
  readonly url: string;
  /** Of each call. */
  readonly timeoutMs: number;
  /** Sent with what changes servers; undefined: none. */
  readonly token?: string | undefined;
  /** Whether a certificate that nobody vouches for is taken. */
  readonly insecure?: boolean;
}

/** The implementation that is graded: what it was found as, how it is called, and how it gets back to what it was. */
export class Scene {
  readonly #caller: Caller;
  readonly #access: Access;
  readonly #refused: Refused[] = [];
  readonly #blame = new Blame();
  /** Who is to be in before each point; less than was found where somebody can't be brought back. */
  #wanted: readonly string[];
  #current: readonly string[];
  #silent = 0;
  /** The highest number in a name that was given to a server. */
  #lastNumber = 0;
  #denied = false;
  #hasAdded = false;
  readonly #gone = new Set<string>();
  /** Who answered for the sample of ids, since servers were changed last; undefined: nobody was asked. */
  owners: readonly string[] | undefined;
  /** What came of the point on whether the same id goes to the same server; undefined: it is not tried yet. */
  sameId: Outcome | undefined;

  private constructor(
    caller: Caller,
    access: Access,
    /** Who was in at first; undefined where /rep does not say. */
    readonly found: readonly string[] | undefined,
    /** The reply to /rep as it came at first. */
    readonly rep: Exchange,
  ) {
    this.#caller = caller;
    this.#access = access;
    this.#wanted = found ?? [];
    this.#current = found ?? [];
  }

  /** @throws Unreachable where neither /rep, /home nor /heartbeat gets a reply */
  static async open(access: Access): Promise<Scene> {
    const { url, timeoutMs, insecure } = access;
    const caller = new Caller(url, false, insecure);
    const rep = await caller.call('/rep', { timeoutMs });
    if (!rep.ok) {
      const others = await Promise.all(
        ['/home', '/heartbeat'].map((path) => caller.call(path, { timeoutMs })),
      );
      if (others.every(({ ok }) => !ok)) {
        caller.close();
        throw new Unreachable(rep.why);
      }
    }
    return new Scene(caller, access, rep.ok ? membersOf(rep.text)?.names : undefined, rep);
  }

  close(): void {
    this.#caller.close();
  }

  /** Whether it has stopped to answer. */
  get lost(): boolean {
    return this.#silent >= SILENT_CALLS_MAX;
  }

  /** Whether a change was answered with 401 since the last point was begun. */
  get denied(): boolean {
    return this.#denied;
  }

  /** Whether servers were added, or tried to be, at any time. */
  get hasAdded(): boolean {
    return this.#hasAdded;
  }

  /** Names that /rep has listed, and does not list any more, in the order in which they left. */
  get gone(): readonly string[] {
    return [...this.#gone];
  }

  get refused(): readonly Refused[] {
    return this.#refused;
  }

  /** Begins a point: what fails from here on is its fault. */
  turnTo(point: string): void {
    this.#blame.turnTo(point);
    this.#denied = false;
  }

  /** That the point failed, or that it was not tried where the fault is one that another has found. */
  fail(came: string, fault: Fault = {}): Outcome {
    return this.#blame.fail(came, fault);
  }

  /** The point that has found this broken before; undefined: none. */
  blamed(ability: Parameters<Blame['of']>[0]): string | undefined {
    return this.#blame.of(ability);
  }

  async call(path: string, call: Omit<Call, 'timeoutMs'> = {}): Promise<Exchange> {
    const came = await this.#caller.call(path, { ...call, timeoutMs: this.#access.timeoutMs });
    this.#silent = came.ok ? 0 : this.#silent + 1;
    return came;
  }

  async change(method: Method, body: object | string): Promise<Exchange> {
    if (method === 'add') this.#hasAdded = true;
    this.owners = undefined;
    const [path, verb] = CHANGES[method];
    const came = await this.call(path, { method: verb, body, token: this.#access.token });
    if (came.ok && came.status === UNAUTHORIZED) this.#denied = true;
    return came;
  }

  /** Keeps a reply that had to be an error. */
  note(what: string, came: Exchange): void {
    if (came.ok) this.#refused.push({ what, text: came.text });
  }

  async members(): Promise<Members | undefined> {
    const came = await this.call('/rep');
    const members = came.ok && came.status === 200 ? membersOf(came.text) : undefined;
    if (members === undefined) return undefined;
    for (const name of without(this.#current, members.names)) this.#gone.add(name);
    for (const name of members.names) this.#gone.delete(name);
    this.#current = members.names;
    return members;
  }

  /** Who is in, by name in order; undefined where /rep does not say. */
  async names(): Promise<readonly string[] | undefined> {
    return (await this.members())?.names.toSorted();
  }

  /** What the server that answers `/home` for this id calls itself; an Exchange where that is no greeting. */
  async greeter(id: number): Promise<string | Exchange> {
    const came = await this.#caller.call(`/home?id=${id}`, { timeoutMs: this.#access.timeoutMs });
    return (came.ok && came.status === 200 ? greeterOf(came.text) : undefined) ?? came;
  }

  /** What came for each of the ids, a few of them at once; it ends after those that are `enough`. */
  async ask(
    ids: readonly number[],
    enough: (some: readonly (string | Exchange)[]) => boolean,
  ): Promise<(string | Exchange)[]> {
    const found: (string | Exchange)[] = [];
    for (let from = 0; from < ids.length; from += CONCURRENCY) {
      const some = await Promise.all(ids.slice(from, from + CONCURRENCY).map((id) => this.greeter(id)));
      found.push(...some);
      if (enough(some)) break;
    }
    return found;
  }

  /** Who answers for each of the ids, or the first that nobody answers, with which it ends. */
  async greeters(ids: readonly number[]): Promise<string[] | Unanswered> {
    const found: string[] = [];
    const all = await this.ask(ids, (some) => some.some((one) => typeof one !== 'string'));
    for (const [i, one] of all.entries()) {
      if (typeof one !== 'string') return { id: ids[i] ?? 0, came: one };
      found.push(one);
    }
    return found;
  }

  /** The server that `/map_request` names for this id; undefined where there is no such call. */
  async mapped(id: number): Promise<string | undefined> {
    const came = await this.call(`/map_request?id=${id}`);
    return came.ok && came.status === 200 ? mappedServerOf(came.text) : undefined;
  }

  /**
   * Names that nobody has, nor has had: who is removed and still answers is no newcomer under its old name. They end in
   * numbers that nobody ends in either: where numbers of servers are read from names, as the assignment's hash functions
   * invite to, these are new servers and no twins of others.
   *
   * @param step from each number to the next
   */
  freshNames(count: number, step = 1): string[] {
    const numbers = this.#current.map((name) => serverNumberOf(name));
    const last = Math.max(this.#lastNumber, ...numbers);
    const first = Number.isSafeInteger(last + count * step) ? last + 1 : this.#lastNumber + 1;
    this.#lastNumber = first + (count - 1) * step;
    return Array.from({ length: count }, (_, i) => `grade-${first + i * step}`);
  }

  /**
   * Puts the same names back as before. What can't be put back is not tried again after each point, but at the `end`.
   *
   * @returns what is different from what was found at first; undefined: nothing
   */
  async restore(end = false): Promise<string | undefined> {
    const { found } = this;
    if (found === undefined) return 'GET /rep does not say which servers there are';
    if (this.lost) return NO_ANSWER;
    const wanted = end ? found : this.#wanted;
    let now = await this.names();
    for (let round = 0; now !== undefined && round < RESTORE_ROUNDS_MAX; round++) {
      const [extra, missing] = [without(now, wanted), without(wanted, now)];
      if (extra.length + missing.length === 0) break;
      await this.#eachOrAll('rm', extra);
      await this.#eachOrAll('add', missing);
      now = await this.names();
    }
    if (now === undefined) {
      const { ok } = await this.call('/rep');
      return ok ? 'GET /rep does not say any more which servers there are' : NO_ANSWER;
    }
    this.#wanted = now;
    return differenceOf(found, now);
  }

  /** All in one call, or where that fails one by one. */
  async #eachOrAll(method: Method, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const came = await this.change(method, { n: names.length, hostnames: names });
    if ((came.ok && came.status < 400) || names.length === 1) return;
    for (const name of names) {
      if (this.lost) return;
      await this.change(method, { n: 1, hostnames: [name] });
    }
  }
}

const NO_ANSWER = 'it does not answer any more';

/** Each name of `names` as often as it has no counterpart in `others`. */
function without(names: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return names.filter((name) => {
    const at = rest.indexOf(name);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

function differenceOf(wanted: readonly string[], now: readonly string[]): string | undefined {
  const [extra, missing] = [without(now, wanted), without(wanted, now)];
  if (extra.length + missing.length === 0) return undefined;
  return [
    ...(extra.length > 0 ? [`there are still ${extra.join(', ')}`] : []),
    ...(missing.length > 0 ? [`${missing.join(', ')} did not come back`] : []),
  ].join(', and ');
}
