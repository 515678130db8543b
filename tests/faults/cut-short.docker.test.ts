import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Ring } from '../../src/ring/ring.ts';
import { EngineProxy } from '../engine-proxy.ts';
import { eventually, freePort, spawnRingmaster, type Spawned } from '../spawned.ts';
import { docker, NAMES, print, Stage, type Scene } from './scene.ts';

setDefaultTimeout(300_000);

/** Ids of which it is checked that the map is what the members make it. */
const MAPPED = 100;
/** Answered on each port between two kills. */
const BETWEEN = 100;
const SLOW_MS = 5000;

type Change = readonly ['add' | 'rm', readonly string[]];
/** Killed in the middle of a change: when it has sent such a request for so many times, the last of which never arrives. */
type Cut = readonly [Change, request: keyof typeof REQUESTS, times: number];

const REQUESTS = {
  stop: /^POST \S*\/containers\/\w+\/stop/,
  remove: /^DELETE \S*\/containers\//,
  /** Any that changes something. */
  change: /^(?:POST|DELETE) \S*\/containers\//,
} as const;
const JOINS: Change = ['add', ['a', 'b']];
const LEAVE: Change = ['rm', ['a', 'b']];
/** Of two that join: to create, start and commit each. Of two that leave: to mark, stop and remove each. */
const CHANGES = 6;
/** Of two that joined, of which one was committed: to take that back, and to remove each. */
const CHANGES_UNDOING = 3;
const CUTS: readonly Cut[] = [
  ...Array.from({ length: CHANGES }, (_, i): Cut => [JOINS, 'change', i + 1]),
  ...Array.from({ length: CHANGES }, (_, i): Cut => [LEAVE, 'change', i + 1]),
  [['rm', ['a']], 'stop', 1],
  [['rm', ['a']], 'remove', 1],
];

const stage = new Stage('cut');

async function ask({ url }: Spawned, [verb, hostnames]: Change): Promise<number> {
  const reply = await fetch(`${url}/${verb}`, {
    method: verb === 'add' ? 'POST' : 'DELETE',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ n: hostnames.length, hostnames }),
  });
  await reply.arrayBuffer();
  return reply.status;
}

async function membersOf({ url }: Spawned): Promise<string[]> {
  const { N, replicas } = (await (await fetch(`${url}/rep`)).json()) as { N: number; replicas: string[] };
  expect(N).toBe(replicas.length);
  return replicas;
}

/** The map is the one that these names make, and each id is served by whom it says, on both ports. */
async function mapIsOf(names: readonly string[], { url, traffic }: Spawned): Promise<void> {
  const ring = Ring.of(names);
  for (let id = 0; id < MAPPED; id++) {
    const owner = ring.owner(String(id)) as string;
    const reply = await fetch(`${url}/map_request?id=${id}`);
    expect(await reply.json()).toEqual({ request_id: id, mapped_server: owner });
    const served = await fetch(`${id % 2 === 0 ? url : traffic}/home?id=${id}`);
    await served.arrayBuffer();
    expect(served.headers.get('x-served-by')).toBe(owner);
  }
}

/** Starts again what was killed: the members are those of before or after, and the engine holds them and nothing else. */
async function startAgain(
  scene: Scene,
  before: readonly string[],
  after: readonly string[],
): Promise<readonly string[]> {
  scene.ringmaster = await spawnRingmaster(scene.env);
  const members = await membersOf(scene.ringmaster);
  expect([before, after]).toContainEqual(members);
  await mapIsOf(members, scene.ringmaster);
  const filter = `--filter label=ringmaster.cluster=${scene.cluster} --format {{.Names}}:{{.State}}`;
  await eventually(async () => {
    const found = await docker(`ps -a ${filter}`);
    expect(found.split('\n').sort()).toEqual(
      members.map((name) => `${scene.container(name)}:running`).sort(),
    );
  });
  return members;
}

function after([verb, names]: Change, members: readonly string[]): readonly string[] {
  return verb === 'add' ? [...members, ...names] : members.filter((name) => !names.includes(name));
}

describe('Ringmaster killed with -9 in the middle of a change, and started again', () => {
  test('nothing is orphaned, all of the change was made or nothing of it, and the map is as it should be', async () => {
    const engine = new EngineProxy();
    engine.up();
    const scene = await stage.open({
      env: {
        PORT: String(await freePort()),
        TRAFFIC_PORT: String(await freePort()),
        DOCKER_HOST: engine.dockerHost,
      },
      // While a Ringmaster starts, port 8080 says that nobody is ready yet.
      load: { others: ['a', 'b'], sendsAgain: () => true, mayGet: new Set([503]) },
    });
    const { load, director } = scene;
    let members: readonly string[] = NAMES;
    const outcomes: string[] = [];
    for (const [change, request, times] of CUTS) {
      const [verb, names] = change;
      // As the change needs it.
      const amiss = ['a', 'b'].filter((name) => members.includes(name) !== (verb === 'rm'));
      if (amiss.length > 0) {
        const first: Change = [verb === 'rm' ? 'add' : 'rm', amiss];
        expect(await ask(scene.ringmaster, first)).toBe(200);
        members = after(first, members);
      }
      await load.more(BETWEEN);
      let seen = 0;
      engine.stops = (head) => {
        if (!REQUESTS[request].test(head)) return false;
        seen++;
        if (seen === times) scene.ringmaster.signal('SIGKILL');
        return seen >= times;
      };
      const asked = ask(scene.ringmaster, change).catch(() => 0);
      await scene.ringmaster.exited;
      engine.stops = undefined;
      await asked;
      const now = await startAgain(scene, members, after(change, members));
      outcomes.push(
        `${verb} ${names.length} before ${request} ${times}: N ${members.length} → ${now.length}`,
      );
      members = now;
    }
    await load.more(BETWEEN);
    await load.end(director);
    await scene.ringmaster.end('SIGTERM');
    engine.down();
    print(`killed with -9 in the middle: ${outcomes.join('; ')}`);
  });

  test('an add that is just being taken back was made whole, or not at all', async () => {
    const engine = new EngineProxy();
    engine.up();
    const scene = await stage.open({ env: { DOCKER_HOST: engine.dockerHost } });
    const { cluster, container } = scene;
    const outcomes: number[] = [];
    for (let times = 1; times <= CHANGES_UNDOING; times++) {
      const commit = Promise.withResolvers<void>();
      let undoing = false;
      let seen = 0;
      engine.stops = (head) => {
        if (!undoing) {
          const held = head.includes(`/rename?name=${container('b')} `);
          if (held) commit.resolve();
          return held;
        }
        if (!REQUESTS.change.test(head)) return false;
        seen++;
        if (seen === times) scene.ringmaster.signal('SIGKILL');
        return seen >= times;
      };
      const asked = ask(scene.ringmaster, JOINS).catch(() => 0);
      await commit.promise;
      await eventually(async () => {
        const found = await docker(`ps --filter label=ringmaster.cluster=${cluster} --format {{.Names}}`);
        return found.split('\n').includes(container('a'));
      });
      undoing = true;
      engine.cut();
      await scene.ringmaster.exited;
      engine.stops = undefined;
      await asked;
      const members = await startAgain(scene, NAMES, after(JOINS, NAMES));
      outcomes.push(members.length);
      if (members.length > NAMES.length) expect(await ask(scene.ringmaster, LEAVE)).toBe(200);
    }
    await scene.ringmaster.end('SIGTERM');
    engine.down();
    print(`killed with -9 while an add of 2 is taken back, before each request: N ${outcomes.join(', ')}`);
  });

  test('a drain that waits for a request is as if it had not begun', async () => {
    const scene = await stage.open();
    const { director } = scene;
    director.tell('server-3', `slow ${SLOW_MS}`);
    const ring = Ring.of(NAMES);
    const id = Array.from({ length: MAPPED }, (_, i) => i).find((i) => ring.owner(String(i)) === 'server-3');
    const slow = fetch(`${scene.ringmaster.traffic}/home?id=${id}`).catch(() => undefined);
    await eventually(() => director.arrivedAt('server-3').includes(`/home?id=${id}`));
    const asked = ask(scene.ringmaster, ['rm', ['server-3']]).catch(() => 0);
    await eventually(async () => {
      const reply = await fetch(`${scene.ringmaster.url}/map_request?id=${id}`);
      return ((await reply.json()) as { mapped_server: string }).mapped_server !== 'server-3';
    });
    await scene.ringmaster.end('SIGKILL');
    await Promise.all([asked, slow]);
    director.tell('server-3', 'well');
    await startAgain(scene, NAMES, NAMES);
  });

  test('of two that leave none is gone while the other still drains', async () => {
    const scene = await stage.open();
    const { director, docker: run, container, cluster } = scene;
    const ring = Ring.of(NAMES);
    const id = Array.from({ length: MAPPED }, (_, i) => i).find((i) => ring.owner(String(i)) === 'server-3');
    director.tell('server-3', `slow ${SLOW_MS}`);
    const slow = fetch(`${scene.ringmaster.traffic}/home?id=${id}`).catch(() => undefined);
    await eventually(() => director.arrivedAt('server-3').includes(`/home?id=${id}`));
    const asked = ask(scene.ringmaster, ['rm', ['server-2', 'server-3']]).catch(() => 0);
    const expected = [container('server-1'), `${cluster}.leaving-server-3`, `${cluster}.leaving1-server-2`];
    await eventually(async () => {
      const names = await run(`ps --filter label=ringmaster.cluster=${cluster} --format {{.Names}}`);
      expect(names.split('\n').sort()).toEqual(expected.sort());
    });
    await scene.ringmaster.end('SIGKILL');
    await Promise.all([asked, slow]);
    director.tell('server-3', 'well');
    expect(await startAgain(scene, NAMES, ['server-1'])).toEqual(NAMES);
  });
});
