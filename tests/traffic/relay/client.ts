/** A client that sends exactly the bytes it is told to, in the pieces it is told to, and reads replies strictly. */
import type { Socket } from 'bun';
import {
  BadMessage,
  readHead,
  readStatusLine,
  replyBody,
  valuesOf,
  type Body,
  type Field,
} from './message.ts';
import { bytesOf } from './recording-upstream.ts';

/** Lets the sockets of this process be read, so that two writes are two reads at the other end. */
export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A safety net; no test depends on how long it is. */
const WAIT_MAX_MS = 20_000;

/** The promise, or an error that says what did not happen. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), WAIT_MAX_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the condition holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const began = Date.now();
  while (!condition()) {
    if (Date.now() - began > WAIT_MAX_MS) throw new Error(`waited in vain: ${what}`);
    await turn();
  }
}

/** Resolves when a figure has not changed for many turns. */
export async function settled(figure: () => number): Promise<void> {
  const SAME_TURNS = 500;
  let last = Number.NaN;
  for (let same = 0; same < SAME_TURNS;) {
    const now = figure();
    same = now === last ? same + 1 : 0;
    last = now;
    await turn();
  }
}

export class Reply {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly minor: 0 | 1,
    readonly fields: readonly Field[],
    readonly body: Body,
    /** False: the connection ended before the message did. */
    readonly complete: boolean,
  ) {}

  values(name: string): string[] {
    return valuesOf(this.fields, name);
  }

  value(name: string): string | undefined {
    return this.values(name)[0];
  }
}

export class Client {
  /** How the relay ended the connection; undefined while it has not. */
  ended: 'fin' | 'reset' | undefined;
  receivedBytes = 0;
  /** Whether the connection was reset, be it after a FIN. */
  wasReset = false;
  #unread: Buffer = Buffer.alloc(0);
  readonly #arrived: Buffer[] = [];
  #waiters: (() => void)[] = [];
  readonly #unsent: Uint8Array[] = [];
  #shutdown = false;
  #sent = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #closed = false;

  static async open(port: number, { paused = false } = {}): Promise<Client> {
    const client = new Client();
    client.#sent.resolve();
    client.#socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          if (paused) socket.pause();
        },
        data: (_, bytes) => {
          client.receivedBytes += bytes.byteLength;
          client.#arrived.push(bytes);
          client.#wake();
        },
        drain: () => client.#flush(),
        end: () => client.#over('fin'),
        close: (_, error) => {
          client.#closed = true;
          client.wasReset = error !== undefined;
          client.#over(error === undefined ? 'fin' : 'reset');
        },
        error: () => {},
      },
    });
    return client;
  }

  write(...parts: readonly (string | Uint8Array)[]): void {
    if (this.#closed) return;
    if (this.#unsent.length === 0) this.#sent = Promise.withResolvers<void>();
    for (const part of parts) this.#unsent.push(bytesOf(part));
    this.#flush();
  }

  /** Resolves when the kernel has all that was written, or the connection is over. */
  get flushed(): Promise<void> {
    return this.#sent.promise;
  }

  get unsentBytes(): number {
    return this.#unsent.reduce((sum, one) => sum + one.byteLength, 0);
  }

  /** Writes the pieces so that each is read by itself, and stops once something is answered. */
  async pieces(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      if (this.ended !== undefined || this.receivedBytes > 0) return;
      this.write(piece);
      await turn();
    }
  }

  /** Sends no more; still reads. */
  shutdown(): void {
    this.#shutdown = true;
    if (this.#unsent.length === 0) this.#socket?.shutdown();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  close(): void {
    this.#socket?.end();
  }

  reset(): void {
    this.#socket?.terminate();
  }

  /** What has come and was not read as a reply. */
  get unread(): string {
    this.#gather();
    return this.#unread.toString('latin1');
  }

  /** Takes all that has come and was not read. */
  takeUnread(): Buffer {
    this.#gather();
    const taken = this.#unread;
    this.#unread = Buffer.alloc(0);
    return taken;
  }

  /** Resolves when so many bytes stand unread. */
  async has(bytes: number): Promise<void> {
    const wanted = async (): Promise<void> => {
      while (this.#unreadBytes < bytes && this.ended === undefined)
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
    };
    await within(`${bytes} bytes for the client`, wanted());
  }

  /** Resolves when the relay has ended the connection; in which way. */
  async end(): Promise<'fin' | 'reset'> {
    const over = async (): Promise<void> => {
      while (this.ended === undefined) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    };
    await within('the end of the connection', over());
    return this.ended as 'fin' | 'reset';
  }

  /** The next reply to a request of that method, whatever its status; throws BadMessage where what came is none. */
  reply(method = 'GET'): Promise<Reply> {
    return within(`a reply to ${method}`, this.#reply(method));
  }

  /** The next reply that is not an interim one. */
  async final(method = 'GET'): Promise<Reply> {
    for (;;) {
      const reply = await this.reply(method);
      if (reply.status >= 200 || reply.status === 101) return reply;
    }
  }

  async #reply(method: string): Promise<Reply> {
    for (;;) {
      const head = readHead(this.#unread);
      if (head === undefined) {
        if (await this.#more()) continue;
        throw new BadMessage(
          `no reply, but ${JSON.stringify(this.#unread.toString('latin1'))} and ${this.ended}`,
        );
      }
      this.#unread = this.#unread.subarray(head.raw.length);
      const line = readStatusLine(head.line);
      const body = replyBody(head, line, method);
      for (;;) {
        this.#unread = this.#unread.subarray(body.feed(this.#unread));
        if (body.done || !(await this.#more())) break;
      }
      const complete = body.done || (body.framing === 'close' && this.ended === 'fin');
      return new Reply(line.status, line.reason, line.minor, head.fields, body, complete);
    }
  }

  get #unreadBytes(): number {
    return this.#arrived.reduce((sum, one) => sum + one.byteLength, this.#unread.byteLength);
  }

  #gather(): void {
    if (this.#arrived.length === 0) return;
    this.#unread = Buffer.concat([this.#unread, ...this.#arrived.splice(0)]);
  }

  /** Waits for bytes; false when none can come any more. */
  async #more(): Promise<boolean> {
    while (this.#arrived.length === 0) {
      if (this.ended !== undefined) return false;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    this.#gather();
    return true;
  }

  #flush(): void {
    for (;;) {
      const next = this.#unsent[0];
      if (next === undefined) break;
      const sent = Math.max(0, this.#socket?.write(next) ?? 0);
      if (sent < next.byteLength) {
        this.#unsent[0] = next.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
    this.#sent.resolve();
    if (this.#shutdown) this.#socket?.shutdown();
  }

  #over(how: 'fin' | 'reset'): void {
    // A reset after a FIN tells no more than the FIN did.
    this.ended ??= how;
    this.#sent.resolve();
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
