import { afterEach, describe, setDefaultTimeout, test } from 'bun:test';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { freeze } from './freeze.ts';
import { ordeal, type Ground } from './ordeal.ts';

setDefaultTimeout(240_000);

const CLUSTERS = [1, 2].map((workers) => `traffic-${process.pid}-${workers}`);
const live: Spawned[] = [];
afterEach(async () => {
  await Promise.all(live.splice(0).map((one) => one.end('SIGTERM')));
  for (const cluster of CLUSTERS) {
    const left = await docker(`ps -aq --filter label=ringmaster.cluster=${cluster}`);
    if (left !== '') await docker(`rm -f ${left.split('\n').join(' ')}`);
  }
});

async function docker(command: string): Promise<string> {
  return (await Bun.$`docker ${{ raw: command }}`.quiet().text()).trim();
}

async function ground(cluster: string, workers: number): Promise<Ground> {
  const ringmaster = await spawnRingmaster({
    RUNTIME: 'docker',
    CLUSTER: cluster,
    WORKERS: String(workers),
    HEARTBEAT_INTERVAL_MS: '200',
  });
  live.push(ringmaster);
  return {
    ringmaster,
    kill: (replica) => docker(`kill ${cluster}-${replica}`),
    pause: (replica) => freeze(`${cluster}-${replica}`),
    // It may have been replaced meanwhile.
    resume: (replica) => docker(`unpause ${cluster}-${replica}`).catch(() => ''),
    remove: (replica) => docker(`rm -f ${cluster}-${replica}`),
  };
}

describe('steady load on the traffic port, containers', () => {
  // Both at the same time: what takes long is the engine, and it has time for two.
  test('no request fails, whatever becomes of replicas, with one process that relays and with two', async () => {
    const figures = await Promise.all(
      CLUSTERS.map(async (cluster, i) =>
        ordeal(await ground(cluster, i + 1), { rounds: 1, pauseMs: 4 }).then(
          (figure) => `WORKERS=${i + 1}, containers: ${figure}\n`,
        ),
      ),
    );
    process.stdout.write(figures.join(''));
  });
});
