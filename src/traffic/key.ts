import type { KeySource } from '../config.ts';

/** What a key can be taken from, of a request on whichever port. */
export interface Keyed {
  /** Path and query, as they are forwarded. */
  readonly target: string;
  /** Where the request came from, in truth as far as that is known. */
  readonly origin: string;
  /** The value of a field, whose name is in lower case. */
  header(lower: string): string | undefined;
  /** The same as `queryValue` says of the target, where there is a quicker way. */
  query?(name: string, raw: boolean): string | undefined;
}

/** The key of a request: of the first source that it has a value for. Undefined when it has none. */
export function keyOf(request: Keyed, sources: readonly KeySource[]): string | undefined {
  for (const source of sources) {
    const key = from(source, request);
    // An empty value says as little as none; as a key it would send all who say nothing to one replica.
    if (key !== undefined && key !== '') return key;
  }
  return undefined;
}

function from(source: KeySource, request: Keyed): string | undefined {
  switch (source.from) {
    case 'query':
      return request.query === undefined
        ? queryValue(request.target, source.name, source.raw)
        : request.query(source.name, source.raw === true);
    case 'header':
      return textOf(request.header(source.name.toLowerCase()));
    case 'cookie':
      return textOf(cookieValue(request.header('cookie') ?? '', source.name));
    case 'path':
      return pathOf(request.target);
    case 'ip':
      return request.origin;
  }
}

function pathOf(target: string): string {
  const at = target.indexOf('?');
  return at < 0 ? target : target.slice(0, at);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text of a field's value whose bytes come as one character each (RFC 9110, section 5.5): of UTF-8, so that a key is the
 * same text wherever it comes from; what is none stays as it came.
 */
function textOf(value: string | undefined): string | undefined {
  if (value === undefined || !/[\u0080-\u00ff]/.test(value) || /[\u0100-\uffff]/.test(value)) return value;
  try {
    return utf8.decode(Uint8Array.from(value, (char) => char.charCodeAt(0)));
  } catch {
    return value;
  }
}

/**
 * The first value of a query parameter, percent-decoded: what URLSearchParams says, without it where nothing is encoded;
 * `raw`: as it stands.
 */
export function queryValue(target: string, name: string, raw = false): string | undefined {
  const at = target.indexOf('?');
  if (at < 0) return undefined;
  if (!raw && (target.includes('%', at) || target.includes('+', at)))
    return new URLSearchParams(target.slice(at)).get(name) ?? undefined;
  for (let start = at + 1; start < target.length;) {
    const next = target.indexOf('&', start);
    const end = next < 0 ? target.length : next;
    if (target.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return '';
      if (after < end && target[after] === '=') return target.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

const PERCENT = 0x25;
const PLUS = 0x2b;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const QUESTION_MARK = 0x3f;

/**
 * Where in the bytes of a target the value is that `queryValue` would find, as the offset of its beginning; its end is
 * the next "&" or the target's. -1 without one, undefined where something is encoded, so that it takes more than a look.
 */
export function queryValueAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: string,
): number | undefined {
  let at = start;
  while (at < end && bytes[at] !== QUESTION_MARK) at++;
  let found = -1;
  let begins = at + 1;
  for (at++; at < end; at++) {
    const byte = bytes[at];
    if (byte === PERCENT || byte === PLUS) return undefined;
    if (byte !== AMPERSAND && byte !== EQUALS) continue;
    // Without "=" it is there, and empty.
    if (found < 0 && isAt(bytes, begins, at, name)) found = byte === EQUALS ? at + 1 : at;
    if (byte === AMPERSAND) begins = at + 1;
  }
  return found < 0 && begins < end && isAt(bytes, begins, end, name) ? end : found;
}

/** Where the value that begins at `start` ends. */
export function queryValueEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== AMPERSAND) at++;
  return at;
}

function isAt(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** All values of a query parameter, percent-decoded. */
export function queryValues(url: URL, name: string): string[] {
  return url.searchParams.getAll(name);
}

function cookieValue(cookies: string, name: string): string | undefined {
  for (const pair of cookies.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
