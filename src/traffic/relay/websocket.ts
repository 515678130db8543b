/** Payload length codes (RFC 6455, section 5.2). */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASKED = 0x80;
const OPCODE = 0x0f;
const CLOSE = 0x8;

/** 1001, "going away" (RFC 6455, section 7.4.1), unmasked as servers send it. */
const FROM_SERVER = Uint8Array.of(0x88, 0x02, 0x03, 0xe9);
/** The same as clients send it. The mask is no secret: it only has to be there (section 5.3), and this one is random enough for two bytes. */
const FROM_CLIENT = Uint8Array.of(0x88, 0x82, 0x52, 0x6d, 0x17, 0x2a, 0x52 ^ 0x03, 0x6d ^ 0xe9);

export function goingAway(from: 'server' | 'client'): Uint8Array {
  return from === 'server' ? FROM_SERVER : FROM_CLIENT;
}

/**
 * Follows the frames that pass in one direction, just enough to know where one ends: only there can another one be put in
 * between without breaking either.
 */
export class FrameTracker {
  /** Whether a Close frame has passed: nothing may follow it (RFC 6455, section 5.5.1). */
  closed = false;
  #header: number[] = [];
  #headerBytes = 2;
  #payloadLeft = 0;
  #closing = false;

  /** Whether the next byte begins a frame. */
  get atBoundary(): boolean {
    return this.#header.length === 0 && this.#payloadLeft === 0;
  }

  /** Reads bytes from `start`, to the end or, with `stopAtBoundary`, to the first end of a frame. Returns the offset past what was read. */
  read(bytes: Uint8Array, start: number, end: number, stopAtBoundary: boolean): number {
    let at = start;
    while (at < end) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= step;
        at += step;
      } else {
        this.#header.push(bytes[at++] as number);
        if (this.#header.length === 2) this.#headerBytes = headerBytes(this.#header[1] as number);
        if (this.#header.length < 2 || this.#header.length < this.#headerBytes) continue;
        this.#beginPayload();
      }
      if (this.#payloadLeft > 0) continue;
      this.closed ||= this.#closing;
      if (stopAtBoundary) return at;
    }
    return at;
  }

  #beginPayload(): void {
    const [first = 0, second = 0, ...rest] = this.#header;
    const code = second & ~MASKED;
    const lengthBytes = code === LENGTH_16 ? 2 : code === LENGTH_64 ? 8 : 0;
    let length = lengthBytes === 0 ? code : 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (rest[i] as number);
    this.#payloadLeft = length;
    this.#closing = (first & OPCODE) === CLOSE;
    this.#header = [];
  }
}

function headerBytes(second: number): number {
  const code = second & ~MASKED;
  return 2 + (code === LENGTH_16 ? 2 : code === LENGTH_64 ? 8 : 0) + ((second & MASKED) === 0 ? 0 : 4);
}
