import { Client } from '../traffic/relay/client.ts';

const BYTE_INTERVAL_MS = 1000;
const BODY_BYTES = 1000;
const HEAD = 'GET /any?id=1 HTTP/1.1\r\nHost: test\r\nX-Slow: ';

interface Dripping {
  readonly client: Client;
  sent: number;
}

/** Clients that send a byte a second: half of them of a head, the others of a body. */
export class SlowDrip {
  readonly #clients: Dripping[] = [];
  readonly #timer: Timer;

  private constructor() {
    this.#timer = setInterval(() => this.#drip(), BYTE_INTERVAL_MS);
  }

  static async begin(port: number, count: number): Promise<SlowDrip> {
    const drip = new SlowDrip();
    for (let id = 0; id < count; id++) {
      const client = await Client.open(port);
      const post = `POST /any?id=${id} HTTP/1.1\r\nHost: test\r\nContent-Length: ${BODY_BYTES}\r\n\r\nx`;
      client.write(id % 2 === 0 ? HEAD : post);
      drip.#clients.push({ client, sent: 0 });
    }
    return drip;
  }

  /** Of those that were not sent away. */
  get open(): number {
    return this.#clients.filter(({ client }) => client.ended === undefined && client.receivedBytes === 0)
      .length;
  }

  /** Bytes that each of them has sent at least, one at a time. */
  get leastSent(): number {
    return Math.min(...this.#clients.map(({ sent }) => sent));
  }

  end(): void {
    clearInterval(this.#timer);
    for (const { client } of this.#clients) client.reset();
  }

  #drip(): void {
    for (const one of this.#clients) {
      one.client.write('x');
      one.sent++;
    }
  }
}
