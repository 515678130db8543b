import {
  EngineGone,
  marked,
  NameInUse,
  StartFailed,
  type Instance,
  type InstanceSpec,
  type Mark,
  type Runtime,
} from '../../src/runtime/runtime.ts';
import { startedNaming } from '../../src/runtime/naming.ts';
import type { FakeClock } from './fake-clock.ts';
import type { Container, FakeEngine } from './fake-engine.ts';

export interface FakeRuntimeOptions {
  readonly engine: FakeEngine;
  readonly clock: FakeClock;
  readonly durable?: boolean;
  readonly owns?: boolean;
}

/**
 * The fleet's way to a FakeEngine. As with a real one each verb is several calls, and time goes by and things happen
 * between them: what a list shows is old when it arrives, and a removal removes what had the name when it asked.
 */
export class FakeRuntime implements Runtime {
  readonly kind = 'docker';
  readonly durable: boolean;
  readonly owns: boolean;
  readonly naming = startedNaming;
  readonly calls = { list: 0, start: 0, mark: 0, weigh: 0, stop: 0, close: 0 };
  readonly #engine: FakeEngine;
  readonly #clock: FakeClock;
  readonly #unwatch = new Set<() => void>();
  #cut = false;

  constructor({ engine, clock, durable = true, owns = true }: FakeRuntimeOptions) {
    this.#engine = engine;
    this.#clock = clock;
    this.durable = durable;
    this.owns = owns;
  }

  /** As when the process dies that it belongs to: what is under way goes no further, and nobody hears of it. */
  cut(): void {
    this.#cut = true;
    for (const unwatch of this.#unwatch) unwatch();
  }

  async list(): Promise<Instance[]> {
    this.#begin('list');
    return this.#call(() => this.#engine.all().map(view));
  }

  /** Of a member one container stays until the next is there, as its only record. */
  async start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance> {
    this.#begin('start');
    const engine = this.#engine;
    const left = await this.#call(() => engine.named(spec.name));
    const kept = spec.committed ? left.pop() : undefined;
    for (const one of left) await this.#remove(one);
    if (!spec.committed && (await this.#call(() => engine.foreign.has(spec.name))))
      throw new NameInUse(`${spec.name} is not ours`);
    await this.#wait(engine.startMs(spec));
    if (signal.aborted) throw new StartFailed('was given up');
    const fault = engine.startFault(spec);
    if (fault === 'hangs') {
      await aborted(signal);
      await this.#wait(0);
      throw new StartFailed('was given up');
    }
    let created: Container | undefined;
    try {
      const container = await this.#call(() => (created = engine.create(spec, fault, this.#cut)));
      if (kept !== undefined) await this.#remove(kept);
      await this.#call(() => engine.run(container, fault));
      if (signal.aborted) throw new StartFailed('was given up');
      return view(container);
    } catch (error) {
      if (created !== undefined && !spec.committed) await this.#remove(created).catch(() => {});
      throw error;
    }
  }

  async mark(names: readonly string[], as: Mark): Promise<string[]> {
    this.#begin('mark');
    const results = await Promise.allSettled(
      names.map(async (name) => ((await this.#mark(name, as)) ? [] : [name])),
    );
    return results.flatMap((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  async stop(name: string, graceMs: number): Promise<void> {
    this.#begin('stop');
    const engine = this.#engine;
    if (!(graceMs >= 0)) engine.violations.push(`${name} is given ${graceMs} ms to end`);
    for (const one of await this.#call(() => engine.named(name))) {
      if (graceMs > 0 && one.state === 'running') {
        engine.ending(one);
        await this.#wait(Math.min(graceMs, engine.stopMs(name)));
      }
      await this.#wait(engine.removeMs(name));
      await this.#remove(one);
    }
  }

  async weigh(name: string, weight: number): Promise<void> {
    this.#begin('weigh');
    const engine = this.#engine;
    for (const one of await this.#call(() => engine.named(name)))
      await this.#call(() => engine.weigh(one.id, weight, this.#cut));
  }

  watch(wake: () => void): () => void {
    const { watchers } = this.#engine;
    const told = (): void => wake();
    const unwatch = (): void => void watchers.delete(told);
    watchers.add(told);
    this.#unwatch.add(unwatch);
    // As a real one, which wakes whenever its stream of events has been opened.
    queueMicrotask(told);
    return unwatch;
  }

  close(_keep: boolean): Promise<void> {
    this.#begin('close');
    return Promise.resolve();
  }

  async #mark(name: string, as: Mark): Promise<boolean> {
    const engine = this.#engine;
    const all = await this.#call(() => engine.named(name));
    const kept = all.find(({ state }) => state !== 'ended') ?? all[0];
    if (kept === undefined) return false;
    for (const one of all) if (one !== kept) await this.#remove(one);
    const { committed, leaving } = marked(as);
    if (kept.committed === committed && kept.leaving === leaving) return true;
    return this.#call(() => engine.rename(kept.id, as, this.#cut));
  }

  async #remove({ id }: Container): Promise<void> {
    await this.#call(() => this.#engine.remove(id, this.#cut));
  }

  #begin(verb: keyof FakeRuntime['calls']): void {
    if (this.calls.close > 0) this.#engine.violations.push(`${verb} is called after close`);
    this.calls[verb]++;
  }

  /**
   * One call: its way there, what the engine does, and the way of the answer. What has been sent arrives, whatever
   * becomes of the sender.
   */
  async #call<T>(act: () => T): Promise<T> {
    const latencyMs = this.#engine.latencyMs();
    if (latencyMs > 0) await this.#clock.sleep(latencyMs);
    else await Promise.resolve();
    this.#needEngine();
    const result = act();
    await this.#wait(this.#engine.latencyMs());
    this.#needEngine();
    return result;
  }

  #needEngine(): void {
    if (this.#engine.gone) throw new EngineGone('connection refused');
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await this.#clock.sleep(ms);
    else await Promise.resolve();
    // Not one promise for all: that would hold on to whoever has ever waited for it.
    if (this.#cut) await new Promise<never>(() => {});
  }
}

function view({ spec, id, state, address, committed, leaving }: Container): Instance {
  return {
    ...spec,
    committed,
    leaving,
    id,
    state,
    address: address === undefined ? undefined : { ...address },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
