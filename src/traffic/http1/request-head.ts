import { isAuthority } from './authority.ts';
import { CLASS, CR, LF, SP, TARGET, TOKEN, latin1, spells } from './bytes.ts';
import { Flaw, HeadFields, type Framing } from './head.ts';

/** "HTTP/1." — what follows is the minor version. */
const VERSION = [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e] as const;
const SLASH = 0x2f;
const ASTERISK = 0x2a;

const METHOD = new Flaw(400, 'A request begins with a method of token characters, and one space');
/** Longer than any method that there is: what comes is no request. */
const METHOD_BYTES_MAX = 64;
const METHOD_LONG = new Flaw(400, 'No method has a name that long');
const TARGET_FORM = new Flaw(400, 'The target must be a path, or an http:// URL with a host');
const TARGET_CHARACTER = new Flaw(400, 'The target holds a character that must be percent-encoded');
const TARGET_LONG = new Flaw(414, 'The target is too long');
const REQUEST_LINE = new Flaw(
  400,
  'A request line is METHOD TARGET HTTP/1.1, with single spaces, and ends in CR LF',
);
const VERSION_UNKNOWN = new Flaw(505, 'Only HTTP/1.1 and HTTP/1.0 are spoken here');
const HEAD_LONG = new Flaw(431, 'The head is too long');
const HOST_MISSING = new Flaw(400, 'A request of HTTP/1.1 has one Host field');
const HOST_WRONG = new Flaw(400, 'Host must be a name or an address, with a port or without');
const METHOD_REFUSED = new Flaw(405, 'CONNECT and TRACE are not relayed');
const EXPECTATION = new Flaw(417, 'The only expectation that can be met is 100-continue');

export interface HeadLimits {
  readonly headBytesMax: number;
  readonly headFieldsMax: number;
  readonly targetBytesMax: number;
}

const NONE: readonly string[] = [];

/** The head of a request (RFC 9112, section 3). One object is used again and again. */
export class RequestHead {
  readonly fields: HeadFields;
  method = '';
  methodStart = 0;
  methodEnd = 0;
  /** Past the request line. */
  fieldsAt = 0;
  /** Path and query, as they came: of an absolute target what follows its authority. */
  targetStart = 0;
  targetEnd = 0;
  /** The authority that the request is for: of an absolute target its own (RFC 9112, section 3.2.2), else Host. Empty only with HTTP/1.0. */
  hostStart = 0;
  hostEnd = 0;
  minor = 1;
  /** Whether the client keeps the connection for another request. */
  persistent = true;
  framing: Framing = 'none';
  /** Bytes of the body where framing is `length`. */
  length = 0;
  /** Other protocols that are asked for, and passed on. */
  protocols: readonly string[] = NONE;
  continues = false;

  constructor(readonly limits: HeadLimits) {
    this.fields = new HeadFields(limits.headFieldsMax);
  }

  /** Past the head. */
  get end(): number {
    return this.fields.end;
  }

  /** Reads one head from `start`. True when it is whole and can be relayed, false when bytes are missing. */
  read(bytes: Uint8Array, start: number, end: number): boolean | Flaw {
    const fieldsAt = this.readLine(bytes, start, end);
    if (typeof fieldsAt !== 'number') return fieldsAt;
    return fieldsAt > 0 && this.readFields(bytes, start, fieldsAt, end);
  }

  /** Reads the request line. Returns the offset past it, 0 when bytes are missing. */
  readLine(bytes: Uint8Array, start: number, end: number): number | Flaw {
    // Not a byte further, wherever the pieces that it came in end.
    const limit = Math.min(end, start + this.limits.headBytesMax);
    const result = this.#readLine(bytes, start, limit);
    return result === 0 && limit - start >= this.limits.headBytesMax ? TARGET_LONG : result;
  }

  /** Reads the fields behind the line that was just read, of a head that began at `start`. True when they are whole, false when bytes are missing. */
  readFields(bytes: Uint8Array, start: number, fieldsAt: number, end: number): boolean | Flaw {
    const limit = Math.min(end, start + this.limits.headBytesMax);
    const fields = this.fields.read(bytes, fieldsAt, limit, this.minor);
    if (fields === false) return limit - start >= this.limits.headBytesMax && HEAD_LONG;
    if (fields !== true) return fields;
    return this.#targetFlaw(bytes, this.targetStart, this.targetEnd) ?? this.#fieldsFlaw() ?? true;
  }

  /** Proxies that the request may still pass; undefined where it does not say so, or is not one that this limits (RFC 9110, section 7.6.2). */
  get maxForwards(): number | undefined {
    const { fields } = this;
    if (fields.maxForwards < 0 || this.method !== 'OPTIONS') return undefined;
    const text = fields.value(fields.maxForwards);
    return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  }

  /** Whether the line that was just read is an ordinary one: all that could be wrong with the request is in its fields. */
  get ordinary(): boolean {
    const { method, minor, targetStart } = this;
    return (
      minor === 1 &&
      // Not so once the path of an absolute target was found.
      targetStart === this.methodEnd + 1 &&
      this.fields.bytes[targetStart] === SLASH &&
      method !== 'CONNECT' &&
      method !== 'TRACE'
    );
  }

  /** Takes fields that end at `end` for read: they are those of a plain request, without a body or a wish beyond it. */
  assumePlain(end: number): void {
    this.fields.assumeNone(end);
    this.hostStart = this.hostEnd = 0;
    this.persistent = true;
    this.framing = 'none';
    this.length = 0;
    this.protocols = NONE;
    this.continues = false;
  }

  #readLine(bytes: Uint8Array, start: number, end: number): number | Flaw {
    this.fields.bytes = bytes;
    let at = start;
    // Empty lines before a request are some clients' mistake, and no harm (RFC 9112, section 2.2).
    while (at < end && bytes[at] === CR) {
      if (at + 1 >= end) return 0;
      if (bytes[at + 1] !== LF) return REQUEST_LINE;
      at += 2;
    }
    const methodStart = at;
    while (at < end && ((CLASS[bytes[at] as number] as number) & TOKEN) !== 0) at++;
    if (at - methodStart > METHOD_BYTES_MAX) return METHOD_LONG;
    if (at >= end) return 0;
    if (at === methodStart || bytes[at] !== SP) return METHOD;
    const methodEnd = at++;
    const targetStart = at;
    while (at < end && ((CLASS[bytes[at] as number] as number) & TARGET) !== 0) at++;
    if (at - targetStart > this.limits.targetBytesMax) return TARGET_LONG;
    if (at >= end) return 0;
    if (at === targetStart) return REQUEST_LINE;
    if (bytes[at] !== SP) return bytes[at] === CR || bytes[at] === LF ? REQUEST_LINE : TARGET_CHARACTER;
    const targetEnd = at++;
    for (let i = 0; i < VERSION.length; i++, at++) {
      if (at >= end) return 0;
      if (bytes[at] !== VERSION[i]) return isOtherVersion(bytes, targetEnd + 1, end);
    }
    if (at >= end) return 0;
    const minor = (bytes[at++] as number) - 0x30;
    if (minor < 0 || minor > 9) return REQUEST_LINE;
    if (at >= end) return 0;
    if (bytes[at] !== CR) return REQUEST_LINE;
    if (at + 1 >= end) return 0;
    if (bytes[at + 1] !== LF) return REQUEST_LINE;
    // A later minor version is spoken to as 1.1 (RFC 9110, section 6.2).
    this.minor = Math.min(minor, 1);
    this.methodStart = methodStart;
    this.methodEnd = methodEnd;
    this.method = methodOf(bytes, methodStart, methodEnd);
    this.targetStart = targetStart;
    this.targetEnd = targetEnd;
    this.fieldsAt = at + 2;
    return this.fieldsAt;
  }

  #targetFlaw(bytes: Uint8Array, start: number, end: number): Flaw | undefined {
    const { fields, method } = this;
    // Both would reach past the relay: one makes a tunnel, the other shows what the client sent, its cookies included.
    if (method === 'CONNECT' || method === 'TRACE') return METHOD_REFUSED;
    if (fields.hosts > 1 || (fields.hosts === 0 && this.minor > 0)) return HOST_MISSING;
    if (fields.hosts === 1) {
      this.hostStart = fields.valueStart(fields.host);
      this.hostEnd = fields.valueEnd(fields.host);
      if (!isAuthority(bytes, this.hostStart, this.hostEnd)) return HOST_WRONG;
    } else {
      this.hostStart = this.hostEnd = 0;
    }
    this.targetStart = start;
    this.targetEnd = end;
    if (bytes[start] === SLASH) return undefined;
    if (bytes[start] === ASTERISK && end - start === 1) return method === 'OPTIONS' ? undefined : TARGET_FORM;
    return this.#absoluteFlaw(bytes, start, end);
  }

  #absoluteFlaw(bytes: Uint8Array, start: number, end: number): Flaw | undefined {
    const scheme = 'http://';
    if (!spells(bytes, start, Math.min(end, start + scheme.length), scheme)) return TARGET_FORM;
    this.hostStart = start + scheme.length;
    let at = this.hostStart;
    while (at < end && bytes[at] !== SLASH && bytes[at] !== 0x3f) at++;
    this.hostEnd = at;
    if (!isAuthority(bytes, this.hostStart, at)) return TARGET_FORM;
    this.targetStart = at;
    return undefined;
  }

  #fieldsFlaw(): Flaw | undefined {
    const { fields, minor } = this;
    this.framing = fields.chunked ? 'chunked' : fields.length > 0 ? 'length' : 'none';
    this.length = fields.length > 0 ? fields.length : 0;
    this.persistent = minor > 0 ? !fields.close : fields.keepAlive && !fields.close;
    // HTTP/1.0 has neither (RFC 9110, sections 7.8 and 10.1.1).
    this.protocols = minor > 0 && fields.connectionUpgrade ? fields.protocols().filter(isPassedOn) : NONE;
    this.continues = false;
    if (fields.expect === -1 || minor === 0) return undefined;
    if (fields.expect < 0) return EXPECTATION;
    const start = fields.valueStart(fields.expect);
    const end = fields.valueEnd(fields.expect);
    // A list of nothing expects nothing (RFC 9110, section 5.6.1).
    if (start === end) return undefined;
    if (!spells(fields.bytes, start, end, '100-continue')) return EXPECTATION;
    this.continues = !fields.named.includes('expect');
    return undefined;
  }
}

/**
 * A wish for HTTP/2 is left out, as RFC 9110, section 7.8, allows: in the tunnel that it would make further requests could
 * be sent past the header policy, and to a replica that does not own their keys.
 */
function isPassedOn(protocol: string): boolean {
  const [name = ''] = protocol.split(/[\s/]/, 1);
  return !/^h2c?$/i.test(name);
}

/** A version that HTTP may have but the relay does not speak, or no version at all. */
function isOtherVersion(bytes: Uint8Array, start: number, end: number): Flaw {
  const text = latin1(bytes, start, Math.min(end, start + 9));
  return /^HTTP\/[2-9]/.test(text) ? VERSION_UNKNOWN : REQUEST_LINE;
}

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'] as const;

/** Methods are told apart by case (RFC 9110, section 9.1). The common ones need no new text each time. */
function methodOf(bytes: Uint8Array, start: number, end: number): string {
  for (const method of METHODS) {
    if (method.length !== end - start || method.charCodeAt(0) !== bytes[start]) continue;
    let i = 1;
    while (i < method.length && method.charCodeAt(i) === bytes[start + i]) i++;
    if (i === method.length) return method;
  }
  return latin1(bytes, start, end);
}
