import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { descriptorLimit, descriptorShares } from '../../src/traffic/relay/descriptors.ts';
import { Crowd } from '../bench/crowd.ts';
import { medianOf } from '../bench/statistics.ts';
import { descriptorsOf } from '../processes.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { SlowDrip } from './slow-drip.ts';

setDefaultTimeout(180_000);

const IDLE = 10_000;
/** Clients that send a byte a second: half of them of a head, the others of a body. */
const DRIPS = 200;
/** So many bytes of each have come when it is measured how others fare. */
const DRIPPED = 2;
const NORMAL_REQUESTS = 200;
/** For what else this process has open. */
const DESCRIPTORS_TO_SPARE = 400;
const BODY = 'x'.repeat(100);

let ringmaster: Spawned | undefined;
let server: Bun.Server<undefined> | undefined;
let crowd = new Crowd();
let drip: SlowDrip | undefined;
afterEach(async () => {
  crowd.drop();
  drip?.end();
  await ringmaster?.end('SIGTERM');
  await server?.stop(true);
});

describe('10,000 idle connections and 200 clients that send a byte a second', () => {
  test.each(['8080', '5000'])('port %s: stop nobody else’s request', async (port) => {
    // Bodies that have begun to come.
    let begun = 0;
    server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      async fetch(request) {
        if (request.method === 'POST') begun++;
        await request.arrayBuffer();
        return new Response(BODY);
      },
    });
    ringmaster = await spawnRingmaster({
      RUNTIME: 'static',
      UPSTREAMS: `a=127.0.0.1:${server.port}`,
      // A head that is late is refused, and then there would be fewer.
      HEAD_TIMEOUT_MS: '3600000',
    });
    const url = port === '8080' ? ringmaster.traffic : ringmaster.url;
    const target = Number(new URL(url).port);
    const ours = descriptorLimit() - descriptorsOf(process.pid) - DRIPS - DESCRIPTORS_TO_SPARE;
    const theirs = descriptorShares(descriptorLimit(), 2 * IDLE).clientsMax - DRIPS - DESCRIPTORS_TO_SPARE;
    const connections = Math.min(IDLE, ours, theirs);
    crowd = new Crowd();
    const idle = await crowd.gather({ port: target, bodyBytes: BODY.length, path: '/any', connections });
    expect(idle).toEqual({ open: connections, firstError: undefined });
    drip = await SlowDrip.begin(target, DRIPS);
    await eventually(() => begun >= DRIPS / 2 && (drip?.leastSent ?? 0) >= DRIPPED);

    const tookMs: number[] = [];
    for (let i = 0; i < NORMAL_REQUESTS; i++) {
      const beganMs = performance.now();
      const method = i % 2 === 0 ? 'GET' : 'POST';
      const reply = await fetch(`${url}/any?id=${i}`, {
        method,
        ...(method === 'POST' ? { body: BODY } : {}),
      });
      expect([reply.status, await reply.text()]).toEqual([200, BODY]);
      tookMs.push(performance.now() - beganMs);
    }
    process.stdout.write(
      `port ${port}, ${connections} idle and ${DRIPS} slow: a request takes ${medianOf(tookMs).toFixed(1)} ms, ${Math.max(...tookMs).toFixed(1)} at most\n`,
    );
    // All of them were there all the time.
    expect(crowd.figures).toEqual(idle);
    expect(drip.open).toBe(DRIPS);
    expect((await fetch(`${ringmaster.url}/rep`)).status).toBe(200);
  });
});
