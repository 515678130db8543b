import { createHash } from 'node:crypto';
import { Circle } from './circle.ts';
import { weightSumOf, type Site } from './placement.ts';

/** Digests of a server that has the mean weight (`ketama.c`): four points each. */
export const KETAMA_DIGESTS = 40;

const POINTS_PER_DIGEST = 4;

/**
 * The map of libketama (Jones, 2007; `ketama.c`), which many clients of memcached share: whoever replaces one of them by
 * this keeps its map, and whatever is cached by it.
 *
 * A server is what the list of servers calls it, `host:port`: the label of a replica, or else its name. Its points are
 * the four 32-bit words, lowest byte first, of the MD5 of `LABEL-0`, `LABEL-1` and so on. A key's position is the first
 * such word of its own MD5; it belongs to the first point at or after it.
 *
 * How many digests a server has is libketama's floor(w / W * 40 N), which it works out with 32-bit floats; of equal servers
 * each has 40, but only 39 where they are 61 or 122. Clients that use 64-bit floats, as npm `hashring` does, have 39 for
 * 7, 14, 28 and some others instead, and with them a map that differs for some 2 % of the keys.
 *
 * As the mean weight changes with each replica that joins or leaves, so do the points of all others where weights differ,
 * and more moves than has to: of six with weights of 1 to 3, one that joins moves 13 % of the keys and not 8 %, and a
 * weight that grows from 2.5 to 10 among twenty 27 % and not 18 %. A replica of less than 1/40 of the mean weight has no
 * point, and no key.
 *
 * Where points of two servers meet, libketama takes whichever its sort leaves first; here it is the smaller name's. Two
 * replicas of one label have all points in common: the smaller name owns all of their keys. A replica without a point is
 * in no order of preference.
 *
 * Memory: 1.4 KiB per replica, and up to 819 of them a table of 128 KiB to 1 MiB; 1.5 MiB for 1000.
 */
export class Ketama extends Circle {
  readonly algorithm = 'ketama';
  protected readonly keyHash = 'md5';

  /**
   * O(p log p) for p points in all, some 160 for each replica.
   *
   * @param replicas in any order; by its name alone, one has weight 1; of a name that comes twice the last counts
   */
  static of(replicas: Iterable<string | Site>): Ketama {
    let weightSum: number | undefined;
    return new Ketama(replicas, (site, all) => {
      weightSum ??= weightSumOf(all);
      return pointsOf(site.label ?? site.name, ketamaDigestsOf(site.weight, weightSum, all.length));
    });
  }

  /** The first word of the key's MD5, in [0, 2^32). O(length). */
  hash(key: string): number {
    return md5(key).readUInt32LE(0);
  }

  /** Expected O(1) beyond the hash, whatever the number of replicas; the hash alone takes about a microsecond. */
  owner(key: string): string | undefined {
    return this.ownerAt(md5(key).readUInt32LE(0));
  }
}

/**
 * How many digests libketama makes for a server: `floorf(pct * 40.0 * (float) numservers)`, where `pct` is the quotient of
 * two floats as a float. The product is one of doubles, and a float once more when its floor is taken. O(1).
 *
 * @param weight its own, above 0
 * @param weightSum of all servers, this one included
 * @param servers how many there are
 * @returns a whole number from 0
 */
export function ketamaDigestsOf(weight: number, weightSum: number, servers: number): number {
  const part = Math.fround(Math.fround(weight) / Math.fround(weightSum));
  return Math.floor(Math.fround(part * KETAMA_DIGESTS * servers));
}

function pointsOf(label: string, digests: number): Uint32Array {
  const positions = new Uint32Array(POINTS_PER_DIGEST * digests);
  for (let i = 0; i < digests; i++) {
    const digest = md5(`${label}-${i}`);
    for (let word = 0; word < POINTS_PER_DIGEST; word++)
      positions[POINTS_PER_DIGEST * i + word] = digest.readUInt32LE(4 * word);
  }
  return positions;
}

function md5(text: string): Buffer {
  return createHash('md5').update(text).digest();
}
