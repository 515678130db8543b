import { expect } from 'bun:test';
import { until, type Client } from './client.ts';
import type { Exchange, Script } from './recording-upstream.ts';
import type { Rig } from './rig.ts';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const WEBSOCKET =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n' +
  `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
export const RAW = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n';

/** A replica that switches to what is asked for, and keeps what comes. */
export class Switched {
  exchange: Exchange | undefined;
  #received: Buffer[] = [];

  readonly script: Script = (exchange) => {
    this.exchange = exchange;
    exchange.switchTo(exchange.value('upgrade') ?? '', (bytes) => this.#received.push(bytes));
  };

  /** The same, once `go` has come. */
  after(go: Promise<void>): Script {
    return async (exchange) => {
      await go;
      await this.script(exchange);
    };
  }

  get received(): Buffer {
    this.#received = [Buffer.concat(this.#received)];
    return this.#received[0] as Buffer;
  }

  async has(bytes: number): Promise<Buffer> {
    await until(`${bytes} bytes for the replica`, () => this.received.byteLength >= bytes);
    return this.received;
  }
}

/** A client whose upgrade was accepted. */
export async function open(rig: Rig, bytes = RAW): Promise<Client> {
  const client = await rig.client();
  client.write(bytes);
  const reply = await client.reply();
  expect(reply.status).toBe(101);
  expect(reply.value('x-served-by')).toBe('r0');
  return client;
}
