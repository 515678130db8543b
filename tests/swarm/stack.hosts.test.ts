import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { digestOf, sourceOf } from '../../src/fleet/digest.ts';
import { Ring } from '../../src/ring/ring.ts';
import { OpenPage } from '../dashboard/pages.ts';
import { eventually } from '../spawned.ts';
import { Connection } from './connection.ts';
import { ALL_HOSTS, Hosts } from './hosts.ts';
import { Insider } from './insider.ts';
import { Load } from './load.ts';
import { greeting, mappedServer, PORT, Ringmaster, TRAFFIC_PORT } from './ringmaster.ts';
import { deploy, leftovers, OF_REPLICAS, OF_RINGMASTER, removeStack } from './stack.ts';

/** For a slow machine that has three hosts to play; no test depends on how long it takes, but where it says so. */
const PATIENCE_MS = 300_000;
/** By when each other Ringmaster has to know of a change that one has answered for, in ms. */
const KNOWN_EVERYWHERE_MS = 1000;
/** Ids of which each Ringmaster is asked for the owner. */
const MAPPED = 10_000;
/** Ids that are requested at each Ringmaster. */
const REQUESTED = 300;
const FIRST = ['server-1', 'server-2', 'server-3'];
/** Answered before and after something happens. */
const BETWEEN = 500;
/** How long the last host of three lives on under load, at random, in ms. */
const LIVES_MAX_MS = 3000;
/** In so long a cut is not noticed by heartbeats, in ms. */
const UNNOTICED_MS = 500;
/** A question to a Ringmaster that may not be there, in ms. */
const KNOCK_MS = 1000;
/** Until the next, where nobody has answered, in ms. */
const KNOCK_PAUSE_MS = 10;

describe('a stack on three hosts', () => {
  let hosts: Hosts;
  let all: [Ringmaster, Ringmaster, Ringmaster];
  let alive = ALL_HOSTS;
  const loads: Load[] = [];

  const loadThrough = (...ringmasters: Ringmaster[]): Load => {
    const load = new Load(ringmasters);
    loads.push(load);
    return load;
  };
  /** None was lost, whatever happened. */
  const endOf = async (load: Load, what: string): Promise<void> => {
    await load.end();
    process.stdout.write(`${what}: ${load.figures}\n`);
    expect([load.failures, load.strangers, load.told]).toEqual([0, 0, []]);
  };
  /** Resolves when all have just these members, all of them ready, and say so of each other. */
  const settled = async (
    names: readonly string[],
    ringmasters: readonly Ringmaster[] = all,
  ): Promise<void> => {
    const digest = digestOf(sourceOf(Ring.of(names)));
    await eventually(async () => {
      for (const ring of await Promise.all(ringmasters.map((one) => one.ring()))) {
        expect([ring.digest, ring.leaving, ring.disagreement_ms]).toEqual([digest, [], 0]);
        expect(ring.replicas.map(({ name }) => name).toSorted()).toEqual([...names].toSorted());
        for (const { state } of ring.replicas) expect(state).toBe('ready');
        const others = ring.ringmasters.filter((one) => one.answers).map((one) => one.digest);
        expect(others).toEqual(ringmasters.slice(1).map(() => digest));
      }
    });
  };
  /** All list the same members, and tell the same owner of each of many ids. */
  const mapAlike = async (
    names: readonly string[],
    ringmasters: readonly Ringmaster[] = all,
  ): Promise<void> => {
    const ring = Ring.of(names);
    for (const ringmaster of ringmasters) {
      expect((await ringmaster.rep()).toSorted()).toEqual([...names].toSorted());
      const owners = await ringmaster.owners(MAPPED);
      const others = owners.flatMap((owner, id) =>
        owner === ring.owner(String(id)) ? [] : `${id}: ${owner}`,
      );
      // The first few tell enough.
      expect([ringmaster.host, others.length, others.slice(0, 5)]).toEqual([ringmaster.host, 0, []]);
    }
  };
  /** Each id is served by the one that it is mapped to, through each Ringmaster on both ports. */
  const servedByOwners = async (
    names: readonly string[],
    ringmasters: readonly Ringmaster[] = all,
  ): Promise<void> => {
    const ring = Ring.of(names);
    const owners = Array.from({ length: REQUESTED }, (_, id) => ring.owner(String(id)) ?? '');
    for (const ringmaster of ringmasters)
      for (const port of [PORT, TRAFFIC_PORT])
        expect(await ringmaster.servers(port, REQUESTED)).toEqual(owners);
  };
  /** Names of the replicas whose containers the host's engine runs. */
  const replicasOn = async (host: number): Promise<Map<string, string>> => {
    const containers = await hosts.containers(host, OF_REPLICAS);
    const name = '{{index .Config.Labels "ringmaster.name"}}';
    const names = await Promise.all(containers.map((id) => hosts.docker(host, 'inspect', '-f', name, id)));
    return new Map(names.map((one, i) => [one, containers[i] as string]));
  };
  const ownContainer = async (host: number): Promise<string> => {
    const [id] = await hosts.containers(host, OF_RINGMASTER);
    if (id === undefined) throw new Error(`no Ringmaster on host ${host}`);
    return id;
  };

  beforeAll(async () => {
    hosts = await Hosts.up();
    all = ALL_HOSTS.map((host) => new Ringmaster(hosts.address(host))) as typeof all;
    // What an earlier run has left would be adopted.
    await removeStack();
    await eventually(async () => (await leftovers(hosts, alive)).length === 0);
    await deploy(hosts);
    await settled(FIRST);
  }, PATIENCE_MS);

  afterEach(async () => {
    // For what a test has begun that has failed half-way.
    await Promise.all(loads.map((load) => load.end()));
    if (alive.includes(3)) await hosts.mend(3);
  }, PATIENCE_MS);

  afterAll(async () => {
    await removeStack();
    await eventually(async () => (await leftovers(hosts, alive)).length === 0).catch(() => {});
    await hosts.down();
  }, PATIENCE_MS);

  test(
    'shows all of it on the page of each: the replicas, the map, and the other two',
    async () => {
      for (const { host } of all) {
        await using page = await OpenPage.open(`http://${host}:${PORT}`);
        const { digest } = await (all[0] as Ringmaster).ring();
        const seen = await page.until(({ peers }) => peers.every(({ agrees }) => agrees));
        expect(seen.ringmaster.runtime).toBe('swarm');
        expect(seen.ring.digest).toBe(digest);
        expect(seen.replicas.map(({ name }) => name).toSorted()).toEqual([...FIRST]);
        expect(seen.replicas.every(({ started_at: at }) => at !== null && at > 0)).toBe(true);
        expect(seen.peers).toHaveLength(2);
        expect(seen.engine_answers).toBe(true);
      }
    },
    PATIENCE_MS,
  );

  test(
    'is three Ringmasters that have the same three replicas and the same map',
    async () => {
      for (const ringmaster of all) expect(await ringmaster.rep()).toEqual(FIRST);
      await mapAlike(FIRST);
      await servedByOwners(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'what one Ringmaster has added or removed all others know within a second',
    async () => {
      const [one, two, three] = all;
      const knownAfter = async (answeredMs: number, names: readonly string[]): Promise<void> => {
        const ring = Ring.of(names);
        const id = Array.from({ length: MAPPED }, (_, i) => i).find(
          (i) => ring.owner(String(i)) === names.at(-1),
        );
        const took = await Promise.all(
          [one, three].map(async (ringmaster) => {
            const isKnown = async (): Promise<boolean> => {
              const { body } = await (
                await Connection.connect(ringmaster.host, PORT)
              ).get(`/map_request?id=${id}`);
              return (await ringmaster.rep()).join() === names.join() && mappedServer(body) === names.at(-1);
            };
            await eventually(isKnown);
            return performance.now() - answeredMs;
          }),
        );
        process.stdout.write(`known after ${took.map((ms) => ms.toFixed(0)).join(' and ')} ms\n`);
        for (const ms of took) expect(ms).toBeLessThan(KNOWN_EVERYWHERE_MS);
      };
      const added = await two.add(2, ['a', 'b']);
      await knownAfter(performance.now(), [...FIRST, 'a', 'b']);
      expect([added.status, added.replicas]).toEqual([200, [...FIRST, 'a', 'b']]);
      const removed = await two.remove(1, ['b']);
      await knownAfter(performance.now(), [...FIRST, 'a']);
      expect([removed.status, removed.replicas]).toEqual([200, [...FIRST, 'a']]);
      await mapAlike([...FIRST, 'a']);
      expect((await three.remove(1, ['a'])).status).toBe(200);
      await mapAlike(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'of two that add the same name at once one is refused, and those that are given names get different ones',
    async () => {
      const [one, two, three] = all;
      const same = await Promise.all([one.add(1, ['twin']), three.add(1, ['twin'])]);
      expect(same.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      for (const ringmaster of all) expect(await ringmaster.rep()).toEqual([...FIRST, 'twin']);

      const given = await Promise.all(all.map((ringmaster) => ringmaster.add(1)));
      expect(given.map(({ status }) => status)).toEqual([200, 200, 200]);
      const names = await one.rep();
      expect(names.slice(0, 4)).toEqual([...FIRST, 'twin']);
      expect(new Set(names).size).toBe(7);
      for (const ringmaster of all) expect(await ringmaster.rep()).toEqual(names);
      await mapAlike(names);

      const gone = await Promise.all([two.remove(2, names.slice(3, 5)), three.remove(2, names.slice(5, 7))]);
      expect(gone.map(({ status }) => status)).toEqual([200, 200]);
      await settled(FIRST);
      await mapAlike(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'what is refused at one changes nothing at any',
    async () => {
      const [one, two] = all;
      const bad: [string, string, string, number][] = [
        ['POST', '/add', '{"n":1,"hostnames":["x","y"]}', 400],
        ['POST', '/add', '{"n":0,"hostnames":[]}', 400],
        ['POST', '/add', '{"n":"1"}', 400],
        ['POST', '/add', '{"n":1,', 400],
        ['POST', '/add', '{"n":1,"hostnames":["../x"]}', 400],
        ['POST', '/add', '{"n":1,"hostnames":["SERVER-1"]}', 409],
        ['POST', '/add', '{"n":1000}', 413],
        ['DELETE', '/rm', '{"n":1,"hostnames":["nobody"]}', 404],
        ['DELETE', '/rm', '{"n":9}', 400],
        ['DELETE', '/rm', '{"n":1,"hostnames":["server-1","server-2"]}', 400],
      ];
      for (const [method, path, body, status] of bad)
        expect([body, (await two.change(method, path, body)).status]).toEqual([body, status]);
      expect((await one.ring()).digest).toBe(digestOf(sourceOf(Ring.of(FIRST))));
      await settled(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'three replicas become twenty and three again, and no request fails',
    async () => {
      const [one, two] = all;
      const load = loadThrough(...all);
      load.expect(FIRST);
      await load.more(BETWEEN);
      load.expectAnybody();
      const grown = await one.add(17);
      expect([grown.status, grown.replicas.length]).toEqual([200, 20]);
      await mapAlike(grown.replicas);
      await settled(grown.replicas);
      load.expect(grown.replicas);
      await load.more(BETWEEN);
      await servedByOwners(grown.replicas);
      load.expectAnybody();
      const shrunk = await two.remove(17);
      expect([shrunk.status, shrunk.replicas]).toEqual([200, FIRST]);
      load.expect(FIRST);
      await mapAlike(FIRST);
      await load.more(BETWEEN);
      await endOf(load, '3, 20 and 3 replicas');
      // Nobody was left aside.
      for (const name of grown.replicas) expect(load.served.get(name) ?? 0).toBeGreaterThan(0);
      await settled(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'a replica that dies comes back under its name, and no other key moves',
    async () => {
      // The Swarm may have put none there.
      while ((await replicasOn(2)).size === 0) expect((await all[0].add(1)).status).toBe(200);
      const names = await all[0].rep();
      const [[victim, container]] = [...(await replicasOn(2))] as [[string, string]];
      const load = loadThrough(...all);
      load.expect(names);
      await load.more(BETWEEN);
      load.expect(names, [victim]);
      await hosts.docker(2, 'kill', container);
      await eventually(async () => (await all[1].ring()).replicas.some(({ state }) => state !== 'ready'));
      await mapAlike(names);
      await settled(names);
      load.expect(names);
      await load.more(BETWEEN);
      await endOf(load, 'a replica that died');
      await servedByOwners(names);
      if (names.length > FIRST.length)
        expect((await all[0].remove(names.length - FIRST.length)).status).toBe(200);
      await settled(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'a Ringmaster that dies is missed by nobody, and comes back with the same map',
    async () => {
      const [one, two, three] = all;
      const before = await three.ring();
      const load = loadThrough(one, two);
      load.expect(FIRST);
      await load.more(BETWEEN);
      const container = await ownContainer(3);
      await hosts.docker(3, 'kill', container);
      await mapAlike(FIRST, [one, two]);
      await eventually(async () => (await ownContainer(3)) !== container);
      await settled(FIRST);
      expect((await three.ring()).digest).toBe(before.digest);
      await mapAlike(FIRST);
      await load.more(BETWEEN);
      await endOf(load, 'a Ringmaster that died');
      await servedByOwners(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'a host that is cut off tells nothing that is not so any more, and the others go on',
    async () => {
      const [one, two, three] = all;
      const majority = [one, two];
      // One leaves and one comes while it can hear of neither; the one that leaves is there, and can't be asked to.
      const guests = async (): Promise<string[]> =>
        [...(await replicasOn(3)).keys()].filter((name) => !FIRST.includes(name));
      while ((await guests()).length === 0) expect((await one.add(1)).status).toBe(200);
      const [early] = (await guests()) as [string];
      const before = await one.rep();
      const between = before.filter((name) => name !== early);
      const after = [...between, 'late'];
      await settled(before);
      const lost = [...(await replicasOn(3)).keys()];
      process.stdout.write(
        `host 3 is cut off, with ${lost.join(', ')}, of which ${early} leaves; host ${await hosts.leader()} leads\n`,
      );
      const insider = new Insider(hosts, 3, await ownContainer(3));
      const load = loadThrough(...majority);
      load.expect(before);
      await load.more(BETWEEN);
      await eventually(() => insider.told.length > 0);

      load.expectAnybody();
      await hosts.cut(3);
      // Requests are under way to the one that leaves, and nobody has noticed yet.
      await Bun.sleep(UNNOTICED_MS);
      // Without its leader the Swarm takes no change until it has chosen another.
      await eventually(async () => [200, 404].includes((await one.remove(1, [early])).status));
      const leftMs = Date.now();
      await mapAlike(between, majority);
      await eventually(async () => (await hosts.state(3)) === 'down');
      await mapAlike(between, majority);
      await settled(between, majority);
      expect([...(await replicasOn(1)).keys(), ...(await replicasOn(2)).keys()].toSorted()).toEqual(
        between.toSorted(),
      );
      expect((await one.add(1, ['late'])).replicas).toEqual(after);
      const cameMs = Date.now();
      await mapAlike(after, majority);
      await settled(after, majority);
      load.expect(after);
      await load.more(BETWEEN);
      await mapAlike(after, majority);

      const container = await ownContainer(3);
      const ring = Ring.of(after);
      await hosts.mend(3);
      const statuses = new Map<number, number>();
      // The Swarm starts anew what was there when it gave up the host.
      const back = eventually(async () => (await ownContainer(3)) !== container).then(() => settled(after));
      await until(back, async (id) => {
        for (const [port, target] of [
          [PORT, `/map_request?id=${id}`],
          [PORT, `/home?id=${id}`],
          [TRAFFIC_PORT, `/home?id=${id}`],
        ] as const) {
          const connection = await Connection.connect(three.host, port, KNOCK_MS).catch(() => undefined);
          const answer = await connection?.get(target).catch(() => undefined);
          connection?.end();
          if (answer === undefined) {
            await Bun.sleep(KNOCK_PAUSE_MS);
            continue;
          }
          const { status, body, server } = answer;
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          // It may reach no replica yet, but it must not say that one owns a key which does not.
          const mayBe = target.startsWith('/map') ? [200, 503] : [200, 502, 503, 504];
          expect([target, body, mayBe.includes(status)]).toEqual([target, body, true]);
          if (status !== 200) continue;
          if (target.startsWith('/map'))
            expect(`${id}: ${mappedServer(body)}`).toBe(`${id}: ${ring.owner(String(id))}`);
          else expect(body).toBe(greeting(server));
        }
      });
      process.stdout.write(`host 3 once it answers: ${JSON.stringify([...statuses])}\n`);
      await insider.end();
      const said = { before: 0, between: 0, after: 0, unavailable: 0 };
      const [old, middle] = [Ring.of(before), Ring.of(between)];
      for (const { askedMs, id, status, server } of insider.told) {
        if (status === 503) {
          said.unavailable++;
          continue;
        }
        expect([id, status]).toEqual([id, 200]);
        const owners = [ring, ...(askedMs < cameMs ? [middle] : []), ...(askedMs < leftMs ? [old] : [])];
        expect(owners.map((one) => one.owner(String(id)))).toContain(server);
        said[askedMs < leftMs ? 'before' : askedMs < cameMs ? 'between' : 'after']++;
      }
      process.stdout.write(`host 3 from within: ${JSON.stringify(said)}\n`);
      expect(said.before).toBeGreaterThan(0);
      expect(said.unavailable).toBeGreaterThan(0);
      await mapAlike(after);
      await servedByOwners(after);
      await endOf(load, 'a host that was cut off');
      expect((await three.remove(after.length - FIRST.length)).status).toBe(200);
      await settled(FIRST);
      await mapAlike(FIRST);
    },
    PATIENCE_MS,
  );

  test(
    'a host dies, and only its own keys are elsewhere until its replicas are',
    async () => {
      const [one, two] = all;
      const survivors = [one, two];
      while ((await replicasOn(3)).size === 0) expect((await one.add(1)).status).toBe(200);
      const names = await one.rep();
      await settled(names);
      const lost = [...(await replicasOn(3)).keys()];
      const load = loadThrough(...survivors);
      load.expect(names);
      await load.more(BETWEEN);
      await Bun.sleep(Math.random() * LIVES_MAX_MS);
      load.expect(names, lost);
      process.stdout.write(`host 3 dies, with ${lost.join(', ')}; host ${await hosts.leader()} leads\n`);
      alive = [1, 2];
      await hosts.kill(3);
      // Not before it is missed: until then all seem to be well.
      const missed = eventually(async () =>
        (await Promise.all(survivors.map((ringmaster) => ringmaster.ring()))).every(({ replicas }) =>
          replicas.some(({ state }) => state !== 'ready'),
        ),
      );
      const back = missed.then(() => settled(names, survivors));
      const rounds = await until(back, () => mapAlike(names, survivors));
      process.stdout.write(`the maps were compared ${rounds} times until all were back\n`);
      load.expect(names);
      await load.more(BETWEEN);
      await mapAlike(names, survivors);
      await servedByOwners(names, survivors);
      const there = [...(await replicasOn(1)).keys(), ...(await replicasOn(2)).keys()];
      expect(there.toSorted()).toEqual([...names].toSorted());
      await endOf(load, 'a host that died');
    },
    PATIENCE_MS,
  );

  test(
    'removing the stack removes the replicas, and leaves nothing',
    async () => {
      await removeStack();
      await eventually(async () => (await leftovers(hosts, alive)).length === 0);
    },
    PATIENCE_MS,
  );
});

/** Takes one turn after the other until `over` has come; gives how many. */
async function until(over: Promise<void>, turn: (turn: number) => Promise<void>): Promise<number> {
  const state = { isOver: false };
  const noted = over.finally(() => {
    state.isOver = true;
  });
  let turns = 0;
  while (!state.isOver) await turn(turns++);
  await noted;
  return turns;
}
