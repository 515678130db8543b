import type { Address } from '../runtime/runtime.ts';

/** A peer's address in one form: sockets that listen on IPv6 report IPv4 peers as ::ffff:a.b.c.d, and add a zone to some. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

/** `host:port` as Host and URLs have it; an IPv6 address stands in brackets (RFC 3986, section 3.2.2). */
export function authority({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
