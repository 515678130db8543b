import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  claimsOrigin,
  FIELD,
  fieldCode,
  isForbiddenInTrailers,
  isPassed,
} from '../../../src/traffic/http1/fields.ts';
import { bytesOf } from './heads.ts';

const SEED = 20260402;

const NAMES = {
  host: FIELD.host,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  connection: FIELD.connection,
  'keep-alive': FIELD.keepAlive,
  'proxy-connection': FIELD.proxyConnection,
  'proxy-authenticate': FIELD.proxyAuthenticate,
  'proxy-authorization': FIELD.proxyAuthorization,
  te: FIELD.te,
  trailer: FIELD.trailer,
  upgrade: FIELD.upgrade,
  expect: FIELD.expect,
  via: FIELD.via,
  forwarded: FIELD.forwarded,
  'x-forwarded-for': FIELD.xForwardedFor,
  'x-forwarded-host': FIELD.xForwardedHost,
  'x-forwarded-proto': FIELD.xForwardedProto,
  'x-forwarded-port': FIELD.xForwardedOther,
  'x-forwarded-x': FIELD.xForwardedOther,
  'x-real-ip': FIELD.xRealIp,
  'x-request-id': FIELD.xRequestId,
  'x-served-by': FIELD.xServedBy,
  'x-ringmaster-explain': FIELD.explain,
  date: FIELD.date,
} as const;
const KNOWN = Object.entries(NAMES);

/** In between bytes that would change the name if they were looked at. */
function code(name: string): number {
  const bytes = bytesOf(`x-${name}-for`);
  return fieldCode(bytes, 2, 2 + name.length);
}

describe('a field that is known', () => {
  test.each(KNOWN)('%s is, however it is written', (name, expected) => {
    expect(code(name)).toBe(expected);
    expect(code(name.toUpperCase())).toBe(expected);
    expect(code(name.replace(/(?:^|-)./g, (letter) => letter.toUpperCase()))).toBe(expected);
  });

  test.each(KNOWN.filter(([name]) => name.includes('-')))('%s with any "_" is a confusable', (name) => {
    const dashes = [...name.matchAll(/-/g)].map(({ index }) => index);
    for (let choice = 1; choice < 2 ** dashes.length; choice++) {
      const letters = [...name];
      for (const [i, at] of dashes.entries()) if ((choice >> i) % 2 === 1) letters[at] = '_';
      // Behind the prefix of the x-forwarded family nothing has to be confused any more.
      const expected = letters.join('').startsWith('x-forwarded-') ? FIELD.xForwardedOther : FIELD.confusable;
      expect(code(letters.join(''))).toBe(expected);
      expect(code(letters.join('').toUpperCase())).toBe(expected);
    }
  });

  test('is no other by a byte more, less or different', () => {
    const tokens = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).filter((one) =>
      /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(one),
    );
    const known = (name: string): number => {
      const lower = name.toLowerCase();
      const exact = KNOWN.find(([one]) => one === lower);
      if (exact !== undefined) return exact[1];
      const like = lower.replaceAll('_', '-');
      if (lower.startsWith('x-forwarded-') && lower.length > 12) return FIELD.xForwardedOther;
      const confusable =
        KNOWN.some(([one]) => one === like) || (like.startsWith('x-forwarded-') && like.length > 12);
      return confusable ? FIELD.confusable : FIELD.other;
    };
    for (const [name] of KNOWN)
      for (let at = 0; at <= name.length; at++) {
        const names = tokens.flatMap((one) => [
          name.slice(0, at) + one + name.slice(at),
          name.slice(0, at) + one + name.slice(at + 1),
        ]);
        for (const one of [...names, name.slice(0, at) + name.slice(at + 1)].filter((one) => one !== ''))
          expect([one, code(one)]).toEqual([one, known(one)]);
      }
  });

  test('is not found by a name of the same slot', () => {
    for (const [name] of KNOWN) {
      if (name.startsWith('x-forwarded-')) continue;
      expect(code(`${name}${'x'.repeat(32)}`)).toBe(FIELD.other);
    }
    expect(code('x-forwarded-')).toBe(FIELD.other);
    expect(code('x-forwarded')).toBe(FIELD.other);
  });
});

test('what speaks of one connection, or could be taken for a field of framing, is not passed on', () => {
  const passed = Object.entries(FIELD)
    .filter(([, code]) => !isPassed(code))
    .map(([name]) => name);
  expect(passed.sort()).toEqual(
    [
      'connection',
      'explain',
      'keepAlive',
      'proxyConnection',
      'proxyAuthenticate',
      'proxyAuthorization',
      'te',
      'transferEncoding',
      'upgrade',
      'confusable',
    ].sort(),
  );
});

test('what claims an origin is known as such', () => {
  const claims = Object.entries(FIELD)
    .filter(([, code]) => claimsOrigin(code))
    .map(([name]) => name);
  expect(claims.sort()).toEqual(
    ['forwarded', 'xForwardedFor', 'xForwardedHost', 'xForwardedProto', 'xForwardedOther', 'xRealIp'].sort(),
  );
});

describe('in trailers', () => {
  test.each([
    ...KNOWN.map(([name]) => name),
    'authorization',
    'proxy-anything',
    'cookie',
    'set-cookie',
    'cache-control',
    'content-type',
    'content-encoding',
    'content-range',
    'if-match',
    'range',
    'max-forwards',
    'age',
    'location',
    'vary',
    'CONTENT-LENGTH',
    'Content_Length',
    'transfer_encoding',
  ])('%s is forbidden', (name) => {
    expect(isForbiddenInTrailers(name)).toBe(true);
  });

  test.each([
    'x-checksum',
    'etag',
    'digest',
    'server-timing',
    'grpc-status',
    'hosts',
    'content-length-x',
    'x-host',
  ])('%s is not', (name) => {
    expect(isForbiddenInTrailers(name)).toBe(false);
  });

  test('is forbidden whatever is written in whichever case', () => {
    const name = fc.constantFrom(...KNOWN.map(([name]) => name));
    fc.assert(
      fc.property(name, fc.nat(), (name, mask) => {
        const mixed = [...name]
          .map((one, i) => ((mask >> (i % 31)) % 2 === 1 ? one.toUpperCase() : one))
          .join('');
        expect(isForbiddenInTrailers(mixed)).toBe(true);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
