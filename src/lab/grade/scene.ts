import { greeterOf, mappedServerOf, membersOf, type Members } from '../contract.ts';
import { Caller, type Call, type Exchange } from '../exchange.ts';
import { serverNumberOf } from '../../ring/course.ts';

/** Calls in a row without a reply, after which nothing more is tried. */
const SILENT_CALLS_MAX = 3;
/** Calls at once where many are needed. */
const CONCURRENCY = 8;

type Answered = Extract<Exchange, { readonly ok: true }>;

/** Nothing answers at the URL, or not as an HTTP server. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** A reply to something that had to be refused, kept for a look at all of them. */
export interface Refused {
  readonly what: string;
  readonly text: string;
}

/** The implementation that is graded: what it was found as, how it is called, and how it gets back to what it was. */
export class Scene {
  readonly #caller: Caller;
  readonly #timeoutMs: number;
  readonly #refused: Refused[] = [];
  #silent = 0;

  private constructor(
    caller: Caller,
    timeoutMs: number,
    /** Who was in at first; undefined where /rep does not say. */
    readonly found: readonly string[] | undefined,
    /** The reply to /rep as it came at first. */
    readonly rep: Exchange,
  ) {
    this.#caller = caller;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws Unreachable where neither /rep, /home nor /heartbeat gets a reply */
  static async open(url: string, timeoutMs: number): Promise<Scene> {
    const caller = new Caller(url, false);
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
    return new Scene(caller, timeoutMs, rep.ok ? membersOf(rep.text)?.names : undefined, rep);
  }

  close(): void {
    this.#caller.close();
  }

  /** Whether it has stopped to answer. */
  get lost(): boolean {
    return this.#silent >= SILENT_CALLS_MAX;
  }

  get refused(): readonly Refused[] {
    return this.#refused;
  }

  async call(path: string, call: Omit<Call, 'timeoutMs'> = {}): Promise<Exchange> {
    const came = await this.#caller.call(path, { ...call, timeoutMs: this.#timeoutMs });
    this.#silent = came.ok ? 0 : this.#silent + 1;
    return came;
  }

  add(body: object): Promise<Exchange> {
    return this.call('/add', { method: 'POST', body });
  }

  remove(body: object): Promise<Exchange> {
    return this.call('/rm', { method: 'DELETE', body });
  }

  /** Keeps a reply that had to be an error. */
  note(what: string, came: Exchange): void {
    if (came.ok) this.#refused.push({ what, text: came.text });
  }

  async members(): Promise<Members | undefined> {
    const came = await this.call('/rep');
    return came.ok && came.status === 200 ? membersOf(came.text) : undefined;
  }

  /** Who is in, by name in order; undefined where /rep does not say. */
  async names(): Promise<readonly string[] | undefined> {
    return (await this.members())?.names.toSorted();
  }

  /** The server that answers `/home` for this id; an Exchange where that is no greeting. */
  async greeter(id: number): Promise<string | Exchange> {
    const came = await this.#caller.call(`/home?id=${id}`, { timeoutMs: this.#timeoutMs });
    return (came.ok && came.status === 200 ? greeterOf(came.text) : undefined) ?? came;
  }

  /** Who answers for each of the ids; an Exchange for the first that nobody answers, with which it ends. */
  async greeters(ids: readonly number[]): Promise<string[] | Exchange> {
    const found: string[] = [];
    for (let from = 0; from < ids.length; from += CONCURRENCY) {
      const some = await Promise.all(ids.slice(from, from + CONCURRENCY).map((id) => this.greeter(id)));
      for (const one of some) {
        if (typeof one !== 'string') return one;
        found.push(one);
      }
    }
    return found;
  }

  /** The server that `/map_request` names for this id; undefined where there is no such call. */
  async mapped(id: number): Promise<string | undefined> {
    const came = await this.call(`/map_request?id=${id}`);
    return came.ok && came.status === 200 ? mappedServerOf(came.text) : undefined;
  }

  /**
   * Names that nobody has. They end in numbers that nobody ends in either: where numbers of servers are read from names,
   * as the assignment's hash functions invite to, these are new servers and no twins of others.
   */
  freshNames(count: number): string[] {
    const last = Math.max(0, ...(this.found ?? []).map((name) => serverNumberOf(name)));
    const first = Number.isSafeInteger(last + count) ? last + 1 : 1;
    return Array.from({ length: count }, (_, i) => `grade-${first + i}`);
  }

  /** Puts the same set of names back as at first; gives what is different after that, or undefined where nothing is. */
  async restore(): Promise<string | undefined> {
    const { found } = this;
    if (found === undefined) return 'GET /rep does not say which servers there are';
    if (this.lost) return 'it does not answer any more';
    const wanted = new Set(found);
    const now = await this.names();
    const extra = (now ?? []).filter((name) => !wanted.has(name));
    if (extra.length > 0) await this.remove({ n: extra.length, hostnames: extra });
    const missing = found.filter((name) => now?.includes(name) !== true);
    if (now !== undefined && missing.length > 0) await this.add({ n: missing.length, hostnames: missing });
    return differenceOf(found, extra.length + missing.length === 0 ? now : await this.names());
  }
}

function differenceOf(wanted: readonly string[], now: readonly string[] | undefined): string | undefined {
  if (now === undefined) return 'GET /rep does not say any more which servers there are';
  const extra = now.filter((name) => !wanted.includes(name));
  const missing = wanted.filter((name) => !now.includes(name));
  if (extra.length + missing.length === 0) return undefined;
  return [
    ...(extra.length > 0 ? [`there are still ${extra.join(', ')}`] : []),
    ...(missing.length > 0 ? [`${missing.join(', ')} did not come back`] : []),
  ].join(', and ');
}

export type { Answered };
