import { describe, expect, test } from 'bun:test';
import { clientsMax, descriptorLimit, descriptorShares } from '../../../../src/traffic/relay/descriptors.ts';

describe('descriptors', () => {
  test.each([
    [1024, 20_000, 384, 384],
    [4096, 20_000, 1920, 1920],
    [20_000, 20_000, 15_648, 4096],
    [20_000, 10_000, 10_000, 9744],
    [1_048_576, 20_000, 20_000, 1_028_320],
    [64, 20_000, 16, 16],
    [1024, 10, 10, 758],
  ])('of %d, where %d clients are wanted: %d and %d', (limit, wanted, clientsMax, upstreamsMax) => {
    expect(descriptorShares(limit, wanted)).toEqual({ clientsMax, upstreamsMax });
  });

  test('each worker has as many clients as one alone, and no port has none', () => {
    const alone = clientsMax({ trafficPort: 0, workers: 1, connectionsMax: 20 });
    expect(alone).toBe(20);
    expect(clientsMax({ trafficPort: 0, workers: 3, connectionsMax: 20 })).toBe(60);
    expect(clientsMax({ trafficPort: undefined, workers: 1, connectionsMax: 20 })).toBeUndefined();
  });

  test('the limit is the one that a shell sets', () => {
    const script = `import('${import.meta.dir}/../../../../src/traffic/relay/descriptors.ts').then(({ descriptorLimit }) => console.log(descriptorLimit()))`;
    const run = Bun.spawnSync(['sh', '-c', `ulimit -n 500 && exec "$0" -e "$1"`, process.execPath, script]);
    expect(run.stdout.toString().trim()).toBe('500');
    expect(descriptorLimit()).toBeGreaterThan(0);
  });
});
