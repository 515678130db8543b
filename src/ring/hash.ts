/**
 * The one hash of the ring: MurmurHash3_x86_32 by Austin Appleby (public domain, SMHasher,
 * `MurmurHash3.cpp`). Sequential ids come out as well spread as random ones, every language has an
 * implementation, so a client can compute an owner itself, and it needs nothing but 32-bit integers. It is no
 * defence against chosen keys: collisions for every seed can be constructed (Aumasson and Bernstein, 2012).
 */

const utf8 = new TextEncoder();

/**
 * MurmurHash3_x86_32 over the UTF-8 bytes of `key`; a lone surrogate counts as U+FFFD, as in `TextEncoder`.
 * (`MurmurHash3.cpp`). O(length). Allocates nothing while `key` is ASCII, else only for what follows the last all-ASCII block.
 *
 * @param seed an integer, taken modulo 2^32
 * @returns an integer in [0, 2^32)
 */
export function hash32(key: string, seed = 0): number {
  return signedHash32(key, seed) >>> 0;
}

/**
 * The finalizer of MurmurHash3 (`MurmurHash3.cpp`, `fmix32`): a bijection of the 32-bit integers in which each bit of the input
 * flips each bit of the output about half the time. O(1).
 *
 * @param word an integer, taken modulo 2^32
 * @returns an integer in [0, 2^32)
 */
export function mix32(word: number): number {
  return signedMix32(word) >>> 0;
}

// Written for JavaScriptCore, where each of these was measured. The result stays signed until the last step,
// because an unsigned one that crosses a call is boxed as int or as double by its top bit: a coin toss,
// mispredicted every second time, that made a hash of 11 characters take 19 ns and not 12. The mixing is
// written out, because with calls in it that hash took half as long again, and a lookup in the ring 3 ns
// more.
function signedHash32(key: string, seed: number): number {
  const length = key.length;
  let state = seed | 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const a = key.charCodeAt(i);
    const b = key.charCodeAt(i + 1);
    const c = key.charCodeAt(i + 2);
    const d = key.charCodeAt(i + 3);
    if ((a | b | c | d) > 0x7f) return signedHashOfRest(key, i, state);
    let block = Math.imul(a | (b << 8) | (c << 16) | (d << 24), 0xcc9e2d51);
    block = Math.imul((block << 15) | (block >>> 17), 0x1b873593);
    state ^= block;
    state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let shift = 0; i < length; i++, shift += 8) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return signedHashOfRest(key, i & ~3, state);
    tail |= code << shift;
  }
  tail = Math.imul(tail, 0xcc9e2d51);
  state ^= Math.imul((tail << 15) | (tail >>> 17), 0x1b873593) ^ length;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return state ^ (state >>> 16);
}

/**
 * Takes over at a block boundary: all before it is ASCII, so `start` counts bytes too and cuts no surrogate
 * pair.
 */
function signedHashOfRest(key: string, start: number, stateAtStart: number): number {
  const bytes = utf8.encode(key.slice(start));
  let state = stateAtStart;
  let block = 0;
  for (let i = 0; i < bytes.length; i++) {
    block |= bytes[i]! << ((i & 3) << 3);
    if ((i & 3) !== 3) continue;
    state ^= scramble(block);
    state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
    block = 0;
  }
  return signedMix32(state ^ scramble(block) ^ (start + bytes.length));
}

function scramble(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function signedMix32(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
