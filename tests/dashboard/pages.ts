import type { Snapshot, Update } from '../../src/dashboard/snapshot.ts';

/** A page that is open somewhere: it reads the stream of a Ringmaster, and remembers what it was told. */
export class OpenPage implements AsyncDisposable {
  readonly updates: Update[] = [];
  readonly status: number;
  readonly headers: Headers;
  /** Id of the message that was read last. */
  lastId = '';
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #ended: Promise<void>;
  #heard = Promise.withResolvers<void>();

  private constructor(reply: Response) {
    this.status = reply.status;
    this.headers = reply.headers;
    this.#reader = (reply.body as ReadableStream<Uint8Array>).getReader();
    this.#ended = this.#read();
  }

  static async open(url: string, lastEventId?: string): Promise<OpenPage> {
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    return new OpenPage(await fetch(`${url}/dashboard/stream`, { headers }));
  }

  /** Resolves with the first snapshot of which it holds: of those that were told already, from that one on, or will be. */
  async until(holds: (snapshot: Snapshot, update: Update) => boolean, from = 0): Promise<Snapshot> {
    for (let seen = from; ; seen++) {
      while (seen >= this.updates.length) {
        this.#heard = Promise.withResolvers<void>();
        await this.#heard.promise;
      }
      const update = this.updates[seen] as Update;
      if (holds(update.snapshot, update)) return update.snapshot;
    }
  }

  /** Resolves when Ringmaster ends it. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await this.#reader.read().catch(() => ({ done: true, value: undefined }));
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, id = '', data] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? [];
        if (data === undefined) continue;
        this.updates.push(JSON.parse(data) as Update);
        this.lastId = id;
        this.#heard.resolve();
      }
    }
  }
}
