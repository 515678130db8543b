/** Clients that ask all the time, each on its own connection: a request as soon as the reply to the last is there. */
import { readReply } from '../bench/reply.ts';
import { eventually } from '../spawned.ts';

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  /** Names that may answer now. */
  readonly current: () => ReadonlySet<string>;
  /** Whether a request whose connection breaks now is no failure: as clients do, the next one follows. */
  readonly sendsAgain?: () => boolean;
  /** What each client takes for itself after a reply, so that there is something left of the machine. */
  readonly pauseMs?: number;
  /** Ids that a client asks for in turn; all clients together ask for IDS of them unless it is given. */
  readonly ids?: (client: number) => readonly number[];
  /** Each so many-th request of a client is a POST that there is only once; it may fail, but never break. */
  readonly postEvery?: number;
  /** Statuses that a GET may have, too, where there is nobody left who could answer it. */
  readonly mayGet?: ReadonlySet<number>;
  readonly onReply?: (answered: Answered) => void;
}

/** What became of one request. */
export interface Answered {
  readonly client: number;
  readonly id: number;
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly status: number;
  readonly server: string;
  readonly tookMs: number;
}

/** Ids that are asked for, over and over. */
const IDS = 5000;
/** What is posted. */
const BODY = 'x'.repeat(100);
/** Of a run that goes wrong so many tell enough. */
const FAILURES_TOLD_MAX = 10;
/** What a POST may be answered, where its replica is at fault: it is not sent to another. */
const UNSENT: ReadonlySet<number> = new Set([500, 502, 503, 504]);

export class SteadyLoad {
  requests = 0;
  failures = 0;
  /** Requests that were sent again since their connection broke. */
  again = 0;
  readonly told: string[] = [];
  readonly served = new Map<string, number>();
  readonly #options: LoadOptions;
  readonly #asking: Promise<void>[];
  #over = false;
  #nextId = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#asking = Array.from({ length: options.clients }, (_, client) => this.#ask(client));
  }

  /** Resolves when so many more requests were answered, by whom it may be. */
  async more(requests: number): Promise<void> {
    const enough = this.requests + requests;
    await eventually(() => this.requests >= enough || this.failures > FAILURES_TOLD_MAX);
  }

  get port(): number {
    return this.#options.port;
  }

  /** Lets each client have its last reply. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#asking);
  }

  async #ask(client: number): Promise<void> {
    const { port, current, pauseMs, postEvery, onReply } = this.#options;
    const ids = this.#options.ids?.(client);
    let asker: Asker | undefined;
    for (let turn = 1; !this.#over; turn++) {
      const id = ids?.[turn % ids.length] ?? this.#nextId++ % IDS;
      const method = postEvery !== undefined && turn % postEvery === 0 ? 'POST' : 'GET';
      const target = `/home?id=${id}${method === 'POST' ? `&post=${port}-${client}-${turn}` : ''}`;
      const before = current();
      const beganMs = performance.now();
      try {
        asker ??= await Asker.connect(port);
        const reply = await asker.ask(method, target);
        const after = current();
        const { status, server } = reply;
        onReply?.({ client, id, method, target, status, server, tookMs: performance.now() - beganMs });
        if (!(method === 'POST' ? UNSENT : this.#options.mayGet)?.has(status))
          this.#judge(id, reply, (name) => before.has(name) || after.has(name));
        if (!asker.open) asker = undefined;
        if (pauseMs !== undefined) await Bun.sleep(pauseMs);
      } catch (error) {
        asker = undefined;
        if (this.#options.sendsAgain?.() === true) {
          this.again++;
          await Bun.sleep(pauseMs ?? 0);
        } else this.#failed(`${target}: ${(error as Error).message}`);
      }
    }
    asker?.end();
  }

  #judge(id: number, { status, server, body }: Answer, isCurrent: (name: string) => boolean): void {
    this.requests++;
    this.served.set(server, (this.served.get(server) ?? 0) + 1);
    if (status !== 200 || body !== `{"message":"Hello from Server: ${server}","status":"successful"}`)
      this.#failed(`${id}: ${status} ${server} ${body}`);
    else if (!isCurrent(server)) this.#failed(`${id}: answered by ${server}, which has left`);
  }

  #failed(what: string): void {
    this.failures++;
    if (this.told.length < FAILURES_TOLD_MAX) this.told.push(what);
  }
}

export interface Answer {
  readonly status: number;
  /** Status line and fields, each with its line end. */
  readonly head: string;
  readonly server: string;
  readonly body: string;
}

/** One connection, kept from request to request. */
export class Asker {
  open = true;
  #socket: Bun.Socket | undefined;
  #received = '';
  #waiting: PromiseWithResolvers<Answer> | undefined;

  static async connect(port: number): Promise<Asker> {
    const asker = new Asker();
    asker.#socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, bytes) => asker.#take(bytes.toString('latin1')),
        end: () => asker.#broke('the connection was closed'),
        close: () => asker.#broke('the connection broke'),
        error: () => {},
      },
    });
    return asker;
  }

  ask(method: 'GET' | 'POST', target: string): Promise<Answer> {
    if (!this.open) return Promise.reject(new Error('the connection was closed between two requests'));
    this.#waiting = Promise.withResolvers<Answer>();
    const rest = method === 'POST' ? `Content-Length: ${BODY.length}\r\n\r\n${BODY}` : '\r\n';
    this.#socket?.write(`${method} ${target} HTTP/1.1\r\nHost: test\r\n${rest}`);
    return this.#waiting.promise;
  }

  end(): void {
    this.open = false;
    this.#socket?.end();
  }

  /** Waits no longer for a reply, as clients do that are impatient. */
  cut(): void {
    this.open = false;
    this.#socket?.terminate();
  }

  #take(text: string): void {
    this.#received += text;
    const reply = readReply(this.#received);
    if (reply === undefined) return;
    const head = this.#received.slice(0, reply.bytes - reply.bodyBytes);
    const body = this.#received.slice(reply.bytes - reply.bodyBytes, reply.bytes);
    const server = /\r\nx-served-by: (\S+)\r\n/i.exec(head)?.[1] ?? 'nobody';
    if (this.#received.length > reply.bytes) return this.#broke('more than one reply to a request');
    this.#received = '';
    // Before the connection is ended, which would break what waits for it.
    this.#waiting?.resolve({ status: reply.status, head, server, body });
    this.#waiting = undefined;
    if (reply.closes) this.end();
  }

  #broke(how: string): void {
    this.end();
    this.#waiting?.reject(new Error(how));
    this.#waiting = undefined;
  }
}
