import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { medianOf } from '../bench/statistics.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { BoundedServer } from './bounded-server.ts';
import { openLoad, type OpenLoadFigures } from './open-load.ts';

setDefaultTimeout(180_000);

/** Together they can do 100 requests a second: so few that the machine is no part of the figures. */
const SERVERS = 2;
const WORK_MS = 20;
const CAPACITY_PER_S = (SERVERS * 1000) / WORK_MS;
const OVERLOAD = 3;
/** A wait of 200 ms at a server, which is well within the deadline. */
const IN_FLIGHT_MAX = 10;
const DEADLINE_MS = 1000;
const PHASE_S = 2;
/** At capacity and over it in turn: what an overload leaves behind shows in what follows. */
const ROUNDS = 2;
const GOODPUT_PART_MIN = 0.8;

let ringmaster: Spawned | undefined;
let servers: BoundedServer[] = [];
afterEach(async () => {
  await ringmaster?.end('SIGTERM');
  await Promise.all(servers.map((one) => one.stop()));
});

describe.each([
  ['do not mind a queue', 0],
  ['get slower with every request that waits', 0.02],
])('servers that %s', (_, slowedBy) => {
  test.each(['8080', '5000'])(
    'port %s: at three times what they can do as much is answered in time as ever, and the rest is told so at once',
    async (port) => {
      servers = Array.from(
        { length: SERVERS },
        () => new BoundedServer({ atOnce: 1, workMs: WORK_MS, slowedBy }),
      );
      ringmaster = await spawnRingmaster({
        RUNTIME: 'static',
        UPSTREAMS: servers.map((one, i) => `s${i}=127.0.0.1:${one.port}`).join(','),
        REPLICA_IN_FLIGHT_MAX: String(IN_FLIGHT_MAX),
      });
      const url = port === '8080' ? ringmaster.traffic : ringmaster.url;
      const phase = (times: number): Promise<OpenLoadFigures> =>
        openLoad({
          port: Number(new URL(url).port),
          perSecond: times * CAPACITY_PER_S,
          seconds: PHASE_S,
          deadlineMs: DEADLINE_MS,
        });
      const [at, over]: [OpenLoadFigures[], OpenLoadFigures[]] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        at.push(await phase(1));
        over.push(await phase(OVERLOAD));
      }
      const goodPerS = (figures: OpenLoadFigures): number => figures.good.length / PHASE_S;
      const best = Math.max(...[...at, ...over].map(goodPerS));
      const overload = over.reduce((sum, one) => sum + goodPerS(one), 0) / ROUNDS;
      const [good, refused] = [over.flatMap((one) => one.good), over.flatMap((one) => one.refused)];
      process.stdout.write(
        `port ${port}, slowed by ${slowedBy}: of ${CAPACITY_PER_S}/s at ${OVERLOAD} times that ${overload.toFixed(0)}/s in time, at best ${best.toFixed(0)}/s; ` +
          `median ${medianOf(good).toFixed(0)} ms, refused after ${medianOf(refused).toFixed(1)} ms\n`,
      );
      expect(overload).toBeGreaterThanOrEqual(GOODPUT_PART_MIN * best);
      expect(best).toBeGreaterThan(CAPACITY_PER_S / 4);
      // Early, not late: nobody waits for a refusal as those do who are served.
      expect(refused.length).toBeGreaterThan((CAPACITY_PER_S * PHASE_S * ROUNDS) / 2);
      expect(medianOf(refused)).toBeLessThan(medianOf(good) / 2);
      expect(over.map(({ untold }) => untold)).toEqual(over.map(() => 0));
      for (const { others } of [...at, ...over]) expect([...others]).toEqual([]);
      for (const { mostInFlight } of servers) expect(mostInFlight).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    },
  );
});
