import { expect, test } from 'bun:test';
import { spawnRingmaster } from './spawned.ts';

const PATIENCE_MS = 60_000;

// npm passes a signal on to its shell alone: `npx bun run start` ended, and the balancer below it went on unseen.
test(
  'ends, and leaves nothing, when the npm that started it is gone',
  async () => {
    const below = `"${process.execPath}" src/main.ts & wait`;
    const npm = ['bash', '-c', 'exec -a "npm exec" bash -c "$0"', below];
    const ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '1' }, npm);
    // Resolves only when nobody holds its output any more, so also when the balancer has ended.
    await ringmaster.end('SIGKILL');
    expect(ringmaster.output()).toContain('"stopped"');
    await expect(fetch(`${ringmaster.url}/heartbeat`)).rejects.toThrow();
  },
  PATIENCE_MS,
);
