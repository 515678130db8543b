import { told } from './told.ts';
import { connect, type Socket } from 'node:net';
import { failureReply } from '../../src/api/errors.ts';
import { parseConfig } from '../../src/config.ts';
import type { Lease } from '../../src/fleet/member.ts';
import type { Address } from '../../src/runtime/runtime.ts';
import type { AccessLog } from '../../src/traffic/access-log.ts';
import { Forwarder } from '../../src/traffic/forward.ts';
import { send } from '../../src/traffic/upstream.ts';
import { RawUpstream, type Answer } from './raw-upstream.ts';
import { Tally } from '../../src/traffic/tally.ts';

/** A lease that counts what is done with it. */
export class CountedLease implements Lease {
  place: number | undefined;
  onLost: (() => void) | undefined;
  onLeaving: (() => void) | undefined;
  onCut: (() => void) | undefined;
  releases = 0;
  unreachables = 0;
  suspicions = 0;
  failures = 0;
  answers = 0;
  silences = 0;
  readonly #released = Promise.withResolvers<void>();

  constructor(
    readonly key: string,
    readonly replica: string,
    readonly address: Address,
  ) {}

  /** Resolves when it is released. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  release(): void {
    this.releases++;
    this.#released.resolve();
  }

  unreachable(): void {
    this.unreachables++;
  }

  suspect(): void {
    this.suspicions++;
  }

  failed(): void {
    this.failures++;
  }

  answered(): void {
    this.answers++;
  }

  failing(): void {
    this.silences++;
  }
}

/** A replica: what it answers, or an address that a test knows more about. */
export type Replica = Answer | Address;

/** Never passes by itself: tests of what comes then move the clock. */
export const REPLY_HEADER_TIMEOUT_MS = 600_000;

export interface BalancerOptions {
  readonly hashKey?: string;
  readonly retries?: number;
  /** As TRUSTED_PROXIES has them. */
  readonly trustedProxies?: string;
  readonly accessLog?: AccessLog;
  /** Runs between the forwarder's reply and its way to the client. */
  readonly beforeReply?: (request: Request) => Promise<void>;
}

/**
 * A Forwarder behind Bun.serve, in front of raw replicas r0, r1, …, which are asked in that order whatever the key.
 * Every lease that it hands out must have been released exactly once when it is closed.
 */
export class Balancer implements AsyncDisposable {
  readonly leases: CountedLease[] = [];
  readonly tally = new Tally();
  readonly #front: Bun.Server<undefined>;

  private constructor(
    readonly upstreams: readonly (RawUpstream | undefined)[],
    addresses: readonly Address[],
    { hashKey = 'query:id', retries = 2, trustedProxies = '', accessLog, beforeReply }: BalancerOptions,
  ) {
    const forwarder = new Forwarder({
      send,
      tally: this.tally,
      accessLog,
      config: parseConfig({
        HASH_KEY: hashKey,
        RETRIES: String(retries),
        TRUSTED_PROXIES: trustedProxies,
        REPLY_HEADER_TIMEOUT_MS: String(REPLY_HEADER_TIMEOUT_MS),
      }),
      claim: (key, except) => {
        const i = addresses.findIndex((_, at) => !except.has(`r${at}`));
        if (i < 0) return undefined;
        const lease = new CountedLease(key, `r${i}`, addresses[i] as Address);
        this.leases.push(lease);
        return lease;
      },
      explain: told(addresses.map((_, i) => `r${i}`)),
    });
    this.#front = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      // Else each reply that breaks is printed, with its source.
      development: false,
      fetch: async (request, server) => {
        server.timeout(request, 0);
        try {
          const reply = await forwarder.forward(request, server.requestIP(request)?.address ?? '');
          await beforeReply?.(request);
          return reply;
        } catch (error) {
          return failureReply({ code: undefined, error }, forwarder.idOf(request));
        }
      },
    });
  }

  static async open(replicas: readonly Replica[], options: BalancerOptions = {}): Promise<Balancer> {
    const upstreams = await Promise.all(
      replicas.map((one) => (typeof one === 'function' ? RawUpstream.open(one) : undefined)),
    );
    const addresses = replicas.map((one, i) =>
      typeof one === 'function' ? (upstreams[i] as RawUpstream).address : one,
    );
    return new Balancer(upstreams, addresses, options);
  }

  upstream(i: number): RawUpstream {
    return this.upstreams[i] as RawUpstream;
  }

  lease(i: number): CountedLease {
    return this.leases[i] as CountedLease;
  }

  /** How many requests each replica has seen. */
  get seen(): number[] {
    return this.upstreams.map((one) => one?.exchanges.length ?? 0);
  }

  get host(): string {
    return `127.0.0.1:${this.#front.port}`;
  }

  fetch(path: string, init?: BunFetchRequestInit): Promise<Response> {
    return fetch(`http://${this.host}${path}`, {
      redirect: 'manual',
      decompress: false,
      keepalive: false,
      ...init,
    });
  }

  /** A client on a socket of its own. */
  async client(): Promise<RawClient> {
    const socket = connect({ port: this.#front.port as number, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  /** Sends a request as it is and resolves with the whole reply; the request must ask for the connection to close. */
  async raw(...parts: readonly (string | Uint8Array)[]): Promise<RawReply> {
    const client = await this.client();
    client.write(...parts);
    await client.ended;
    return client.reply();
  }

  /** Resolves when every lease is released. */
  async settled(): Promise<void> {
    await Promise.all(this.leases.map((lease) => lease.released));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled();
    await this.#front.stop(true);
    for (const upstream of this.upstreams) await upstream?.[Symbol.asyncDispose]();
    const often = this.leases.filter((lease) => lease.releases !== 1);
    if (often.length > 0)
      throw new Error(`released more than once: ${often.map((lease) => lease.replica).join(', ')}`);
  }
}

export interface RawReply {
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  values(name: string): string[];
}

export class RawClient {
  #received: Buffer = Buffer.alloc(0);
  #waiters: (() => void)[] = [];
  /** Resolves when the other side has ended the connection, in whichever way. */
  readonly ended: Promise<void>;

  constructor(readonly socket: Socket) {
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    socket.on('error', () => {});
    const wake = (): void => {
      for (const waiter of this.#waiters.splice(0)) waiter();
    };
    socket.on('close', () => {
      ended.resolve();
      wake();
    });
    // Without an encoding set these are bytes, whatever the type allows.
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, Buffer.from(chunk as Uint8Array)]);
      wake();
    });
  }

  write(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts)
      this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  }

  get received(): string {
    return this.#received.toString('latin1');
  }

  /** Resolves when the text has come, or can't come any more. */
  async until(text: string): Promise<void> {
    while (!this.received.includes(text) && !this.socket.destroyed)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  reply(): RawReply {
    const end = this.#received.indexOf('\r\n\r\n');
    const [first = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n');
    const fields = lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
    });
    return {
      status: Number(first.split(' ')[1]),
      fields,
      body: this.#received.subarray(end + 4),
      values: (name) => fields.filter(([one]) => one === name).map(([, value]) => value),
    };
  }
}
