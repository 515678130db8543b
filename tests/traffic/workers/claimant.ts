import { eventually } from '../../spawned.ts';
import type { Ask, Told } from './claiming-relay.ts';

type Self = Told & { readonly told: 'self' };
type Claimed = Told & { readonly told: 'claimed' };
type NewsTold = Exclude<Told, Self | Claimed>;

/** A client of a claiming relay, on one connection and so with one worker. */
export class Claimant {
  /** News of its leases so far. */
  readonly news: NewsTold[] = [];
  readonly closed: Promise<void>;
  readonly #self = Promise.withResolvers<Self>();
  readonly #claims: ((claimed: Claimed) => void)[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #socket: Bun.Socket | undefined;
  #unread = '';

  private constructor() {
    this.closed = this.#closed.promise;
  }

  /** Resolves when a worker has said who it is. */
  static async connect(port: number): Promise<Claimant & { readonly self: Self }> {
    const one = new Claimant();
    one.#socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => one.#read(chunk.toString()),
        close: () => one.#end(),
        error: () => one.#end(),
      },
    });
    return Object.assign(one, { self: await one.#self.promise });
  }

  /** A claimant for each of `count` workers: connections are made until there is one with each. */
  static async each(port: number, count: number): Promise<(Claimant & { readonly self: Self })[]> {
    const byPid = new Map<number, Claimant & { readonly self: Self }>();
    await eventually(async () => {
      const one = await Claimant.connect(port);
      if (byPid.has(one.self.pid)) one.leave();
      else byPid.set(one.self.pid, one);
      return byPid.size === count;
    });
    return [...byPid.values()];
  }

  claim(key: string, except?: readonly string[]): Promise<Claimed> {
    return new Promise((resolve) => {
      this.#claims.push(resolve);
      this.ask({ ask: 'claim', key, ...(except && { except }) });
    });
  }

  /** Whom its worker would send each key to; nothing stays claimed. */
  async map(keys: readonly string[]): Promise<(string | null)[]> {
    const claimed = await Promise.all(keys.map((key) => this.claim(key)));
    for (const { lease } of claimed) this.ask({ ask: 'release', lease });
    return claimed.map(({ replica }) => replica);
  }

  ask(ask: Ask): void {
    this.#socket?.write(`${JSON.stringify(ask)}\n`);
  }

  /** It goes, and so does what it holds. */
  leave(): void {
    this.#socket?.end();
  }

  #read(text: string): void {
    const lines = (this.#unread + text).split('\n');
    this.#unread = lines.pop() ?? '';
    for (const line of lines) {
      const told = JSON.parse(line) as Told;
      if (told.told === 'self') this.#self.resolve(told);
      else if (told.told === 'claimed') this.#claims.shift()?.(told);
      else this.news.push(told);
    }
  }

  #end(): void {
    this.#self.reject(new Error('closed before the worker said who it is'));
    this.#closed.resolve();
  }
}
