import { readReply } from '../bench/reply.ts';

/** A safety net: what is still not answered then never will be. In ms. */
const DEADLINE_MS = 60_000;

export interface Answer {
  readonly status: number;
  /** Of the field x-served-by; empty where there is none. */
  readonly server: string;
  readonly body: string;
}

/**
 * One connection, on which GETs follow each other. Unlike `fetch` it never asks again by itself, which would hide just
 * what is looked for.
 */
export class Connection {
  open = true;
  readonly #host: string;
  readonly #deadlineMs: number;
  #socket: Bun.Socket | undefined;
  #received = '';
  #waiting: PromiseWithResolvers<Answer> | undefined;

  private constructor(host: string, deadlineMs: number) {
    this.#host = host;
    this.#deadlineMs = deadlineMs;
  }

  /** Rejects where nobody listens, or nobody says so within the deadline, which is that of every answer, too. */
  static async connect(host: string, port: number, deadlineMs = DEADLINE_MS): Promise<Connection> {
    const connection = new Connection(host, deadlineMs);
    const connecting = Bun.connect({
      hostname: host,
      port,
      socket: {
        data: (_, bytes) => connection.#take(bytes.toString('latin1')),
        end: () => connection.#broke('the connection was closed'),
        close: () => connection.#broke('the connection broke'),
        error: () => {},
      },
    });
    let late = false;
    // One that comes too late is nobody's.
    void connecting.then(
      (socket) => late && socket.terminate(),
      () => {},
    );
    const timer = Promise.withResolvers<never>();
    const timeout = setTimeout(() => {
      late = true;
      timer.reject(new Error(`no connection to ${host}:${port} within ${deadlineMs} ms`));
    }, deadlineMs);
    try {
      connection.#socket = await Promise.race([connecting, timer.promise]);
    } finally {
      clearTimeout(timeout);
    }
    return connection;
  }

  async get(target: string): Promise<Answer> {
    if (!this.open) throw new Error('the connection was closed between two requests');
    const waiting = (this.#waiting = Promise.withResolvers<Answer>());
    const timeout = setTimeout(() => {
      this.#broke(`no answer within ${this.#deadlineMs} ms`);
    }, this.#deadlineMs);
    this.#socket?.write(`GET ${target} HTTP/1.1\r\nHost: ${this.#host}\r\n\r\n`);
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timeout);
    }
  }

  end(): void {
    this.open = false;
    this.#socket?.terminate();
  }

  #take(text: string): void {
    this.#received += text;
    const reply = readReply(this.#received);
    if (reply === undefined) return;
    if (this.#received.length > reply.bytes) return this.#broke('more than one reply to a request');
    const head = this.#received.slice(0, reply.bytes - reply.bodyBytes);
    const body = this.#received.slice(reply.bytes - reply.bodyBytes);
    this.#received = '';
    const server = /\r\nx-served-by: (\S+)\r\n/i.exec(head)?.[1] ?? '';
    // Before the connection is ended, which would break what waits for it.
    this.#waiting?.resolve({ status: reply.status, server, body });
    this.#waiting = undefined;
    if (reply.closes) this.end();
  }

  #broke(how: string): void {
    this.end();
    this.#waiting?.reject(new Error(how));
    this.#waiting = undefined;
  }
}

/** Asks for all targets, many at once, each connection one after the other; gives the answers in their order. */
export async function getAll(
  host: string,
  port: number,
  targets: readonly string[],
  connections: number,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      let connection: Connection | undefined;
      for (let i = next++; i < targets.length; i = next++) {
        if (connection?.open !== true) connection = await Connection.connect(host, port);
        answers[i] = await connection.get(targets[i] as string);
      }
      connection?.end();
    }),
  );
  return answers;
}
