import { describe, expect, test } from 'bun:test';
import { Trust } from '../../src/traffic/trust.ts';

const PROXIES = ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1', '172.16.0.0/12'];

describe('a trusted proxy', () => {
  test.each([
    ['10.0.0.1', true],
    ['10.255.255.255', true],
    ['11.0.0.0', false],
    ['9.255.255.255', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['172.31.255.255', true],
    ['172.32.0.0', false],
    ['2001:db8::5', true],
    ['2001:DB8:0:0::5', true],
    ['2001:db9::5', false],
    ['::1', true],
    ['0:0:0:0:0:0:0:1', true],
    ['::2', false],
    ['', false],
    ['unknown', false],
    ['10.0.0.1:80', false],
    ['10.0.0', false],
  ])('is %j: %p', (address, expected) => {
    expect(new Trust(PROXIES).has(address)).toBe(expected);
  });

  test('is nobody where none is configured, nor any other where all of one family are', () => {
    expect(new Trust([]).has('127.0.0.1')).toBe(false);
    expect(new Trust(['0.0.0.0/0']).has('203.0.113.9')).toBe(true);
    expect(new Trust(['0.0.0.0/0']).has('2001:db8::1')).toBe(false);
    expect(new Trust(['::/0']).has('2001:db8::1')).toBe(true);
  });
});

describe('where a request began', () => {
  const CLIENT = '203.0.113.9';
  test.each<[peer: string, forwardedFor: string | undefined, origin: string]>([
    // Nobody's claim but a proxy's counts.
    [CLIENT, '198.51.100.1', CLIENT],
    [CLIENT, undefined, CLIENT],
    [CLIENT, '10.0.0.1', CLIENT],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', CLIENT, CLIENT],
    ['10.0.0.1', ` ${CLIENT}\t`, CLIENT],
    // What stands before the first that is no proxy is what that one said.
    ['10.0.0.1', `198.51.100.1, ${CLIENT}`, CLIENT],
    ['10.0.0.1', `10.9.9.9, ${CLIENT}, 10.0.0.2,192.0.2.7`, CLIENT],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    // What is no address ends the search, since nobody knows who wrote what is before it.
    ['10.0.0.1', `${CLIENT}, unknown`, '10.0.0.1'],
    ['10.0.0.1', `${CLIENT}, unknown, 10.0.0.2`, '10.0.0.2'],
    ['10.0.0.1', `${CLIENT}:1234`, '10.0.0.1'],
    ['10.0.0.1', `${CLIENT},`, '10.0.0.1'],
    ['2001:db8::1', '2001:db9::1', '2001:db9::1'],
    ['10.0.0.1', '2001:db9::1, 2001:db8::1', '2001:db9::1'],
    // One address is one key, however it is written.
    ['10.0.0.1', `::ffff:${CLIENT}`, CLIENT],
    ['10.0.0.1', `${CLIENT}, ::ffff:10.0.0.2`, CLIENT],
    ['10.0.0.1', '2001:db9::1%eth0', '2001:db9::1'],
    ['', CLIENT, ''],
  ])('that came from %j for %j is %j', (peer, forwardedFor, origin) => {
    expect(new Trust(PROXIES).originOf(peer, forwardedFor)).toBe(origin);
  });
});
