import { Circle } from './circle.ts';
import { crc32, crc32Of, crc32Update } from './crc32.ts';
import type { Site } from './placement.ts';

/** Points of a server of weight 1 (`ngx_http_upstream_init_chash`). */
export const NGINX_POINTS_PER_WEIGHT = 160;

const utf8 = new TextEncoder();
const SEPARATOR = Uint8Array.of(0);

/**
 * The map of nginx's `hash KEY consistent` (src/http/modules/ngx_http_upstream_hash_module.c, the same since 1.7.2 and
 * that of Perl's Cache::Memcached::Fast): who replaces an nginx by this keeps its map, and whatever is cached by it.
 *
 * A server is what the configuration calls it, `host:port`: the label of a replica, or else its name. Its points are
 * chained: each is the CRC-32 of host, a zero byte, port and the point before it, four bytes with the lowest first.
 * A key's position is the CRC-32 of its UTF-8 bytes; it belongs to the first point at or after it.
 *
 * Preference is the walk along the points that nginx makes for a server that has failed; nginx gives it up after 20 points
 * and takes servers in turn. It does that for an empty key, too, which here belongs to position 0. Where points of two
 * servers meet, nginx keeps that of the one its configuration names first, and here it is the smaller name's: 1 map of
 * 3000 with 10 servers has such a position. Two replicas of one label have all points in common, as they are one server
 * there: the smaller name owns all of their keys.
 *
 * Memory: 1.4 KiB per unit of weight, and up to 819 of them a table of 128 KiB to 1 MiB; 1.5 MiB for 1000.
 */
export class Nginx extends Circle {
  readonly algorithm = 'nginx';
  protected readonly keyHash = 'crc32';

  /**
   * O(p log p) for p points in all, 160 for each unit of weight.
   *
   * @param replicas in any order; by its name alone, one has weight 1; of a name that comes twice the last counts
   */
  static of(replicas: Iterable<string | Site>): Nginx {
    return new Nginx(replicas, nginxPointsOf);
  }

  /** The key's CRC-32, in [0, 2^32). O(length). */
  hash(key: string): number {
    return crc32(key);
  }

  /** Expected O(1) beyond the hash, whatever the number of replicas. */
  owner(key: string): string | undefined {
    return this.ownerAt(crc32(key));
  }
}

/**
 * Where nginx sets the points of a server: 160 * weight of them, to the nearest whole number and 1 at least, as a replica
 * that starts slowly has a weight that nginx does not know (`ngx_http_upstream_hash_module.c`). O(p) for its p points, beyond
 * the length of its label.
 *
 * @returns positions in [0, 2^32), in no order
 */
export function nginxPointsOf({ name, label, weight }: Site): Uint32Array {
  const { host, port } = addressOf(label ?? name);
  let base = crc32Update(-1, utf8.encode(host));
  base = crc32Update(base, SEPARATOR);
  base = crc32Update(base, utf8.encode(port));
  const positions = new Uint32Array(Math.max(1, Math.round(NGINX_POINTS_PER_WEIGHT * weight)));
  const previous = new Uint8Array(4);
  const view = new DataView(previous.buffer);
  for (let i = 0; i < positions.length; i++) {
    positions[i] = crc32Of(crc32Update(base, previous));
    view.setUint32(0, positions[i]!, true);
  }
  return positions;
}

/** What follows the last colon is the port where it has nothing but digits, or nothing at all. */
function addressOf(server: string): { readonly host: string; readonly port: string } {
  if (/^unix:/i.test(server)) return { host: server.slice('unix:'.length), port: '' };
  const address = /^([^]*):([0-9]*)$/.exec(server);
  return address === null ? { host: server, port: '' } : { host: address[1]!, port: address[2]! };
}
