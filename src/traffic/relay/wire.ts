import type { Timed } from './deadlines.ts';
import type { Scratch } from './scratch.ts';

/** What is copied behind a head to be sent with it; more is sent from where it is. */
const COPIED_BYTES_MAX = 32 * 1024;

/** What is used of a Bun socket. */
export interface WireSocket {
  /** Bytes that the kernel took. */
  write(bytes: Uint8Array, offset: number, length: number): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
}

/** One side of the relay: a socket, what it did not take yet, and a deadline. */
export abstract class Wire implements Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  /** False once the socket is closed, by whomever. */
  open = true;
  #rest: Uint8Array | undefined;
  #finishing = false;
  #held = false;

  constructor(protected socket: WireSocket | undefined) {}

  /** Whether bytes wait for the peer to take them. Who gives it more then must stop. */
  get blocked(): boolean {
    return this.#rest !== undefined;
  }

  /** Sends bytes; what the kernel does not take is copied and sent when it does. False where that is so. */
  send(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.open || start >= end) return !this.blocked;
    if (this.#rest !== undefined) {
      this.#rest = Buffer.concat([this.#rest, bytes.subarray(start, end)]);
      return false;
    }
    const taken = this.socket?.write(bytes, start, end - start) ?? 0;
    if (taken >= end - start) return true;
    // A dead socket takes -1.
    this.#rest = Buffer.from(bytes.subarray(start + Math.max(0, taken), end));
    return false;
  }

  /** The kernel has room again. True when nothing is left to send. */
  flush(): boolean {
    const rest = this.#rest;
    if (rest !== undefined && this.open) {
      const taken = Math.max(0, this.socket?.write(rest, 0, rest.length) ?? 0);
      this.#rest = taken < rest.length ? rest.subarray(taken) : undefined;
    }
    if (this.#rest !== undefined) return false;
    if (this.#finishing && this.open) this.socket?.shutdown();
    return true;
  }

  /** Stops reading, so that the peer has to wait. */
  hold(): void {
    if (this.#held || !this.open) return;
    this.#held = true;
    this.socket?.pause();
  }

  unhold(): void {
    if (!this.#held || !this.open) return;
    this.#held = false;
    this.socket?.resume();
  }

  /** Closes our half once everything is sent; the peer may still send. */
  finish(): void {
    if (this.#finishing || !this.open) return;
    this.#finishing = true;
    if (this.#rest === undefined) this.socket?.shutdown();
  }

  /** Closes at once and in good order; only for when nothing is left to send or to read. */
  end(): void {
    if (this.open) this.socket?.end();
  }

  /** Closes at once, in good order where that is possible. */
  close(): void {
    if (this.blocked) this.cut();
    else this.end();
  }

  /** Closes at once with a reset: the peer must not take what it has for all there is. */
  cut(): void {
    if (this.open) this.socket?.terminate();
  }

  /** The socket is no more. */
  closed(): void {
    this.open = false;
    this.#rest = undefined;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  abstract onDeadline(): void;
}

/** Sends what `scratch` holds, and bytes behind it. */
export function sendBoth(to: Wire, scratch: Scratch, bytes: Uint8Array, start: number, end: number): void {
  const copied = end - start <= COPIED_BYTES_MAX;
  if (copied) scratch.span(bytes, start, end);
  to.send(scratch.bytes, 0, scratch.length);
  if (!copied) to.send(bytes, start, end);
}
