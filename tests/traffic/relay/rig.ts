import { parseConfig, type TrafficLimits } from '../../../src/config.ts';
import type { Log } from '../../../src/log.ts';
import type { Address } from '../../../src/runtime/runtime.ts';
import { openRelay, type Relay } from '../../../src/traffic/relay/relay.ts';
import { CountedLease } from '../balancer.ts';
import { told } from '../told.ts';
import { Client, turn, until, within } from './client.ts';
import { RecordingUpstream, type Script } from './recording-upstream.ts';
import { Tally } from '../../../src/traffic/tally.ts';

/** A replica: what it answers, or an address that a test knows more about. */
export type Replica = Script | Address;

/** No limit passes by itself: a test of one says how small it is. */
const NEVER_MS = 3_600_000;
const PATIENT = {
  headTimeoutMs: NEVER_MS,
  idleTimeoutMs: NEVER_MS,
  connectTimeoutMs: NEVER_MS,
  replyHeaderTimeoutMs: NEVER_MS,
  bodyStallTimeoutMs: NEVER_MS,
  tunnelIdleTimeoutMs: NEVER_MS,
} as const;

export interface RigOptions {
  readonly limits?: Partial<TrafficLimits>;
  readonly hashKey?: string;
  readonly retries?: number;
  readonly accessLog?: number;
  readonly trustedProxies?: readonly string[];
  /** The replicas for a key, in the order in which they are asked; by default all, whatever the key. */
  readonly preference?: (key: string) => readonly number[];
}

/** A relay in front of recording replicas r0, r1, …, whose leases are counted. */
export class Rig implements AsyncDisposable {
  readonly leases: CountedLease[] = [];
  /** What the relay logged as its own error. */
  readonly errors: string[] = [];
  readonly relay: Relay;
  readonly tally = new Tally();
  /** What the relay logged that is worth a line. */
  readonly lines: { readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  readonly #clients: Client[] = [];

  constructor(
    readonly replicas: readonly Replica[],
    {
      limits = {},
      hashKey = 'query:id',
      retries = 2,
      accessLog = 0,
      trustedProxies = [],
      preference,
    }: RigOptions = {},
  ) {
    this.upstreams = replicas.map((one) =>
      typeof one === 'function' ? new RecordingUpstream(one) : undefined,
    );
    const log: Log = {
      debug() {},
      info: (fields, message) => void this.lines.push({ fields: fields as Record<string, unknown>, message }),
      warn() {},
      error: (fields, message) => this.errors.push(`${message} ${Bun.inspect(fields)}`),
    };
    const all = replicas.map((_, i) => i);
    this.relay = openRelay({
      host: '127.0.0.1',
      port: 0,
      shared: false,
      log,
      tally: this.tally,
      config: {
        ...parseConfig({ HASH_KEY: hashKey }),
        ...PATIENT,
        ...limits,
        retries,
        accessLog,
        trustedProxies,
      },
      claim: (key, except) => {
        const i = (preference?.(key) ?? all).find((one) => except?.has(`r${one}`) !== true);
        if (i === undefined) return undefined;
        const lease = new CountedLease(key, `r${i}`, this.#address(i));
        this.leases.push(lease);
        return lease;
      },
      explain: told(replicas.map((_, i) => `r${i}`)),
    });
  }

  readonly upstreams: readonly (RecordingUpstream | undefined)[];

  upstream(i = 0): RecordingUpstream {
    const found = this.upstreams[i];
    if (found === undefined) throw new Error(`r${i} is an address`);
    return found;
  }

  lease(i: number): CountedLease {
    const found = this.leases[i];
    if (found === undefined) throw new Error(`only ${this.leases.length} leases were claimed`);
    return found;
  }

  #address(i: number): Address {
    const replica = this.replicas[i] as Replica;
    return typeof replica === 'function' ? this.upstream(i).address : replica;
  }

  /** How many requests each replica has seen, whole or not. */
  get seen(): number[] {
    return this.upstreams.map((one) => one?.exchanges.length ?? 0);
  }

  get released(): boolean {
    return this.leases.every((one) => one.releases > 0);
  }

  async client(options: { readonly paused?: boolean } = {}): Promise<Client> {
    const client = await Client.open(this.relay.port, options);
    this.#clients.push(client);
    return client;
  }

  /** Closes everything, and finds what the relay kept that it should not have, or did that it must not. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    this.relay.close();
    await until('the relay lets go of its clients', () => this.relay.connections === 0);
    await until('the relay lets go of all leases', () => this.released);
    for (const upstream of this.upstreams) {
      if (upstream === undefined) continue;
      const all = Promise.all(upstream.channels.map((one) => one.ended));
      await within('the relay lets go of its connections to replicas', all);
      await upstream[Symbol.asyncDispose]();
    }
    await turn();
    const complaints = this.upstreams.flatMap((one) => one?.complaints ?? []);
    if (complaints.length > 0) throw new Error(`the relay sent what is no request: ${complaints.join('; ')}`);
    if (this.errors.length > 0) throw new Error(`the relay logged errors: ${this.errors.join('\n')}`);
  }
}
