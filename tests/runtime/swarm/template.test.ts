import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  pinnedImage,
  serviceName,
  serviceTemplate,
  type ServiceSource,
} from '../../../src/runtime/swarm/template.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const ID = `sha256:${'1'.repeat(64)}`;
const source: ServiceSource = {
  cluster: 'ringmaster',
  image: 'shop/server:3',
  pinned: `shop/server@${DIGEST}`,
  command: undefined,
  replicaPort: 8000,
  network: 'front',
  publish: false,
  stack: undefined,
};
const spec = { name: 'server-1', order: 4, join: 'an add', committed: true };

describe('what a replica’s service is called', () => {
  test.each([
    ['a', 'ringmaster-a'],
    ['Server_1', 'ringmaster-Server_1'],
    ['a--b', 'ringmaster-a--b'],
  ])('%s: as it is', (name, service) => {
    expect(serviceName('ringmaster', name)).toBe(service);
  });

  test.each(['a.b', 'a-', 'a_', 'x'.repeat(60)])('%s: otherwise, by a digest', (name) => {
    expect(serviceName('ringmaster', name)).toMatch(/^ringmaster--[0-9a-f]{20}$/);
  });

  test('the Swarm takes it, and no two replicas have one, without regard to case', () => {
    const names = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
    const clusters = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,31}$/);
    fc.assert(
      fc.property(clusters, names, names, (cluster, one, two) => {
        const [a, b] = [serviceName(cluster, one), serviceName(cluster, two)];
        expect(a).toMatch(/^[a-zA-Z0-9]+(?:[-_]*[A-Za-z0-9]+)*$/);
        expect(a.length).toBeLessThanOrEqual(63);
        expect(a.toLowerCase() === b.toLowerCase()).toBe(one.toLowerCase() === two.toLowerCase());
      }),
    );
  });
});

describe('the template of a service', () => {
  test('says a weight that is not 1, and of weight 1 what it said before there were weights', () => {
    const { Labels } = serviceTemplate(source, spec);
    expect(serviceTemplate(source, { ...spec, weight: 1 }).Labels).toEqual(Labels ?? {});
    expect(serviceTemplate(source, { ...spec, weight: 3 }).Labels).toEqual({
      ...Labels,
      'ringmaster.weight': '3',
    });
  });

  test('says what the replica is, and of which configured image', () => {
    expect(serviceTemplate(source, spec).Labels).toEqual({
      'ringmaster.cluster': 'ringmaster',
      'ringmaster.name': 'server-1',
      'ringmaster.order': '4',
      'ringmaster.join': 'an add',
      'ringmaster.image': 'shop/server:3',
    });
  });

  test('is part of the stack that Ringmaster is part of', () => {
    expect(serviceTemplate({ ...source, stack: 'shop' }, spec).Labels).toHaveProperty(
      ['com.docker.stack.namespace'],
      'shop',
    );
  });

  test('publishes the port only where it is to be reached by it, and never on all nodes', () => {
    expect(serviceTemplate(source, spec).EndpointSpec).toEqual({ Mode: 'dnsrr' });
    expect(serviceTemplate({ ...source, publish: true }, spec).EndpointSpec).toEqual({
      Mode: 'dnsrr',
      Ports: [{ Protocol: 'tcp', TargetPort: 8000, PublishMode: 'host' }],
    });
  });

  test('leaves the image its entry point, and its command where none is configured', () => {
    const container = (more: Partial<ServiceSource>): unknown =>
      (serviceTemplate({ ...source, ...more }, spec).TaskTemplate as { ContainerSpec: unknown })
        .ContainerSpec;
    expect(container({})).not.toHaveProperty('Args');
    expect(container({ command: ['serve', '--fast'] })).toMatchObject({ Args: ['serve', '--fast'] });
    for (const command of [undefined, ['serve']])
      expect(container({ command })).not.toHaveProperty('Command');
  });

  test('is alone and bounded, has no privileges, and says how often a replacement was asked for', () => {
    expect(serviceTemplate(source, spec, 3)).toMatchObject({
      Name: 'ringmaster-server-1',
      Mode: { Replicated: { Replicas: 1 } },
      TaskTemplate: {
        ForceUpdate: 3,
        Networks: [{ Target: 'front', Aliases: ['server-1'] }],
        Resources: { Limits: { NanoCPUs: 1e9, MemoryBytes: 512 * 1024 * 1024, Pids: 256 } },
        ContainerSpec: {
          Image: `shop/server@${DIGEST}`,
          Hostname: 'server-1',
          User: '1000:1000',
          Env: ['SERVER_ID=server-1', 'PORT=8000'],
          ReadOnly: true,
          CapabilityDrop: ['ALL'],
          Privileges: { NoNewPrivileges: true },
          Init: true,
          HealthCheck: { Test: ['NONE'] },
          StopGracePeriod: 2e9,
        },
      },
    });
  });
});

describe('the image as a node finds it without asking a registry', () => {
  test.each([
    ['its digest there', 'shop/server:3', [`shop/server@${DIGEST}`], `shop/server@${DIGEST}`],
    ['of several names the one asked for', 'a/b', [`x/y@${ID}`, `a/b@${DIGEST}`], `a/b@${DIGEST}`],
    [
      'a registry with a port',
      'localhost:5000/s',
      [`localhost:5000/s@${DIGEST}`],
      `localhost:5000/s@${DIGEST}`,
    ],
    ['a digest already', `shop/server@${DIGEST}`, [`shop/server@${DIGEST}`], `shop/server@${DIGEST}`],
    ['a tag and a digest', `shop/s:3@${DIGEST}`, [`shop/s@${DIGEST}`], `shop/s@${DIGEST}`],
    ['a name in full', 'docker.io/library/nginx:1', [`nginx@${DIGEST}`], `nginx@${DIGEST}`],
    ['its id where no registry knows it', 'ringmaster:0.1.0', [], ID],
    ['its id where the engine tells of no registry', 'ringmaster:0.1.0', null, ID],
    ['its id where another name’s registry knows it', 'mine:1', [`theirs@${DIGEST}`], ID],
    ['its id where that is what was asked for', ID, [`nginx@${DIGEST}`], ID],
  ])('%s', (_, reference, RepoDigests, pinned) => {
    expect(pinnedImage(reference, { Id: ID, RepoDigests })).toBe(pinned);
  });
});
