/**
 * What RFC 9110 and RFC 9112 say of a head, as regular expressions over the whole of it. It shares nothing with the
 * parser, which goes byte by byte and by tables, so that neither repeats the other's mistakes.
 */
import { isIPv6 } from 'node:net';

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const FIELD = `(${TOKEN}):[\\t ]*((?:[\\t -~\\x80-\\xff]*[!-~\\x80-\\xff])?)[\\t ]*\\r\\n`;
const HEAD = `((?:${TOKEN}:[\\t -~\\x80-\\xff]*\\r\\n)*)\\r\\n`;
const REQUEST = new RegExp(`^(?:\\r\\n)*(${TOKEN}) ([!-"$-~]+) HTTP/1\\.(\\d)\\r\\n${HEAD}`);
const REPLY = new RegExp(`^HTTP/1\\.([01]) ([1-5]\\d\\d)(?: ([\\t -~\\x80-\\xff]*))?\\r\\n${HEAD}`);
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)(?::(\d*))?$/;
const CONNECTION = new RegExp(`^[\\t ,]*(?:${TOKEN}[\\t ]*(?:,[\\t ,]*${TOKEN}[\\t ]*)*)?[\\t ,]*$`);

export interface Framed {
  readonly minor: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: string;
  readonly length: number;
  readonly persistent: boolean;
  /** Of the head, in bytes. */
  readonly end: number;
}

export interface ReadRequest extends Framed {
  readonly method: string;
  readonly target: string;
  readonly host: string;
}

export interface ReadReply extends Framed {
  readonly status: number;
  readonly reason: string;
}

export function isHost(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && (match[1] === undefined || isIPv6(match[1])) && Number(match[2] ?? 0) <= 65_535;
}

/** The request whose head the text begins with; undefined where it is cut off, wrong, or one that is never relayed. */
export function requestOf(text: string): ReadRequest | undefined {
  const match = REQUEST.exec(text);
  if (match === null) return undefined;
  const [whole, method = '', target = '', minorText, lines = ''] = match;
  const minor = Math.min(Number(minorText), 1);
  const fields = fieldsOf(lines);
  const framed = framingOf(fields, minor);
  const hosts = valuesOf(fields, 'host');
  if (framed === undefined || method === 'CONNECT' || method === 'TRACE' || method.length > 64)
    return undefined;
  if (hosts.length > 1 || hosts.length < minor || !hosts.every(isHost)) return undefined;
  const absolute = /^http:\/\/([^/?]*)(.*)$/i.exec(target);
  const plain = target.startsWith('/') || (target === '*' && method === 'OPTIONS');
  if (!plain && (absolute === null || !isHost(absolute[1] ?? ''))) return undefined;
  const expected = minor === 0 ? [] : valuesOf(fields, 'expect').map((value) => value.toLowerCase());
  if (expected.length > 1 || expected.some((value) => value !== '100-continue')) return undefined;
  return {
    method,
    target: plain ? target : (absolute?.[2] ?? ''),
    host: plain ? (hosts[0] ?? '') : (absolute?.[1] ?? ''),
    minor,
    fields,
    framing: framed.chunked ? 'chunked' : framed.length > 0 ? 'length' : 'none',
    length: Math.max(0, framed.length),
    persistent: framed.persistent,
    end: whole.length,
  };
}

/** The reply to a request of `method` whose head the text begins with; undefined where it is cut off or wrong. */
export function replyOf(text: string, method: string): ReadReply | undefined {
  const match = REPLY.exec(text);
  if (match === null) return undefined;
  const [whole, minorText, statusText, reason = '', lines = ''] = match;
  const status = Number(statusText);
  const fields = fieldsOf(lines);
  const framed = framingOf(fields, Number(minorText));
  if (framed === undefined) return undefined;
  const bare = status < 200 || status === 204;
  const empty = bare || status === 304 || method === 'HEAD';
  const overfull = bare && (framed.chunked || framed.length > 0);
  const closes = !empty && !framed.chunked && framed.length < 0;
  const framing = framed.chunked ? 'chunked' : framed.length > 0 ? 'length' : 'none';
  return {
    status,
    reason,
    minor: Number(minorText),
    fields,
    framing: empty ? 'none' : closes ? 'close' : framing,
    length: empty ? 0 : Math.max(0, framed.length),
    // Its sender may send a body all the same.
    persistent: framed.persistent && !closes && !overfull,
    end: whole.length,
  };
}

function fieldsOf(lines: string): (readonly [string, string])[] {
  return [...lines.matchAll(new RegExp(FIELD, 'g'))].map(
    ([, name = '', value = '']) => [name, value] as const,
  );
}

export function valuesOf(fields: Framed['fields'], lower: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === lower).map(([, value]) => value);
}

function framingOf(
  fields: Framed['fields'],
  minor: number,
): { chunked: boolean; length: number; persistent: boolean } | undefined {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  const options = valuesOf(fields, 'connection');
  if (lengths.length > 1 || lengths.some((length) => !/^\d{1,15}$/.test(length))) return undefined;
  if (codings.length > 1 || codings.some((coding) => coding.toLowerCase() !== 'chunked')) return undefined;
  if (codings.length > 0 && (lengths.length > 0 || minor === 0)) return undefined;
  if (options.some((value) => !CONNECTION.test(value))) return undefined;
  const listed = new Set(options.flatMap((value) => value.toLowerCase().split(/[\t ,]+/)));
  return {
    chunked: codings.length > 0,
    length: Number(lengths[0] ?? -1),
    persistent: !listed.has('close') && (minor === 1 || listed.has('keep-alive')),
  };
}
