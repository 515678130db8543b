import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { isAuthority } from '../../../src/traffic/http1/authority.ts';
import { isHost } from './grammar.ts';
import { bytesOf } from './heads.ts';

const SEED = 20260401;

/** In between bytes that would change the answer if they were looked at. */
function holds(text: string): boolean {
  const bytes = bytesOf(`]:9${text}:80]`);
  return isAuthority(bytes, 3, 3 + text.length);
}

describe('an authority is', () => {
  test.each([
    'a',
    'a.example',
    'A.EXAMPLE',
    'a_b.example',
    'a.example.',
    'xn--bcher-kva.example',
    'a~b',
    'a%41',
    '%2F',
    '192.0.2.7',
    'localhost:8080',
    'a:0',
    'a:65535',
    'a:00080',
    // RFC 3986, section 3.2.3: an empty port is the default one.
    'a:',
    '[::1]',
    '[::1]:80',
    '[2001:db8::192.0.2.7]:',
  ])('%s', (text) => {
    expect(holds(text)).toBe(true);
  });

  test.each([
    '',
    ':',
    ':80',
    'a:65536',
    'a:99999999999999999999',
    'a:-1',
    'a:+1',
    'a:8 0',
    'a:80:80',
    'a:x',
    'user@a',
    'user:pw@a',
    'a b',
    'a,b',
    'a;b',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    "a'b",
    'a(b)',
    'a%',
    'a%4',
    'a%4g',
    'a%g4',
    'b\xfccher',
    '[',
    '[]',
    '[]:80',
    '[::1',
    '::1',
    '[::1]80',
    '[::1]a',
    '[::1]]',
    '[[::1]]',
    '[192.0.2.7]',
    '[::1::2]',
    '[v1.x]',
    '[12345::]',
    // A zone means something on one machine only.
    '[fe80::1%eth0]',
    '[fe80::1%25eth0]',
  ])('not %s', (text) => {
    expect(holds(text)).toBe(false);
  });
});

test('each byte at each place is taken as the grammar takes it', () => {
  for (const form of [
    '~',
    '~a',
    'a~',
    'a~b',
    'a:~',
    'a:8~',
    'a%~1',
    'a%1~',
    '[~]',
    '[::~]',
    '[::1]~',
    '[::1]:~',
  ])
    for (let byte = 0; byte < 256; byte++) {
      const text = form.replace('~', String.fromCharCode(byte));
      expect([text, holds(text)]).toEqual([text, isHost(text)]);
    }
});

test('what is put together at random is taken as the grammar takes it', () => {
  const piece = fc.constantFrom(
    'a',
    '1',
    '.',
    ':',
    '[',
    ']',
    '%',
    '%41',
    '::',
    'f',
    '-',
    '_',
    '80',
    '65535',
    '@',
    ' ',
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, (text) => {
      expect(holds(text)).toBe(isHost(text));
    }),
    { seed: SEED, numRuns: 3000 },
  );
});
