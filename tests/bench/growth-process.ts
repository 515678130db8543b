/** Measures one size of ring or fleet, and prints the figures: `bun tests/bench/growth-process.ts ring 1000`. */
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/fleet/clock.ts';
import { digestOf, sourceOf } from '../../src/fleet/digest.ts';
import { PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import { httpHeartbeat, type Heartbeat } from '../../src/fleet/heartbeat.ts';
import { silentLog } from '../../src/log.ts';
import { Ring } from '../../src/ring/ring.ts';
import { InstantRuntime } from '../runtime/instant-runtime.ts';
import { freePorts } from './stage.ts';

export interface RingGrowth {
  readonly size: number;
  readonly buildMs: number;
  readonly memoryMb: number;
  readonly lookupNs: number;
  readonly digestMs: number;
}

export interface FleetGrowth {
  readonly size: number;
  readonly addMs: number;
  /** How often the ring was swapped for the add. */
  readonly addSwaps: number;
  /** CPU seconds a second, with nothing but heartbeats. */
  readonly cpuPerS: number;
  readonly beatsPerS: number;
  readonly beatsAtOnce: number;
  /** Heartbeats begun in a full 10 ms: no more in 99 of 100. */
  readonly burst: number;
  /** How often the ring was swapped when a tenth died at once, and came back. */
  readonly deathSwaps: number;
  readonly memoryMb: number;
}

export interface BeatCost {
  /** CPU of one heartbeat over a connection of its own, here and not at the replica, in microseconds. */
  readonly cpuUs: number;
}

const LOOKUPS = 1_000_000;
const WATCHED_MS = 10_000;
/** As long as a fake takes to answer. */
const BEAT_MS = 2;
const BURST_MS = 10;
const BYTES_PER_MB = 1e6;

const [what, given] = process.argv.slice(2);
const size = Number(given);
const names = Array.from({ length: size }, (_, i) => `server-${i + 1}`);
const measure = { ring: measureRing, fleet: measureFleet, beat: measureBeat }[what ?? ''];
if (measure === undefined) throw new Error(`There is no growth of ${what}`);
process.stdout.write(JSON.stringify(await measure()));
process.exit();

function measureRing(): RingGrowth {
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  const began = performance.now();
  let ring = Ring.of(names);
  const firstMs = performance.now() - began;
  // A small one is built once more, when the code has been compiled, as it is in a server that has run for a while.
  let buildMs = firstMs;
  const more = firstMs < 1000 ? 5 : 0;
  for (let i = 0; i < more; i++) {
    const again = performance.now();
    ring = Ring.of(names);
    buildMs = Math.min(buildMs, performance.now() - again);
  }
  Bun.gc(true);
  const memoryMb = (process.memoryUsage().rss - before) / BYTES_PER_MB;
  const keys = Array.from({ length: 4096 }, (_, i) => `user-${(i * 7919) % 1_000_003}`);
  const lookBegan = performance.now();
  let owned = 0;
  for (let i = 0; i < LOOKUPS; i++) if (ring.owner(keys[i & 4095] as string) !== undefined) owned++;
  const lookupNs = ((performance.now() - lookBegan) * 1e6) / owned;
  const digestBegan = performance.now();
  digestOf(sourceOf(ring));
  return { size, buildMs, memoryMb, lookupNs, digestMs: performance.now() - digestBegan };
}

async function measureFleet(): Promise<FleetGrowth> {
  let atOnce = 0;
  let beatsAtOnce = 0;
  const begun: number[] = [];
  const heartbeat: Heartbeat = async () => {
    begun.push(performance.now());
    beatsAtOnce = Math.max(beatsAtOnce, ++atOnce);
    await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    atOnce--;
    return 'answered';
  };
  let port = 0;
  const runtime = new InstantRuntime(() => ({ host: '127.0.0.1', port: ++port }));
  const fleet = new Fleet({
    runtime,
    clock: systemClock,
    heartbeat,
    log: silentLog,
    config: {
      replicas: 0,
      maxReplicas: size,
      heartbeatPath: '/heartbeat',
      heartbeatIntervalMs: 1000,
      heartbeatFailures: 3,
      startTimeoutMs: 600_000,
      drainTimeoutMs: 10_000,
      slowStartMs: 0,
      ...PLAIN_BALANCE,
    },
  });
  await fleet.open();
  let swaps = -1;
  fleet.follow({ swapped: () => void swaps++, inForce: () => Promise.resolve() });
  const addBegan = performance.now();
  await fleet.add({ n: size, hostnames: names });
  const addMs = performance.now() - addBegan;
  const addSwaps = swaps;
  // By then each has come to its own moment of the interval.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  begun.length = 0;
  beatsAtOnce = 0;
  const cpu = process.cpuUsage();
  const watchBegan = performance.now();
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  const watchedS = (performance.now() - watchBegan) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const beats = begun.slice();
  const memoryMb = process.memoryUsage().rss / BYTES_PER_MB;
  const mostAtOnce = beatsAtOnce;
  swaps = 0;
  const dead = names.filter((_, i) => i % 10 === 0);
  for (const name of dead) runtime.kill(name);
  const healed = (): boolean =>
    fleet.replicas().filter(({ state, restarts }) => state === 'ready' && restarts === 1).length ===
    dead.length;
  while (!healed()) await new Promise((resolve) => setTimeout(resolve, 50));
  // For a swap that is still due.
  await new Promise((resolve) => setTimeout(resolve, 500));
  return {
    size,
    addMs,
    addSwaps,
    cpuPerS: (user + system) / 1e6 / watchedS,
    beatsPerS: beats.length / watchedS,
    beatsAtOnce: mostAtOnce,
    burst: fullest(beats),
    deathSwaps: swaps,
    memoryMb,
  };
}

/** `size` heartbeats to the sample server, ten at a time. */
async function measureBeat(): Promise<BeatCost> {
  const [port = 0] = await freePorts(1);
  const replica = Bun.spawn(
    [process.execPath, fileURLToPath(new URL('../../src/replica/main.ts', import.meta.url))],
    {
      env: { ...process.env, PORT: String(port), SERVER_ID: 'beaten' },
      stdio: ['ignore', 'ignore', 'ignore'],
    },
  );
  const { signal } = new AbortController();
  const beat = () => httpHeartbeat({ host: '127.0.0.1', port }, '/heartbeat', 1000, signal);
  while ((await beat()) !== 'answered') await new Promise((resolve) => setTimeout(resolve, BURST_MS));
  const beatAll = async (): Promise<void> => {
    let left = size;
    const lane = async (): Promise<void> => {
      while (left-- > 0) await beat();
    };
    await Promise.all(Array.from({ length: 10 }, lane));
  };
  // Once for the compiler.
  await beatAll();
  const cpu = process.cpuUsage();
  await beatAll();
  const { user, system } = process.cpuUsage(cpu);
  replica.kill();
  return { cpuUs: (user + system) / size };
}

function fullest(times: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const ms of times) {
    const slot = Math.floor(ms / BURST_MS);
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  const sorted = [...counts.values()].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}
