import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import Docker from 'dockerode';
import { silentLog } from '../../../src/log.ts';
import { DockerRuntime, type DockerRuntimeOptions } from '../../../src/runtime/docker/docker.ts';
import { OWN_IMAGE } from '../../../src/runtime/docker/image.ts';
import { EngineGone, NameInUse, StartFailed } from '../../../src/runtime/runtime.ts';
import { EngineProxy } from '../../engine-proxy.ts';
import { eventually } from '../../spawned.ts';
import { runtimeContract } from '../contract.suite.ts';

const PATIENCE_MS = 120_000;
const NEVER = new AbortController().signal;
const docker = new Docker();
const options = (cluster: string, more: Partial<DockerRuntimeOptions> = {}): DockerRuntimeOptions => ({
  cluster: `${cluster}-${process.pid}`,
  image: undefined,
  command: undefined,
  replicaPort: 5000,
  log: silentLog,
  ...more,
});
const spec = (name: string) => ({ name, order: 1, join: 'j', committed: true });

for (const from of ['bridge', 'published'] as const)
  runtimeContract(`containers, ${from}`, async () => ({
    runtime: await DockerRuntime.open(options(`suite-${from}`, { vantage: { from } })),
    kill: (instance) => docker.getContainer(instance.id).kill(),
    broken: () =>
      DockerRuntime.open(options(`broken-${from}`, { vantage: { from }, command: ['/nonexistent'] })),
  }));

describe('containers', () => {
  const { cluster } = options('own');
  let runtime: DockerRuntime;
  beforeAll(async () => {
    runtime = await DockerRuntime.open(options('own'));
  }, PATIENCE_MS);
  afterAll(async () => {
    for (const one of await runtime.list()) await runtime.stop(one.name, 0);
    await runtime.close(false);
  }, PATIENCE_MS);

  test(
    'a container is made as hard as the template says, as the engine itself tells',
    async () => {
      const { id } = await runtime.start(spec('hard'), NEVER);
      const { Config, HostConfig, Name, Mounts, NetworkSettings } = await docker.getContainer(id).inspect();
      expect(Name).toBe(`/${cluster}-hard`);
      expect(Config).toMatchObject({ Hostname: 'hard', User: '1000:1000', Image: OWN_IMAGE });
      expect(Config.Env.filter((one) => /TOKEN|SECRET/.test(one))).toEqual([]);
      expect(HostConfig).toMatchObject({
        Privileged: false,
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        Binds: null,
        PidsLimit: 256,
        NanoCpus: 1_000_000_000,
        Memory: 512 * 1024 * 1024,
        MemorySwap: 512 * 1024 * 1024,
        Init: true,
        RestartPolicy: { Name: 'no' },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      });
      expect(Object.keys(HostConfig.Tmpfs as object)).toEqual(['/tmp']);
      expect(HostConfig.CapAdd ?? []).toEqual([]);
      expect(Mounts).toEqual([]);
      expect(NetworkSettings.Networks[cluster]?.Aliases).toContain('hard');
      await runtime.stop('hard', 0);
    },
    PATIENCE_MS,
  );

  test(
    'another Ringmaster of the same cluster finds what is there',
    async () => {
      const instance = await runtime.start({ ...spec('kept'), order: 12 }, NEVER);
      const second = await DockerRuntime.open(options('own'));
      expect(await second.list()).toEqual([instance]);
      await second.close(true);
      await runtime.stop('kept', 0);
    },
    PATIENCE_MS,
  );

  test(
    'a paused container is listed as paused',
    async () => {
      const { id } = await runtime.start(spec('still'), NEVER);
      await docker.getContainer(id).pause();
      expect(await runtime.list()).toMatchObject([{ name: 'still', state: 'paused' }]);
      await runtime.stop('still', 1000);
      expect(await runtime.list()).toEqual([]);
    },
    PATIENCE_MS,
  );

  const foreign = async (
    name: string,
    labels: Record<string, string>,
    image: string,
  ): Promise<Docker.Container> =>
    docker.createContainer({ name, Image: image, Cmd: ['sleep', '1000'], Labels: labels });
  const ours = (name: string) => ({
    'ringmaster.cluster': cluster,
    'ringmaster.name': name,
    'ringmaster.order': '1',
    'ringmaster.join': 'j',
  });

  test(
    'what lacks our label, our name or our image is neither adopted nor removed',
    async () => {
      const base = 'oven/bun:1.4.5-slim';
      const strangers = await Promise.all([
        foreign(`${cluster}-unlabelled`, {}, OWN_IMAGE),
        foreign(`stranger-${process.pid}`, ours('misnamed'), OWN_IMAGE),
        foreign(`${cluster}-otherimage`, ours('otherimage'), base),
      ]);
      try {
        expect(await runtime.list()).toEqual([]);
        for (const name of ['unlabelled', 'misnamed', 'otherimage']) await runtime.stop(name, 0);
        for (const one of strangers) expect((await one.inspect()).State.Status).toBe('created');
        for (const name of ['unlabelled', 'otherimage']) {
          await expect(runtime.start(spec(name), NEVER)).rejects.toBeInstanceOf(NameInUse);
          await expect(runtime.start({ ...spec(name), committed: false }, NEVER)).rejects.toBeInstanceOf(
            NameInUse,
          );
        }
        expect(await runtime.list()).toEqual([]);
      } finally {
        await Promise.all(strangers.map((one) => one.remove({ force: true })));
      }
    },
    PATIENCE_MS,
  );

  test(
    'a container stays ours when its tag moves on to a newer image',
    async () => {
      const repo = `ringmaster-tag-${process.pid}`;
      await docker.getImage(OWN_IMAGE).tag({ repo, tag: 'x' });
      const tagged = await DockerRuntime.open(
        options('tag', { image: `${repo}:x`, command: ['sleep', '1000'] }),
      );
      const { id } = await tagged.start(spec('a'), NEVER);
      await docker.getImage('oven/bun:1.4.5-slim').tag({ repo, tag: 'x' });
      expect(await tagged.list()).toMatchObject([{ id, name: 'a' }]);
      await tagged.stop('a', 0);
      expect(await tagged.list()).toEqual([]);
      await tagged.close(false);
      await docker.getImage(`${repo}:x`).remove();
    },
    PATIENCE_MS,
  );

  // A Ringmaster that was killed between removing a dead container and creating the next one had lost the member.
  test(
    'a member whose healing was cut short is remembered, wherever that was',
    async () => {
      const names = async (): Promise<string[]> =>
        (
          await docker.listContainers({ all: true, filters: { label: [`ringmaster.cluster=${cluster}`] } })
        ).flatMap((one) => one.Names);
      const { id } = await runtime.start(spec('a'), NEVER);
      await docker.getContainer(id).rename({ name: `${cluster}.healing-a` });
      expect(await runtime.list()).toMatchObject([{ id, name: 'a', committed: true }]);
      const { id: second } = await runtime.start(spec('a'), NEVER);
      expect(await names()).toEqual([`/${cluster}-a`]);
      const next = await docker.createContainer({
        name: `${cluster}.healing-a`,
        Image: OWN_IMAGE,
        Labels: ours('a'),
      });
      expect((await runtime.list()).map((one) => [one.name, one.committed, one.id]).sort()).toEqual(
        [
          ['a', true, second],
          ['a', true, next.id],
        ].sort(),
      );
      const third = await runtime.start(spec('a'), NEVER);
      expect(await names()).toEqual([`/${cluster}-a`]);
      expect([second, next.id]).not.toContain(third.id);
      await runtime.stop('a', 0);
      expect(await names()).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'every name that the API takes is one that the engine takes',
    async () => {
      const names = ['a', 'A-', '0._-x', 'a..b', `z${'_'.repeat(62)}`, 'x'.repeat(63)];
      for (const name of names) {
        await runtime.start({ ...spec(name), committed: false }, NEVER);
        await runtime.mark([name], 'member');
        expect(await runtime.list()).toMatchObject([{ name, state: 'running' }]);
        await runtime.stop(name, 0);
      }
    },
    PATIENCE_MS,
  );

  test(
    'an engine that is not there is told apart from an image that is not',
    async () => {
      const before = process.env['DOCKER_HOST'];
      process.env['DOCKER_HOST'] = 'unix:///nonexistent/docker.sock';
      try {
        await expect(DockerRuntime.open(options('gone'))).rejects.toBeInstanceOf(EngineGone);
      } finally {
        if (before === undefined) delete process.env['DOCKER_HOST'];
        else process.env['DOCKER_HOST'] = before;
      }
      await expect(
        DockerRuntime.open(options('noimage', { image: 'ringmaster-has-no-such/image:1' })),
      ).rejects.toBeInstanceOf(StartFailed);
    },
    PATIENCE_MS,
  );

  test(
    'the network goes with the runtime, and one of that name that is not ours is left alone',
    async () => {
      const networks = async (name: string): Promise<number> =>
        (await docker.listNetworks()).filter((one) => one.Name === name).length;
      const source = options('net', { vantage: { from: 'bridge' } });
      const first = await DockerRuntime.open(source);
      expect(await networks(source.cluster)).toBe(1);
      await first.close(true);
      expect(await networks(source.cluster)).toBe(1);
      await (await DockerRuntime.open(source)).close(false);
      expect(await networks(source.cluster)).toBe(0);
      const stranger = await docker.createNetwork({ Name: source.cluster });
      await expect(DockerRuntime.open(source)).rejects.toBeInstanceOf(StartFailed);
      await stranger.remove();
    },
    PATIENCE_MS,
  );

  // Three that were healed at once made three networks of one name, and none of them could be started on any from then on.
  test(
    'starts side by side make one network where it was tidied away, and one of several that there are',
    async () => {
      const source = options('nets', { vantage: { from: 'bridge' } });
      const own = await DockerRuntime.open(source);
      const networks = async (): Promise<string[]> =>
        (await docker.listNetworks()).filter((one) => one.Name === source.cluster).map(({ Id }) => Id);
      const startAll = async (): Promise<void> => {
        await Promise.all(['a', 'b', 'c'].map((name) => own.start(spec(name), NEVER)));
        expect(await networks()).toHaveLength(1);
        for (const name of ['a', 'b', 'c']) await own.stop(name, 0);
      };
      for (const id of await networks()) await docker.getNetwork(id).remove();
      await startAll();
      const twin = { Name: source.cluster, Labels: { 'ringmaster.cluster': source.cluster } };
      await docker.createNetwork({ ...twin, CheckDuplicate: false });
      expect(await networks()).toHaveLength(2);
      await startAll();
      await docker.createNetwork({ ...twin, CheckDuplicate: false });
      await own.close(false);
      expect(await networks()).toEqual([]);
    },
    PATIENCE_MS,
  );

  // What went wrong: ten lines were kept, and each may be of 16 KB as the engine counts them.
  test(
    'of what a replica said before it ended the log gets no more than the end',
    async () => {
      const told: object[] = [];
      const talkative = await DockerRuntime.open(
        options('talk', {
          command: ['sh', '-c', 'head -c 300000 /dev/zero | tr "\\0" x; echo its last words'],
          log: { ...silentLog, warn: (fields) => void told.push(fields) },
        }),
      );
      await talkative.start(spec('a'), NEVER);
      await eventually(async () => (await talkative.list())[0]?.state === 'ended');
      await talkative.start(spec('a'), NEVER);
      expect(told).toEqual([
        expect.objectContaining({ output: expect.stringMatching(/^x{1900,2000}its last words$/) }),
      ]);
      await talkative.stop('a', 0);
      await talkative.close(false);
    },
    PATIENCE_MS,
  );

  test(
    'events are told again after the stream was lost',
    async () => {
      const proxy = new EngineProxy();
      proxy.up();
      const before = process.env['DOCKER_HOST'];
      process.env['DOCKER_HOST'] = proxy.dockerHost;
      const proxied = await DockerRuntime.open(options('events', { vantage: { from: 'bridge' } })).finally(
        () => {
          if (before === undefined) delete process.env['DOCKER_HOST'];
          else process.env['DOCKER_HOST'] = before;
        },
      );
      let wakes = 0;
      const unwatch = proxied.watch(() => wakes++);
      await eventually(() => wakes > 0);
      proxy.cut();
      const { id } = await proxied.start(spec('a'), NEVER);
      await eventually(() => wakes > 2);
      wakes = 0;
      await docker.getContainer(id).kill();
      await eventually(() => wakes > 0);
      unwatch();
      await proxied.stop('a', 0);
      await proxied.close(false);
      proxy.down();
    },
    PATIENCE_MS,
  );
});
