import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import Docker from 'dockerode';
import { OWN_IMAGE, SAMPLE_COMMAND } from '../../src/runtime/docker/image.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { JSON_TYPE } from './calls.ts';

const PATIENCE_MS = 180_000;
const CLUSTER = `sec-${process.pid}`;
const TOKEN = 'correct-horse-battery';
const BASE_IMAGE = 'oven/bun:1.4.5-slim';
/** None that the image has by itself. */
const REPLICA_PORT = '5005';
const MIB = 1024 * 1024;
const docker = new Docker();

const call = async (
  { url }: Spawned,
  method: 'POST' | 'DELETE',
  hostnames: readonly string[],
): Promise<number> => {
  const reply = await fetch(url + (method === 'POST' ? '/add' : '/rm'), {
    method,
    headers: { ...JSON_TYPE, authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ n: hostnames.length, hostnames }),
  });
  await reply.text();
  return reply.status;
};

describe('a replica’s container', () => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({
      RUNTIME: 'docker',
      REPLICAS: '1',
      CLUSTER,
      REPLICA_PORT,
      ADMIN_TOKEN: TOKEN,
      SOME_SECRET: TOKEN,
    });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  const inspect = (name: string): Promise<Docker.ContainerInspectInfo> =>
    docker.getContainer(`${CLUSTER}-${name}`).inspect();
  /** What a shell in it says; its errors, too. */
  const inside = async (script: string): Promise<string> =>
    (
      await Bun.$`docker exec ${CLUSTER}-server-1 sh -c ${`{ ${script}; } 2>&1`}`.nothrow().quiet().text()
    ).trim();

  test(
    'is what the template says, in every field, as the engine tells it',
    async () => {
      const { Name, Config, HostConfig, Mounts, NetworkSettings } = await inspect('server-1');
      expect(Name).toBe(`/${CLUSTER}-server-1`);
      expect(Config).toMatchObject({
        Image: OWN_IMAGE,
        Cmd: [...SAMPLE_COMMAND],
        Hostname: 'server-1',
        Domainname: '',
        User: '1000:1000',
        Tty: false,
        OpenStdin: false,
        AttachStdin: false,
        Healthcheck: { Test: ['NONE'] },
      });
      const { Config: image } = await docker.getImage(OWN_IMAGE).inspect();
      expect(Config.ExposedPorts).toEqual({ ...image.ExposedPorts, [`${REPLICA_PORT}/tcp`]: {} });
      expect(Config.Labels).toMatchObject({
        'ringmaster.cluster': CLUSTER,
        'ringmaster.name': 'server-1',
        'ringmaster.order': '1',
        'ringmaster.join': expect.stringMatching(/^[\w-]+$/),
      });
      expect(Object.keys(Config.Labels).filter((label) => label.startsWith('ringmaster.'))).toHaveLength(4);
      expect(HostConfig).toMatchObject({
        NetworkMode: CLUSTER,
        Privileged: false,
        CapAdd: null,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        ReadonlyRootfs: true,
        Tmpfs: { '/tmp': `rw,noexec,nosuid,nodev,size=${16 * MIB}` },
        PidsLimit: 256,
        Memory: 512 * MIB,
        MemorySwap: 512 * MIB,
        NanoCpus: 1e9,
        Init: true,
        RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
        // What the template leaves out must be nothing, whatever the engine would make of it.
        Binds: null,
        VolumesFrom: null,
        PublishAllPorts: false,
        PidMode: '',
        UTSMode: '',
        UsernsMode: '',
        IpcMode: 'private',
        CgroupnsMode: expect.stringMatching(/^(?:private|host|)$/),
        GroupAdd: null,
        ExtraHosts: null,
        Links: null,
        AutoRemove: false,
      });
      expect(HostConfig.OomKillDisable ?? false).toBe(false);
      // An engine says "none" of these in more than one way.
      const { Devices, DeviceRequests, DeviceCgroupRules, Sysctls, Mounts: mounts, Dns } = HostConfig;
      for (const one of [Devices, DeviceRequests, DeviceCgroupRules, Sysctls, mounts, Dns])
        expect(Object.keys(one ?? {})).toEqual([]);
      expect(Mounts).toEqual([]);
      expect(Object.keys(NetworkSettings.Networks)).toEqual([CLUSTER]);
      expect(NetworkSettings.Networks[CLUSTER]?.Aliases).toContain('server-1');
      // Where ports are published at all, on loopback only.
      for (const bound of Object.values(HostConfig.PortBindings ?? {}))
        expect(bound).toEqual([{ HostIp: '127.0.0.1', HostPort: '' }]);
    },
    PATIENCE_MS,
  );

  test(
    'has no environment but its own and its image’s',
    async () => {
      const { Config } = await inspect('server-1');
      const { Config: image } = await docker.getImage(OWN_IMAGE).inspect();
      const own = Config.Env.filter((one) => !(image.Env as string[]).includes(one));
      expect(own.sort()).toEqual([`PORT=${REPLICA_PORT}`, 'SERVER_ID=server-1']);
      expect(JSON.stringify(await inspect('server-1'))).not.toContain(TOKEN);
      expect(await inside('cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; env')).not.toContain(TOKEN);
    },
    PATIENCE_MS,
  );

  test(
    'runs as nobody in particular, without rights and without a way to get any',
    async () => {
      expect(await inside('id')).toMatch(
        /^uid=1000(?:\(\w+\))? gid=1000(?:\(\w+\))?(?: groups=1000(?:\(\w+\))?)?$/,
      );
      for (const status of ['/proc/1/status', '/proc/self/status']) {
        const text = await inside(`cat ${status}`);
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
          expect(text).toMatch(new RegExp(`^${set}:\\s*0{16}$`, 'm'));
        expect(text).toMatch(/^NoNewPrivs:\s*1$/m);
        expect(text).toMatch(/^Seccomp:\s*2$/m);
        expect(text).toMatch(/^Uid:\s*1000\s+1000\s+1000\s+1000$/m);
      }
      for (const attempt of ['su root -c id', 'chroot / id', 'mount -t tmpfs x /tmp', 'unshare -Ur id'])
        expect(await inside(`${attempt} && echo SUCCEEDED`)).not.toContain('SUCCEEDED');
    },
    PATIENCE_MS,
  );

  test(
    'can write nowhere but in a small /tmp, and run nothing from there',
    async () => {
      const writable = await inside('find / -path /proc -prune -o -writable -type d -print 2>/dev/null');
      // What processes share memory by is the kernel's own, and private to the container.
      expect(writable.split('\n').sort()).toEqual(['/dev/mqueue', '/dev/shm', '/tmp']);
      for (const path of ['/', '/app', '/root', '/proc/sys/kernel', '/sys'])
        expect(await inside(`touch ${path}/x && echo SUCCEEDED`)).not.toContain('SUCCEEDED');
      expect(await inside('echo text > /tmp/x && cat /tmp/x')).toBe('text');
      for (const path of ['/tmp', '/dev/shm']) {
        const program = `cp /bin/true ${path}/program && chmod +x ${path}/program && echo COPIED`;
        expect(await inside(`${program}; ${path}/program && echo RAN`)).toMatch(
          /^COPIED\n.*[Pp]ermission denied/,
        );
      }
      expect(await inside('grep " /tmp " /proc/mounts')).toMatch(
        /^tmpfs \/tmp tmpfs rw,nosuid,nodev,noexec,[^ ]*size=16384k/,
      );
      expect(await inside('head -c 17000000 /dev/zero > /tmp/x; rm -f /tmp/*')).toContain('No space left');
    },
    PATIENCE_MS,
  );

  test(
    'has no way to the engine',
    async () => {
      expect(await inside('ls /var/run/docker.sock /run/docker.sock')).not.toMatch(/^\//m);
      expect(await inside('find / -xdev -type s 2>/dev/null')).toBe('');
      expect(await inside('grep -c docker.sock /proc/mounts')).toBe('0');
    },
    PATIENCE_MS,
  );

  test(
    'can use no more processes, memory and processor than it was given',
    async () => {
      // One file per limit in version 2 of control groups, another in version 1.
      const limit = (v2: string, v1: string): Promise<string> =>
        inside(`cat /sys/fs/cgroup/${v2} 2>/dev/null || cat /sys/fs/cgroup/${v1}`);
      expect(await limit('pids.max', 'pids/pids.max')).toBe('256');
      expect(await limit('memory.max', 'memory/memory.limit_in_bytes')).toBe(String(512 * MIB));
      const swap = await limit('memory.swap.max', 'memory/memory.memsw.limit_in_bytes');
      expect(['0', String(512 * MIB)]).toContain(swap);
      expect(await limit('cpu.max', 'cpu/cpu.cfs_quota_us')).toMatch(/^100000(?: 100000)?$/);
      const forks = 'i=0; while [ $i -lt 400 ]; do sleep 20 & i=$((i+1)); done; echo STARTED ALL';
      expect(await inside(forks)).toMatch(/[Cc]annot fork|Resource temporarily unavailable/);
    },
    PATIENCE_MS,
  );

  test(
    'gets from a call nothing but its name',
    async () => {
      expect(await call(ringmaster, 'POST', ['0._-x'])).toBe(200);
      const told = async (name: string): Promise<unknown> => {
        const { Config, HostConfig } = await inspect(name);
        const text = JSON.stringify({
          ...Config,
          Labels: { ...Config.Labels, 'ringmaster.join': '' },
          HostConfig,
        });
        return JSON.parse(text.replaceAll(name, 'NAME').replace(/("ringmaster\.order":)"\d+"/, '$1""'));
      };
      expect(await told('0._-x')).toEqual(await told('server-1'));
      const before = await docker.listContainers({ all: true, filters: { name: [CLUSTER] } });
      for (const name of [
        '--privileged',
        '-v=/:/host',
        'a --privileged',
        'a:b',
        'a,b',
        'a=b',
        'a/b',
        '../a',
        '$(id)',
        '`id`',
        '${PATH}',
        '{{.Name}}',
        '%s',
        'a;id',
        'a|id',
        'a\nb',
        'a\u0000b',
        '*',
        '',
        'a'.repeat(64),
      ])
        expect([name, await call(ringmaster, 'POST', [name])]).toEqual([name, 400]);
      const after = await docker.listContainers({ all: true, filters: { name: [CLUSTER] } });
      expect(after.map((one) => one.Id).sort()).toEqual(before.map((one) => one.Id).sort());
      expect(await call(ringmaster, 'DELETE', ['0._-x'])).toBe(200);
    },
    PATIENCE_MS,
  );
});

describe('a container that is not ours', () => {
  const cluster = `${CLUSTER}-own`;
  const label = (name: string, of = cluster): Record<string, string> => ({
    'ringmaster.cluster': of,
    'ringmaster.name': name,
    'ringmaster.order': '1',
    'ringmaster.join': 'j',
  });
  const strangers: [what: string, replica: string, container: string, image: string, labels: object][] = [
    ['our label and name, another image', 'image', `${cluster}-image`, BASE_IMAGE, label('image')],
    ['our name and image, no label', 'bare', `${cluster}-bare`, OWN_IMAGE, {}],
    ['our label and image, another name', 'named', `sec-stranger-${process.pid}`, OWN_IMAGE, label('named')],
    [
      'our name and image, the label of another cluster',
      'other',
      `${cluster}-other`,
      OWN_IMAGE,
      label('other', 'x'),
    ],
    [
      'our image and name, the label of another replica',
      'swapped',
      `${cluster}-swapped`,
      OWN_IMAGE,
      label('else'),
    ],
    [
      'our name and image, no order',
      'lost',
      `${cluster}-lost`,
      OWN_IMAGE,
      { 'ringmaster.cluster': cluster, 'ringmaster.name': 'lost' },
    ],
  ];
  const created: Docker.Container[] = [];
  afterAll(async () => {
    // Where the promise is broken, some are gone by now: the others have to go all the same.
    for (const one of created) await one.remove({ force: true }).catch(() => {});
  }, PATIENCE_MS);

  test(
    'is neither adopted nor removed: not at the start, not by a call, not at the exit',
    async () => {
      for (const [, , name, Image, Labels] of strangers) {
        const one = await docker.createContainer({
          name,
          Image,
          Cmd: ['sleep', '1000'],
          Labels: { ...Labels },
          HostConfig: { NetworkMode: 'none' },
        });
        created.push(one);
        await one.start();
      }
      const states = (): Promise<unknown[]> =>
        Promise.all(
          created.map(async (one) => {
            const { Id, Name, State } = await one.inspect();
            return { Id, Name, status: State.Status, pid: State.Pid, since: State.StartedAt };
          }),
        );
      const before = await states();
      const ringmaster = await spawnRingmaster({
        RUNTIME: 'docker',
        REPLICAS: '1',
        CLUSTER: cluster,
        ADMIN_TOKEN: TOKEN,
      });
      const names = async (): Promise<string[]> =>
        ((await (await fetch(`${ringmaster.url}/rep`)).json()) as { replicas: string[] }).replicas;
      expect(await names()).toEqual(['server-1']);
      for (const [what, replica, container] of strangers) {
        expect([what, await call(ringmaster, 'DELETE', [replica])]).toEqual([what, 404]);
        // By its own name, too: it is the engine's, not ours.
        expect([what, await call(ringmaster, 'DELETE', [container])]).toEqual([what, 404]);
        if (container.startsWith(cluster))
          expect([what, await call(ringmaster, 'POST', [replica])]).toEqual([what, 409]);
        expect(await states()).toEqual(before);
      }
      expect(await names()).toEqual(['server-1']);
      expect(await ringmaster.end('SIGTERM')).toBe(0);
      expect(await states()).toEqual(before);
      const left = await docker.listContainers({ all: true, filters: { name: [`^/${cluster}-server-1$`] } });
      expect(left).toEqual([]);
    },
    PATIENCE_MS,
  );
});
