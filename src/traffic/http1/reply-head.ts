import { CLASS, CR, DIGIT, LF, SP, VALUE } from './bytes.ts';
import { Flaw, HeadFields } from './head.ts';

const PREFIX = [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e] as const;
const STATUS_LINE = new Flaw(400, 'a status line that is none');
const HEAD_LONG = new Flaw(431, 'a head that is too long');

export type ReplyFraming = 'none' | 'length' | 'chunked' | 'close';

/** The head of a reply (RFC 9112, section 4), held to the same rules as a request's. One object is used again and again. */
export class ReplyHead {
  readonly fields: HeadFields;
  status = 0;
  statusStart = 0;
  reasonStart = 0;
  reasonEnd = 0;
  /** Whether the replica keeps the connection for another request. */
  persistent = true;
  framing: ReplyFraming = 'none';
  length = 0;

  constructor(readonly limits: { readonly headBytesMax: number; readonly headFieldsMax: number }) {
    this.fields = new HeadFields(limits.headFieldsMax);
  }

  /** Past the head. */
  get end(): number {
    return this.fields.end;
  }

  /** Reads one head from `start`, of a reply to `method`. True when it is whole and can be relayed, false when bytes are missing. */
  read(bytes: Uint8Array, start: number, end: number, method: string): boolean | Flaw {
    const { headBytesMax } = this.limits;
    const limit = Math.min(end, start + headBytesMax);
    const result = this.#read(bytes, start, limit, method);
    return result === false && limit - start >= headBytesMax ? HEAD_LONG : result;
  }

  #read(bytes: Uint8Array, start: number, end: number, method: string): boolean | Flaw {
    let at = start;
    for (const expected of PREFIX) {
      if (at >= end) return false;
      if (bytes[at++] !== expected) return STATUS_LINE;
    }
    if (at >= end) return false;
    const minor = (bytes[at++] as number) - 0x30;
    if (minor !== 0 && minor !== 1) return STATUS_LINE;
    if (at >= end) return false;
    if (bytes[at++] !== SP) return STATUS_LINE;
    this.statusStart = at;
    let status = 0;
    for (let i = 0; i < 3; i++) {
      if (at >= end) return false;
      const byte = bytes[at++] as number;
      if (((CLASS[byte] as number) & DIGIT) === 0) return STATUS_LINE;
      status = status * 10 + (byte - 0x30);
    }
    // RFC 9110, section 15: nothing else has a meaning.
    if (status < 100 || status > 599) return STATUS_LINE;
    if (at >= end) return false;
    // Many leave out the space where they give no reason (RFC 9112, section 4, would have it).
    if (bytes[at] === SP) at++;
    else if (bytes[at] !== CR) return STATUS_LINE;
    this.reasonStart = at;
    while (at < end && ((CLASS[bytes[at] as number] as number) & VALUE) !== 0) at++;
    if (at >= end) return false;
    this.reasonEnd = at;
    if (bytes[at] !== CR) return STATUS_LINE;
    if (at + 1 >= end) return false;
    if (bytes[at + 1] !== LF) return STATUS_LINE;
    this.status = status;
    const fields = this.fields.read(bytes, at + 2, end, minor);
    if (fields !== true) return fields;
    return this.#frame(status, minor, method) ?? true;
  }

  /** RFC 9112, section 6.3. */
  #frame(status: number, minor: number, method: string): Flaw | undefined {
    const { fields } = this;
    this.persistent = minor > 0 ? !fields.close : fields.keepAlive && !fields.close;
    this.length = 0;
    // Whatever the fields say: these end with their heads.
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') {
      this.framing = 'none';
      // Who announces a body there may send one, and it must not be taken for the next reply (RFC 9110, section 8.6).
      if ((status < 200 || status === 204) && (fields.chunked || fields.length > 0)) this.persistent = false;
    } else if (fields.chunked) {
      this.framing = 'chunked';
    } else if (fields.length >= 0) {
      this.framing = fields.length === 0 ? 'none' : 'length';
      this.length = fields.length;
    } else {
      this.framing = 'close';
      this.persistent = false;
    }
    return undefined;
  }
}
