import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { replicasOf, workersOf } from '../processes.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { ordeal, type Ground } from './ordeal.ts';
import { SteadyLoad } from './steady-load.ts';

setDefaultTimeout(180_000);

const live: Spawned[] = [];
afterEach(async () => {
  for (const one of live.splice(0)) expect(await one.end('SIGTERM')).toBe(0);
});

async function start(workers: string): Promise<Spawned> {
  const ringmaster = await spawnRingmaster({
    RUNTIME: 'process',
    WORKERS: workers,
    HEARTBEAT_INTERVAL_MS: '100',
  });
  live.push(ringmaster);
  return ringmaster;
}

async function ground(workers: string): Promise<Ground> {
  const ringmaster = await start(workers);
  const paused = new Map<string, number>();
  const find = async (replica: string): Promise<number | undefined> =>
    (await replicasOf(ringmaster.pid)).get(replica);
  // One that has died is started again, if not at once.
  const kill = (replica: string): Promise<void> =>
    eventually(async () => {
      const pid = await find(replica);
      return pid !== undefined && process.kill(pid, 'SIGKILL');
    });
  return {
    ringmaster,
    kill,
    remove: kill,
    pause: async (replica) => {
      const pid = await find(replica);
      if (pid === undefined) throw new Error(`${replica} does not run`);
      paused.set(replica, pid);
      process.kill(pid, 'SIGSTOP');
    },
    resume: async (replica) => {
      const pid = await find(replica);
      if (pid !== undefined && pid === paused.get(replica)) process.kill(pid, 'SIGCONT');
    },
  };
}

describe('steady load on the traffic port, processes', () => {
  test.each(['1', '2'])('WORKERS=%s: no request fails, whatever becomes of replicas', async (workers) => {
    const figures = await ordeal(await ground(workers), { rounds: 3 });
    process.stdout.write(`WORKERS=${workers}, processes: ${figures}\n`);
  });
});

describe('a worker that is killed under load', () => {
  test('is replaced, and what was asked there is served when it is asked again', async () => {
    const ringmaster = await start('3');
    const port = Number(new URL(ringmaster.traffic).port);
    const members = new Set(['server-1', 'server-2', 'server-3']);
    const load = new SteadyLoad({ port, clients: 32, current: () => members, sendsAgain: () => true });
    await load.more(300);
    for (let round = 0; round < 4; round++) {
      const workers = await workersOf(ringmaster.pid);
      expect(workers).toHaveLength(3);
      const [victim = 0, ...others] = workers;
      process.kill(victim, 'SIGKILL');
      // The others go on meanwhile.
      await load.more(300);
      await eventually(
        () => ringmaster.output().split('"msg":"worker accepts connections"').length > round + 1,
      );
      expect(await workersOf(ringmaster.pid)).toEqual(expect.arrayContaining(others));
      await load.more(300);
    }
    await load.end();
    expect(load.told).toEqual([]);
    expect(load.failures).toBe(0);
    // Those of the victims, each once for each time that it was killed.
    expect(load.again).toBeGreaterThan(0);
    process.stdout.write(
      `4 workers killed: ${load.requests} requests, ${load.again} sent again, ${load.failures} failed\n`,
    );
  });
});
