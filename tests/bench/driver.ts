import type { CrowdFigures, CrowdOrder } from './crowd.ts';
import type { LoadFigures, LoadOrder } from './load.ts';
import type { Stage } from './stage.ts';

export type Order =
  | ({ readonly kind: 'load' } & LoadOrder)
  | ({ readonly kind: 'gather' } & CrowdOrder)
  | { readonly kind: 'count' }
  | { readonly kind: 'drop' };

/** A safety net for a server that hangs; no figure depends on it. */
const ANSWER_PATIENCE_MS = 180_000;

/** Gives orders to the process that makes the load, one at a time. */
export class Driver {
  readonly #process: Bun.Subprocess<'pipe', 'pipe', 'inherit'>;
  readonly #lines: AsyncGenerator<string, void>;

  constructor(stage: Stage) {
    const script = new URL('load-process.ts', import.meta.url).pathname;
    this.#process = stage.converse([process.execPath, script], 'others');
    this.#lines = linesOf(this.#process.stdout);
  }

  load(order: LoadOrder): Promise<LoadFigures> {
    return this.#ask<LoadFigures>({ kind: 'load', ...order });
  }

  gather(order: CrowdOrder): Promise<CrowdFigures> {
    return this.#ask<CrowdFigures>({ kind: 'gather', ...order });
  }

  count(): Promise<CrowdFigures> {
    return this.#ask<CrowdFigures>({ kind: 'count' });
  }

  drop(): Promise<CrowdFigures> {
    return this.#ask<CrowdFigures>({ kind: 'drop' });
  }

  async #ask<Answer>(order: Order): Promise<Answer> {
    void this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    await this.#process.stdin.flush();
    const patience = AbortSignal.timeout(ANSWER_PATIENCE_MS);
    const over = Promise.withResolvers<never>();
    const onOver = (): void => over.reject(new Error(`no answer to the order ${JSON.stringify(order)}`));
    patience.addEventListener('abort', onOver);
    try {
      const { value } = await Promise.race([this.#lines.next(), over.promise]);
      if (value === undefined) throw new Error('the process that makes the load has ended');
      return JSON.parse(value) as Answer;
    } finally {
      patience.removeEventListener('abort', onOver);
    }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
