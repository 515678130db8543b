import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { hash32, mix32 } from '../../src/ring/hash.ts';

const SEED = 20260101;

// Text with everything that UTF-8 treats differently, lone surrogates included: mostly ASCII, so that the way
// out of the ASCII path is taken at every offset.
const anyCodeUnit = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 0x7f }) },
  { weight: 1, arbitrary: fc.integer({ min: 0x80, max: 0x7ff }) },
  { weight: 1, arbitrary: fc.integer({ min: 0x800, max: 0xffff }) },
  { weight: 1, arbitrary: fc.integer({ min: 0xd800, max: 0xdfff }) },
);
const anyText = fc
  .array(fc.oneof(anyCodeUnit, fc.constant([0xd83c, 0xdfaa])), { maxLength: 40 })
  .map((units) => String.fromCharCode(...units.flat()));
const anySeed = fc.integer({ min: 0, max: 0xffffffff });

describe('the reference that hash32 is compared with', () => {
  test('has the verification value that SMHasher gives for MurmurHash3_x86_32', () => {
    const hashes = new Uint8Array(4 * 256);
    const key = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (let length = 0; length < 256; length++) {
      const hash = murmurOfBytes(key.subarray(0, length), 256 - length);
      new DataView(hashes.buffer).setUint32(4 * length, hash, true);
    }
    expect(murmurOfBytes(hashes, 0)).toBe(0xb0f57ee3);
  });
});

describe('hash32', () => {
  const published: readonly [key: string, seed: number, hash: number][] = [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['ab', 0x9747b28c, 0x74875592],
    ['abc', 0, 0xb3dd93fa],
    ['abc', 0x9747b28c, 0xc84a62dd],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['hello', 0, 0x248bfa47],
    ['hello, world', 0, 0x149bbb7f],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
  ];

  test.each(published)('of %j with seed %d is the published value', (key, seed, hash) => {
    expect(hash32(key, seed)).toBe(hash);
  });

  test('takes 0 for the seed when there is none', () => {
    expect(hash32('hello')).toBe(hash32('hello', 0));
  });

  test('equals the reference over the UTF-8 bytes, for any text and seed', () => {
    fc.assert(
      fc.property(anyText, anySeed, (text, seed) => {
        expect(hash32(text, seed)).toBe(murmurOfBytes(new TextEncoder().encode(text), seed));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('equals the reference wherever the first character that is not ASCII stands', () => {
    for (const odd of ['\u0080', 'é', '€', '\u{1f3aa}', '\ud83c', '\udfaa', '\u0100']) {
      for (let before = 0; before < 9; before++) {
        for (let after = 0; after < 6; after++) {
          const text = 'x'.repeat(before) + odd + 'y'.repeat(after);
          expect([text, hash32(text, 7)]).toEqual([text, murmurOfBytes(new TextEncoder().encode(text), 7)]);
        }
      }
    }
  });

  test('equals the reference for keys of 100 KB', () => {
    for (const text of [
      '0123456789'.repeat(10_000),
      `${'0123456789'.repeat(10_000)}€`,
      '€uro!'.repeat(20_000),
    ]) {
      expect(hash32(text)).toBe(murmurOfBytes(new TextEncoder().encode(text), 0));
    }
  });

  test('is the same for a string however it was put together', () => {
    const parts = ['user', '-', '123456'];
    expect(hash32(parts.join(''))).toBe(hash32(`${parts[0]}${parts[1]}${parts[2]}`));
    expect(hash32('xxuser-123456xx'.slice(2, -2))).toBe(hash32(parts.join('')));
  });
});

describe('mix32', () => {
  test('is the last step of the hash: of an empty key nothing but the seed is left to mix', () => {
    fc.assert(
      fc.property(anySeed, (seed) => {
        expect(mix32(seed)).toBe(hash32('', seed));
      }),
      { seed: SEED },
    );
  });

  test('is a bijection, so its inverse finds the way back', () => {
    fc.assert(
      fc.property(anySeed, (word) => {
        expect(unmix32(mix32(word))).toBe(word);
      }),
      { seed: SEED },
    );
  });
});

/**
 * MurmurHash3_x86_32 step by step as Appleby describes it, in BigInt: slow, and with no overflow to get
 * wrong.
 */
function murmurOfBytes(bytes: Uint8Array, seed: number): number {
  const word = (i: number): bigint => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(i, i + 4);
    return BigInt(a) + (BigInt(b) << 8n) + (BigInt(c) << 16n) + (BigInt(d) << 24n);
  };
  const scrambled = (k: bigint): bigint => times(rotated(times(k, 0xcc9e2d51n), 15n), 0x1b873593n);
  const tailStart = bytes.length - (bytes.length % 4);
  let h = BigInt(seed);
  for (let i = 0; i < tailStart; i += 4) {
    h = BigInt.asUintN(32, rotated(h ^ scrambled(word(i)), 13n) * 5n + 0xe6546b64n);
  }
  h ^= scrambled(word(tailStart)) ^ BigInt(bytes.length);
  h = times(h ^ (h >> 16n), 0x85ebca6bn);
  h = times(h ^ (h >> 13n), 0xc2b2ae35n);
  return Number(h ^ (h >> 16n));
}

/** `mix32` undone: the steps in the opposite order, with the factors' inverses modulo 2^32. */
function unmix32(mixed: number): number {
  let h = BigInt(mixed);
  h ^= h >> 16n;
  h = times(h, 0x7ed1b41dn);
  h ^= (h >> 13n) ^ (h >> 26n);
  h = times(h, 0xa5cb9243n);
  return Number(h ^ (h >> 16n));
}

function times(a: bigint, b: bigint): bigint {
  return BigInt.asUintN(32, a * b);
}

function rotated(word: bigint, bits: bigint): bigint {
  return BigInt.asUintN(32, (word << bits) | (word >> (32n - bits)));
}
