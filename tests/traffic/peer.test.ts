import { expect, test } from 'bun:test';
import { plainAddress } from '../../src/traffic/peer.ts';

test.each([
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::FFFF:203.0.113.9', '203.0.113.9'],
  ['fe80::1%eth0', 'fe80::1'],
  ['fe80::1%25', 'fe80::1'],
  ['::1', '::1'],
  ['10.0.0.1', '10.0.0.1'],
  ['2001:db8::ffff:10.0.0.1', '2001:db8::ffff:10.0.0.1'],
  ['::ffff:a00:1', '::ffff:a00:1'],
  ['', ''],
])('%j is plainly %j', (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});
