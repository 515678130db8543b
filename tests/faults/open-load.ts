/** Clients that come at a fixed rate, whatever becomes of those before, and that do not wait for ever. */
import { Asker } from './steady-load.ts';

export interface OpenLoadOptions {
  readonly port: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** What is answered later is of no use to anybody. */
  readonly deadlineMs: number;
  /** Whether a client whose request was refused or came too late asks once more, at once. */
  readonly insists?: boolean;
}

export interface OpenLoadFigures {
  /** In ms, of those that were answered 200 in time. */
  readonly good: readonly number[];
  /** In ms, of those that were answered 503. */
  readonly refused: readonly number[];
  /** Of those the ones that were not told when to come back. */
  readonly untold: number;
  readonly late: number;
  /** What else came. */
  readonly others: ReadonlyMap<string, number>;
}

const TICK_MS = 5;
const IDS = 100_000;

export async function openLoad(options: OpenLoadOptions): Promise<OpenLoadFigures> {
  const load = new OpenLoad(options);
  await load.run();
  return load;
}

class OpenLoad implements OpenLoadFigures {
  readonly good: number[] = [];
  readonly refused: number[] = [];
  readonly others = new Map<string, number>();
  untold = 0;
  late = 0;
  readonly #options: OpenLoadOptions;
  readonly #idle: Asker[] = [];
  readonly #asking: Promise<void>[] = [];

  constructor(options: OpenLoadOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { perSecond, seconds } = this.#options;
    const beganMs = performance.now();
    for (let sent = 0; sent < perSecond * seconds;) {
      const due = Math.min(perSecond * seconds, ((performance.now() - beganMs) / 1000) * perSecond);
      for (; sent < due; sent++) this.#asking.push(this.#ask(Math.floor(Math.random() * IDS), true));
      await Bun.sleep(TICK_MS);
    }
    await Promise.all(this.#asking);
    for (const asker of this.#idle) asker.end();
  }

  async #ask(id: number, first: boolean): Promise<void> {
    const { port, deadlineMs, insists } = this.#options;
    const beganMs = performance.now();
    let asker: Asker | undefined;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      asker?.cut();
    }, deadlineMs);
    try {
      asker = this.#idle.pop() ?? (await Asker.connect(port));
      const { status, head } = await asker.ask('GET', `/any?id=${id}`);
      const tookMs = performance.now() - beganMs;
      if (asker.open) this.#idle.push(asker);
      if (status === 200) return void this.good.push(tookMs);
      if (status === 503) {
        this.refused.push(tookMs);
        if (!/\r\nretry-after: \d+\r\n/i.test(head)) this.untold++;
      } else this.#other(String(status));
    } catch (error) {
      if (late) this.late++;
      else this.#other((error as Error).message);
    } finally {
      clearTimeout(timer);
    }
    if (first && insists === true) await this.#ask(id, false);
  }

  #other(what: string): void {
    this.others.set(what, (this.others.get(what) ?? 0) + 1);
  }
}
