import { afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { descriptorLimit, descriptorShares } from '../../src/traffic/relay/descriptors.ts';
import { Crowd } from '../bench/crowd.ts';
import { descriptorsOf, memoryOf } from '../processes.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';

setDefaultTimeout(180_000);

const MB = 1_000_000;
const CONNECTIONS = 10_000;
/** Of that, what does not depend on how many there are: code that is compiled and buffers that are used again. */
const GROWTH_MAX_BYTES = 60 * MB;
const GROWTH_FIXED_BYTES = 20 * MB;
/** For what else this process has open. */
const DESCRIPTORS_TO_SPARE = 200;
const BODY = 'x'.repeat(100);

let ringmaster: Spawned | undefined;
let server: Bun.Server<undefined> | undefined;
const crowd = new Crowd();
afterEach(async () => {
  crowd.drop();
  await ringmaster?.end('SIGTERM');
  await server?.stop(true);
});

test('10,000 clients that are served once and then stay silent cost less than 60 MB', async () => {
  server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(BODY) });
  ringmaster = await spawnRingmaster({ RUNTIME: 'static', UPSTREAMS: `a=127.0.0.1:${server.port}` });
  const { pid } = ringmaster;
  // Where there may not be as many, as many as there may be, and no more memory for each.
  const ours = descriptorLimit() - descriptorsOf(process.pid) - DESCRIPTORS_TO_SPARE;
  const { clientsMax } = descriptorShares(descriptorLimit(), CONNECTIONS);
  const connections = Math.min(CONNECTIONS, ours, clientsMax);
  expect(connections).toBeGreaterThan(0);
  const growthMax =
    GROWTH_FIXED_BYTES + ((GROWTH_MAX_BYTES - GROWTH_FIXED_BYTES) * connections) / CONNECTIONS;

  const before = memoryOf(pid).residentBytes;
  const port = Number(new URL(ringmaster.traffic).port);
  const figures = await crowd.gather({ port, bodyBytes: BODY.length, path: '/any', connections });
  expect(figures).toEqual({ open: connections, firstError: undefined });
  expect(descriptorsOf(pid)).toBeGreaterThanOrEqual(connections);
  const after = memoryOf(pid).residentBytes;
  // Nobody was closed in place of another.
  expect(crowd.figures).toEqual(figures);
  const growth = after - before;
  process.stdout.write(
    `${connections} idle connections: ${(before / MB).toFixed(1)} MB before, ${(growth / MB).toFixed(1)} MB more with them\n`,
  );
  expect(growth).toBeLessThan(growthMax);
  crowd.drop();
  await eventually(() => descriptorsOf(pid) < connections);
});
