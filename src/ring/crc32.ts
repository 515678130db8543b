/**
 * CRC-32 as in Ethernet, gzip and PNG (ITU-T V.42, §8.1.1.6.2; RFC 1952, §8): the reflected polynomial 0xEDB88320, begun
 * with all bits set, and inverted at the end. Here for the maps of other balancers: it is no good hash, as keys that
 * differ in the same bits have hashes that do.
 */

const utf8 = new TextEncoder();

/** What eight bits of remainder come to, by their value. Signed, as JavaScriptCore keeps such integers unboxed. */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ ((remainder & 1) === 1 ? 0xedb88320 : 0);
  return remainder;
});

/**
 * Of the UTF-8 bytes of a key; a lone surrogate counts as U+FFFD, as in `TextEncoder`. O(length). Allocates nothing while
 * the key is ASCII.
 *
 * @returns an integer in [0, 2^32)
 */
export function crc32(key: string): number {
  let state = -1;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return crc32Of(crc32Update(state, utf8.encode(key.slice(i))));
    state = (state >>> 8) ^ TABLE[(state ^ code) & 0xff]!;
  }
  return crc32Of(state);
}

/**
 * The state after some bytes more; before the first it is -1. O(length).
 *
 * @returns a signed 32-bit integer
 */
export function crc32Update(state: number, bytes: Uint8Array): number {
  let after = state;
  for (let i = 0; i < bytes.length; i++) after = (after >>> 8) ^ TABLE[(after ^ bytes[i]!) & 0xff]!;
  return after;
}

/**
 * The CRC-32 of all bytes that led to a state. O(1).
 *
 * @returns an integer in [0, 2^32)
 */
export function crc32Of(state: number): number {
  return ~state >>> 0;
}
