import type { Explanation } from '../fleet/explain.ts';
import { setExplained } from './explained.ts';
import {
  claimsOrigin,
  FIELD,
  fieldCode,
  isPassed,
  REQUEST_ID_BYTES_MAX,
  VIA,
  type FieldCode,
} from './http1/fields.ts';

/** Visible ASCII: it ends up in logs. */
const REQUEST_ID = /^[!-~]+$/;

/** Who sent a request. */
export interface Client {
  /** Address of the peer, as the socket says. */
  readonly address: string;
  /** Whether it is a proxy whose word on where a request came from is taken. */
  readonly trusted: boolean;
}

/** What a replica gets to see of a request: the client's fields less those of this hop, plus where it came from. */
export function requestHeaders(received: Headers, { address, trusted }: Client, requestId: string): Headers {
  // What a client claims of itself is not where it came from, unless it is a proxy whose word is taken.
  const headers = endToEnd(received, trusted ? () => true : (code) => !claimsOrigin(code));
  // Our listener has sent the 100 that it asks for: the body comes unasked (RFC 9110, section 10.1.1).
  headers.delete('expect');
  const length = headers.get('content-length');
  if (length !== null) headers.set('content-length', length.replace(/^0+(?=\d)/, ''));
  const before = headers.get('x-forwarded-for') ?? '';
  headers.set('x-forwarded-for', before === '' ? address : `${before}, ${address}`);
  const host = received.get('host');
  if (host !== null && !headers.has('x-forwarded-host')) headers.set('x-forwarded-host', host);
  if (!headers.has('x-forwarded-proto')) headers.set('x-forwarded-proto', 'http');
  headers.set('x-request-id', requestId);
  headers.append('via', VIA);
  return headers;
}

/** What a client gets to see of a reply: the replica's fields less those of this hop, plus who served it. */
export function replyHeaders(
  received: Headers,
  replica: string,
  requestId: string,
  explained?: Explanation,
): Headers {
  const headers = endToEnd(received, () => true);
  headers.set('x-served-by', replica);
  if (!headers.has('x-request-id')) headers.set('x-request-id', requestId);
  headers.append('via', VIA);
  setExplained(headers, explained);
  return headers;
}

/** The id that the client gave its request; undefined where it gave none that can be kept. */
export function keptRequestId(received: Headers): string | undefined {
  const id = received.get('x-request-id') ?? '';
  return id.length <= REQUEST_ID_BYTES_MAX && REQUEST_ID.test(id) && !namedBy(received).has('x-request-id')
    ? id
    : undefined;
}

/** The fields that do not end at this hop, as far as they are `kept`. */
function endToEnd(received: Headers, kept: (code: FieldCode) => boolean): Headers {
  const headers = new Headers(received);
  const named = namedBy(received);
  for (const name of received.keys()) {
    const code = codeOf(name);
    const ends = !isPassed(code) || (named.has(name) && !isIndispensable(code));
    if (ends || !kept(code)) headers.delete(name);
  }
  // The length of a message that was sent in chunks is what they add up to (RFC 9112, section 6.3).
  if (received.has('transfer-encoding')) headers.delete('content-length');
  // Neither of the platforms' clients hands on the fields that it announces.
  headers.delete('trailer');
  return headers;
}

/** Names of further fields that end at this hop, in lower case (RFC 9110, section 7.6.1). */
function namedBy(received: Headers): ReadonlySet<string> {
  const options = (received.get('connection') ?? '').toLowerCase().split(',');
  return new Set(options.map((option) => option.trim()));
}

/** Without these a message would be another one, whatever Connection says of them. */
function isIndispensable(code: FieldCode): boolean {
  return code === FIELD.host || code === FIELD.contentLength;
}

function codeOf(name: string): FieldCode {
  const bytes = Buffer.from(name, 'latin1');
  return fieldCode(bytes, 0, bytes.length);
}
