import { expect, mock, test } from 'bun:test';
import * as crypto from 'node:crypto';

/** Lengths of what was compared. */
const compared: [number, number][] = [];
const { timingSafeEqual } = crypto;
await mock.module('node:crypto', () => ({
  ...crypto,
  timingSafeEqual: (a: Uint8Array, b: Uint8Array) => {
    compared.push([a.byteLength, b.byteLength]);
    return timingSafeEqual(a, b);
  },
}));
const { checkChange } = await import('../../src/api/guard.ts');

const TOKEN = 'correct-horse-battery';
const DIGEST_BYTES = 32;

/**
 * A clock tells nothing on a busy machine; what can be said for certain is what is compared, and by what. Digests have
 * one length whatever was sent, and agree or differ everywhere at once: no time can tell of a right beginning.
 */
test('the token is compared by its digest, in constant time, whatever was sent', () => {
  const sent = ['', 'c', 'x', TOKEN.slice(0, -1), `${TOKEN}x`, 'x'.repeat(8000), TOKEN.replace('c', 'd')];
  for (const token of [...sent, TOKEN]) {
    const headers = new Headers({
      host: 'localhost',
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
    });
    const check = (): void =>
      checkChange({ peer: '127.0.0.1', headers }, { adminToken: TOKEN, allowedHosts: [] });
    if (token === TOKEN) check();
    else expect(check).toThrow('ADMIN_TOKEN');
  }
  // Without a token, too: also that one is missing takes as long to find out.
  expect(compared).toEqual(Array.from({ length: sent.length + 1 }, () => [DIGEST_BYTES, DIGEST_BYTES]));
});
