import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc32, crc32Of, crc32Update } from '../../src/ring/crc32.ts';

const utf8 = new TextEncoder();

test.each([
  ['', 0],
  // The check value that every description of this CRC gives.
  ['123456789', 0xcbf43926],
  ['a', 0xe8b7be43],
  ['The quick brown fox jumps over the lazy dog', 0x414fa339],
])('of %j it is %d', (key, expected) => {
  expect(crc32(key)).toBe(expected);
});

test('it is what zlib makes of the UTF-8 bytes, in one piece and in two', () => {
  const anyKey = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom('\ud800', 'aé', 'ключ', 'a\0b'),
  );
  fc.assert(
    fc.property(anyKey, fc.nat(), (key, cut) => {
      const bytes = utf8.encode(key);
      expect(crc32(key)).toBe(zlibCrc32(bytes));
      const at = cut % (bytes.length + 1);
      expect(crc32Of(crc32Update(crc32Update(-1, bytes.slice(0, at)), bytes.slice(at)))).toBe(
        zlibCrc32(bytes),
      );
    }),
    { seed: 20260303, numRuns: 500 },
  );
});
