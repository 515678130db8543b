import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { silentLog } from '../../../src/log.ts';
import { OWN_IMAGE } from '../../../src/runtime/docker/image.ts';
import type { Roster } from '../../../src/runtime/roster.ts';
import {
  EngineGone,
  NameInUse,
  StartFailed,
  type Instance,
  type InstanceSpec,
} from '../../../src/runtime/runtime.ts';
import { rosterName } from '../../../src/runtime/swarm/store.ts';
import { SwarmRuntime, type SwarmRuntimeOptions } from '../../../src/runtime/swarm/swarm.ts';
import type { Task } from '../../../src/runtime/swarm/tasks.ts';
import { OWN_IMAGE_NAME, serviceName } from '../../../src/runtime/swarm/template.ts';
import { eventually } from '../../spawned.ts';
import { runtimeContract } from '../contract.suite.ts';

const PATIENCE_MS = 120_000;
const NEVER = new AbortController().signal;
const OWN_SOCKET = '/var/run/docker.sock';
const OTHERS = (process.env['SWARM_SOCKETS'] ?? '').split(',').filter((path) => path !== '');
/** Every host of the Swarm, ours first. */
const engines = [OWN_SOCKET, ...OTHERS].map((socketPath) => new Docker({ socketPath }));
const [docker] = engines as [Docker];

const options = (cluster: string, more: Partial<SwarmRuntimeOptions> = {}): SwarmRuntimeOptions => ({
  cluster: `wr-${cluster}-${process.pid}`,
  image: undefined,
  command: undefined,
  replicaPort: 5000,
  port: 5000,
  log: silentLog,
  vantage: { from: 'published' },
  ...more,
});
const spec = (name: string, more: Partial<InstanceSpec> = {}): InstanceSpec => ({
  name,
  order: 1,
  join: 'j',
  committed: true,
  ...more,
});

/** The task's container, at the engine that runs it. */
async function containerOf({ id }: Instance): Promise<Docker.Container> {
  const task: Task = await docker.getTask(id).inspect();
  for (const engine of engines) {
    const info: { Swarm: { NodeID: string } } = await engine.info();
    if (info.Swarm.NodeID === task.NodeID)
      return engine.getContainer(task.Status?.ContainerStatus?.ContainerID ?? '');
  }
  throw new Error(`no socket of the node ${task.NodeID}: set SWARM_SOCKETS`);
}

/** As `open`, at another host of the Swarm where there is one. */
async function openElsewhere(source: SwarmRuntimeOptions): Promise<SwarmRuntime> {
  const before = process.env['DOCKER_HOST'];
  process.env['DOCKER_HOST'] = `unix://${OTHERS[0] ?? OWN_SOCKET}`;
  try {
    return await SwarmRuntime.open(source);
  } finally {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
  }
}

const configs = async (cluster: string): Promise<number> =>
  (await docker.listConfigs()).filter((one) => one.Spec?.Name === rosterName(cluster)).length;
const networks = async (name: string): Promise<number> =>
  (await docker.listNetworks()).filter((one) => one.Name === name).length;

runtimeContract('a Swarm', async () => ({
  runtime: await SwarmRuntime.open(options('suite')),
  kill: async (instance) => (await containerOf(instance)).kill(),
  broken: () => SwarmRuntime.open(options('broken', { command: ['/nonexistent'] })),
}));

describe('a Swarm', () => {
  const source = options('own');
  const { cluster } = source;
  let runtime: SwarmRuntime;
  let other: SwarmRuntime;
  beforeAll(async () => {
    runtime = await SwarmRuntime.open(source);
    other = await openElsewhere({ ...source, port: 5001 });
  }, PATIENCE_MS);
  afterEach(async () => {
    await Promise.all((await runtime.list()).map((one) => runtime.stop(one.name, 0)));
  }, PATIENCE_MS);
  afterAll(async () => {
    await runtime.commons.change((roster) => ({ ...roster, seats: [], ringmasters: {} }));
    await other.close(true);
    await runtime.close(false);
    expect([await configs(cluster), await networks(cluster)]).toEqual([0, 0]);
  }, PATIENCE_MS);

  test(
    'a service is made as hard as the template says, as the engines themselves tell',
    async () => {
      const instance = await runtime.start(spec('hard'), NEVER);
      const { Spec } = await docker.getService(`${cluster}-hard`).inspect();
      expect(Spec).toMatchObject({
        Labels: {
          'ringmaster.cluster': cluster,
          'ringmaster.name': 'hard',
          'ringmaster.image': OWN_IMAGE_NAME,
        },
        Mode: { Replicated: { Replicas: 1 } },
        EndpointSpec: { Mode: 'dnsrr', Ports: [{ TargetPort: 5000, PublishMode: 'host' }] },
        TaskTemplate: { RestartPolicy: { Condition: 'any', Delay: 1_000_000_000 } },
      });
      const { Config, HostConfig, Mounts, NetworkSettings } = await (await containerOf(instance)).inspect();
      expect(Config).toMatchObject({ Hostname: 'hard', User: '1000:1000' });
      expect(Config.Env).toContain('SERVER_ID=hard');
      expect(Config.Env.filter((one) => /TOKEN|SECRET/.test(one))).toEqual([]);
      expect((Config as { Healthcheck?: object }).Healthcheck).toMatchObject({ Test: ['NONE'] });
      expect(HostConfig).toMatchObject({
        Privileged: false,
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        Binds: null,
        PidsLimit: 256,
        NanoCpus: 1_000_000_000,
        Memory: 512 * 1024 * 1024,
        Init: true,
        RestartPolicy: { Name: '' },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
        Mounts: [{ Type: 'tmpfs', Target: '/tmp', TmpfsOptions: { SizeBytes: 16 * 1024 * 1024 } }],
      });
      expect(HostConfig.CapAdd ?? []).toEqual([]);
      expect(Mounts.map((mount) => [mount.Type, mount.Destination])).toEqual([['tmpfs', '/tmp']]);
      expect(NetworkSettings.Networks[cluster]?.Aliases).toContain('hard');
    },
    PATIENCE_MS,
  );

  test(
    'another Ringmaster at another host sees the same, and either does with it what it likes',
    async () => {
      const instance = await runtime.start(spec('shared', { order: 12, committed: false }), NEVER);
      expect(await other.list()).toEqual([instance]);
      expect(await other.mark(['shared'], 'leaving first')).toEqual([]);
      expect(await runtime.list()).toMatchObject([{ name: 'shared', leaving: 'first', order: 12 }]);
      expect(await other.commons.read()).toEqual(await runtime.commons.read());
      await other.stop('shared', 0);
      expect(await runtime.list()).toEqual([]);
      expect((await runtime.commons.read()).seats).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'each is somebody of its own, with an address for the other',
    async () => {
      expect(runtime.commons.self).not.toBe(other.commons.self);
      for (const one of [runtime, other]) {
        expect(one.commons.url(5000)).toMatch(/^http:\/\/[\d.]+:5000$/);
        expect(await one.commons.dismissed()).toBe('not its part');
      }
      await runtime.list();
      const nodes = await docker.listNodes();
      const managers = nodes.filter((node: { ManagerStatus?: object }) => node.ManagerStatus !== undefined);
      expect(runtime.commons.voters).toBe(managers.length);
    },
    PATIENCE_MS,
  );

  test(
    'of two who change the roster at once none loses a change, and one that changes nothing writes nothing',
    async () => {
      const join = (by: string, i: number) => (roster: Roster) => ({
        ...roster,
        ringmasters: { ...roster.ringmasters, [`${by}-${i}`]: { run: by, url: `http://${by}:${i}` } },
      });
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => [
          runtime.commons.change(join('here', i)),
          other.commons.change(join('there', i)),
        ]).flat(),
      );
      const { ringmasters } = await runtime.commons.read();
      expect(Object.keys(ringmasters)).toHaveLength(100);
      const version = async (): Promise<unknown> =>
        (await docker.getConfig(rosterName(cluster)).inspect()).Version.Index;
      const before = await version();
      await runtime.commons.change((roster) => roster);
      await runtime.mark(['nobody'], 'member');
      expect(await version()).toBe(before);
      await expect(
        runtime.commons.change(() => {
          throw new RangeError('not this one');
        }),
      ).rejects.toThrow('not this one');
      await runtime.commons.change((roster) => ({ ...roster, ringmasters: {} }));
    },
    PATIENCE_MS,
  );

  test(
    'two who begin the roster at once begin one',
    async () => {
      await docker
        .getConfig(rosterName(cluster))
        .remove()
        .catch(() => {});
      const join = (by: string) => (roster: Roster) => ({
        ...roster,
        ringmasters: { ...roster.ringmasters, [by]: { run: by, url: 'http://x' } },
      });
      await Promise.all([runtime.commons.change(join('here')), other.commons.change(join('there'))]);
      expect(Object.keys((await runtime.commons.read()).ringmasters).sort()).toEqual(['here', 'there']);
      await runtime.commons.change((roster) => ({ ...roster, ringmasters: {} }));
    },
    PATIENCE_MS,
  );

  test(
    'a roster that somebody removes by hand begins anew from the services that are there',
    async () => {
      const instance = await runtime.start(spec('kept', { order: 3 }), NEVER);
      const { revision } = await other.commons.read();
      await docker.getConfig(rosterName(cluster)).remove();
      const [one, two] = await Promise.all([runtime.list(), other.list()]);
      expect(one).toEqual([instance]);
      expect(two).toEqual([instance]);
      const anew = await other.commons.read();
      expect(anew.seats).toEqual([{ name: 'kept', order: 3, join: 'j', mark: 'member', by: '' }]);
      // Whoever follows the one before must take this one for newer.
      expect(anew.revision).toBeGreaterThan(revision);
    },
    PATIENCE_MS,
  );

  test(
    'a service without a seat is one that nobody has committed',
    async () => {
      const instance = await runtime.start(spec('seatless'), NEVER);
      await runtime.commons.change((roster) => ({ ...roster, seats: [] }));
      expect(await runtime.list()).toEqual([{ ...instance, weight: 1, committed: false }]);
    },
    PATIENCE_MS,
  );

  test(
    'what lacks our label, our name or our image is neither adopted nor removed',
    async () => {
      const labels = (name: string, image: string) => ({
        'ringmaster.cluster': cluster,
        'ringmaster.name': name,
        'ringmaster.order': '1',
        'ringmaster.join': 'j',
        'ringmaster.image': image,
      });
      const { Id } = await docker.getImage(OWN_IMAGE).inspect();
      const foreign = (Name: string, Labels: Record<string, string>): Promise<Docker.Service> =>
        docker.createService(undefined as unknown as Docker.AuthConfig, {
          Name,
          Labels,
          Mode: { Replicated: { Replicas: 0 } },
          TaskTemplate: { ContainerSpec: { Image: Id, Command: ['sleep', '1000'] } },
        });
      const strangers = await Promise.all([
        foreign(`${cluster}-unlabelled`, {}),
        foreign(`wr-stranger-${process.pid}`, labels('misnamed', OWN_IMAGE_NAME)),
        foreign(`${cluster}-otherimage`, labels('otherimage', 'nginx:1')),
        foreign(`${cluster}-Case`, labels('Case', 'nginx:1')),
      ]);
      try {
        expect(await runtime.list()).toEqual([]);
        for (const name of ['unlabelled', 'misnamed', 'otherimage', 'case']) await runtime.stop(name, 0);
        for (const { id } of strangers) expect((await docker.getService(id).inspect()).ID).toBe(id);
        for (const name of ['unlabelled', 'otherimage', 'case'])
          for (const committed of [true, false])
            await expect(runtime.start(spec(name, { committed }), NEVER)).rejects.toBeInstanceOf(NameInUse);
        expect(await runtime.list()).toEqual([]);
        expect((await runtime.commons.read()).seats).toEqual([]);
      } finally {
        for (const { id } of strangers) await docker.getService(id).remove();
      }
    },
    PATIENCE_MS,
  );

  test(
    'two who start the same at once start one, and both have it',
    async () => {
      const [one, two] = await Promise.all([
        runtime.start(spec('twin'), NEVER),
        other.start(spec('twin'), NEVER),
      ]);
      const [listed] = await runtime.list();
      // Whoever came a moment later has replaced what the first had made.
      expect([one?.id, two?.id]).toContain(listed?.id as string);
    },
    PATIENCE_MS,
  );

  test(
    'of two who replace the same at once one does, and a task that is no more is not replaced',
    async () => {
      const { id } = await runtime.start(spec('a'), NEVER);
      await Promise.all([
        runtime.commons.replace('a', id),
        other.commons.replace('a', id),
        runtime.commons.replace('a', id),
        other.commons.replace('a', id),
      ]);
      await eventually(async () => {
        const [now] = await runtime.list();
        return now?.state === 'running' && now.id !== id;
      });
      await Promise.all([runtime.commons.replace('a', id), other.commons.replace('nobody', id)]);
      const label = [`ringmaster.cluster=${cluster}`, 'ringmaster.name=a'];
      const tasks: Task[] = await docker.listTasks({ filters: JSON.stringify({ label }) });
      expect(tasks).toHaveLength(2);
      const { Spec } = await docker.getService(`${cluster}-a`).inspect();
      expect(Spec.TaskTemplate.ForceUpdate).toBe(1);
    },
    PATIENCE_MS,
  );

  test(
    'the Swarm starts anew what has ended, under its name and with its mark',
    async () => {
      const instance = await runtime.start(spec('back'), NEVER);
      await (await containerOf(instance)).kill();
      await eventually(async () => {
        const [now] = await other.list();
        return now?.state === 'running' && now.id !== instance.id && now.committed;
      });
    },
    PATIENCE_MS,
  );

  test(
    'who watches hears of what another Ringmaster has written',
    async () => {
      let wakes = 0;
      const unwatch = other.watch(() => wakes++);
      await eventually(() => wakes > 0);
      const before = wakes;
      // Sooner than by asking every so often: of ten changes in a second each is told.
      for (let i = 0; i < 10; i++) {
        await runtime.commons.change((roster) => ({
          ...roster,
          ringmasters: { me: { run: String(i), url: 'http://x' } },
        }));
        await Bun.sleep(20);
      }
      expect(wakes - before).toBeGreaterThan(5);
      unwatch();
      await runtime.commons.change((roster) => ({ ...roster, ringmasters: {} }));
    },
    PATIENCE_MS,
  );

  test(
    'every name that the API takes is one that the Swarm takes',
    async () => {
      const names = ['A-', '0._-x', 'b..c', `z${'_'.repeat(62)}`, 'x'.repeat(63)];
      await Promise.all(
        names.map(async (name, order) => {
          await runtime.start(spec(name, { order, committed: false }), NEVER);
          await runtime.mark([name], 'member');
        }),
      );
      const listed = await runtime.list();
      expect(listed.map((one) => [one.name, one.state]).sort()).toEqual(
        names.map((name) => [name, 'running']).sort(),
      );
      await Promise.all(names.map((name) => runtime.stop(name, 0)));
      expect(await runtime.list()).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'what fails again and again is a failed start that says why, of which nothing is left',
    async () => {
      // Nothing is in this image, not even a command, and other nodes have not even that: no task of it ever runs.
      const image = `wr-empty-${process.pid}:1`;
      const [repo, tag] = image.split(':');
      const empty = Readable.from([Buffer.alloc(1024)]);
      await docker.importImage(empty, { repo, tag }).then((stream) => stream.resume());
      await eventually(() =>
        docker
          .getImage(image)
          .inspect()
          .then(
            () => true,
            () => false,
          ),
      );
      const broken = await SwarmRuntime.open(options('fails', { image }));
      const reason = /no such|no command/i;
      await expect(broken.start(spec('a', { committed: false }), NEVER)).rejects.toThrow(reason);
      expect(await broken.list()).toEqual([]);
      expect((await broken.commons.read()).seats).toEqual([]);
      await expect(broken.start(spec('b'), NEVER)).rejects.toBeInstanceOf(StartFailed);
      // A member's stays: it is what the next Ringmaster remembers it by.
      expect(await broken.list()).toMatchObject([{ name: 'b', committed: true, state: 'ended' }]);
      await broken.stop('b', 0);
      await docker.getImage(image).remove({ force: true });
      await broken.close(false);
    },
    PATIENCE_MS,
  );

  test(
    'an engine that is not there is told apart from an image that is not',
    async () => {
      const before = process.env['DOCKER_HOST'];
      process.env['DOCKER_HOST'] = 'unix:///nonexistent/docker.sock';
      try {
        await expect(SwarmRuntime.open(options('gone'))).rejects.toBeInstanceOf(EngineGone);
      } finally {
        if (before === undefined) delete process.env['DOCKER_HOST'];
        else process.env['DOCKER_HOST'] = before;
      }
      await expect(
        SwarmRuntime.open(options('noimage', { image: 'ringmaster-has-no-such/image:1' })),
      ).rejects.toBeInstanceOf(StartFailed);
    },
    PATIENCE_MS,
  );

  test(
    'a Ringmaster that is itself a service shares its network, its image and its stack, and learns of its dismissal',
    async () => {
      const inside = options('inside');
      const network = await docker.createNetwork({
        Name: `${inside.cluster}-front`,
        Driver: 'overlay',
        Attachable: true,
      });
      const info: { Swarm: { NodeID: string } } = await docker.info();
      const { Id } = await docker.getImage(OWN_IMAGE).inspect();
      // It tells what it sees by the roster, which is there when it is not.
      const script = `
        const { SwarmRuntime } = await import('/repo/src/runtime/swarm/swarm.ts');
        const { silentLog: log } = await import('/repo/src/log.ts');
        const runtime = await SwarmRuntime.open({ cluster: '${inside.cluster}', replicaPort: 5000, port: 5000, log });
        const { commons } = runtime;
        const tell = (key, told) => commons.change((roster) => ({
          ...roster,
          ringmasters: { ...roster.ringmasters, [key]: { run: JSON.stringify(told), url: commons.url(5000) } },
        }));
        process.on('SIGTERM', async () => { await tell('end', await commons.dismissed()); process.exit(0); });
        const { address } = await runtime.start(${JSON.stringify(spec('a'))}, new AbortController().signal);
        const beat = await fetch('http://' + address.host + ':' + address.port + '/heartbeat');
        await tell('begin', [await commons.dismissed(), commons.self, address, beat.status]);
        setInterval(() => {}, 1000);
      `;
      const bind = (Source: string, Target: string) =>
        ({ Type: 'bind', Source, Target, ReadOnly: true }) as Docker.MountSettings;
      const service = await docker.createService(undefined as unknown as Docker.AuthConfig, {
        Name: `${inside.cluster}-ringmaster`,
        Labels: { 'ringmaster.test': 'inside', 'com.docker.stack.namespace': 'a-stack' },
        TaskTemplate: {
          ContainerSpec: {
            Image: Id,
            Command: ['bun', '-e', script],
            User: '0:0',
            Mounts: [
              bind(new URL('../../..', import.meta.url).pathname, '/repo'),
              bind(OWN_SOCKET, OWN_SOCKET),
            ],
          },
          Networks: [{ Target: network.id }],
          Placement: { Constraints: [`node.id==${info.Swarm.NodeID}`] },
        },
        EndpointSpec: { Mode: 'dnsrr' },
      });
      const outside = await SwarmRuntime.open({
        ...inside,
        vantage: { from: 'beside', network: `${inside.cluster}-front`, address: '127.0.0.1' },
      });
      const told = async (key: string): Promise<{ run: string; url: string } | undefined> =>
        (await outside.commons.read()).ringmasters[key];
      try {
        await eventually(async () => (await told('begin')) !== undefined);
        const begin = await told('begin');
        expect(begin?.url).toMatch(/^http:\/\/10\.\d+\.\d+\.\d+:5000$/);
        const address = { host: expect.stringMatching(/^10\./), port: 5000 };
        expect(JSON.parse(begin?.run ?? '')).toEqual(['no', `${service.id}.1`, address, 200]);
        expect(await outside.list()).toMatchObject([
          { name: 'a', state: 'running', address, committed: true },
        ]);
        const { Spec } = await docker.getService(`${inside.cluster}-a`).inspect();
        expect(Spec.Labels).toMatchObject({ 'com.docker.stack.namespace': 'a-stack' });
        expect(Spec.EndpointSpec).toEqual({ Mode: 'dnsrr' });
        await service.remove();
        await eventually(async () => (await told('end'))?.run === '"yes"');
        expect(await networks(inside.cluster)).toBe(0);
      } finally {
        await service.remove().catch(() => {});
        await outside.stop('a', 0);
        await outside.commons.change((roster) => ({ ...roster, ringmasters: {} }));
        await outside.close(false);
        await eventually(() =>
          network.remove().then(
            () => true,
            () => false,
          ),
        );
      }
    },
    PATIENCE_MS,
  );

  test(
    'network and roster go with the last Ringmaster, and what is not ours under their names is left alone',
    async () => {
      const last = options('last');
      const [first, second] = await Promise.all([SwarmRuntime.open(last), openElsewhere(last)]);
      expect(await networks(last.cluster)).toBe(1);
      await second.start(spec('a'), NEVER);
      await first.close(false);
      expect([await networks(last.cluster), await configs(last.cluster)]).toEqual([1, 1]);
      await second.stop('a', 0);
      await second.close(true);
      expect([await networks(last.cluster), await configs(last.cluster)]).toEqual([1, 1]);
      await second.close(false);
      expect([await networks(last.cluster), await configs(last.cluster)]).toEqual([0, 0]);
      const network = await docker.createNetwork({ Name: last.cluster, Driver: 'overlay' });
      await expect(SwarmRuntime.open(last)).rejects.toThrow('is not ours');
      await network.remove();
      const stranger = await docker.createConfig({
        Name: rosterName(last.cluster),
        Labels: {},
        Data: 'eA==',
      });
      await expect(SwarmRuntime.open(last)).rejects.toThrow('is not ours');
      await stranger.remove();
      await docker.getNetwork(last.cluster).remove();
      expect(serviceName(last.cluster, 'a')).toBe(`${last.cluster}-a`);
    },
    PATIENCE_MS,
  );
});
