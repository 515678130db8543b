/** Bodies that are as large as they are wanted and take no memory: known bytes, over and over. */
import type { Socket } from 'bun';

/** No power of two, so that a piece lost or sent twice is out of step with all that follows. */
const PATTERN_BYTES = 1_000_003;
const PATTERN = Buffer.alloc(PATTERN_BYTES);
for (let i = 0; i < PATTERN_BYTES; i++) PATTERN[i] = Math.imul(i, 2_654_435_761) >>> 24;

/** What is given to a socket at once. */
const PIECE_BYTES = 256 * 1024;

/** Writes so many bytes of it, as the socket takes them. */
export class BodySource {
  sentBytes = 0;
  constructor(
    readonly socket: Pick<Socket, 'write'>,
    readonly totalBytes: number,
  ) {}

  /** To be called at the beginning, and whenever the socket takes bytes again. True once all are sent. */
  pump(): boolean {
    while (this.sentBytes < this.totalBytes) {
      const at = this.sentBytes % PATTERN_BYTES;
      const end = Math.min(PATTERN_BYTES, at + Math.min(PIECE_BYTES, this.totalBytes - this.sentBytes));
      const taken = this.socket.write(PATTERN, at, end - at);
      if (taken <= 0) return false;
      this.sentBytes += taken;
    }
    return true;
  }
}

/** Compares what comes with what it must be. */
export class BodySink {
  receivedBytes = 0;
  /** Where the first byte is that is not what it must be. */
  wrongAt: number | undefined;

  take(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const at = this.receivedBytes % PATTERN_BYTES;
      const length = Math.min(bytes.length - from, PATTERN_BYTES - at);
      if (PATTERN.compare(bytes, from, from + length, at, at + length) !== 0)
        this.wrongAt ??= this.receivedBytes;
      this.receivedBytes += length;
      from += length;
    }
  }
}

/** A reader that stops over and over, each time until whoever sends has stood still for long. */
export class SlowReader {
  #nextStop: number;
  #stopped = false;
  stops = 0;
  constructor(
    readonly socket: Pick<Socket, 'pause' | 'resume'>,
    readonly everyBytes: number,
    readonly standsStill: () => Promise<void>,
  ) {
    this.#nextStop = everyBytes;
  }

  /** To be called with what was received so far. */
  read(receivedBytes: number): void {
    if (receivedBytes < this.#nextStop || this.#stopped) return;
    this.#nextStop += this.everyBytes;
    this.#stopped = true;
    this.stops++;
    this.socket.pause();
    void this.standsStill().then(() => {
      this.#stopped = false;
      this.socket.resume();
    });
  }
}
