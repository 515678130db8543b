import type { Address } from '../../runtime/runtime.ts';
import { SP, spells } from '../http1/bytes.ts';
import { claimsOrigin, FIELD, isPassed, REQUEST_ID_BYTES_MAX, VIA } from '../http1/fields.ts';
import type { HeadFields } from '../http1/head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { authority } from '../../config.ts';
import type { RequestId } from './request-id.ts';
import { ascii, type Scratch } from './scratch.ts';

const VERSION_AND_HOST = ascii(' HTTP/1.1\r\nHost: ');
const CR_LF = ascii('\r\n');
const COLON_SPACE = ascii(': ');
const COMMA_SPACE = ascii(', ');
const SPACE = ascii(' ');
const SLASH = ascii('/');
const ASTERISK = ascii('*');
const CONTENT_LENGTH = ascii('Content-Length: ');
const CHUNKED = ascii('Transfer-Encoding: chunked\r\n');
const UPGRADE = ascii('Connection: upgrade\r\nUpgrade: ');
const VIA_FIELD = ascii(`Via: ${VIA}\r\n`);
const FORWARDED_FOR = ascii('X-Forwarded-For: ');
const FORWARDED_HOST = ascii('X-Forwarded-Host: ');
const FORWARDED_PROTO = ascii('X-Forwarded-Proto: http\r\n');
const REQUEST_ID = ascii('X-Request-Id: ');

const ZERO = 0x30;
const ONE = 0x31;
const QUESTION_MARK = 0x3f;

/** The client as replicas are told of it. */
export class Sender {
  /** The fields that tell of it, where nothing else is known: the same for each of its requests. */
  readonly fields: Uint8Array;

  /** `address`: of the peer, as the socket says. `trusted`: whether it is a proxy whose word on where a request came from is taken. */
  constructor(
    readonly address: string,
    readonly trusted: boolean,
  ) {
    this.fields = ascii(`X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: http\r\nVia: ${VIA}\r\n`);
  }
}

/** Writes what a replica gets to see of a request: its fields in their order, less those of this hop, plus ours. */
export function writeRequestHead(
  to: Scratch,
  head: RequestHead,
  sender: Sender,
  requestId: RequestId,
  replica: Address,
): void {
  const { fields } = head;
  const { bytes } = fields;
  const { trusted } = sender;
  to.span(bytes, head.methodStart, head.methodEnd);
  to.all(SPACE);
  writeTarget(to, head);
  to.all(VERSION_AND_HOST);
  if (head.hostEnd > head.hostStart) to.span(bytes, head.hostStart, head.hostEnd);
  // Of HTTP/1.0, which may have none: then it is the replica's own.
  else to.latin1(authority(replica));
  to.all(CR_LF);
  const keepsId = keptRequestId(head) !== undefined;
  const zeroes = fields.length >= 0 && hasLeadingZero(fields);
  let saysFor = false;
  let saysHost = false;
  let saysProto = false;
  const run = RUN;
  run.begin(to, bytes);
  for (let field = 0; field < fields.count; field++) {
    const code = fields.code(field);
    if (code !== FIELD.other) {
      if (!isPassed(code) || code === FIELD.host) continue;
      if (code === FIELD.contentLength && zeroes) continue;
      if (code === FIELD.xRequestId && !keepsId) continue;
      if (code === FIELD.expect && !head.continues) continue;
      if (code === FIELD.maxForwards && head.maxForwards !== undefined) {
        run.end();
        to.latin1(`Max-Forwards: ${head.maxForwards - 1}\r\n`);
        continue;
      }
      if (claimsOrigin(code)) {
        if (!trusted || isNamed(fields, field)) continue;
        if (code === FIELD.xForwardedHost) saysHost = true;
        if (code === FIELD.xForwardedProto) saysProto = true;
        if (code === FIELD.xForwardedFor) {
          saysFor = true;
          continue;
        }
      }
    }
    if (code !== FIELD.contentLength && isNamed(fields, field)) continue;
    run.add(fields, field);
  }
  run.end();
  if (head.framing === 'chunked') to.all(CHUNKED);
  else if (zeroes) {
    to.all(CONTENT_LENGTH);
    to.latin1(String(fields.length));
    to.all(CR_LF);
  }
  if (head.protocols.length > 0) writeUpgrade(to, head.protocols);
  if (!saysHost && head.hostEnd > head.hostStart) {
    to.all(FORWARDED_HOST);
    to.span(bytes, head.hostStart, head.hostEnd);
    to.all(CR_LF);
  }
  if (!saysFor && !saysProto) {
    to.all(sender.fields);
  } else {
    to.all(FORWARDED_FOR);
    if (saysFor) writeAll(to, fields, FIELD.xForwardedFor);
    to.latin1(sender.address);
    to.all(CR_LF);
    if (!saysProto) to.all(FORWARDED_PROTO);
    to.all(VIA_FIELD);
  }
  if (!keepsId) {
    to.all(REQUEST_ID);
    requestId.write(to);
    to.all(CR_LF);
  }
  to.all(CR_LF);
}

/** The id that the client gave its request; undefined where it gave none that can be kept. */
export function keptRequestId({ fields }: RequestHead): string | undefined {
  if (fields.requestId < 0) return undefined;
  const start = fields.valueStart(fields.requestId);
  const end = fields.valueEnd(fields.requestId);
  if (end === start || end - start > REQUEST_ID_BYTES_MAX || isNamed(fields, fields.requestId))
    return undefined;
  for (let i = start; i < end; i++) {
    const byte = fields.bytes[i] as number;
    // Visible ASCII: it ends up in logs.
    if (byte <= SP || byte >= 0x7f) return undefined;
  }
  return fields.value(fields.requestId);
}

/** Whether its reply is to tell why it went where it went. */
export function wantsExplanation({ fields }: RequestHead): boolean {
  if (fields.explain < 0) return false;
  const start = fields.valueStart(fields.explain);
  return fields.valueEnd(fields.explain) === start + 1 && fields.bytes[start] === ONE;
}

/** Upgrade, and the Connection that has to go with it (RFC 9110, section 7.8). */
export function writeUpgrade(to: Scratch, protocols: readonly string[]): void {
  to.all(UPGRADE);
  to.latin1(protocols.join(', '));
  to.all(CR_LF);
}

/** Whether Connection names the field, which then ends at this hop (RFC 9110, section 7.6.1). */
export function isNamed(fields: HeadFields, field: number): boolean {
  if (fields.named.length === 0) return false;
  const start = fields.nameStart(field);
  const end = fields.nameEnd(field);
  return fields.named.some((name) => spells(fields.bytes, start, end, name));
}

/** Fields that stand in one piece and as we would write them are copied in one piece. */
class Run {
  #to: Scratch | undefined;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  #end = 0;

  begin(to: Scratch, bytes: Uint8Array): void {
    this.#to = to;
    this.#bytes = bytes;
    this.#start = this.#end = 0;
  }

  add(fields: HeadFields, field: number): void {
    const nameStart = fields.nameStart(field);
    const nameEnd = fields.nameEnd(field);
    const valueStart = fields.valueStart(field);
    const valueEnd = fields.valueEnd(field);
    const bytes = this.#bytes;
    if (valueStart === nameEnd + 2 && bytes[nameEnd + 1] === SP && bytes[valueEnd + 1] === 0x0a) {
      if (nameStart !== this.#end) {
        this.end();
        this.#start = nameStart;
      }
      this.#end = valueEnd + 2;
      return;
    }
    this.end();
    const to = this.#to as Scratch;
    to.span(bytes, nameStart, nameEnd);
    to.all(COLON_SPACE);
    to.span(bytes, valueStart, valueEnd);
    to.all(CR_LF);
  }

  end(): void {
    if (this.#end > this.#start) this.#to?.span(this.#bytes, this.#start, this.#end);
    this.#start = this.#end = 0;
  }
}

/** One for all heads: it holds nothing between two of them. */
export const RUN = new Run();

function writeTarget(to: Scratch, head: RequestHead): void {
  const { targetStart, targetEnd } = head;
  const { bytes } = head.fields;
  // An absolute target may have no path: then it is "/", or "*" for OPTIONS (RFC 9112, section 3.2.4).
  if (targetStart === targetEnd) return to.all(head.method === 'OPTIONS' ? ASTERISK : SLASH);
  if (bytes[targetStart] === QUESTION_MARK) to.all(SLASH);
  to.span(bytes, targetStart, targetEnd);
}

function hasLeadingZero(fields: HeadFields): boolean {
  for (let field = 0; field < fields.count; field++)
    if (fields.code(field) === FIELD.contentLength) {
      const start = fields.valueStart(field);
      return fields.valueEnd(field) - start > 1 && fields.bytes[start] === ZERO;
    }
  return false;
}

function writeAll(to: Scratch, fields: HeadFields, code: number): void {
  for (let field = 0; field < fields.count; field++) {
    if (fields.code(field) !== code || fields.valueEnd(field) === fields.valueStart(field)) continue;
    to.span(fields.bytes, fields.valueStart(field), fields.valueEnd(field));
    to.all(COMMA_SPACE);
  }
}
