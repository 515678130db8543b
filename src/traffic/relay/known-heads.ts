import type { RequestHead } from '../http1/request-head.ts';
import type { ReplyFraming, ReplyHead } from '../http1/reply-head.ts';
import type { Sender } from './request-fields.ts';
import { SERIAL_BYTES, type MadeId } from './request-id.ts';
import { ascii, type Scratch } from './scratch.ts';

/** Longer heads are read each time. */
const KNOWN_BYTES_MAX = 2048;
/** Up to this a loop is faster than the call that compares more. */
const LOOP_BYTES_MAX = 160;
/** Requests that are known at once, one for each length of their fields, modulo this. */
const SLOTS = 64;
const END = ascii('\r\n\r\n');
/** What ends each head that is written, and is not the same twice. */
const OWN_BYTES = SERIAL_BYTES + END.length;

/**
 * The fields of a plain request that were read, found good and written once, and what was written. A client sends the
 * same ones with each of its requests, and so do others: then to compare them is enough.
 */
export class KnownRequest {
  constructor(
    readonly address: string,
    /** All that came behind the request line. */
    readonly fields: Buffer,
    /** All that was written behind the target, but for the serial number of the request id and the head's end. */
    readonly written: Uint8Array,
    readonly knownSinceMs: number,
  ) {}

  /** Whether the bytes from `start` to `end` are these fields. */
  is(bytes: Buffer, start: number, end: number, { address, trusted }: Sender): boolean {
    const { fields } = this;
    return (
      fields.length === end - start && !trusted && this.address === address && stand(fields, bytes, start)
    );
  }

  /** Writes the head of a request whose line was just read. */
  write(to: Scratch, { fields, methodStart, targetEnd }: RequestHead, id: MadeId): void {
    to.span(fields.bytes, methodStart, targetEnd);
    to.all(this.written);
    id.writeSerial(to);
    to.all(END);
  }
}

/** Requests that came lately. */
export class KnownRequests {
  readonly #slots: (KnownRequest | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

  /** The one whose fields the bytes from `start` to `end` are. */
  find(bytes: Buffer, start: number, end: number, sender: Sender): KnownRequest | undefined {
    const known = this.#slots[(end - start) % SLOTS];
    return known?.is(bytes, start, end, sender) === true ? known : undefined;
  }

  /**
   * Takes note of a request that was just read and written, where nothing of it is its own but target and id. At most one
   * in a tick of the clock has its place taken: where all differ, to remember them is only work.
   */
  note(head: RequestHead, sender: Sender, written: Scratch, nowMs: number): void {
    const { fields, fieldsAt } = head;
    const length = head.end - fieldsAt;
    const slot = length % SLOTS;
    if (length > KNOWN_BYTES_MAX || this.#slots[slot]?.knownSinceMs === nowMs) return;
    const plain =
      head.ordinary &&
      head.framing === 'none' &&
      head.persistent &&
      head.protocols.length === 0 &&
      !head.continues;
    // What is written of Max-Forwards depends on the method; a wish for an explanation is read each time.
    if (!plain || sender.trusted || fields.requestId !== -1 || fields.maxForwards >= 0) return;
    if (fields.explain !== -1) return;
    const line = head.targetEnd - head.methodStart;
    this.#slots[slot] = new KnownRequest(
      sender.address,
      Buffer.from(fields.bytes.subarray(fieldsAt, head.end)),
      Uint8Array.from(written.bytes.subarray(line, written.length - OWN_BYTES)),
      nowMs,
    );
  }
}

/** The head of a replica's reply that was read, found good and written once, and what was written. */
export class KnownReply {
  constructor(
    readonly head: Buffer,
    readonly replica: string,
    /** But for the serial number of the request id and the head's end. */
    readonly written: Uint8Array,
    /** The Date that was put in, where the reply had none: it is out of date when another is in force. */
    readonly date: Uint8Array | undefined,
    readonly framing: ReplyFraming,
    readonly length: number,
    readonly persistent: boolean,
    readonly status: number,
    readonly knownSinceMs: number,
  ) {}

  /** Whether the bytes, from `replica`, begin with this head; `date`: the one in force. */
  begins(bytes: Buffer, replica: string, date: Uint8Array): boolean {
    const { head } = this;
    return (
      bytes.length >= head.length &&
      this.replica === replica &&
      (this.date === undefined || this.date === date) &&
      stand(head, bytes, 0)
    );
  }

  write(to: Scratch, id: MadeId): void {
    to.all(this.written);
    id.writeSerial(to);
    to.all(END);
  }
}

/** Takes note of the reply that was just read from the beginning of its bytes, and written; undefined where the last one is to be kept. */
export function knownReply(
  last: KnownReply | undefined,
  head: ReplyHead,
  replica: string,
  written: Scratch,
  date: Uint8Array,
  nowMs: number,
): KnownReply | undefined {
  const { fields } = head;
  const plain =
    head.status >= 200 &&
    fields.upgrade < 0 &&
    fields.requestId === -1 &&
    fields.named.length === 0 &&
    head.framing !== 'close';
  if (!plain || head.end > KNOWN_BYTES_MAX || last?.knownSinceMs === nowMs) return undefined;
  return new KnownReply(
    Buffer.from(fields.bytes.subarray(0, head.end)),
    replica,
    Uint8Array.from(written.bytes.subarray(0, written.length - OWN_BYTES)),
    fields.hasDate ? undefined : date,
    head.framing,
    head.length,
    head.persistent,
    head.status,
    nowMs,
  );
}

/** Whether these bytes stand at `start`, where there are at least as many. */
function stand(these: Buffer, bytes: Buffer, start: number): boolean {
  const { length } = these;
  if (length > LOOP_BYTES_MAX) return bytes.compare(these, 0, length, start, start + length) === 0;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== these[i]) return false;
  return true;
}
