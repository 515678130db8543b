import { Chance } from '../fleet/chance.ts';
import { Ring } from '../../src/ring/ring.ts';

export const MEMBERS_MIN = 3;
const MEMBERS_MAX = 7;
/** Replicas that one change adds or removes. */
const CHANGED_MAX = 2;
/** By then a change is answered, however busy the machine. */
const ANSWER_LIMIT_MS = 60_000;

interface Change {
  readonly verb: 'add' | 'rm';
  readonly n: number;
  /** Of those that join or leave the ones that are asked for by name. */
  readonly hostnames: readonly string[];
  readonly expected: readonly string[];
}

/** Who is in, as far as the calls that were accepted say. */
export class Members {
  changes = 0;
  refused = 0;
  readonly wrong: string[] = [];
  readonly #url: string;
  readonly #mayRefuse: () => number;
  #names: readonly string[];
  /** Those that join or leave just now. */
  #inChange: ReadonlySet<string> = new Set();
  #named = 0;

  /** `mayRefuse` counts up with everything that allows a change to be refused, and is odd while it lasts. */
  constructor(url: string, names: readonly string[], mayRefuse: () => number) {
    this.#url = url;
    this.#names = names;
    this.#mayRefuse = mayRefuse;
  }

  /** Those that may answer now: members, and who joins or leaves just now. */
  get current(): ReadonlySet<string> {
    return new Set([...this.#names, ...this.#inChange]);
  }

  /** Those that are members now and as long as nothing is asked. */
  get staying(): string[] {
    return this.#names.filter((name) => !this.#inChange.has(name));
  }

  /** For each that stays an id that is its own, whoever of the others is in. */
  idsOfStaying(): Map<string, number> {
    // Who owns a key among all owns it among fewer.
    const ring = Ring.of(this.current);
    const ids = new Map<string, number>();
    const staying = this.staying;
    for (let id = 0; ids.size < staying.length; id++) {
      const owner = ring.owner(String(id)) ?? '';
      if (staying.includes(owner) && !ids.has(owner)) ids.set(owner, id);
    }
    return ids;
  }

  /** Adds or removes some; resolves when that is answered. */
  async change(seed: number): Promise<void> {
    const chance = new Chance(seed);
    const { length } = this.#names;
    const grows = length <= MEMBERS_MIN || (length < MEMBERS_MAX && chance.happens(0.5));
    const room = grows ? MEMBERS_MAX - length : length - MEMBERS_MIN;
    const n = 1 + chance.below(Math.min(CHANGED_MAX, room));
    if (await this.#ask(grows ? this.#adding(n, chance) : this.#removing(n, chance))) this.changes++;
  }

  /** Removes all. */
  async empty(): Promise<void> {
    const n = this.#names.length;
    if (n > 0) await this.#ask({ verb: 'rm', n, hostnames: [], expected: [] });
  }

  /** Adds as many as there are at least, where there are none. */
  async refill(): Promise<void> {
    await this.#ask(this.#adding(MEMBERS_MIN, new Chance(0)));
  }

  #adding(n: number, chance: Chance): Change {
    const hostnames = Array.from({ length: chance.below(n + 1) }, () => `named-${++this.#named}`);
    const expected = [...this.#names, ...hostnames];
    for (let i = 1; expected.length < this.#names.length + n; i++)
      if (!expected.includes(`server-${i}`)) expected.push(`server-${i}`);
    return { verb: 'add', n, hostnames, expected };
  }

  #removing(n: number, chance: Chance): Change {
    const named = chance.below(n + 1);
    const left = [...this.#names];
    const hostnames = Array.from({ length: named }, () => left.splice(chance.below(left.length), 1)).flat();
    const expected = left.slice(0, left.length - (n - named));
    return { verb: 'rm', n, hostnames, expected };
  }

  /** Gives whether it was made. */
  async #ask({ verb, n, hostnames, expected }: Change): Promise<boolean> {
    const what = `${verb} ${JSON.stringify({ n, hostnames })}`;
    const [before, after] = [new Set(this.#names), new Set(expected)];
    this.#inChange = before.symmetricDifference(after);
    const mayRefuse = this.#mayRefuse();
    let made = false;
    try {
      const reply = await fetch(`${this.#url}/${verb}`, {
        method: verb === 'add' ? 'POST' : 'DELETE',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ n, hostnames }),
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      const answer = await reply.text();
      const refusable = mayRefuse % 2 === 1 || this.#mayRefuse() !== mayRefuse;
      if (reply.status === 200) {
        made = true;
        this.#names = expected;
      } else if (reply.status === 503 && refusable) this.refused++;
      else this.wrong.push(`${what}: ${reply.status} ${answer}`);
    } catch (error) {
      this.wrong.push(`${what}: ${(error as Error).message}`);
    }
    this.#inChange = new Set();
    await this.#check(what);
    return made;
  }

  /** Compares with what Ringmaster says. */
  async #check(after: string): Promise<void> {
    const reply = await fetch(`${this.#url}/rep`, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    const told = await reply.text();
    const expected = JSON.stringify({ N: this.#names.length, replicas: this.#names });
    if (told !== expected) this.wrong.push(`after ${after}: ${told} instead of ${expected}`);
  }
}
