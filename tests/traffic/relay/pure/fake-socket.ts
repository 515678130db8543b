import { parseConfig } from '../../../../src/config.ts';
import { silentLog } from '../../../../src/log.ts';
import { ClientConnection } from '../../../../src/traffic/relay/client.ts';
import { RelayContext } from '../../../../src/traffic/relay/context.ts';
import type { Upstream } from '../../../../src/traffic/relay/upstream.ts';
import type { WireSocket } from '../../../../src/traffic/relay/wire.ts';
import { CountedLease } from '../../balancer.ts';
import { Tally } from '../../../../src/traffic/tally.ts';

const ADDRESS = { host: '127.0.0.1', port: 1 };

/** A socket whose kernel has room for so many bytes, and what was done with it. */
export class FakeSocket implements WireSocket {
  readonly done: string[] = [];
  #written: Buffer[] = [];

  constructor(public room = Number.POSITIVE_INFINITY) {}

  /** What the kernel took. */
  get taken(): Buffer {
    this.#written = [Buffer.concat(this.#written)];
    return this.#written[0] as Buffer;
  }

  /** The same; it is forgotten. */
  take(): Buffer {
    const { taken } = this;
    this.#written = [];
    return taken;
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    const taken = Math.min(this.room, length);
    this.room -= taken;
    this.#written.push(Buffer.from(bytes.subarray(offset, offset + taken)));
    return taken;
  }

  pause(): void {
    this.done.push('pause');
  }

  resume(): void {
    this.done.push('resume');
  }

  shutdown(): void {
    this.done.push('shutdown');
  }

  end(): void {
    this.done.push('end');
  }

  terminate(): void {
    this.done.push('terminate');
  }
}

/** A client and the replica that its request went to, with no relay around them: time and kernels are for the test to move. */
export class Pair implements Disposable {
  readonly client: ClientConnection;
  readonly clientSocket: FakeSocket;
  readonly replicaSocket = new FakeSocket();
  readonly leases: CountedLease[] = [];
  readonly replicas: Upstream[] = [];
  readonly context: RelayContext;
  readonly tally = new Tally();
  /** How many more claims are met; from then on no replica is there. */
  claims = Number.POSITIVE_INFINITY;

  constructor({ room, env = {} }: { room?: number; env?: Record<string, string> } = {}) {
    this.context = new RelayContext({
      config: parseConfig(env),
      log: silentLog,
      tally: this.tally,
      claim: (key) => {
        if (this.claims-- <= 0) return undefined;
        const lease = new CountedLease(key, 'a', ADDRESS);
        this.leases.push(lease);
        return lease;
      },
      dial: (_, upstream) => void this.replicas.push(upstream),
      upstreamsMax: 100,
    });
    this.clientSocket = new FakeSocket(room);
    this.client = new ClientConnection(this.context, this.clientSocket, '127.0.0.1');
  }

  /** Sends a request, and the answer to it. */
  exchange(request: string, reply: string): void {
    this.client.onData(Buffer.from(request));
    this.replica.onOpen(this.replicaSocket);
    this.replica.onData(Buffer.from(reply));
  }

  get replica(): Upstream {
    return this.replicas[0] as Upstream;
  }

  get lease(): CountedLease {
    return this.leases[0] as CountedLease;
  }

  [Symbol.dispose](): void {
    this.context.deadlines.close();
  }
}
