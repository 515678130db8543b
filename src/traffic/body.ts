import { KEPT_BYTES_MAX } from './retry.ts';

/**
 * A request body that can be sent a second time as long as it is small: chunks are read from the client as a replica
 * takes them, and kept until they are too many. Only the stream that was opened last gives anything.
 */
export class ReplayableBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** Chunks that were let go: a stream that needs one of them can't be had any more. */
  #dropped = 0;
  #ended = false;
  #reading: Promise<void> | undefined;
  /** Grows when a stream is opened or given up: one that is not of this turn may not use up what the next one needs. */
  #turn = 0;

  constructor(source: ReadableStream<Uint8Array>) {
    this.#reader = source.getReader();
  }

  /** Whether `open` can still give the body from its first byte. */
  get whole(): boolean {
    return this.#dropped === 0;
  }

  /** Bytes that are held to be sent again: KEPT_BYTES_MAX and one chunk at most. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The body from its first byte; `onTaken` is called for each chunk that is taken, and for the end. */
  open(onTaken: () => void = () => {}): ReadableStream<Uint8Array> {
    const turn = ++this.#turn;
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          // A body without its beginning would pass for another one: rather none.
          if (at < this.#dropped) return controller.error(new Error('The body is no longer whole'));
          while (at >= this.#dropped + this.#kept.length && !this.#ended) await this.#read();
          if (turn !== this.#turn) return controller.error(new Error('The body was opened again'));
          onTaken();
          const chunk = this.#kept[at - this.#dropped];
          if (chunk === undefined) return controller.close();
          at++;
          if (this.#keptBytes > KEPT_BYTES_MAX) this.#drop(at);
          controller.enqueue(chunk);
        },
        cancel: () => {
          if (turn === this.#turn) this.#turn++;
        },
      },
      // Nothing is read ahead of the replica: who has not asked for a byte has not used one up.
      { highWaterMark: 0 },
    );
  }

  /** Reads one chunk. A stream that was given up may have asked for it: the next one waits for the same. */
  #read(): Promise<void> {
    this.#reading ??= this.#reader
      .read()
      .then(({ done, value }) => {
        if (done) this.#ended = true;
        else {
          this.#kept.push(value);
          this.#keptBytes += value.byteLength;
        }
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  #drop(before: number): void {
    for (const chunk of this.#kept.splice(0, before - this.#dropped)) this.#keptBytes -= chunk.byteLength;
    this.#dropped = before;
  }
}
