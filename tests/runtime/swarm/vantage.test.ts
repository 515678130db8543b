import { describe, expect, test } from 'bun:test';
import { baseUrl, nodeAddress, ownTaskOf, sharedOverlay } from '../../../src/runtime/swarm/vantage.ts';

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

describe('which task we are', () => {
  const task = (ID: string, ...addresses: string[]) => ({
    ID,
    ServiceID: 's1',
    NodeID: 'n1',
    CreatedAt: '',
    DesiredState: 'running',
    NetworksAttachments: addresses.map((Address) => ({
      Network: { Spec: { Name: 'front' } },
      Addresses: [`${Address}/24`],
    })),
  });
  const tasks = [task('a', '10.0.1.2'), task('b', '10.0.2.7', '10.0.1.3'), task('c')];

  test.each([
    ['the one that has an address of ours', ['127.0.0.1', '10.0.1.3'], true, 'b'],
    ['none where no task has one', ['127.0.0.1', '10.0.1.4'], true, undefined],
    ['none on a host, where the address is chance', ['10.0.1.2'], false, undefined],
  ])('%s', (_, addresses, inContainer, id) => {
    expect(ownTaskOf(tasks, new Set(addresses), inContainer)?.ID).toBe(id as string);
  });
});
