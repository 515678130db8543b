import { CLASS, COLON, CR, HEX, HTAB, LF, SP, TOKEN, VALUE, latin1 } from './bytes.ts';
import { isForbiddenInTrailers } from './fields.ts';

/** More digits make no safe integer, and no chunk that anybody sends. */
const SIZE_DIGITS_MAX = 12;
/** Extensions are dropped; long ones are an attack on who has to read them. So many bytes of them may be ahead of the data. */
const EXTENSION_BYTES_MAX = 1024;

type State =
  | 'size'
  | 'size-or-end'
  | 'spaces'
  | 'name-begins'
  | 'name'
  | 'name-ended'
  | 'value-begins'
  | 'value'
  | 'quoted'
  | 'escaped'
  | 'quote-ended'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer'
  | 'trailer-line'
  | 'trailer-lf'
  | 'last-lf'
  | 'done';

/** Gets what a body holds, as spans of the bytes that were read. */
export interface ChunkSink {
  data(bytes: Uint8Array, start: number, end: number): void;
}

const SEMICOLON = 0x3b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const EQUALS = 0x3d;

/**
 * Reads a chunked body (RFC 9112, section 7.1), a byte or a megabyte at a time. Strict: digits of hexadecimal only, CR LF
 * at every line's end, extensions by their grammar, trailers that are fields and not such as belong into the head.
 */
export class ChunkedDecoder {
  #state: State = 'size';
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #line: number[] = [];
  #trailers: string[] = [];
  #trailerBytes = 0;
  #trailerCount = 0;

  constructor(
    readonly trailerBytesMax: number,
    readonly trailersMax: number,
    /** Names, in lower case, of trailers that end at this hop: those that Connection lists (RFC 9110, section 7.6.1). */
    readonly dropped: readonly string[] = [],
  ) {}

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Trailer fields that were read, each `name: value`. */
  get trailers(): readonly string[] {
    return this.#trailers;
  }

  /** Reads on. Returns the offset past the last byte that belongs to the body, or -1 where it is none. */
  read(bytes: Uint8Array, start: number, end: number, sink: ChunkSink): number {
    let at = start;
    while (at < end && this.#state !== 'done') {
      if (this.#state === 'data') {
        const take = Math.min(this.#size, end - at);
        sink.data(bytes, at, at + take);
        this.#size -= take;
        at += take;
        if (this.#size === 0) this.#state = 'data-cr';
        continue;
      }
      if (!this.#step(bytes[at++] as number)) return -1;
    }
    return at;
  }

  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#sizeDigit(byte);
      case 'size-or-end':
        return ((CLASS[byte] as number) & HEX) !== 0 ? this.#sizeDigit(byte) : this.#lineGoesOn(byte);
      case 'size-lf':
        return byte === LF && this.#sizeEnded();
      case 'data-cr':
        this.#state = 'data-lf';
        return byte === CR;
      case 'data-lf':
        this.#state = 'size';
        return byte === LF;
      case 'trailer':
        return this.#trailerBegins(byte);
      case 'trailer-line':
        return this.#trailerByte(byte);
      case 'trailer-lf':
        return byte === LF && this.#trailerEnded();
      case 'last-lf':
        this.#state = 'done';
        return byte === LF;
      case 'done':
        return false;
      default:
        return ++this.#extensionBytes <= EXTENSION_BYTES_MAX && this.#extension(byte);
    }
  }

  #sizeDigit(byte: number): boolean {
    if (((CLASS[byte] as number) & HEX) === 0 || ++this.#digits > SIZE_DIGITS_MAX) return false;
    this.#size = this.#size * 16 + (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);
    this.#state = 'size-or-end';
    return true;
  }

  #beforeExtension(byte: number, spaces: State): boolean {
    if (byte === SEMICOLON) this.#state = 'name-begins';
    else if (isSpace(byte)) this.#state = spaces;
    else return false;
    return true;
  }

  /** chunk-ext = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), so that none ends in a space. */
  #extension(byte: number): boolean {
    const space = isSpace(byte);
    const token = ((CLASS[byte] as number) & TOKEN) !== 0;
    switch (this.#state) {
      case 'spaces':
        return this.#beforeExtension(byte, 'spaces');
      case 'name-begins':
        if (token) this.#state = 'name';
        return token || space;
      case 'name':
        if (token) return true;
        if (byte === EQUALS) this.#state = 'value-begins';
        else if (byte === CR) this.#state = 'size-lf';
        else return this.#beforeExtension(byte, 'name-ended');
        return true;
      case 'name-ended':
        if (byte === EQUALS) this.#state = 'value-begins';
        else return this.#beforeExtension(byte, 'name-ended');
        return true;
      case 'value-begins':
        if (token) this.#state = 'value';
        else if (byte === QUOTE) this.#state = 'quoted';
        return token || space || byte === QUOTE;
      case 'value':
        return token || this.#lineGoesOn(byte);
      case 'quoted':
        if (byte === QUOTE) this.#state = 'quote-ended';
        else if (byte === BACKSLASH) this.#state = 'escaped';
        return ((CLASS[byte] as number) & VALUE) !== 0;
      case 'escaped':
        this.#state = 'quoted';
        return ((CLASS[byte] as number) & VALUE) !== 0;
      case 'quote-ended':
        return this.#lineGoesOn(byte);
      default:
        return false;
    }
  }

  /** Behind a size or a value: the line's end, the next extension, or the space that may stand before one. */
  #lineGoesOn(byte: number): boolean {
    if (byte === CR) this.#state = 'size-lf';
    else return this.#beforeExtension(byte, 'spaces');
    return true;
  }

  #sizeEnded(): boolean {
    this.#state = this.#size === 0 ? 'trailer' : 'data';
    this.#digits = 0;
    this.#extensionBytes = Math.max(0, this.#extensionBytes - this.#size);
    return true;
  }

  #trailerBegins(byte: number): boolean {
    this.#countTrailer();
    if (byte === CR) {
      this.#state = 'last-lf';
      return true;
    }
    this.#state = 'trailer-line';
    this.#line = [byte];
    return ((CLASS[byte] as number) & TOKEN) !== 0;
  }

  #trailerByte(byte: number): boolean {
    if (byte === CR) {
      this.#state = 'trailer-lf';
      return true;
    }
    this.#line.push(byte);
    return this.#countTrailer() && ((CLASS[byte] as number) & VALUE) !== 0;
  }

  #countTrailer(): boolean {
    return ++this.#trailerBytes <= this.trailerBytesMax;
  }

  #trailerEnded(): boolean {
    const line = this.#line;
    const colon = line.indexOf(COLON);
    if (colon < 1 || ++this.#trailerCount > this.trailersMax) return false;
    for (let i = 0; i < colon; i++) if (((CLASS[line[i] as number] as number) & TOKEN) === 0) return false;
    let start = colon + 1;
    let end = line.length;
    while (start < end && isSpace(line[start] as number)) start++;
    while (end > start && isSpace(line[end - 1] as number)) end--;
    const bytes = Uint8Array.from(line);
    const name = latin1(bytes, 0, colon);
    if (isForbiddenInTrailers(name)) return false;
    if (!this.dropped.includes(name.toLowerCase()))
      this.#trailers.push(`${name}: ${latin1(bytes, start, end)}`);
    this.#state = 'trailer';
    return true;
  }
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}
