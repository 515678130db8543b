import { describe, expect, test } from 'bun:test';
import { baseUrl, nodeAddress, sharedOverlay } from '../../../src/runtime/swarm/vantage.ts';

describe('the network that replicas share with our own container', () => {
  const network = (Name: string, more: object = {}) => ({
    Name,
    Driver: 'overlay',
    Scope: 'swarm',
    Attachable: true,
    Ingress: false,
    ...more,
  });
  test.each([
    ['an attachable overlay', [network('front')], 'front'],
    ['the first by name, whatever the order', [network('c'), network('b')], 'b'],
    ['an attachable one before others', [network('a', { Attachable: false }), network('b')], 'b'],
    ['one that is not, where it is all that there is', [network('a', { Attachable: false })], 'a'],
    ['never the Swarm’s own', [network('ingress', { Ingress: true })], undefined],
    ['none of one host only', [network('bridge', { Driver: 'bridge', Scope: 'local' })], undefined],
    ['none where there is none', [], undefined],
  ])('%s', (_, networks, name) => {
    expect(sharedOverlay(networks)).toBe(name);
  });
});

describe('where a node is', () => {
  const node = (Addr: string, manager?: string) => ({
    ID: 'n1',
    Status: { State: 'ready', Addr },
    ...(manager === undefined ? {} : { ManagerStatus: { Addr: manager } }),
  });
  test.each([
    ['where it says', node('10.0.0.7', '10.0.0.8:2377'), 'n2', '10.0.0.7'],
    ['where other managers reach it', node('0.0.0.0', '10.0.0.8:2377'), 'n2', '10.0.0.8'],
    ['where they reach it by the newer protocol', node('::', '[fd00::8]:2377'), 'n2', 'fd00::8'],
    ['here, where it is ours and says nothing', node('0.0.0.0'), 'n1', '127.0.0.1'],
    ['nowhere, where it says nothing', node('0.0.0.0'), 'n2', undefined],
    ['nowhere, where it says nothing to others either', node('', '0.0.0.0:2377'), 'n2', undefined],
    ['nowhere, where nobody knows it', undefined, 'n1', undefined],
  ])('%s', (_, one, own, address) => {
    expect(nodeAddress(one, own)).toBe(address);
  });

  test('a URL has brackets where the address has colons', () => {
    expect(baseUrl('10.0.0.7', 5000)).toBe('http://10.0.0.7:5000');
    expect(baseUrl('fd00::8', 5000)).toBe('http://[fd00::8]:5000');
  });
});
