/** Payload length codes (RFC 6455, section 5.2). */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASKED = 0x80;
const OPCODE = 0x0f;
const CLOSE = 0x8;

/** 1001, "going away" (RFC 6455, section 7.4.1). */
const GOING_AWAY = Uint8Array.of(0x03, 0xe9);
const CLOSE_BYTE = 0x88;
const MASK_BYTES = 4;

/** The Close that says so: unmasked as servers send it, with a fresh mask as clients do (section 5.3). */
export function goingAway(from: 'server' | 'client'): Uint8Array {
  const { length } = GOING_AWAY;
  if (from === 'server') return Uint8Array.of(CLOSE_BYTE, length, ...GOING_AWAY);
  const mask = crypto.getRandomValues(new Uint8Array(MASK_BYTES));
  const masked = GOING_AWAY.map((byte, i) => byte ^ (mask[i] as number));
  return Uint8Array.of(CLOSE_BYTE, MASKED | length, ...mask, ...masked);
}

/** Where to stop reading: at the next end of a frame, in front of the next Close frame, or nowhere. */
export type Stop = 'boundary' | 'close' | 'no';

/**
 * Follows the frames that pass in one direction, just enough to know where one ends: only there can another one be put in
 * between without breaking either.
 */
export class FrameTracker {
  /** Whether a Close frame has passed: nothing may follow it (RFC 6455, section 5.5.1). */
  closed = false;
  /** Bytes of the header so far, and how many it will have as far as is known. */
  #headerSeen = 0;
  #headerBytes = 2;
  #lengthBytes = 0;
  #payloadLeft = 0;
  #closing = false;

  /** Whether the next byte begins a frame. */
  get atBoundary(): boolean {
    return this.#headerSeen === 0 && this.#payloadLeft === 0;
  }

  /** Reads bytes from `start`. Returns the offset past what was read, which is `end` where nothing stopped it. */
  read(bytes: Uint8Array, start: number, end: number, stop: Stop): number {
    let at = start;
    while (at < end) {
      if (this.atBoundary) {
        if (stop === 'boundary' && at > start) return at;
        if (stop === 'close' && ((bytes[at] as number) & OPCODE) === CLOSE) return at;
      }
      if (this.#headerSeen < this.#headerBytes) {
        this.#readHeader(bytes[at++] as number);
        if (this.#headerSeen < this.#headerBytes) continue;
      } else {
        const step = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= step;
        at += step;
      }
      if (this.#payloadLeft === 0) this.#endFrame();
    }
    return at;
  }

  #readHeader(byte: number): void {
    const i = this.#headerSeen++;
    if (i === 0) {
      this.#closing = (byte & OPCODE) === CLOSE;
    } else if (i === 1) {
      const code = byte & ~MASKED;
      this.#lengthBytes = code === LENGTH_16 ? 2 : code === LENGTH_64 ? 8 : 0;
      this.#headerBytes = 2 + this.#lengthBytes + ((byte & MASKED) === 0 ? 0 : MASK_BYTES);
      this.#payloadLeft = this.#lengthBytes === 0 ? code : 0;
    } else if (i < 2 + this.#lengthBytes) {
      this.#payloadLeft = this.#payloadLeft * 256 + byte;
    }
  }

  #endFrame(): void {
    this.closed ||= this.#closing;
    this.#headerSeen = 0;
    this.#headerBytes = 2;
  }
}
