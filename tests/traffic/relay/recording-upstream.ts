/**
 * A replica that reads strictly and writes down all that it reads, byte for byte: two requests made out of one are
 * two records, and what is no request is a complaint. It answers what a test tells it to, however wrong.
 */
import type { Socket, TCPSocketListener } from 'bun';
import type { Address } from '../../../src/runtime/runtime.ts';
import {
  BadMessage,
  readHead,
  readRequestLine,
  requestBody,
  valuesOf,
  type Body,
  type Head,
  type RequestLine,
} from './message.ts';

type Bytes = string | Uint8Array;

/** Text is taken for Latin-1, as HTTP does. */
export function bytesOf(bytes: Bytes): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
}

/** One connection from the relay. */
export class Channel {
  /** Resolves when it is gone; with whether it went by a reset. */
  readonly closed: Promise<'fin' | 'reset'>;
  /** Resolves when the relay has sent the last that it will, or is gone. */
  readonly ended: Promise<void>;
  /** Requests that came on it. */
  requests = 0;
  current: Exchange | undefined;
  unread: Buffer = Buffer.alloc(0);
  /** After an Upgrade: takes all bytes. */
  raw: ((bytes: Buffer) => void) | undefined;
  readonly #unsent: Uint8Array[] = [];
  #last: 'shutdown' | undefined;
  readonly #gone = Promise.withResolvers<'fin' | 'reset'>();
  readonly #end = Promise.withResolvers<void>();
  #flushed = Promise.withResolvers<void>();
  isClosed = false;

  constructor(
    readonly socket: Socket<Channel | undefined>,
    /** From 0, in the order of arrival. */
    readonly number: number,
  ) {
    this.closed = this.#gone.promise;
    this.ended = this.#end.promise;
    this.#flushed.resolve();
  }

  write(bytes: Bytes): void {
    if (this.isClosed) return;
    if (this.#unsent.length === 0) this.#flushed = Promise.withResolvers<void>();
    this.#unsent.push(bytesOf(bytes));
    this.flush();
  }

  /** Resolves when the kernel has all that was written, or the connection is gone. */
  get flushed(): Promise<void> {
    return this.#flushed.promise;
  }

  /** What the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#unsent.reduce((sum, one) => sum + one.byteLength, 0);
  }

  flush(): void {
    for (;;) {
      const next = this.#unsent[0];
      if (next === undefined) break;
      const sent = Math.max(0, this.socket.write(next));
      if (sent < next.byteLength) {
        this.#unsent[0] = next.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
    this.#flushed.resolve();
    if (this.#last === 'shutdown') this.socket.shutdown();
  }

  /** Sends no more, once all is sent; still reads. */
  shutdown(): void {
    this.#last = 'shutdown';
    if (this.#unsent.length === 0) this.socket.shutdown();
  }

  /** Closes, and tells the relay so by FIN. */
  close(): void {
    this.socket.end();
  }

  /** Closes, and tells the relay so by a reset. */
  reset(): void {
    this.socket.terminate();
  }

  gone(how: 'fin' | 'reset'): void {
    this.isClosed = true;
    this.#end.resolve();
    this.#flushed.resolve();
    this.#gone.resolve(how);
    this.current?.abandon();
  }

  /** The relay will send no more: as most servers do, it is answered with the same, but not in a tunnel. */
  sawEnd(): void {
    this.#end.resolve();
    this.current?.abandon();
    if (this.raw === undefined) this.socket.end();
  }
}

/** One request as it came, and the connection to answer it on. */
export class Exchange {
  readonly method: string;
  readonly target: string;
  /** Resolves when the request is whole; rejects when its connection ends before that. */
  readonly whole: Promise<void>;
  complete = false;
  readonly #done = Promise.withResolvers<void>();
  #waiters: { readonly bytes: number; readonly resolve: () => void }[] = [];

  constructor(
    readonly head: Head,
    line: RequestLine,
    readonly body: Body,
    readonly channel: Channel,
  ) {
    this.method = line.method;
    this.target = line.target;
    this.whole = this.#done.promise;
    this.whole.catch(() => {});
  }

  values(name: string): string[] {
    return valuesOf(this.head.fields, name);
  }

  value(name: string): string | undefined {
    return this.values(name)[0];
  }

  write(...parts: readonly Bytes[]): void {
    for (const part of parts) this.channel.write(part);
  }

  /** Resolves when that many bytes of the body have come. */
  async arrived(bytes: number): Promise<void> {
    if (this.body.size >= bytes) return;
    await new Promise<void>((resolve) => this.#waiters.push({ bytes, resolve }));
  }

  moved(): void {
    for (const waiter of this.#waiters) if (waiter.bytes <= this.body.size) waiter.resolve();
    this.#waiters = this.#waiters.filter((waiter) => waiter.bytes > this.body.size);
  }

  finish(): void {
    this.complete = true;
    this.#done.resolve();
  }

  abandon(): void {
    if (!this.complete) this.#done.reject(new Error('the connection ended before the request did'));
  }

  /** Answers 101 and hands over the connection. */
  switchTo(protocol: string, take: (bytes: Buffer) => void): void {
    this.channel.raw = take;
    this.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
  }
}

export type Script = (exchange: Exchange) => void | Promise<void>;

/** Answers each request, once it is whole, with its own body. */
export const echo: Script = async (exchange) => {
  await exchange.whole;
  const { size } = exchange.body;
  const body = exchange.method === 'HEAD' ? '' : exchange.body.bytes;
  exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`, body);
};

/** Answers with the target. */
export const named: Script = async (exchange) => {
  await exchange.whole;
  const { target } = exchange;
  exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
};

export class RecordingUpstream implements AsyncDisposable {
  readonly exchanges: Exchange[] = [];
  readonly channels: Channel[] = [];
  /** What the relay sent that is no request. */
  readonly complaints: string[] = [];
  readonly address: Address;
  readonly #server: TCPSocketListener<Channel | undefined>;
  #waiters: (() => void)[] = [];

  constructor(public script: Script = echo) {
    this.#server = Bun.listen<Channel | undefined>({
      hostname: '127.0.0.1',
      port: 0,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          socket.data = new Channel(socket, this.channels.length);
          this.channels.push(socket.data);
          this.#wake();
        },
        data: (socket, bytes) => this.#read(socket.data as Channel, bytes),
        drain: (socket) => socket.data?.flush(),
        end: (socket) => socket.data?.sawEnd(),
        close: (socket, error) => socket.data?.gone(error === undefined ? 'fin' : 'reset'),
        error: () => {},
      },
    });
    this.address = { host: '127.0.0.1', port: this.#server.port };
  }

  /** Requests that came whole. */
  get completed(): Exchange[] {
    return this.exchanges.filter((one) => one.complete);
  }

  get openChannels(): number {
    return this.channels.filter((one) => !one.isClosed).length;
  }

  /** Resolves with the request that came as the nth, from 0. */
  async exchange(n: number): Promise<Exchange> {
    for (;;) {
      const found = this.exchanges[n];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Resolves with the connection that came as the nth, from 0. */
  async channel(n: number): Promise<Channel> {
    for (;;) {
      const found = this.channels[n];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Forgets what it has seen; connections stay. */
  forget(): void {
    this.exchanges.length = 0;
    this.complaints.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.stop(true);
    await Promise.all(this.channels.map((one) => one.closed));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  #read(channel: Channel, bytes: Buffer): void {
    if (channel.raw !== undefined) {
      channel.raw(bytes);
      return;
    }
    channel.unread = channel.unread.byteLength === 0 ? bytes : Buffer.concat([channel.unread, bytes]);
    try {
      while (channel.unread.byteLength > 0 && this.#next(channel));
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.complaints.push(error.message);
      channel.reset();
    }
  }

  /** Reads on in the current request, or begins the next; false when more must come first. */
  #next(channel: Channel): boolean {
    if (channel.raw !== undefined) {
      const rest = channel.unread;
      channel.unread = Buffer.alloc(0);
      channel.raw(rest);
      return false;
    }
    channel.current ??= this.#begin(channel);
    const { current } = channel;
    if (current === undefined) return false;
    channel.unread = channel.unread.subarray(current.body.feed(channel.unread));
    current.moved();
    if (!current.body.done) return false;
    channel.current = undefined;
    current.finish();
    return true;
  }

  #begin(channel: Channel): Exchange | undefined {
    const head = readHead(channel.unread);
    if (head === undefined) return undefined;
    channel.unread = channel.unread.subarray(head.raw.length);
    const line = readRequestLine(head.line);
    if (valuesOf(head.fields, 'host').length !== 1) throw new BadMessage('not one Host');
    const exchange = new Exchange(head, line, requestBody(head, line.minor), channel);
    channel.requests++;
    this.exchanges.push(exchange);
    // What a script leaves undone when its connection goes is no failure of its own.
    void Promise.resolve(this.script(exchange)).catch(() => {});
    if (exchange.body.done) exchange.finish();
    this.#wake();
    return exchange;
  }
}
