import type { ChunkSink } from '../http1/chunked.ts';

const FIRST_BYTES = 64 * 1024;

const encoder = new TextEncoder();
const CR_LF = encoder.encode('\r\n');
const LAST_CHUNK = encoder.encode('0\r\n');
/** Up to this a loop is faster than a call; of bytes that never change, whose copy is the quicker one, less. */
const LOOP_BYTES_MAX = 80;
const FIXED_LOOP_BYTES_MAX = 32;
const DIGIT_ZERO = 0x30;
const LETTER_A = 0x61;

/** Bytes that never change, made once. */
export function ascii(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * What one event has to send, put together before it is sent: one system call then does. One object for a relay; what it
 * holds is gone with the next `reset`.
 */
export class Scratch {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  length = 0;
  /** Takes a body's data as chunks. */
  readonly asChunks: ChunkSink = { data: (bytes, start, end) => this.chunk(bytes, start, end) };
  /** Takes a body's data as it is. */
  readonly asBytes: ChunkSink = { data: (bytes, start, end) => this.span(bytes, start, end) };

  reset(): void {
    this.length = 0;
  }

  span(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.#reserve(count);
    const to = this.bytes;
    if (count <= LOOP_BYTES_MAX) {
      let at = this.length;
      for (let i = start; i < end; i++) to[at++] = bytes[i] as number;
      // What a socket gives is a Buffer, which can be copied from without a view of its own.
    } else if (bytes instanceof Buffer) bytes.copy(to, this.length, start, end);
    else to.set(bytes.subarray(start, end), this.length);
    this.length += count;
  }

  all(bytes: Uint8Array): void {
    if (bytes.length <= FIXED_LOOP_BYTES_MAX) return this.span(bytes, 0, bytes.length);
    this.#reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A whole number below 2^48 as twelve hexadecimal digits. */
  hex12(number: number): void {
    this.#reserve(12);
    let high = Math.floor(number / 0x1000000);
    let low = number % 0x1000000;
    for (let i = 5; i >= 0; i--) {
      this.bytes[this.length + i] = hexDigit(high & 15);
      this.bytes[this.length + 6 + i] = hexDigit(low & 15);
      high >>= 4;
      low >>= 4;
    }
    this.length += 12;
  }

  /** Characters up to U+00FF, one byte each. */
  latin1(text: string): void {
    this.#reserve(text.length);
    let at = this.length;
    for (let i = 0; i < text.length; i++) this.bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** One chunk of a chunked body; none where there is no data, since that would be its end (RFC 9112, section 7.1). */
  chunk(bytes: Uint8Array, start: number, end: number): void {
    if (start >= end) return;
    this.latin1((end - start).toString(16));
    this.all(CR_LF);
    this.span(bytes, start, end);
    this.all(CR_LF);
  }

  lastChunk(trailers: readonly string[]): void {
    this.all(LAST_CHUNK);
    for (const trailer of trailers) this.latin1(`${trailer}\r\n`);
    this.all(CR_LF);
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

function hexDigit(value: number): number {
  return value < 10 ? DIGIT_ZERO + value : LETTER_A + value - 10;
}
