/** `bun run soak [MINUTES] [--runtime process|docker] [--workers N] [--seed N]`: ends with a report, and with 0 if it is good. */
import Docker from 'dockerode';
import { orderOf, type Order } from './order.ts';
import type { PlaceKind } from './place.ts';
import { flawsOf, textOf } from './report.ts';
import { soak } from './soak.ts';

/** One press of Ctrl-C reaches us from the terminal and again from `bun run`. */
const SIGNAL_ECHO_MS = 250;

const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const order = readOrder();
const runtime = order.runtime ?? (await runtimeHere());
const seed = order.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
const stop = new AbortController();
let askedAtMs: number | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    const nowMs = performance.now();
    if (askedAtMs !== undefined && nowMs - askedAtMs > SIGNAL_ECHO_MS) process.exit(130);
    askedAtMs ??= nowMs;
    stop.abort();
  });

tell(`${order.minutes} minutes, RUNTIME=${runtime}, WORKERS=${order.workers}, --seed ${seed}`);
const { minutes, workers } = order;
const log = `test-output/soak-${seed}.log`;
const keepLog = (text: string): Promise<number> => Bun.write(new URL(`../../${log}`, import.meta.url), text);
const report = await soak({ minutes, runtime, workers, seed, signal: stop.signal, tell, keepLog });
tell(`\n${textOf(report)}Ringmaster's log: ${log}`);
process.exit(flawsOf(report).length === 0 ? 0 : 1);

function readOrder(): Order {
  try {
    return orderOf(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return process.exit(1);
  }
}

async function runtimeHere(): Promise<PlaceKind> {
  try {
    await new Docker().ping();
    return 'docker';
  } catch {
    return 'process';
  }
}
