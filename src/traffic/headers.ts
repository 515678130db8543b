/**
 * Fields that speak of one connection, not of the message, and must not be forwarded (RFC 9110, section 7.6.1; the
 * last five are from RFC 2616, section 13.5.1, and are still sent).
 */
const HOP_BY_HOP = [
  'connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  // Neither of the platforms' clients hands on the fields that it announces.
  'trailer',
] as const;

/** By these a client would tell where it came from, to replicas that believe them; we are the one who knows. */
const CLAIMS_OF_ORIGIN = /^(?:forwarded|x-forwarded-.*|x-real-ip)$/;

export interface Client {
  /** Address of the peer, as the socket says. */
  readonly address: string;
  /** The Host that it asked for. */
  readonly host: string;
}

/** What a replica gets to see of a request: the client's fields less hop-by-hop ones, plus where it came from. */
export function requestHeaders(received: Headers, client: Client): Headers {
  const headers = endToEnd(received);
  // Our listener has sent the 100 that it asks for: the body comes unasked (RFC 9110, section 10.1.1).
  headers.delete('expect');
  // Overwritten, never appended to: what a client claims of itself is not where it came from.
  for (const name of received.keys()) if (CLAIMS_OF_ORIGIN.test(name)) headers.delete(name);
  headers.set('x-forwarded-for', client.address);
  headers.set('x-forwarded-host', client.host);
  headers.set('x-forwarded-proto', 'http');
  return headers;
}

/** What a client gets to see of a reply: the replica's fields less hop-by-hop ones, plus who served it. */
export function replyHeaders(received: Headers, replica: string): Headers {
  const headers = endToEnd(received);
  headers.set('x-served-by', replica);
  return headers;
}

function endToEnd(received: Headers): Headers {
  const headers = new Headers(received);
  // Connection names further fields that end at this hop.
  for (const named of (received.get('connection') ?? '').split(',')) {
    const name = named.trim();
    // An invalid token would make delete() throw; it can't be a field's name either.
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) headers.delete(name);
  }
  // The length of a message that was sent in chunks is what they add up to (RFC 9112, section 6.3).
  if (received.has('transfer-encoding')) headers.delete('content-length');
  for (const name of HOP_BY_HOP) headers.delete(name);
  return headers;
}
