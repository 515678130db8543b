import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import Docker from 'dockerode';
import { silentLog } from '../src/log.ts';
import { DockerRuntime } from '../src/runtime/docker/docker.ts';
import { createTemplate, templateSource } from '../src/runtime/docker/template.ts';
import { runtimeContract } from './runtime/contract.suite.ts';
import { eventually, freePort, spawnRingmaster, type Environment, type Spawned } from './spawned.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const PATIENCE_MS = 300_000;
const NEVER = new AbortController().signal;
const NAME = `gate-${process.pid}`;
const GATE = [process.execPath, 'src/gate.ts'];
const docker = new Docker();
const replicas = { image: undefined, command: undefined, replicaPort: 5000, cluster: NAME };
const vantage = { from: 'beside', network: NAME, alias: true } as const;
const spec = (name: string) => ({ name, order: 1, join: 'j', committed: true });

const gates: Spawned[] = [];
async function spawnGate(env: Environment = {}): Promise<Spawned> {
  const gate = await spawnRingmaster({ CLUSTER: NAME, GATE_NETWORK: NAME, GATE_PORT: '0', ...env }, GATE);
  gates.push(gate);
  return gate;
}

/** The docker runtime, with nothing of the engine but a gate. */
async function openThrough(
  gate: Spawned,
  more: Partial<typeof replicas> | object = {},
): Promise<DockerRuntime> {
  const before = process.env['DOCKER_HOST'];
  process.env['DOCKER_HOST'] = gate.url.replace('http:', 'tcp:');
  try {
    return await DockerRuntime.open({ ...replicas, vantage, log: silentLog, ...more });
  } finally {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
  }
}

beforeAll(async () => {
  await docker.createNetwork({ Name: NAME });
});
afterAll(async () => {
  for (const gate of gates) await gate.end('SIGTERM');
  for (const { Id } of await docker.listContainers({ all: true, filters: { name: [NAME] } }))
    await docker.getContainer(Id).remove({ force: true });
  await docker.getNetwork(NAME).remove();
}, PATIENCE_MS);

runtimeContract('containers, through the gate', async () => ({
  runtime: await openThrough(await spawnGate()),
  kill: (instance) => docker.getContainer(instance.id).kill(),
  broken: async () => {
    const cluster = `${NAME}-broken`;
    const gate = await spawnGate({ CLUSTER: cluster, REPLICA_COMMAND: '/nonexistent' });
    return openThrough(gate, { cluster, command: ['/nonexistent'] });
  },
}));

describe('the gate', () => {
  let gate: Spawned;
  let runtime: DockerRuntime;
  /** Somebody else's container, and ours. */
  let other: Docker.Container;
  let own: string;
  beforeAll(async () => {
    gate = await spawnGate();
    runtime = await openThrough(gate);
    const source = { Image: 'oven/bun:1.4.5-slim', Cmd: ['sleep', '1000'] };
    other = await docker.createContainer({ ...source, name: `other-${NAME}`, Env: ['PASSWORD=secret'] });
    await other.start();
    own = (await runtime.start(spec('own'), NEVER)).id;
  }, PATIENCE_MS);
  afterAll(async () => {
    for (const one of await runtime.list()) await runtime.stop(one.name, 0);
    await other.remove({ force: true });
  }, PATIENCE_MS);

  /** Whatever of this test there is on the engine, and in which state. */
  const engine = async (): Promise<unknown> => {
    const mine = (one: { Name: string }): boolean => one.Name.includes(NAME);
    const [containers, networks, volumes, images, info] = await Promise.all([
      docker.listContainers({ all: true, filters: { name: [NAME] } }),
      docker.listNetworks(),
      docker.listVolumes(),
      docker.listImages(),
      docker.info() as Promise<{ Swarm: { LocalNodeState: string } }>,
    ]);
    const states = await Promise.all(
      containers.map(async ({ Id }) => {
        const { Name, State, HostConfig, ExecIDs } = await docker.getContainer(Id).inspect();
        return { Id, Name, State, HostConfig, ExecIDs };
      }),
    );
    return {
      states: states.sort((a, b) => (a.Id < b.Id ? -1 : 1)),
      networks: networks.filter(mine),
      volumes: volumes.Volumes.filter(mine),
      images: images.flatMap((image) => image.RepoTags ?? []).filter((tag) => tag.includes(NAME)),
      swarm: info.Swarm.LocalNodeState,
    };
  };

  const call = (line: string, body?: object): Promise<Response> => {
    const [method = '', path = ''] = line.split(' ');
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return fetch(gate.url + path, { method, headers: { 'content-type': 'application/json' }, ...sent });
  };

  const template = createTemplate(templateSource(replicas, vantage), spec('evil'));
  const evil = (host: object, more: object = {}) => ({
    ...template,
    ...more,
    HostConfig: { ...template.HostConfig, ...host },
  });
  const create = `POST /containers/create?name=${NAME}-evil`;
  const plain = { Image: 'oven/bun:1.4.5-slim', Cmd: ['true'] };
  const otherPath = `/containers/other-${NAME}`;
  const ownPath = `/containers/${NAME}-own`;

  const hostile: [string, object?][] = [
    [create, evil({ Privileged: true })],
    [create, evil({ Binds: ['/:/host'] })],
    [create, evil({ Mounts: [{ Type: 'bind', Source: '/var/run/docker.sock', Target: '/s' }] })],
    [create, evil({ NetworkMode: 'host' })],
    [create, evil({ NetworkMode: `container:other-${NAME}` })],
    [create, evil({ PidMode: 'host' })],
    [create, evil({ CapAdd: ['ALL'] })],
    [create, evil({}, { Image: 'oven/bun:1.4.5-slim' })],
    [create, evil({}, { Cmd: ['sh'] })],
    [create, evil({}, { User: '0:0' })],
    [create, plain],
    [`POST /v1.24/containers/create?name=${NAME}-evil`, plain],
    [`POST /containers/create?name=other2-${NAME}`, template],
    [`POST /containers/other-${NAME}/exec`, { Cmd: ['true'] }],
    [`POST ${ownPath}/exec`, { Cmd: ['true'] }],
    [`POST ${ownPath}/attach?stream=1&stdin=1`],
    [`POST ${ownPath}/kill`],
    [`POST ${ownPath}/pause`],
    [`POST ${ownPath}/restart`],
    [`POST ${ownPath}/update`, { Memory: 0 }],
    [`POST ${ownPath}/rename?name=${NAME}-renamed`, { name: `${NAME}-renamed` }],
    [`POST ${ownPath}/rename?name=${NAME}.healing-own`, { name: `${NAME}.healing-own` }],
    [`POST ${ownPath}/rename?name=${NAME}.leaving-other`, { name: `${NAME}.leaving-other` }],
    [`POST ${ownPath}/start`, { HostConfig: { Privileged: true } }],
    [`GET ${ownPath}/export`],
    [`GET ${ownPath}/archive?path=/etc`],
    [`PUT ${ownPath}/archive?path=/tmp`],
    [`DELETE ${otherPath}?force=true&v=true`],
    [`POST ${otherPath}/stop?t=0`, { t: 0 }],
    [`POST ${otherPath}/kill`],
    [`POST ${otherPath}/rename?name=${NAME}-own`, { name: `${NAME}-own` }],
    [`GET ${otherPath}/logs?stdout=true&stderr=true&tail=10`],
    [`POST /containers/prune`],
    ['POST /swarm/init', { ListenAddr: '127.0.0.1' }],
    ['POST /volumes/create', { Name: NAME }],
    ['POST /networks/create', { Name: `${NAME}-evil` }],
    [`DELETE /networks/${NAME}`],
    [`POST /networks/${NAME}/connect`, { Container: `other-${NAME}` }],
    [`POST /build?t=${NAME}&remote=http://127.0.0.1:1/`],
    ['POST /images/create?fromImage=scratch'],
    [`POST /images/ringmaster:0.1.0/tag?repo=${NAME}`],
    [`POST /commit?container=${NAME}-own&repo=${NAME}`],
    ['GET /containers/json?all=true'],
    ['GET /images/json'],
    ['GET /events'],
  ];
  test.each(hostile.map(([line, body]) => ({ line, body })))(
    'refuses $line, and nothing has changed on the engine',
    async ({ line, body }) => {
      const before = await engine();
      const reply = await call(line, body);
      expect([reply.status, await reply.json()]).toEqual([403, { message: expect.stringContaining('gate') }]);
      expect(await engine()).toEqual(before);
    },
    PATIENCE_MS,
  );

  // Sent as they stand, for a client of HTTP would tidy them up.
  test.each<[string, string, string]>([
    ['a dot segment', 'GET /x/../info', ''],
    ['a double slash', 'GET //info', ''],
    ['an encoded slash', `GET /containers/x%2f..%2f${NAME}-own/json`, ''],
    ['a whole URL', 'GET http://docker/info', ''],
    ['an upgrade', `POST ${ownPath}/attach?stream=1`, 'Connection: Upgrade\r\nUpgrade: tcp\r\n'],
    ['an upgrade of a call that passes', 'GET /_ping', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'],
    ['a tunnel', 'CONNECT docker:80', ''],
    ['a body in chunks', `POST ${ownPath}/stop?t=1`, 'Transfer-Encoding: chunked\r\n'],
    ['two lengths', `POST ${ownPath}/stop?t=1`, 'Content-Length: 7\r\nContent-Length: 0\r\n'],
    ['two framings', `POST ${ownPath}/stop?t=1`, 'Content-Length: 7\r\nTransfer-Encoding: chunked\r\n'],
    ['chunks by another name', `POST ${ownPath}/stop?t=1`, 'Transfer-Encoding: xchunked\r\n'],
    ['a body over the limit', create, 'Content-Length: 10000000\r\n'],
  ])(
    'refuses %s',
    async (_, line, headers) => {
      const { hostname, port } = new URL(gate.url);
      const reply = await new Promise<string>((resolve, reject) => {
        let heard = '';
        const socket = connect(Number(port), hostname, () =>
          socket.write(`${line} HTTP/1.1\r\nHost: docker\r\n${headers}\r\n0\r\n\r\n{"t":1}`),
        );
        socket.setEncoding('utf8').on('data', (text: string) => {
          heard += text;
        });
        socket.on('error', reject).on('close', () => resolve(heard));
      });
      // Where the parser has refused, or the connection ends, without the gate having been asked, it is as well.
      expect(reply).toMatch(/^(?:HTTP\/1\.1 40[03] |$)/);
      expect(reply).not.toContain('HTTP/1.1 2');
      expect(await docker.getContainer(own).inspect()).toMatchObject({ State: { Running: true } });
    },
    PATIENCE_MS,
  );

  test(
    'shows of other people’s containers what they are called, and not their secrets',
    async () => {
      const shown = (await (await call(`GET ${otherPath}/json`)).json()) as Record<string, unknown>;
      expect(Object.keys(shown).sort()).toEqual([
        'Config',
        'HostConfig',
        'Id',
        'Name',
        'NetworkSettings',
        'State',
      ]);
      expect(Object.keys(shown['HostConfig'] as object)).toEqual(['PidsLimit']);
      expect(JSON.stringify(shown)).not.toContain('secret');
      expect((await call(`GET /containers/${NAME}-nobody/json`)).status).toBe(404);
    },
    PATIENCE_MS,
  );

  test(
    'gives the output of a replica that ended to the log',
    async () => {
      const cluster = `${NAME}-logs`;
      const command = ['sh', '-c', 'echo its last words'];
      const REPLICA_COMMAND = `sh -c "echo its last words"`;
      const warned: object[] = [];
      const log = { ...silentLog, warn: (fields: object) => void warned.push(fields) };
      const mortal = await openThrough(await spawnGate({ CLUSTER: cluster, REPLICA_COMMAND }), {
        cluster,
        command,
        log,
      });
      await mortal.start(spec('a'), NEVER);
      await eventually(async () => (await mortal.list())[0]?.state === 'ended');
      await mortal.start(spec('a'), NEVER);
      expect(warned).toEqual([
        { replica: 'a', status: 0, oomKilled: false, output: expect.stringContaining('its last words') },
      ]);
      await mortal.stop('a', 0);
    },
    PATIENCE_MS,
  );

  test('logs what it refused, in one line without the body', async () => {
    await call(create, evil({ Binds: ['/secret:/host'] }));
    await eventually(() => gate.output().includes('HostConfig'));
    const lines = gate
      .output()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({ method: 'POST', path: '/containers/create', msg: 'refused' }),
    );
    expect(gate.output()).not.toContain('secret');
  });

  test('lets go of the engine when who listened to events has gone', async () => {
    const open = (): number => readdirSync(`/proc/${gate.pid}/fd`).length;
    const before = open();
    const listeners = Array.from({ length: 20 }, () => runtime.watch(() => {}));
    // Two each; what this test itself keeps open to the gate comes and goes.
    await eventually(() => open() >= before + 30);
    for (const unwatch of listeners) unwatch();
    await eventually(() => open() <= before + 5);
  });
});

describe('the gate’s own process', () => {
  test.each<[string, Environment]>([
    ['GATE_PORT="x"', { GATE_PORT: 'x' }],
    ['GATE_PORT="65536"', { GATE_PORT: '65536' }],
    ['GATE_NETWORK=""', { GATE_NETWORK: '' }],
    ['GATE_NETWORK="host"', { GATE_NETWORK: 'host' }],
    ['GATE_NETWORK="container:a"', { GATE_NETWORK: 'container:a' }],
    ['GATE_NETWORK="\\u001b?"', { GATE_NETWORK: '\u001b\u009b' }],
    ['DOCKER_HOST="tcp://a:1"', { DOCKER_HOST: 'tcp://a:1' }],
    ['CLUSTER="A"', { CLUSTER: 'A' }],
  ])('%s stops it with one line', async (start, env) => {
    const error = await spawnGate(env).catch((failure: Error) => failure.message);
    const [status, ...lines] = String(error).trimEnd().split('\n');
    expect(status).toBe('ended with 1 before it was ready:');
    expect(lines).toEqual([expect.stringContaining(`${start} is not allowed: it must be `)]);
  });

  test('ends at once and with status 0 on SIGTERM, whoever listens', async () => {
    const gate = await spawnGate();
    const runtime = await openThrough(gate);
    let wakes = 0;
    const unwatch = runtime.watch(() => wakes++);
    await eventually(() => wakes > 0);
    expect(await gate.end('SIGTERM')).toBe(0);
    unwatch();
  });

  test('says 502 where no engine answers', async () => {
    const gate = await spawnGate({ DOCKER_HOST: 'unix:///nonexistent/docker.sock' });
    const reply = await fetch(`${gate.url}/_ping`);
    expect([reply.status, await reply.json()]).toEqual([502, { message: expect.any(String) }]);
  });
});

describe('docker compose with the gate, as the README has it', () => {
  const project = `${NAME}-compose`;
  const ours = `ringmaster.cluster=${project}`;
  let url: string;
  let folder: string;
  let env: Record<string, string | undefined>;
  const docker = async (...args: string[]): Promise<string> =>
    (await Bun.$`docker ${args}`.cwd(ROOT).env(env).quiet().text()).trim();
  const compose = (...args: string[]): Promise<string> =>
    docker(
      'compose',
      '-p',
      project,
      '-f',
      'docker-compose.yml',
      '-f',
      `${folder}/docker-compose.gate.yml`,
      ...args,
    );
  const json = async (path: string, method = 'GET', body?: object): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers };
    return (await fetch(url + path, { method, ...sent })).json();
  };

  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    env = { ...process.env, PORT: String(port), CLUSTER: project };
    folder = await mkdtemp(`${tmpdir()}/${project}-`);
    const readme = await Bun.file(`${ROOT}README.md`).text();
    const block = /```yaml\n([^`]*\n {2}gate:\n[^`]*)```/.exec(readme)?.[1];
    if (block === undefined) throw new Error('README.md has no docker-compose.gate.yml');
    await Bun.write(`${folder}/docker-compose.gate.yml`, block);
    await compose('up', '--build', '--detach', '--wait');
  }, PATIENCE_MS);
  afterAll(async () => {
    // What a failed test leaves must not keep the network.
    for (const { Id } of await new Docker().listContainers({ all: true, filters: { label: [ours] } }))
      await docker('rm', '-f', Id);
    await compose('down').catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }, PATIENCE_MS);

  test(
    'Ringmaster is not root, holds no socket, and the gate is alone with it',
    async () => {
      const inspected = async (name: string): Promise<Docker.ContainerInspectInfo> =>
        (
          JSON.parse(await docker('inspect', `${project}-${name}-1`)) as Docker.ContainerInspectInfo[]
        )[0] as never;
      const [ringmaster, gate] = [await inspected('ringmaster'), await inspected('gate')];
      expect(ringmaster.Mounts).toEqual([]);
      expect(ringmaster.Config.User).toBe('1000:1000');
      expect(Object.keys(ringmaster.NetworkSettings.Networks).sort()).toEqual([
        `${project}_default`,
        `${project}_gate`,
      ]);
      expect(Object.keys(gate.NetworkSettings.Networks)).toEqual([`${project}_gate`]);
      expect(gate.HostConfig).toMatchObject({ CapDrop: ['ALL'], ReadonlyRootfs: true, PortBindings: {} });
      expect(await docker('network', 'inspect', '-f', '{{.Internal}}', `${project}_gate`)).toBe('true');
    },
    PATIENCE_MS,
  );

  test(
    'replicas join, also by the gate’s name, leave and heal',
    async () => {
      expect(await json('/rep')).toMatchObject({ N: 3 });
      // Replicas have the names of the network that Ringmaster shares with them: none may hide the gate from it.
      const hostnames = ['gate', 'ringmaster'];
      expect(await json('/add', 'POST', { n: 2, hostnames })).toMatchObject({ message: { N: 5 } });
      const id = (): Promise<string> => docker('inspect', '-f', '{{.Id}}', `${project}-server-2`);
      const before = await id();
      await docker('kill', `${project}-server-2`);
      await eventually(async () => (await id()) !== before);
      expect(await json('/rm', 'DELETE', { n: 2, hostnames })).toMatchObject({ message: { N: 3 } });
      let i = 0;
      await eventually(
        async () =>
          ((await json(`/map_request?id=${i++}`)) as { mapped_server: string }).mapped_server === 'server-2',
      );
    },
    PATIENCE_MS,
  );

  test(
    'a replica does not reach the gate, by any of its addresses',
    async () => {
      const address = await docker(
        'inspect',
        '-f',
        '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
        `${project}-gate-1`,
      );
      const tried = (from: string, host: string): Promise<string> => {
        const ping = `fetch("http://${host}:2375/_ping", { signal: AbortSignal.timeout(2000) })`;
        const program = `${ping}.then((reply) => console.log(reply.status), () => console.log('no'))`;
        return docker('exec', `${project}-${from}`, 'bun', '-e', program);
      };
      expect(await tried('ringmaster-1', address)).toBe('200');
      expect(await tried('ringmaster-1', '_gate')).toBe('200');
      for (const host of [address, 'gate', '_gate']) expect(await tried('server-1', host)).toBe('no');
    },
    PATIENCE_MS,
  );

  test(
    'Ringmaster goes on when the gate was away',
    async () => {
      await compose('restart', 'gate');
      await eventually(async () => {
        const added = await json('/add', 'POST', { n: 1, hostnames: ['late'] });
        expect(added).toMatchObject({ message: { N: 4 } });
      });
      const refused = (await compose('logs', 'gate')).split('\n').filter((line) => line.includes('refused'));
      expect(refused).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'down leaves nothing behind',
    async () => {
      await compose('down');
      expect(await docker('ps', '-aq', '--filter', `label=${ours}`)).toBe('');
      expect(await docker('ps', '-aq', '--filter', `name=${project}`)).toBe('');
      expect(await docker('network', 'ls', '-q', '--filter', `name=${project}`)).toBe('');
      expect(await docker('volume', 'ls', '-q', '--filter', `name=${project}`)).toBe('');
    },
    PATIENCE_MS,
  );
});
