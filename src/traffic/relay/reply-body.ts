import type { ChunkedDecoder } from '../http1/chunked.ts';
import type { ReplyFraming } from '../http1/reply-head.ts';
import type { Scratch } from './scratch.ts';
import { sendBoth, type Wire } from './wire.ts';

/** The body of one reply on its way to a client, framed anew. */
export class ReplyBody {
  /** Whether all of it was passed on. */
  done = false;
  #left: number;

  /** Whether its length was said before it. */
  readonly measured: boolean;
  /** Whether the client gets it in chunks. */
  readonly chunked: boolean;

  /** `decoder`: what reads its chunks, where it has any. `knowsChunks`: whether the client can read any. */
  constructor(
    readonly framing: ReplyFraming,
    length: number,
    readonly decoder: ChunkedDecoder | undefined,
    knowsChunks: boolean,
  ) {
    this.#left = length;
    this.measured = framing === 'none' || framing === 'length';
    this.chunked = !this.measured && knowsChunks;
  }

  /**
   * Sends on what of the bytes belongs to the body, behind what `scratch` holds. Returns the offset past it, or -1 where
   * it is no body.
   */
  pass(bytes: Buffer, at: number, end: number, scratch: Scratch, to: Wire): number {
    const { decoder } = this;
    if (this.measured) {
      const past = Math.min(end, at + this.#left);
      this.#left -= past - at;
      this.done = this.#left === 0;
      sendBoth(to, scratch, bytes, at, past);
      return past;
    }
    const past = decoder === undefined ? end : decoder.read(bytes, at, end, this.#sink(scratch));
    if (decoder === undefined) this.#sink(scratch).data(bytes, at, end);
    else if (past >= 0) this.done = decoder.done;
    if (this.done && this.chunked) scratch.lastChunk(decoder?.trailers ?? []);
    to.send(scratch.bytes, 0, scratch.length);
    return past;
  }

  /** The replica has closed its half. True where that is the end of the body. */
  end(scratch: Scratch, to: Wire): boolean {
    if (this.framing !== 'close') return false;
    this.done = true;
    scratch.reset();
    if (this.chunked) scratch.lastChunk([]);
    to.send(scratch.bytes, 0, scratch.length);
    return true;
  }

  #sink(scratch: Scratch) {
    return this.chunked ? scratch.asChunks : scratch.asBytes;
  }
}
