import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Address } from '../../src/runtime/runtime.ts';

const END_OF_HEAD = '\r\n\r\n';

/** One request as it arrived, byte for byte, and the socket to answer it on. */
export class Exchange {
  readonly method: string;
  readonly target: string;
  /** In their order, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Its body, decoded; rejects when the connection ends before the body does. */
  readonly body: Promise<Buffer>;
  /** Resolves when its connection is gone. */
  readonly closed: Promise<void>;
  #bytes = 0;
  #waiters: { readonly bytes: number; readonly resolve: () => void }[] = [];

  constructor(
    readonly head: string,
    readonly socket: Socket,
    readonly done: PromiseWithResolvers<Buffer>,
    closed: Promise<void>,
  ) {
    const [first = '', ...lines] = head.split('\r\n');
    const [method = '', target = ''] = first.split(' ');
    this.method = method;
    this.target = target;
    this.fields = lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
    });
    this.body = done.promise;
    this.body.catch(() => {});
    this.closed = closed;
  }

  /** All values of a field. */
  values(name: string): string[] {
    return this.fields.filter(([one]) => one === name).map(([, value]) => value);
  }

  value(name: string): string | undefined {
    return this.values(name)[0];
  }

  /** Writes to the client as is; text is taken for Latin-1, as HTTP does. */
  write(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts)
      this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  }

  /** Writes the same bytes again and again, as fast as they are taken; `wrote` hears of each. */
  pour(part: string | Uint8Array, wrote: () => void = () => {}): void {
    const { socket } = this;
    const more = (): void => {
      do wrote();
      while (socket.writable && socket.write(part));
    };
    socket.on('drain', more);
    more();
  }

  /** Resolves when that many bytes of the body have come. */
  async arrived(bytes: number): Promise<void> {
    if (this.#bytes >= bytes) return;
    await new Promise<void>((resolve) => this.#waiters.push({ bytes, resolve }));
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    for (const waiter of this.#waiters) if (waiter.bytes <= this.#bytes) waiter.resolve();
    this.#waiters = this.#waiters.filter((waiter) => waiter.bytes > this.#bytes);
  }
}

export type Answer = (exchange: Exchange) => void | Promise<void>;

/**
 * An HTTP/1 server that checks nothing: it notes what arrives, as it arrives, and answers only what a test writes.
 * What comes after a request is taken for the next one, as a real server would that is fooled by its framing.
 */
export class RawUpstream implements AsyncDisposable {
  readonly exchanges: Exchange[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiters: (() => void)[] = [];

  private constructor(readonly answer: Answer) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      this.#serve(socket);
    });
  }

  static async open(answer: Answer = () => {}, host = '127.0.0.1'): Promise<RawUpstream> {
    const upstream = new RawUpstream(answer);
    await new Promise<void>((resolve, reject) => {
      upstream.#server.once('error', reject);
      upstream.#server.listen(0, host, resolve);
    });
    return upstream;
  }

  get address(): Address {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Resolves with the request that came as the nth, from 0. */
  async exchange(n: number): Promise<Exchange> {
    for (;;) {
      const found = this.exchanges[n];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    const closed = new Promise<void>((resolve) => {
      socket.on('close', () => {
        this.#sockets.delete(socket);
        current?.done.reject(new Error('the connection ended before the body did'));
        resolve();
      });
    });
    socket.on('error', () => {});
    let unread: Buffer = Buffer.alloc(0);
    let current: Exchange | undefined;
    let body: Body | undefined;
    const read = (): void => {
      for (;;) {
        if (current === undefined) {
          const end = unread.indexOf(END_OF_HEAD);
          if (end < 0) return;
          const head = unread.toString('latin1', 0, end);
          unread = unread.subarray(end + END_OF_HEAD.length);
          const exchange = new Exchange(head, socket, Promise.withResolvers<Buffer>(), closed);
          current = exchange;
          body = bodyOf(exchange);
          this.exchanges.push(exchange);
          for (const waiter of this.#waiters.splice(0)) waiter();
          void this.answer(exchange);
        }
        const { taken, parts, ended } = (body as Body).read(unread);
        unread = unread.subarray(taken);
        for (const part of parts) current.take(part.byteLength);
        if (!ended) return;
        const { done } = current;
        current = undefined;
        done.resolve(Buffer.concat((body as Body).parts));
      }
    };
    socket.on('data', (chunk: Buffer) => {
      unread = unread.byteLength === 0 ? chunk : Buffer.concat([unread, chunk]);
      read();
    });
  }
}

/** Where nobody listens: a port that was free a moment ago may be another test's by now. */
export const REFUSING: Address = { host: '127.0.0.1', port: 2 };

interface Read {
  readonly taken: number;
  readonly parts: readonly Buffer[];
  readonly ended: boolean;
}

interface Body {
  readonly parts: Buffer[];
  read(bytes: Buffer): Read;
}

function bodyOf(exchange: Exchange): Body {
  if (exchange.value('transfer-encoding') !== undefined) return new ChunkedBody();
  return new SizedBody(Number(exchange.value('content-length') ?? 0));
}

class SizedBody implements Body {
  readonly parts: Buffer[] = [];
  constructor(private left: number) {}

  read(bytes: Buffer): Read {
    const part = bytes.subarray(0, this.left);
    this.left -= part.byteLength;
    if (part.byteLength > 0) this.parts.push(part);
    return { taken: part.byteLength, parts: [part], ended: this.left === 0 };
  }
}

class ChunkedBody implements Body {
  readonly parts: Buffer[] = [];

  read(bytes: Buffer): Read {
    const parts: Buffer[] = [];
    let at = 0;
    for (;;) {
      const endOfSize = bytes.indexOf('\r\n', at);
      if (endOfSize < 0) return { taken: at, parts, ended: false };
      const size = Number.parseInt(bytes.toString('latin1', at, endOfSize), 16);
      const start = endOfSize + 2;
      if (bytes.byteLength < start + size + 2) return { taken: at, parts, ended: false };
      at = start + size + 2;
      if (size === 0) return { taken: at, parts, ended: true };
      const part = bytes.subarray(start, start + size);
      parts.push(part);
      this.parts.push(part);
    }
  }
}
