import { Connection, requestsFor, type Target } from './connection.ts';

export interface CrowdOrder extends Target {
  readonly path: string;
  readonly connections: number;
}

export interface CrowdFigures {
  /** Connections that are open now. */
  readonly open: number;
  readonly firstError: string | undefined;
}

/** How many are on their way in at once. */
const ENTERING_AT_ONCE = 64;

/** Connections that made one request each and then stay, without a word. */
export class Crowd {
  readonly #open = new Set<Connection>();
  #firstError: string | undefined;

  get figures(): CrowdFigures {
    return { open: this.#open.size, firstError: this.#firstError };
  }

  /** Resolves when all are in, or when the first one failed. */
  async gather(order: CrowdOrder): Promise<CrowdFigures> {
    const requests = requestsFor(order.path, order.port, order.connections);
    const enter = async (): Promise<void> => {
      for (;;) {
        const request = requests.pop();
        if (request === undefined || this.#firstError !== undefined) return;
        await this.#enter(order, request);
      }
    };
    await Promise.all(Array.from({ length: ENTERING_AT_ONCE }, enter));
    return this.figures;
  }

  drop(): void {
    for (const connection of this.#open) connection.end();
    this.#open.clear();
  }

  async #enter(target: Target, request: Uint8Array): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const gone = (connection: Connection, why: string): void => {
      this.#open.delete(connection);
      this.#firstError ??= why;
      settled.resolve();
    };
    try {
      const connection = await Connection.open(target, {
        replied: () => settled.resolve(),
        failed: gone,
        closed: (one) => gone(one, 'closed while idle'),
      });
      this.#open.add(connection);
      connection.ask(request);
      await settled.promise;
    } catch (error) {
      this.#firstError ??= (error as Error).message;
    }
  }
}
