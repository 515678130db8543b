import { authority, authorityOf, parseAuthority, type Upstream } from '../../config.ts';
import { foldName, type Naming } from '../naming.ts';
import {
  marked,
  StartFailed,
  type Address,
  type Instance,
  type InstanceSpec,
  type Mark,
  type Runtime,
} from '../runtime.ts';

/** Of the servers that configuration names: no call brought them in, and they are members from the start. */
const CONFIGURED_JOIN = 'configured';

/**
 * Servers that somebody else runs. Nothing is ever done to them: to start one is to note where it is, to stop one is to
 * forget it, and whether one lives only its heartbeats tell.
 */
export class StaticRuntime implements Runtime {
  readonly kind = 'static';
  /** The next Ringmaster begins with what is configured then, whoever has joined or left since. */
  readonly durable = false;
  readonly owns = false;
  readonly naming: Naming = {
    rule: 'host:port, with an IPv6 address in brackets and a port from 1 to 65535, or a name from UPSTREAMS',
    difference: 'without regard to case, and so must the servers that they stand for',
    allows: (name) => this.#addressOf(name) !== undefined,
    identity: (name) => {
      const address = this.#addressOf(name);
      return address === undefined ? foldName(name) : authorityOf(address);
    },
    label: (name) => this.#written.get(foldName(name)) ?? name,
    generated: undefined,
  };
  /** The servers as configuration writes them, `host:port`. */
  readonly #written: ReadonlyMap<string, string>;
  readonly #configured: ReadonlyMap<string, Address>;
  readonly #instances = new Map<string, Instance>();
  #runs = 0;

  constructor(upstreams: readonly Upstream[]) {
    this.#configured = new Map(upstreams.map(({ name, host, port }) => [foldName(name), { host, port }]));
    this.#written = new Map(
      upstreams.map(({ name, host, port }) => [foldName(name), authority({ host, port })]),
    );
    for (const [i, { name, weight }] of upstreams.entries())
      this.#note({ name, order: i + 1, weight, join: CONFIGURED_JOIN, committed: true });
  }

  list(): Promise<Instance[]> {
    return Promise.resolve([...this.#instances.values()]);
  }

  async start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance> {
    await this.stop(spec.name);
    if (signal.aborted) throw new StartFailed('was given up');
    return this.#note(spec);
  }

  mark(names: readonly string[], as: Mark): Promise<string[]> {
    for (const name of names) {
      const instance = this.#instances.get(name);
      if (instance !== undefined) this.#instances.set(name, { ...instance, ...marked(as) });
    }
    return Promise.resolve(names.filter((name) => !this.#instances.has(name)));
  }

  stop(name: string): Promise<void> {
    this.#instances.delete(name);
    return Promise.resolve();
  }

  /** Nobody tells of servers that are not ours. */
  watch(): () => void {
    return () => {};
  }

  close(): Promise<void> {
    this.#instances.clear();
    return Promise.resolve();
  }

  #note({ name, order, weight, join, committed }: InstanceSpec): Instance {
    const address = this.#addressOf(name);
    if (address === undefined)
      throw new StartFailed('is neither host:port nor a name from UPSTREAMS: nobody knows where it is');
    const id = `${name} ${++this.#runs}`;
    const instance: Instance = { name, order, weight, join, committed, id, state: 'running', address };
    this.#instances.set(name, instance);
    return instance;
  }

  /** A configured name can't be taken for an address, which has a colon. */
  #addressOf(name: string): Address | undefined {
    return this.#configured.get(foldName(name)) ?? parseAuthority(name);
  }
}
