/** Streams of requests, good and bad, from a seed. */
import { EITHER, FAIR } from './fair-requests.ts';
import { REFUSALS } from './hostile-requests.ts';

/** Numbers that look random and come again with their seed (mulberry32). */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number below the limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(of: number): boolean {
    return this.next() < of;
  }

  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }
}

/** What a client sends: bytes, and how they are cut into writes. */
export interface Stream {
  readonly bytes: Buffer;
  readonly pieces: readonly Buffer[];
}

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'FOO'];
const TARGETS = ['/', '/a/b?id=1', '/x%20y', '//', '/?', 'http://a/b', 'http://b:81?q', '/GET%20/'];
const HOSTS = ['a', 'a.example:80', '127.0.0.1', '[::1]:80'];
const FIELDS = [
  'X: y',
  'Accept: */*',
  'X-Long: ' + 'v'.repeat(300),
  'Cookie: a=b; c=d',
  'X-Empty:',
  'X-Obs: \xe9\xff',
  'Expect: 100-continue',
  'Connection: keep-alive',
  'Connection: x-mine',
  'X-Mine: 1',
  'X-Forwarded-For: 1.2.3.4',
  'Content_Length: 3',
  'Transfer_Encoding: chunked',
];
const CLOSING = ['Connection: close', 'Connection: x, Close'];

/** Lines that have fooled servers, put between others. */
const TRAPS = [
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 05',
  'Content-Length: +5',
  'Content-Length: 5,5',
  'Content-Length : 5',
  'Content-Length: 5 5',
  'content-length: 44',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\r\n chunked',
  ' Transfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: \0',
  'Host: b',
  ' folded',
  'nonsense',
  ': empty',
  'Connection: content-length',
  'Connection: transfer-encoding',
  'Connection: host, close',
];

const BYTES = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '0',
  '1',
  '9',
  'a',
  '\x0b',
  '\x7f',
  '\xff',
  '-',
  '+',
  '"',
  '\r\n\r\n',
  '0\r\n\r\n',
];
const EMBEDDED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const TABLE_BYTES_MAX = 600;
const TABLE = [...REFUSALS, ...FAIR, ...EITHER]
  .map((one) => one.bytes)
  .filter((bytes) => bytes.length < TABLE_BYTES_MAX);

/** A request as it should be. */
function fair(random: Random): string {
  const minor = random.chance(0.08) ? 0 : 1;
  const method = random.of(METHODS);
  const target = method === 'OPTIONS' && random.chance(0.3) ? '*' : random.of(TARGETS);
  const lines = [`Host: ${random.of(HOSTS)}`];
  for (let i = random.below(4); i > 0; i--) lines.push(random.of(FIELDS));
  if (minor === 0 && random.chance(0.5)) lines.push('Connection: keep-alive');
  if (random.chance(0.03)) lines.push(random.of(CLOSING));
  let body = '';
  const framing = random.below(10);
  if (framing < 3) {
    body = text(random);
    lines.push(`Content-Length: ${body.length}`);
  } else if (framing < 6 && minor === 1) {
    body = chunks(random);
    lines.push('Transfer-Encoding: chunked');
  }
  if (random.chance(0.3)) lines.push(lines.shift() as string);
  return `${method} ${target} HTTP/1.${minor}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

function text(random: Random): string {
  const kind = random.below(8);
  if (kind === 0) return '';
  if (kind === 1) return EMBEDDED;
  if (kind === 2) return 'x'.repeat(random.below(20_000));
  return String.fromCharCode(...Array.from({ length: random.below(60) }, () => random.below(256)));
}

function chunks(random: Random): string {
  let all = '';
  for (let i = random.below(4); i > 0; i--) {
    const data = text(random);
    if (data === '') continue;
    const size = random.chance(0.2) ? data.length.toString(16).toUpperCase() : data.length.toString(16);
    const extension = random.chance(0.15) ? random.of([';a', ';a=b', ';a="b c"', ';a;b=c']) : '';
    all += `${random.chance(0.1) ? '0' : ''}${size}${extension}\r\n${data}\r\n`;
  }
  const trailers = random.chance(0.15) ? random.of(['X-T: 1\r\n', 'X-T: 1\r\nX-U:\r\n']) : '';
  return `${all}0\r\n${trailers}\r\n`;
}

/** Does it some harm. */
function harmed(random: Random, bytes: string): string {
  const at = random.below(bytes.length + 1);
  switch (random.below(8)) {
    case 0:
    case 1: {
      // A trap as a line among the others.
      const line = bytes.indexOf('\r\n') + 2;
      return bytes.slice(0, line) + random.of(TRAPS) + '\r\n' + bytes.slice(line);
    }
    case 2:
      return bytes.slice(0, at) + random.of(BYTES) + bytes.slice(at);
    case 3:
      return bytes.slice(0, at) + bytes.slice(at + 1 + random.below(4));
    case 4:
      return bytes.slice(0, at) + String.fromCharCode(random.below(256)) + bytes.slice(at + 1);
    case 5:
      return bytes.slice(0, at);
    case 6: {
      const from = random.below(bytes.length);
      const slice = bytes.slice(from, from + random.below(40));
      return bytes.slice(0, at) + slice + bytes.slice(at);
    }
    default:
      return bytes.replace(/\r\n/, random.of(['\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\t\r\n']));
  }
}

const SHORT_BYTES_MAX = 400;

export function streamOf(random: Random): Stream {
  let all = '';
  for (let i = 1 + random.below(5); i > 0; i--) {
    const kind = random.below(20);
    if (kind === 0) all += random.of(TABLE);
    else {
      let request = fair(random);
      if (kind < 5) for (let j = 1 + random.below(2); j > 0; j--) request = harmed(random, request);
      all += request;
    }
  }
  const bytes = Buffer.from(all, 'latin1');
  return { bytes, pieces: cut(random, bytes) };
}

function cut(random: Random, bytes: Buffer): Buffer[] {
  if (random.chance(0.3)) return [bytes];
  if (bytes.byteLength < SHORT_BYTES_MAX && random.chance(0.03))
    return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  const places = Array.from({ length: 1 + random.below(4) }, () => random.below(bytes.byteLength + 1));
  const sorted = [0, ...places, bytes.byteLength].sort((a, b) => a - b);
  return sorted.flatMap((from, i) => {
    const to = sorted[i + 1] ?? from;
    return to > from ? [bytes.subarray(from, to)] : [];
  });
}
