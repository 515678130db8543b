import { readReply, ReplyError } from './reply.ts';

/** What every request of a load goes to, and what its reply must be. */
export interface Target {
  readonly port: number;
  readonly bodyBytes: number;
}

export interface ConnectionEvents {
  /** A right reply came, so long after its request. */
  replied(connection: Connection, latencyMs: number): void;
  /** A request had no reply, or a wrong one; the connection is closed. */
  failed(connection: Connection, why: string): void;
  /** The server ended the connection between two requests, as it may. */
  closed(connection: Connection): void;
}

/** One keep-alive connection of a load: a request at a time, and every reply is checked. */
export class Connection {
  #socket: Bun.Socket<Connection> | undefined;
  #received = '';
  #askedAtMs = 0;
  #waiting = false;
  #over = false;

  private constructor(
    readonly target: Target,
    readonly events: ConnectionEvents,
  ) {}

  /** Rejects where nothing accepts it. */
  static async open(target: Target, events: ConnectionEvents): Promise<Connection> {
    const connection = new Connection(target, events);
    connection.#socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: target.port,
      data: connection,
      socket: HANDLERS,
    });
    return connection;
  }

  ask(request: Uint8Array): void {
    this.#waiting = true;
    this.#askedAtMs = performance.now();
    if (this.#socket?.write(request) !== request.byteLength) this.fail('the request could not be written');
  }

  /** Ends it; nothing is told of it any more. */
  end(): void {
    this.#over = true;
    this.#socket?.end();
  }

  take(chunk: Buffer): void {
    if (this.#over) return;
    this.#received += chunk.toString('latin1');
    try {
      const reply = readReply(this.#received);
      if (reply === undefined) return;
      if (!this.#waiting || reply.bytes < this.#received.length)
        this.fail('more than one reply to a request');
      else if (reply.status !== 200) this.fail(`status ${reply.status}`);
      else if (reply.bodyBytes !== this.target.bodyBytes)
        this.fail(`${reply.bodyBytes} bytes of body in place of ${this.target.bodyBytes}`);
      else this.#settle(reply.closes);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      this.fail(error.message);
    }
  }

  fail(why: string): void {
    if (this.#over) return;
    this.end();
    this.events.failed(this, why);
  }

  ended(): void {
    if (this.#over) return;
    if (this.#waiting) return this.fail('closed before the reply was whole');
    this.#over = true;
    this.events.closed(this);
  }

  #settle(closes: boolean): void {
    const latencyMs = performance.now() - this.#askedAtMs;
    this.#received = '';
    this.#waiting = false;
    if (closes) {
      this.#over = true;
      this.#socket?.end();
    }
    this.events.replied(this, latencyMs);
    if (closes) this.events.closed(this);
  }

  /** Whether it can take another request. */
  get open(): boolean {
    return !this.#over;
  }
}

const HANDLERS: Bun.SocketHandler<Connection> = {
  data: (socket, chunk) => socket.data.take(chunk),
  end: (socket) => {
    socket.end();
    socket.data.ended();
  },
  close: (socket) => socket.data.ended(),
  error: (socket, error) => socket.data.fail(error.message),
};

/** Ids of one width, so that every reply has one length; 7919 and the span have no factor in common. */
const ID_MIN = 100_000;
const ID_SPAN = 900_000;
const ID_STEP = 7919;

/** Requests for `path` with as many ids, spread over all of them. */
export function requestsFor(path: string, port: number, count: number): Uint8Array[] {
  const utf8 = new TextEncoder();
  return Array.from({ length: count }, (_, i) =>
    utf8.encode(
      `GET ${path}?id=${ID_MIN + ((i * ID_STEP) % ID_SPAN)} HTTP/1.1\r\n` +
        `Host: 127.0.0.1:${port}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`,
    ),
  );
}
