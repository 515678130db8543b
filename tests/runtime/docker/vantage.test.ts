import { describe, expect, test } from 'bun:test';
import { hostVantage, sharedNetwork } from '../../../src/runtime/docker/vantage.ts';

describe('where replicas are reached from a host', () => {
  test.each([
    ['the engine’s own Linux host', 'linux', 'Debian GNU/Linux 12', [], 'bridge'],
    [
      'one with other security options',
      'linux',
      'Debian GNU/Linux 12',
      ['name=seccomp,profile=default'],
      'bridge',
    ],
    ['a rootless engine', 'linux', 'Debian GNU/Linux 12', ['name=seccomp', 'name=rootless'], 'published'],
    ['Docker Desktop on Linux', 'linux', 'Docker Desktop', [], 'published'],
    ['macOS', 'darwin', 'Docker Desktop', [], 'published'],
    ['macOS with another engine’s machine', 'darwin', 'Alpine Linux v3.20', [], 'published'],
  ] as const)('%s', (_, platform, engineOs, securityOptions, from) => {
    expect(hostVantage({ platform, engineOs, securityOptions })).toEqual({ from });
  });
});

describe('the network that replicas share with our own container', () => {
  const network = (name: string, internal = false) => ({ name, internal });
  test.each([
    ['a user’s own', [network('app_default')], 'app_default'],
    ['a user’s own before the default one', [network('bridge'), network('z')], 'z'],
    ['the default one where there is no other', [network('bridge')], 'bridge'],
    ['never an internal one', [network('a', true), network('b')], 'b'],
    ['the first by name, whatever the order', [network('c'), network('b')], 'b'],
    ['none where there are only internal ones', [network('a', true)], undefined],
    ['none of host and none', [network('host'), network('none')], undefined],
    ['none where there is none', [], undefined],
  ])('%s', (_, networks, name) => {
    expect(sharedNetwork(networks)?.name).toBe(name);
  });
});
