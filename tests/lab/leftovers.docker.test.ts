import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { clusterOf, ownIdentity } from '../../src/lab/identity.ts';
import { silentLog } from '../../src/log.ts';
import type { Holding } from '../../src/runtime/docker/clusters.ts';
import { ensureImage, OWN_IMAGE } from '../../src/runtime/docker/image.ts';
import { holdCluster } from '../../src/runtime/docker/sole.ts';
import { EngineProxy } from '../engine-proxy.ts';
import { childrenOf, gone } from '../processes.ts';
import { eventually } from '../spawned.ts';

setDefaultTimeout(300_000);

const ROOT = new URL('../..', import.meta.url).pathname;
/** A press that comes sooner is taken for the echo of the one before. */
const ECHO_OVER_MS = 400;
const folder = mkdtempSync(join(tmpdir(), 'ringmaster-lab-'));
const started: Lab[] = [];
/** Clusters that a test has made something of. */
const used = new Set<string>();

beforeAll(() => ensureImage(new Docker(), OWN_IMAGE, silentLog));
afterEach(async () => {
  for (const lab of started.splice(0)) {
    lab.signal('SIGKILL');
    await lab.exited;
  }
  for (const cluster of used) await removeAll(cluster);
  used.clear();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Lab {
  readonly pid: number;
  readonly cluster: string;
  readonly out: string;
  readonly exited: Promise<number>;
  stdout(): string;
  stderr(): string;
  signal(signal: NodeJS.Signals): void;
}

/** One that measures for longer than any test has, on containers. */
function startLab(env: Readonly<Record<string, string>> = {}): Lab {
  const out = mkdtempSync(join(folder, 'out-'));
  const options = ['--runtime', 'docker', '--algorithms', 'ring', '--requests', '1000000', '--out', out];
  const child = Bun.spawn([process.execPath, '--no-orphans', 'src/lab/main.ts', ...options], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  let clusterName = '';
  const said = { stdout: '', stderr: '' };
  const reading = (['stdout', 'stderr'] as const).map(async (name) => {
    for await (const chunk of child[name]) said[name] += Buffer.from(chunk).toString();
  });
  const lab: Lab = {
    pid: child.pid,
    get cluster() {
      return clusterName;
    },
    out,
    exited: child.exited.then(async (status) => {
      await Promise.all(reading);
      return status;
    }),
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    signal: (signal) => child.kill(signal),
  };
  started.push(lab);
  void eventually(async () => {
    const labels = await docker('ps', '-a', '--format', '{{.Label "ringmaster.cluster"}}');
    const name = labels.find((one) => one.startsWith(`lab-${child.pid}-`));
    if (name === undefined) return child.exitCode !== null || child.signalCode !== null;
    clusterName = name;
    used.add(name);
    return true;
  });
  return lab;
}

/** Until it is in its first measurement, with its containers. */
async function measuring(lab: Lab): Promise<Lab> {
  const over = lab.exited.then((status) => {
    throw new Error(`it ended with ${status}: ${lab.stdout()}${lab.stderr()}`);
  });
  await Promise.race([eventually(() => lab.stdout().includes('A-1') && lab.cluster !== ''), over]);
  await isThere(lab);
  return lab;
}

/** On a busy machine one of its replicas may just be replaced. */
async function isThere({ cluster }: Lab): Promise<Holding> {
  const holding = await holdingOf(cluster);
  expect(holding.containers).toBeGreaterThanOrEqual(3);
  expect(holding.networks).toBe(1);
  return holding;
}

async function docker(...command: string[]): Promise<string[]> {
  const text = await Bun.$`docker ${command}`.quiet().text();
  return text.split('\n').filter(Boolean);
}

async function idsOf(cluster: string): Promise<{ containers: string[]; networks: string[] }> {
  const filter = ['-q', '--filter', `label=ringmaster.cluster=${cluster}`];
  return {
    containers: (await docker('ps', '-a', ...filter)).sort(),
    networks: await docker('network', 'ls', ...filter),
  };
}

async function holdingOf(cluster: string): Promise<Holding> {
  const { containers, networks } = await idsOf(cluster);
  return { containers: containers.length, networks: networks.length };
}

const NOTHING = { containers: 0, networks: 0 };

async function removeAll(cluster: string): Promise<void> {
  const { containers, networks } = await idsOf(cluster);
  if (containers.length > 0) await docker('rm', '-f', ...containers);
  if (networks.length > 0) await docker('network', 'rm', ...networks);
}

/** As of a lab that was killed as it was starting. */
async function networkOf(cluster: string): Promise<string> {
  used.add(cluster);
  await docker('network', 'create', '--label', `ringmaster.cluster=${cluster}`, cluster);
  return cluster;
}

async function ringmasterOf({ pid }: Lab): Promise<number> {
  return (await childrenOf(pid))[0] as number;
}

describe('a lab with containers that is killed with -9', () => {
  test('leaves them to the next, which removes them and says so, and nothing that is of anybody else', async () => {
    const killed = await measuring(startLab());
    const living = await measuring(startLab());
    const own = ownIdentity();
    const other = own.birth === '000' ? '001' : '000';
    // Its process id was given to another process since: to this one.
    const succeeded = await networkOf(clusterOf({ ...own, birth: other }, 'maglev'));
    // Its Ringmaster has not ended yet: this process stands for it.
    const outlived = await networkOf(clusterOf({ ...own, birth: other }, 'rendezvous'));
    await holdCluster(outlived);
    const running = await networkOf(clusterOf(own, 'course'));
    const elsewhere = await networkOf(clusterOf({ ...own, scope: 'zzzzzz' }, 'course'));
    const nobodys = await networkOf(`lab-${process.pid}-ring`);
    const ringmaster = await ringmasterOf(killed);
    // So that it does not replace any itself.
    for (const pid of [living.pid, await ringmasterOf(living)]) process.kill(pid, 'SIGSTOP');

    killed.signal('SIGKILL');
    await killed.exited;
    await eventually(() => gone(ringmaster));
    const { containers } = await isThere(killed);
    const label = `ringmaster.cluster=${killed.cluster}`;
    const [stranger = ''] = await docker(
      'create',
      '--label',
      label,
      '--name',
      `of-${process.pid}`,
      OWN_IMAGE,
    );
    const before = await idsOf(living.cluster);

    const next = await measuring(startLab());
    // What has the label of it, and no name of its replicas, is somebody else's.
    expect(await docker('ps', '-aq', '--no-trunc', '--filter', `label=${label}`)).toEqual([stranger]);
    expect((await holdingOf(killed.cluster)).networks).toBe(0);
    await docker('rm', stranger);
    expect(await holdingOf(succeeded)).toEqual(NOTHING);
    expect(await idsOf(living.cluster)).toEqual(before);
    for (const one of [outlived, running, elsewhere, nobodys])
      expect(await holdingOf(one)).toEqual({ containers: 0, networks: 1 });
    const told = next.stdout().split('\n');
    const clusters = [killed.cluster, succeeded].sort().join(', ');
    expect(told[0]).toBe(
      `removed what labs that were killed had left: ${containers} containers and 2 networks of ${clusters}`,
    );
    expect(told[1]).toBe(
      'what a lab that was killed has left is still there: its Ringmaster still runs, or another lab removes it',
    );
    expect(told[2]).toContain(outlived);
    expect(told[3]).toStartWith('left alone, since from here it can not be told whether these labs run.');
    expect(told[4]).toContain(elsewhere);
    expect(next.stdout()).not.toContain(running);
    expect(next.stdout()).not.toContain(living.cluster);

    // And the command that it gave does it.
    await Bun.$`sh -c ${told[4] as string}`.nothrow().quiet();
    expect(await holdingOf(elsewhere)).toEqual(NOTHING);

    for (const pid of [await ringmasterOf(living), living.pid]) process.kill(pid, 'SIGCONT');
    living.signal('SIGTERM');
    next.signal('SIGTERM');
    expect(await Promise.all([living.exited, next.exited])).toEqual([143, 143]);
    expect(await holdingOf(living.cluster)).toEqual(NOTHING);
    expect(await holdingOf(next.cluster)).toEqual(NOTHING);
  });
});

describe('a lab with containers that is told to end', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s twice removes them by force where they do not go in order',
    async (signal) => {
      const lab = await measuring(startLab());
      // It can't end in order any more.
      process.kill(await ringmasterOf(lab), 'SIGSTOP');
      lab.signal(signal);
      await Bun.sleep(ECHO_OVER_MS);
      await isThere(lab);
      lab.signal(signal);
      expect(await lab.exited).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
      expect(await holdingOf(lab.cluster)).toEqual(NOTHING);
      expect(lab.stderr()).toEndWith(
        'removing by force what was started, for 10 s at most; once more leaves it\n',
      );
      expect(readdirSync(lab.out)).toEqual([]);
    },
  );

  test('while it starts, twice, leaves nothing', async () => {
    const lab = startLab();
    await eventually(() => lab.cluster !== '');
    lab.signal('SIGTERM');
    await Bun.sleep(ECHO_OVER_MS);
    lab.signal('SIGTERM');
    expect(await lab.exited).toBe(143);
    expect(await holdingOf(lab.cluster)).toEqual(NOTHING);
  });

  test('a third time ends at once, and says what may be left and what removes it', async () => {
    const engine = new EngineProxy();
    engine.up();
    const lab = await measuring(startLab({ DOCKER_HOST: engine.dockerHost }));
    const removal = Promise.withResolvers<void>();
    engine.stops = (request) => {
      if (!request.startsWith('DELETE ')) return false;
      removal.resolve();
      return true;
    };
    process.kill(await ringmasterOf(lab), 'SIGSTOP');
    lab.signal('SIGTERM');
    await Bun.sleep(ECHO_OVER_MS);
    lab.signal('SIGTERM');
    await removal.promise;
    await Bun.sleep(ECHO_OVER_MS);
    lab.signal('SIGTERM');
    expect(await lab.exited).toBe(143);
    engine.down();
    const lines = lab.stderr().trimEnd().split('\n');
    expect(lines.at(-2)).toBe(`containers and the network of ${lab.cluster} may be left. This removes them:`);
    await isThere(lab);
    await Bun.$`sh -c ${lines.at(-1) as string}`.quiet();
    expect(await holdingOf(lab.cluster)).toEqual(NOTHING);
  });

  test('twice ends in time where the engine does not answer, and says so', async () => {
    const engine = new EngineProxy();
    engine.up();
    const lab = await measuring(startLab({ DOCKER_HOST: engine.dockerHost }));
    engine.stops = () => true;
    lab.signal('SIGTERM');
    await Bun.sleep(ECHO_OVER_MS);
    lab.signal('SIGTERM');
    expect(await lab.exited).toBe(143);
    engine.down();
    expect(lab.stderr()).toContain('could not be removed by force: it took longer than 10 s\n');
    expect(lab.stderr()).toContain(`docker ps -aq --filter label=ringmaster.cluster=${lab.cluster})`);
  });
});

describe('a lab of which the Ringmaster is killed in the middle', () => {
  test('says so, and removes what that has left', async () => {
    const lab = await measuring(startLab());
    process.kill(await ringmasterOf(lab), 'SIGKILL');
    expect(await lab.exited).toBe(1);
    expect(lab.stderr()).toMatch(/^Ringmaster ended in the middle, by SIGKILL\. The last it said: .*\n$/);
    expect(await holdingOf(lab.cluster)).toEqual(NOTHING);
  });

  test('ends where the engine does not answer either, and says what may be left and what removes it', async () => {
    const engine = new EngineProxy();
    engine.up();
    const lab = await measuring(startLab({ DOCKER_HOST: engine.dockerHost }));
    engine.stops = () => true;
    process.kill(await ringmasterOf(lab), 'SIGKILL');
    expect(await lab.exited).toBe(1);
    engine.down();
    const [first, second, third, fourth] = lab.stderr().split('\n');
    expect(first).toStartWith('Ringmaster ended in the middle, by SIGKILL. ');
    expect(second).toBe('what was started could not be removed by force: it took longer than 10 s');
    expect(third).toContain(lab.cluster);
    await Bun.$`sh -c ${fourth as string}`.quiet();
    expect(await holdingOf(lab.cluster)).toEqual(NOTHING);
  });

  test('while it starts its replicas too', async () => {
    const lab = startLab();
    await eventually(() => lab.cluster !== '');
    process.kill(await ringmasterOf(lab), 'SIGKILL');
    expect(await lab.exited).toBe(1);
    expect(lab.stderr()).toStartWith('Ringmaster ended before it was ready: ');
    expect(await holdingOf(lab.cluster)).toEqual(NOTHING);
  });
});
