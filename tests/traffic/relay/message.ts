/**
 * HTTP/1.1 messages read strictly (RFC 9112). It shares nothing with the relay: what the relay says to either side is
 * measured against it, so it must not make the relay's mistakes.
 */
import { createHash, type Hash } from 'node:crypto';

export type Field = readonly [name: string, value: string];

/** A message that is not what RFC 9112 allows. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const FIELD = new RegExp(
  `^(${TOKEN}):[ \\t]*((?:[!-~\\x80-\\xff](?:[\\t -~\\x80-\\xff]*[!-~\\x80-\\xff])?)?)[ \\t]*$`,
);
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([!-~]+) HTTP/1\\.([01])$`);
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d) ([\t -~\x80-\xff]*)$/;
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const CHUNK_LINE = new RegExp(
  `^([0-9A-Fa-f]{1,13})(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*$`,
);
/** A line longer than that is no chunk's. */
const CHUNK_LINE_BYTES_MAX = 65_536;

export interface Head {
  readonly line: string;
  readonly fields: readonly Field[];
  /** As it came, with the empty line at its end. */
  readonly raw: string;
}

/** The head at the start of the bytes; undefined while its end has not come. */
export function readHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  return { line, fields: lines.map(readField), raw: bytes.toString('latin1', 0, end + 4) };
}

function readField(line: string): Field {
  const match = FIELD.exec(line);
  if (match === null) throw new BadMessage(`no field: ${JSON.stringify(line)}`);
  return [match[1] as string, match[2] as string];
}

/** All values of a field. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
}

export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
}

export function readRequestLine(line: string): RequestLine {
  const match = REQUEST_LINE.exec(line);
  if (match === null) throw new BadMessage(`no request line: ${JSON.stringify(line)}`);
  return { method: match[1] as string, target: match[2] as string, minor: match[3] === '1' ? 1 : 0 };
}

export interface StatusLine {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
}

export function readStatusLine(line: string): StatusLine {
  const match = STATUS_LINE.exec(line);
  if (match === null) throw new BadMessage(`no status line: ${JSON.stringify(line)}`);
  return { status: Number(match[2]), reason: match[3] as string, minor: match[1] === '1' ? 1 : 0 };
}

export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** The body of a request, by RFC 9112, section 6.3, with nothing forgiven. */
export function requestBody({ fields }: Head, minor: 0 | 1): Body {
  return framed(fields, minor) ?? new Body('none', 0);
}

/** The body of a reply to a request of that method. */
export function replyBody({ fields }: Head, { status, minor }: StatusLine, method: string): Body {
  const body = framed(fields, minor);
  if (status < 200 || status === 204) {
    if (body !== undefined) throw new BadMessage(`a ${status} has no length and no coding`);
    return new Body('none', 0);
  }
  if (status === 304 || method === 'HEAD') return new Body('none', 0);
  return body ?? new Body('close', 0);
}

function framed(fields: readonly Field[], minor: 0 | 1): Body | undefined {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length + codings.length > 1) throw new BadMessage('more than one length or coding');
  const [length] = lengths;
  const [coding] = codings;
  if (coding !== undefined) {
    if (minor === 0) throw new BadMessage('a transfer coding on HTTP/1.0');
    if (coding.toLowerCase() !== 'chunked') throw new BadMessage(`transfer-encoding is ${coding}`);
    return new Body('chunked', 0);
  }
  if (length === undefined) return undefined;
  if (!/^(?:0|[1-9]\d{0,14})$/.test(length)) throw new BadMessage(`content-length is ${length}`);
  return new Body('length', Number(length));
}

/** Up to that much of a body is kept; of more there is the sum. */
const KEPT_BYTES_MAX = 262_144;

type Place = 'size' | 'data' | 'data end' | 'trailer' | 'end';

/** A body as it arrives, in whatever pieces. */
export class Body {
  readonly trailers: Field[] = [];
  size = 0;
  #place: Place;
  #left: number;
  #line = '';
  #kept: Buffer[] = [];
  #sum: Hash | undefined;

  constructor(
    readonly framing: Framing,
    length: number,
  ) {
    this.#left = length;
    this.#place = framing === 'chunked' ? 'size' : framing === 'close' || length > 0 ? 'data' : 'end';
  }

  get done(): boolean {
    return this.#place === 'end';
  }

  get sha256(): string {
    const sum = this.#sum?.copy() ?? createHash('sha256').update(this.bytes);
    return sum.digest('hex');
  }

  get bytes(): Buffer {
    if (this.size > KEPT_BYTES_MAX) throw new Error(`only the sum is kept of ${this.size} bytes`);
    return Buffer.concat(this.#kept);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  /** Takes what belongs to the body and returns how much that was; throws BadMessage where it is no body. */
  feed(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.byteLength && this.#place !== 'end') {
      if (this.#place === 'data') at += this.#data(bytes.subarray(at));
      else at = this.#lineEnd(bytes, at);
    }
    return at;
  }

  #data(bytes: Buffer): number {
    const part = this.framing === 'close' ? bytes : bytes.subarray(0, this.#left);
    this.size += part.byteLength;
    if (this.#sum !== undefined) this.#sum.update(part);
    else this.#kept.push(part);
    if (this.#sum === undefined && this.size > KEPT_BYTES_MAX) {
      this.#sum = createHash('sha256');
      for (const kept of this.#kept.splice(0)) this.#sum.update(kept);
    }
    if (this.framing === 'close') return part.byteLength;
    this.#left -= part.byteLength;
    if (this.#left === 0) this.#place = this.framing === 'chunked' ? 'data end' : 'end';
    return part.byteLength;
  }

  #lineEnd(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(10, at);
    const end = found < 0 ? bytes.byteLength : found + 1;
    this.#line += bytes.toString('latin1', at, end);
    if (this.#line.length > CHUNK_LINE_BYTES_MAX) throw new BadMessage('a line without an end');
    if (found < 0) return end;
    if (!this.#line.endsWith('\r\n')) throw new BadMessage(`bare LF: ${JSON.stringify(this.#line)}`);
    const line = this.#line.slice(0, -2);
    this.#line = '';
    this.#take(line);
    return end;
  }

  #take(line: string): void {
    if (this.#place === 'size') {
      const match = CHUNK_LINE.exec(line);
      if (match === null) throw new BadMessage(`no chunk size: ${JSON.stringify(line)}`);
      this.#left = Number.parseInt(match[1] as string, 16);
      this.#place = this.#left === 0 ? 'trailer' : 'data';
    } else if (this.#place === 'data end') {
      if (line !== '') throw new BadMessage(`more in a chunk than its size: ${JSON.stringify(line)}`);
      this.#place = 'size';
    } else if (line === '') this.#place = 'end';
    else this.trailers.push(readField(line));
  }
}
