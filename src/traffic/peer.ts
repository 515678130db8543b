/** A peer's address in one form: sockets that listen on IPv6 report IPv4 peers as ::ffff:a.b.c.d, and add a zone to some. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}
