import { expect } from 'bun:test';
import { eventually, type Spawned } from '../spawned.ts';
import { SteadyLoad } from './steady-load.ts';

/** A Ringmaster with replicas server-1 to server-3 of the sample server, and ways to harm them. */
export interface Ground {
  readonly ringmaster: Spawned;
  kill(replica: string): Promise<unknown>;
  /** It goes on to exist, and says nothing. */
  pause(replica: string): Promise<unknown>;
  /** Undoes `pause`, where it was not replaced meanwhile. */
  resume(replica: string): Promise<unknown>;
  /** It is gone with all that it has. */
  remove(replica: string): Promise<unknown>;
}

export interface Extent {
  /** How often each change is made. */
  readonly rounds: number;
  /** What each client takes for itself after a reply, so that there is something left of the machine. */
  readonly pauseMs?: number;
}

const CLIENTS = 16;
/** Answered between two changes. */
const BETWEEN = 300;
/** Ids of which it is checked that the map holds. */
const MAPPED = 100;

/**
 * Replicas join, leave, die and fall silent under steady load on the traffic port, of which nobody may see anything.
 * Resolves with the figures.
 */
export async function ordeal(ground: Ground, { rounds, ...pause }: Extent): Promise<string> {
  const { ringmaster } = ground;
  let current: ReadonlySet<string> = new Set(['server-1', 'server-2', 'server-3']);
  const port = Number(new URL(ringmaster.traffic).port);
  const load = new SteadyLoad({ port, clients: CLIENTS, current: () => current, ...pause });
  const add = async (...hostnames: string[]): Promise<void> => {
    current = new Set([...current, ...hostnames]);
    await change(ringmaster, 'add', hostnames);
  };
  const remove = async (...hostnames: string[]): Promise<void> => {
    await change(ringmaster, 'rm', hostnames);
    current = new Set([...current].filter((one) => !hostnames.includes(one)));
  };
  const settle = async (): Promise<void> => {
    await load.more(BETWEEN);
    await eventually(() => mapHolds(ringmaster, current));
  };
  const offTheRing = (replica: string): Promise<void> =>
    eventually(async () => !(await mapOf(ringmaster)).includes(replica));

  const before = await mapOf(ringmaster);
  await settle();
  for (let round = 0; round < rounds; round++) {
    // Each has its turn: who dies again and again is not started again at once.
    const inTurn = (i: number): string => `server-${((round + i) % 3) + 1}`;
    const [first, second, third] = [inTurn(0), inTurn(1), inTurn(2)];
    await add(`a-${round}`, 'b');
    await settle();
    await ground.kill(first);
    await load.more(BETWEEN);
    await remove('b');
    await ground.pause(second);
    await offTheRing(second);
    await load.more(BETWEEN);
    await ground.resume(second);
    await settle();
    // Two at once, one of them about to leave.
    await Promise.all([ground.kill(`a-${round}`), ground.remove(third)]);
    await remove(`a-${round}`);
    await settle();
  }
  // Until it is replaced.
  await ground.pause('server-3');
  await offTheRing('server-3');
  await settle();
  await load.end();
  expect(await mapOf(ringmaster)).toEqual(before);
  expect(load.told).toEqual([]);
  expect(load.failures).toBe(0);
  // Nobody was left aside.
  for (const replica of current) expect(load.served.get(replica) ?? 0).toBeGreaterThan(BETWEEN);
  return `${load.requests} requests, ${load.failures} failed`;
}

async function change({ url }: Spawned, verb: 'add' | 'rm', hostnames: string[]): Promise<void> {
  const reply = await fetch(`${url}/${verb}`, {
    method: verb === 'add' ? 'POST' : 'DELETE',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ n: hostnames.length, hostnames }),
  });
  expect([reply.status, await reply.json()]).toMatchObject([200, { status: 'successful' }]);
}

async function mapOf({ url }: Spawned): Promise<string[]> {
  const owners: string[] = [];
  for (let id = 0; id < MAPPED; id++) {
    const reply = (await (await fetch(`${url}/map_request?id=${id}`)).json()) as { mapped_server: string };
    owners.push(reply.mapped_server);
  }
  return owners;
}

/** Whether all members are on the ring, and each id is served by its owner. */
async function mapHolds(ringmaster: Spawned, members: ReadonlySet<string>): Promise<boolean> {
  const owners = await mapOf(ringmaster);
  if (new Set(owners).size !== members.size) return false;
  for (const [id, owner] of owners.entries()) {
    const reply = await fetch(`${ringmaster.traffic}/home?id=${id}`);
    await reply.arrayBuffer();
    if (reply.headers.get('x-served-by') !== owner) return false;
  }
  return true;
}
