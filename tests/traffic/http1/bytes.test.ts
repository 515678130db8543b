import { describe, expect, test } from 'bun:test';
import {
  CLASS,
  DIGIT,
  hasControl,
  HEX,
  latin1,
  REG_NAME,
  spells,
  TARGET,
  TOKEN,
  VALUE,
} from '../../../src/traffic/http1/bytes.ts';
import { bytesOf } from './heads.ts';

const ALL = Array.from({ length: 256 }, (_, byte) => byte);

describe('the bytes that are', () => {
  const DELIMITERS = new Set('"(),/:;<=>?@[\\]{}');
  const char = (byte: number): string => String.fromCharCode(byte);
  const visible = (byte: number): boolean => byte > 0x20 && byte < 0x7f;
  const alphanumeric = (byte: number): boolean =>
    (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a && visible(byte));

  // RFC 9110, section 5.6.2: token characters are the visible ones without the delimiters.
  test.each<[what: string, bit: number, holds: (byte: number) => boolean]>([
    ['tokens', TOKEN, (byte) => visible(byte) && !DELIMITERS.has(char(byte))],
    ['targets', TARGET, (byte) => visible(byte) && byte !== 0x23],
    ['values', VALUE, (byte) => visible(byte) || byte >= 0x80 || byte === 0x20 || byte === 0x09],
    ['names of hosts', REG_NAME, (byte) => alphanumeric(byte) || '-._~%'.includes(char(byte))],
    ['digits', DIGIT, (byte) => byte >= 0x30 && byte <= 0x39],
    ['hexadecimal digits', HEX, (byte) => '0123456789abcdefABCDEF'.includes(char(byte))],
  ])('of %s are as the RFC has them', (_what, bit, holds) => {
    expect(ALL.filter((byte) => ((CLASS[byte] as number) & bit) !== 0)).toEqual(ALL.filter(holds));
  });
});

describe('spells', () => {
  test('goes by letters alone, for each byte', () => {
    for (const byte of ALL) {
      const same = byte === 0x6b || byte === 0x4b;
      expect(spells(Uint8Array.of(byte), 0, 1, 'k')).toBe(same);
      // "-" and CR differ in the bit that tells capitals from small letters, too.
      expect(spells(Uint8Array.of(byte), 0, 1, '-')).toBe(byte === 0x2d);
      expect(spells(Uint8Array.of(byte), 0, 1, '`')).toBe(byte === 0x60);
      expect(spells(Uint8Array.of(byte), 0, 1, '{')).toBe(byte === 0x7b);
    }
  });

  test('looks at the span alone', () => {
    const bytes = bytesOf('xCLOSEx');
    expect(spells(bytes, 1, 6, 'close')).toBe(true);
    expect(spells(bytes, 0, 5, 'close')).toBe(false);
    expect(spells(bytes, 1, 7, 'close')).toBe(false);
    expect(spells(bytes, 1, 5, 'close')).toBe(false);
    expect(spells(bytes, 3, 3, '')).toBe(true);
  });
});

test('latin1 is one character for each byte, from a Buffer and from any other bytes', () => {
  const text = ALL.map((byte) => String.fromCharCode(byte)).join('');
  expect(latin1(Buffer.from(ALL), 0, 256)).toBe(text);
  expect(latin1(Uint8Array.from(ALL), 0, 256)).toBe(text);
  expect(latin1(Buffer.from(ALL), 65, 68)).toBe('ABC');
  expect(latin1(Uint8Array.from(ALL), 65, 68)).toBe('ABC');
});

test('hasControl finds what no value may hold, inside the span alone', () => {
  for (const byte of ALL) {
    const control = (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
    expect(hasControl(Uint8Array.of(0, byte, 0), 1, 2)).toBe(control);
  }
  expect(hasControl(Uint8Array.of(0), 0, 0)).toBe(false);
});
