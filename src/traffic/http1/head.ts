import { CLASS, COLON, COMMA, CR, HTAB, LF, SP, TOKEN, VALUE, latin1, spells } from './bytes.ts';
import { FIELD, fieldCode, type FieldCode } from './fields.ts';

/** Why a message cannot be relayed, with the status for the client where the message is a request. */
export class Flaw {
  constructor(
    readonly status: 400 | 405 | 414 | 417 | 431 | 501 | 505,
    readonly message: string,
  ) {}
}

/** Over this a length is no safe integer; nobody has a body of nine petabytes. */
const LENGTH_DIGITS_MAX = 15;

const CONTROL = new Flaw(400, 'A field holds a control character, or a line does not end in CR LF');
const LINE_END = new Flaw(400, 'Every line of a head ends in CR LF, and CR stands nowhere else');
const FIELD_NAME = new Flaw(
  400,
  'A field is a name of token characters, then a colon, with no space before it, on one line',
);
const FIELDS = new Flaw(431, 'The head has too many fields');
const LENGTH = new Flaw(400, 'Content-Length must be one decimal number');
const LENGTHS = new Flaw(400, 'Content-Length must be there only once');
const BOTH = new Flaw(400, 'Content-Length and Transfer-Encoding exclude each other');
const CODING = new Flaw(400, 'Transfer-Encoding must be chunked, once, and is not for HTTP/1.0');
const OTHER_CODING = new Flaw(501, 'Of the transfer codings only chunked is understood');
const CONNECTION = new Flaw(400, 'Connection must be a list of tokens');
const FORWARDS = new Flaw(400, 'Max-Forwards may come only once');
const OPTIONS = new Flaw(431, 'Connection names more fields than a head may have');

/** Written so that it takes no longer than what it reads is long. */
const CODING_NAME = /^[\t ]*[\w!#$%&'*+.^`|~-]+[\t ]*$/;

/** Numbers that are kept for each field: where name and value begin and end, and which it is. */
const NAME_START = 0;
const NAME_END = 1;
const VALUE_START = 2;
const VALUE_END = 3;
const CODE = 4;
const STRIDE = 5;

export type Framing = 'none' | 'length' | 'chunked';

/**
 * The fields of one message head (RFC 9112, section 5), as offsets into the bytes that they were read from. One object
 * is used again and again: what it says holds until the next `read`.
 */
export class HeadFields {
  bytes: Uint8Array = new Uint8Array();
  count = 0;
  /** Past the empty line that ends the head. */
  end = 0;
  hosts = 0;
  /** Of the last Host field; -1 without one. */
  host = -1;
  upgrade = -1;
  /** -1 without one, -2 where there are several. */
  expect = -1;
  /** -1 without one, -2 where there are several. */
  requestId = -1;
  hasDate = false;
  /** -1 without one. */
  maxForwards = -1;
  /** Of a wish for an explanation; -1 without one, -2 where there are several. */
  explain = -1;
  /** As Content-Length says; -1 without one. */
  length = -1;
  chunked = false;
  /** Whether Connection has these options. */
  close = false;
  keepAlive = false;
  connectionUpgrade = false;
  /** Names that Connection lists besides, in lower case. */
  named: string[] = [];
  readonly #spans: Int32Array;

  constructor(readonly fieldsMax: number) {
    this.#spans = new Int32Array(fieldsMax * STRIDE);
  }

  nameStart(field: number): number {
    return this.#spans[field * STRIDE + NAME_START] as number;
  }

  nameEnd(field: number): number {
    return this.#spans[field * STRIDE + NAME_END] as number;
  }

  valueStart(field: number): number {
    return this.#spans[field * STRIDE + VALUE_START] as number;
  }

  valueEnd(field: number): number {
    return this.#spans[field * STRIDE + VALUE_END] as number;
  }

  code(field: number): FieldCode {
    return this.#spans[field * STRIDE + CODE] as FieldCode;
  }

  name(field: number): string {
    return latin1(this.bytes, this.nameStart(field), this.nameEnd(field));
  }

  value(field: number): string {
    return latin1(this.bytes, this.valueStart(field), this.valueEnd(field));
  }

  /** The value of the field of that name, which is in lower case; several are joined by `separator`. */
  find(lower: string, separator: string): string | undefined {
    let found: string | undefined;
    for (let field = 0; field < this.count; field++) {
      if (!spells(this.bytes, this.nameStart(field), this.nameEnd(field), lower)) continue;
      found = found === undefined ? this.value(field) : `${found}${separator}${this.value(field)}`;
    }
    return found;
  }

  /** What Upgrade lists, as it came. Several fields are one list (RFC 9110, section 5.3). */
  protocols(): string[] {
    if (this.upgrade < 0) return [];
    const listed = (this.find('upgrade', ',') ?? '').split(',');
    return listed.map((protocol) => protocol.trim()).filter((protocol) => protocol !== '');
  }

  /** Reads fields from `at` to the empty line. True when it is there, false when bytes are missing. */
  read(bytes: Uint8Array, start: number, end: number, minor: number): boolean | Flaw {
    this.#reset(bytes);
    let at = start;
    for (;;) {
      if (at >= end) return false;
      if (bytes[at] === CR) {
        if (at + 1 >= end) return false;
        if (bytes[at + 1] !== LF) return LINE_END;
        this.end = at + 2;
        return this.#framingFlaw(minor) ?? true;
      }
      const nameStart = at;
      while (at < end && ((CLASS[bytes[at] as number] as number) & TOKEN) !== 0) at++;
      if (at >= end) return false;
      if (at === nameStart || bytes[at] !== COLON) return FIELD_NAME;
      const nameEnd = at++;
      while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      const valueStart = at;
      while (at < end && ((CLASS[bytes[at] as number] as number) & VALUE) !== 0) at++;
      if (at >= end) return false;
      if (bytes[at] !== CR) return CONTROL;
      if (at + 1 >= end) return false;
      if (bytes[at + 1] !== LF) return LINE_END;
      let valueEnd = at;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB))
        valueEnd--;
      at += 2;
      if (this.count >= this.fieldsMax) return FIELDS;
      const flaw = this.#add(nameStart, nameEnd, valueStart, valueEnd);
      if (flaw !== undefined) return flaw === OTHER_CODING && minor === 0 ? CODING : flaw;
    }
  }

  /** What a read of fields that say nothing would leave behind. */
  assumeNone(end: number): void {
    this.#reset(this.bytes);
    this.end = end;
  }

  #reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.count = 0;
    this.end = 0;
    this.hosts = 0;
    this.host = -1;
    this.upgrade = -1;
    this.expect = -1;
    this.requestId = -1;
    this.hasDate = false;
    this.maxForwards = -1;
    this.explain = -1;
    this.length = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    if (this.named.length > 0) this.named = [];
  }

  #add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): Flaw | undefined {
    const code = fieldCode(this.bytes, nameStart, nameEnd);
    const field = this.count++;
    const at = field * STRIDE;
    const spans = this.#spans;
    spans[at + NAME_START] = nameStart;
    spans[at + NAME_END] = nameEnd;
    spans[at + VALUE_START] = valueStart;
    spans[at + VALUE_END] = valueEnd;
    spans[at + CODE] = code;
    return code === FIELD.other ? undefined : this.#note(code, field, valueStart, valueEnd);
  }

  #note(code: FieldCode, field: number, start: number, end: number): Flaw | undefined {
    switch (code) {
      case FIELD.host:
        this.hosts++;
        this.host = field;
        return undefined;
      case FIELD.contentLength:
        return this.#noteLength(start, end);
      case FIELD.transferEncoding:
        return this.#noteCoding(start, end);
      case FIELD.connection:
        return this.#noteConnection(start, end);
      case FIELD.upgrade:
        this.upgrade = field;
        return undefined;
      case FIELD.expect:
        this.expect = this.expect === -1 ? field : -2;
        return undefined;
      case FIELD.xRequestId:
        // Two of them say nothing that both sides would read alike.
        this.requestId = this.requestId === -1 ? field : -2;
        return undefined;
      case FIELD.date:
        this.hasDate = true;
        return undefined;
      case FIELD.maxForwards:
        if (this.maxForwards >= 0) return FORWARDS;
        this.maxForwards = field;
        return undefined;
      case FIELD.explain:
        this.explain = this.explain === -1 ? field : -2;
        return undefined;
      default:
        return undefined;
    }
  }

  /** RFC 9112, section 6.3, without the leave to take a list of equal lengths for one. */
  #noteLength(start: number, end: number): Flaw | undefined {
    if (this.length >= 0) return LENGTHS;
    let length = 0;
    for (let i = start; i < end; i++) {
      const digit = (this.bytes[i] as number) - 0x30;
      if (digit < 0 || digit > 9) return LENGTH;
      length = length * 10 + digit;
    }
    if (end === start || end - start > LENGTH_DIGITS_MAX) return LENGTH;
    this.length = length;
    return undefined;
  }

  #noteCoding(start: number, end: number): Flaw | undefined {
    if (this.chunked) return CODING;
    if (spells(this.bytes, start, end, 'chunked')) {
      this.chunked = true;
      return undefined;
    }
    const codings = latin1(this.bytes, start, end).toLowerCase().split(',');
    if (!codings.every((coding) => CODING_NAME.test(coding))) return CODING;
    const names = codings.map((coding) => coding.trim());
    const known = names.length > 1 && names.indexOf('chunked') === names.length - 1;
    return known && !names.includes('identity') ? OTHER_CODING : CODING;
  }

  /** RFC 9110, section 7.6.1. Empty elements are no harm (section 5.6.1). */
  #noteConnection(start: number, end: number): Flaw | undefined {
    const { bytes } = this;
    let at = start;
    while (at < end) {
      const byte = bytes[at];
      if (byte === COMMA || byte === SP || byte === HTAB) {
        at++;
        continue;
      }
      const tokenStart = at;
      while (at < end && ((CLASS[bytes[at] as number] as number) & TOKEN) !== 0) at++;
      if (at === tokenStart) return CONNECTION;
      if (spells(bytes, tokenStart, at, 'close')) this.close = true;
      else if (spells(bytes, tokenStart, at, 'keep-alive')) this.keepAlive = true;
      else if (spells(bytes, tokenStart, at, 'upgrade')) this.connectionUpgrade = true;
      // Each field is compared with each name.
      else if (this.named.length >= this.fieldsMax) return OPTIONS;
      else this.named.push(latin1(bytes, tokenStart, at).toLowerCase());
      while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      if (at < end && bytes[at] !== COMMA) return CONNECTION;
    }
    return undefined;
  }

  #framingFlaw(minor: number): Flaw | undefined {
    if (!this.chunked) return undefined;
    if (this.length >= 0) return BOTH;
    return minor === 0 ? CODING : undefined;
  }
}
