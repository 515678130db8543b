/**
 * What a strict server may make of the bytes of one connection: a second opinion on the relay, written from RFC 9110
 * and 9112 alone. It reads all bytes at once, where the relay reads them as they come.
 */
import { isIPv6 } from 'node:net';
import { valuesOf, type Field } from './message.ts';

export interface Served {
  readonly method: string;
  /** As the replica sees it. */
  readonly target: string;
  readonly body: string;
}

/** Why there is no further request. */
export type Rest =
  /** The bytes are at their end, between two requests. */
  | 'none'
  /** They end in the middle of one. */
  | 'incomplete'
  /** What comes is no request. */
  | 'bad'
  /** The one before was the last, by its own word. */
  | 'closed';

export interface Reading {
  readonly served: readonly Served[];
  readonly rest: Rest;
  /** Method of what comes after those served, where that much could be read of it. */
  readonly restMethod: string | undefined;
  /** From that one on a strict server may refuse what is served here, or close after it; Infinity for none. */
  readonly uncertainFrom: number;
}

const HEAD_BYTES_MAX = 16_384;
const FIELDS_MAX = 100;
const TARGET_BYTES_MAX = 8192;
const METHOD_CERTAIN_MAX = 32;

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP\/1\.(\d)$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)$/;
const CHUNK =
  /^([0-9A-Fa-f]+)((?:[ \t]*;[ \t]*[^\s;="]+(?:[ \t]*=[ \t]*(?:[^\s;="]+|"(?:[^"\\]|\\.)*"))?)*)$/;
const CHUNK_CHARS = /^[\t -~\x80-\xff]*$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FORBIDDEN_TRAILERS =
  /^(?:content-.*|transfer-encoding|host|authorization|proxy-.*|trailer|connection|keep-alive|te|upgrade|expect|cookie|set-cookie|forwarded|via|x-forwarded-.*|x-real-ip|x-request-id|x-served-by)$/i;

class Bad extends Error {}
class Incomplete extends Error {}

/** A place in the bytes. */
class Reader {
  at = 0;
  uncertain = false;
  constructor(readonly text: string) {}

  /** The line from here on, without its CR LF. */
  line(bytesMax: number): string {
    const end = this.text.indexOf('\r\n', this.at);
    const line = this.text.slice(this.at, end < 0 ? undefined : end);
    // A bare one of them makes it no line, however it goes on; the last CR may be half of an end.
    if (/\n|\r(?=.)/s.test(line) || line.length > bytesMax) throw new Bad();
    if (end < 0) throw new Incomplete();
    this.at = end + 2;
    return line;
  }

  take(length: number): string {
    if (this.at + length > this.text.length) throw new Incomplete();
    this.at += length;
    return this.text.slice(this.at - length, this.at);
  }
}

export function read(bytes: Buffer): Reading {
  const reader = new Reader(bytes.toString('latin1'));
  const served: Served[] = [];
  let uncertainFrom = Number.POSITIVE_INFINITY;
  let restMethod: string | undefined;
  const over = (rest: Rest): Reading => ({ served, rest, restMethod, uncertainFrom });
  while (reader.at < reader.text.length) {
    restMethod = undefined;
    try {
      const { request, last } = one(reader, (method) => (restMethod = method));
      if (reader.uncertain) uncertainFrom = Math.min(uncertainFrom, served.length);
      if (request === undefined) break;
      served.push(request);
      if (last) return over('closed');
    } catch (error) {
      if (reader.uncertain) uncertainFrom = Math.min(uncertainFrom, served.length);
      if (error instanceof Bad) return over('bad');
      if (error instanceof Incomplete) return over('incomplete');
      throw error;
    }
  }
  return over('none');
}

interface One {
  readonly request: Served | undefined;
  readonly last: boolean;
}

function one(reader: Reader, named: (method: string) => void): One {
  while (reader.text.startsWith('\r\n', reader.at)) {
    reader.at += 2;
    // A server SHOULD ignore one such line (RFC 9112, section 2.2), and may ignore none.
    reader.uncertain = true;
  }
  if (reader.at === reader.text.length) return { request: undefined, last: false };
  const start = reader.at;
  const match = REQUEST_LINE.exec(reader.line(Number.POSITIVE_INFINITY));
  if (match === null) throw new Bad();
  const [, method = '', target = '', minorDigit] = match;
  named(method);
  const minor = Number(minorDigit);
  // Which methods there are, and how long their names can be, is for each server to say.
  if (minor > 1 || method.length > METHOD_CERTAIN_MAX) reader.uncertain = true;
  const fields = readFields(reader);
  if (reader.at - start > HEAD_BYTES_MAX || target.length > TARGET_BYTES_MAX) throw new Bad();
  if (fields.length > FIELDS_MAX || method === 'CONNECT' || method === 'TRACE') throw new Bad();
  // A field of one value that comes twice should be refused, but need not be (RFC 9110, section 5.3).
  if (valuesOf(fields, 'max-forwards').length > 1) reader.uncertain = true;
  checkHost(reader, fields, minor);
  const passed = passedTarget(reader, method, target);
  const body = readBody(reader, fields, minor);
  return { request: { method, target: passed, body }, last: !persists(reader, fields, minor) };
}

function readFields(reader: Reader): Field[] {
  const fields: Field[] = [];
  for (let line = reader.line(Infinity); line !== ''; line = reader.line(Infinity)) {
    const match = FIELD.exec(line);
    if (match === null) throw new Bad();
    fields.push([match[1] as string, trimmed(match[2] as string)]);
  }
  return fields;
}

/** Without the white space around it; String.trim takes more than HTTP knows. */
function trimmed(text: string): string {
  return text.replaceAll(/^[ \t]+|[ \t]+$/g, '');
}

function isAuthority(text: string): boolean {
  const match = /^(\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::(\d{0,5}))?$/.exec(text);
  return match !== null && Number(match[2] ?? 0) <= 65_535;
}

/** Whether it is a host beyond doubt. */
function isPlainAuthority(text: string): boolean {
  const match = /^(?:\w[\w.-]*|\[([0-9A-Fa-f:.]+)\])(?::[1-9]\d{0,4})?$/.exec(text);
  return match !== null && (match[1] === undefined || isIPv6(match[1]));
}

function checkHost(reader: Reader, fields: readonly Field[], minor: number): void {
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1) throw new Bad();
  const [host] = hosts;
  if (host === undefined) {
    if (minor > 0) throw new Bad();
    reader.uncertain = true;
    return;
  }
  if (!isAuthority(host)) throw new Bad();
  if (!isPlainAuthority(host)) reader.uncertain = true;
}

function passedTarget(reader: Reader, method: string, target: string): string {
  if (target === '*') {
    if (method !== 'OPTIONS') throw new Bad();
    return target;
  }
  if (target.includes('#')) throw new Bad();
  // Not of RFC 3986, and yet sent by browsers.
  const path = /^\w+:\/\//.test(target) ? target.replace(/^\w+:\/\/[^/?]*/, '') : target;
  if (/["<>\\^`{|}[\]]|%(?![0-9A-Fa-f]{2})/.test(path)) reader.uncertain = true;
  if (target.startsWith('/')) return target;
  const match = /^(https?):\/\/([^/?]*)/i.exec(target);
  if (match === null || !isAuthority(match[2] as string)) throw new Bad();
  if (match[1]?.toLowerCase() === 'https' || !isPlainAuthority(match[2] as string)) reader.uncertain = true;
  if (path === '' && method === 'OPTIONS') return '*';
  return path.startsWith('/') ? path : `/${path}`;
}

function readBody(reader: Reader, fields: readonly Field[], minor: number): string {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 1 || (lengths.length > 0 && codings.length > 0)) throw new Bad();
  if (codings.length > 0) {
    if (minor === 0) throw new Bad();
    const all = codings.join(',').split(',');
    const words = all.map((word) => trimmed(word).toLowerCase()).filter((word) => word !== '');
    if (words.length !== 1 || words[0] !== 'chunked') throw new Bad();
    if (all.length > 1) reader.uncertain = true;
    return readChunks(reader);
  }
  const [length] = lengths;
  if (length === undefined) return '';
  if (!/^\d+$/.test(length) || Number(length) > Number.MAX_SAFE_INTEGER) throw new Bad();
  if (/^0\d|\d{16}/.test(length)) reader.uncertain = true;
  return reader.take(Number(length));
}

function readChunks(reader: Reader): string {
  const parts: string[] = [];
  const LINE_CERTAIN_MAX = 256;
  for (;;) {
    const line = reader.line(Number.POSITIVE_INFINITY);
    const match = CHUNK.exec(line);
    if (match === null || !CHUNK_CHARS.test(line)) throw new Bad();
    const [, digits = '', extensions = ''] = match;
    // Outside of quotes nothing but tokens: what is odd there is for the relay to refuse.
    const bare = extensions.replaceAll(/"(?:[^"\\]|\\.)*"/g, 'q');
    if (!bare.split(/[;=]/).every((word) => trimmed(word) === '' || TOKEN.test(trimmed(word))))
      throw new Bad();
    if (/[ \t]/.test(bare) || line.length > LINE_CERTAIN_MAX || digits.length > 8) reader.uncertain = true;
    const size = Number.parseInt(digits, 16);
    if (size > Number.MAX_SAFE_INTEGER) throw new Bad();
    if (size === 0) break;
    parts.push(reader.take(size));
    if (reader.take(2) !== '\r\n') throw new Bad();
  }
  const start = reader.at;
  const trailers = readFields(reader);
  if (reader.at - start > HEAD_BYTES_MAX || trailers.length > FIELDS_MAX) throw new Bad();
  for (const [name] of trailers) {
    if (FORBIDDEN_TRAILERS.test(name)) throw new Bad();
    if (!/^x(?:-|$)/i.test(name)) reader.uncertain = true;
  }
  return parts.join('');
}

function persists(reader: Reader, fields: readonly Field[], minor: number): boolean {
  const options = valuesOf(fields, 'connection').flatMap((value) => value.split(',').map(trimmed));
  if (!options.every((option) => option === '' || TOKEN.test(option))) reader.uncertain = true;
  const lower = new Set(options.map((option) => option.toLowerCase()));
  // What a switch of protocols or an expectation of something unknown comes to is up to the other side.
  const expected = valuesOf(fields, 'expect').join(',').toLowerCase();
  if (expected !== '' && expected !== '100-continue') reader.uncertain = true;
  if (lower.has('close')) return false;
  return minor > 0 || lower.has('keep-alive');
}
