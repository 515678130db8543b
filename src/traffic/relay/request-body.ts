import { ChunkedDecoder } from '../http1/chunked.ts';
import { KEPT_BYTES_MAX } from '../retry.ts';
import type { Scratch } from './scratch.ts';
import { sendBoth, type Wire } from './wire.ts';

/** The body of one request on its way to a replica, framed anew. */
export class RequestBody {
  /** Whether all of it was taken. */
  done = false;
  /** Whether it can be sent again from its first byte. */
  whole = true;
  /** Bytes that are still to come, where their number is known. */
  #left: number;
  readonly #decoder: ChunkedDecoder | undefined;
  /** As it was sent so far, where it may have to be sent again. */
  #kept: Uint8Array[] | undefined;
  /** Bytes sent so far, framing included. */
  sentBytes = 0;

  /** `framing`: its length, or what reads its chunks. */
  constructor(framing: number | ChunkedDecoder, repeatable: boolean) {
    this.#left = typeof framing === 'number' ? framing : 0;
    this.#decoder = typeof framing === 'number' ? undefined : framing;
    if (repeatable) this.#kept = [];
  }

  /** What was sent before, to send it to another replica. */
  writeAgain(to: Scratch): void {
    for (const piece of this.#kept ?? []) to.all(piece);
  }

  /**
   * Sends on what of the bytes belongs to the body, behind what `scratch` holds. Returns the offset past it, or -1 where
   * it is no body: then where it ends cannot be known.
   */
  pass(bytes: Buffer, at: number, end: number, scratch: Scratch, to: Wire): number {
    if (this.#decoder !== undefined) return this.#passChunks(this.#decoder, bytes, at, end, scratch, to);
    const past = Math.min(end, at + this.#left);
    this.#left -= past - at;
    this.done = this.#left === 0;
    this.#keep(bytes, at, past);
    sendBoth(to, scratch, bytes, at, past);
    return past;
  }

  #passChunks(
    decoder: ChunkedDecoder,
    bytes: Buffer,
    at: number,
    end: number,
    scratch: Scratch,
    to: Wire,
  ): number {
    const before = scratch.length;
    const past = decoder.read(bytes, at, end, scratch.asChunks);
    if (past < 0) return -1;
    this.done = decoder.done;
    if (this.done) scratch.lastChunk(decoder.trailers);
    this.#keep(scratch.bytes, before, scratch.length);
    to.send(scratch.bytes, 0, scratch.length);
    return past;
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    if (start >= end) return;
    this.sentBytes += end - start;
    if (this.#kept !== undefined && this.sentBytes <= KEPT_BYTES_MAX) {
      this.#kept.push(Buffer.from(bytes.subarray(start, end)));
    } else {
      this.#kept = undefined;
      this.whole = false;
    }
  }
}
