/** A server that has so much capacity and no more, given by timers and not by what the machine can do. */
export interface Capacity {
  /** Requests that are worked on at the same time; the others wait, however many they are. */
  readonly atOnce: number;
  readonly workMs: number;
  /** What each further request that waits adds to the work on one, in parts of it: 0 for a server that does not mind. */
  readonly slowedBy: number;
}

export class BoundedServer {
  /** Requests that are there, worked on or waiting. */
  inFlight = 0;
  mostInFlight = 0;
  readonly #capacity: Capacity;
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  readonly #server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch: (request) => this.#answer(request),
  });

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === '/heartbeat') return new Response();
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    await this.#turn();
    const { workMs, slowedBy } = this.#capacity;
    // What was asked for is done to its end: that its client has gone a server learns too late, if ever.
    await Bun.sleep(workMs * (1 + slowedBy * this.#waiting.length));
    this.inFlight--;
    this.#working--;
    this.#waiting.shift()?.();
    return new Response('done');
  }

  async #turn(): Promise<void> {
    if (this.#working >= this.#capacity.atOnce)
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    this.#working++;
  }
}
