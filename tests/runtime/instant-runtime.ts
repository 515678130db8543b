import { startedNaming } from '../../src/runtime/naming.ts';
import type { Address, Instance, InstanceSpec, Runtime } from '../../src/runtime/runtime.ts';

/** Replicas that are there when asked for, and do nothing; or that `serve` listens for. */
export class InstantRuntime implements Runtime {
  readonly kind = 'process';
  readonly durable = false;
  readonly owns = true;
  readonly naming = startedNaming;
  readonly #held = new Map<string, Instance>();
  readonly #serve: (name: string) => Address;
  #wake = (): void => {};
  #started = 0;

  constructor(serve: (name: string) => Address) {
    this.#serve = serve;
  }

  list(): Promise<Instance[]> {
    return Promise.resolve([...this.#held.values()]);
  }

  start(spec: InstanceSpec): Promise<Instance> {
    const id = `${++this.#started}`;
    const started: Instance = { ...spec, id, state: 'running', address: this.#serve(spec.name) };
    this.#held.set(spec.name, started);
    return Promise.resolve(started);
  }

  mark(): Promise<string[]> {
    return Promise.resolve([]);
  }

  stop(name: string): Promise<void> {
    this.#held.delete(name);
    return Promise.resolve();
  }

  watch(wake: () => void): () => void {
    this.#wake = wake;
    return () => {};
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Its instance ends by itself. */
  kill(name: string): Promise<void> {
    this.#held.delete(name);
    this.#wake();
    return Promise.resolve();
  }
}
