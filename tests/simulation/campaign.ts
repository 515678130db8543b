/**
 * `bun tests/simulation/campaign.ts SEEDS [FIRST_SEED]` runs the simulation of the fleet with that many seeds on all
 * cores. What fails is shrunk, and printed with the command that repeats it:
 * `bun tests/simulation/campaign.ts --seed SEED [--steps 3,17,42] [--trace]`.
 */
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { toyRings } from './rings.ts';
import { run, STEPS, type Failure, type RunOptions } from './run.ts';
import { shrink } from './shrink.ts';

/** Processes that share the seeds, whatever the number of cores. */
const PROCESSES_MAX = 64;
/** A process gives up after so many seeds that failed: they hardly have as many reasons. */
const FAILURES_MAX = 3;
/** Of all failures, those that are shrunk and printed. */
const SHRUNK_MAX = 3;
/** How often is said how far it has come. */
const PROGRESS_INTERVAL_MS = 15_000;
/** A seed takes some 10 ms; one that has not ended by then never does. */
const SEED_MAX_MS = 120_000;
const SHARE = '--share';

/** What one process has done, or all of them. */
interface Sum {
  seeds: number;
  accepted: number;
  refused: number;
  crashes: number;
  virtualMs: number;
  readonly failures: { readonly seed: number; readonly failure: Failure }[];
}

const nothing = (): Sum => ({ seeds: 0, accepted: 0, refused: 0, crashes: 0, virtualMs: 0, failures: [] });

/** Runs what `args` say; gives the status to exit with. `make` is for who tests that a broken fleet is found out. */
export async function campaign(args: readonly string[], make?: RunOptions['make']): Promise<number> {
  toyRings();
  // Refusals are errors, thousands of them, and nobody reads where they come from.
  if (!args.includes('--seed')) Error.stackTraceLimit = 0;
  const [first = '', second = ''] = args;
  if (first === '--seed') return repeat(args, make);
  if (first === SHARE) return share(second, make);
  const seeds = Number(first);
  const firstSeed = Number(second === '' ? 1 : second);
  if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(firstSeed)) {
    say(`usage: bun ${program()} SEEDS [FIRST_SEED] | --seed SEED [--steps 3,17,42] [--trace]`);
    return 2;
  }
  return all(seeds, firstSeed, make);
}

async function all(seeds: number, firstSeed: number, make: RunOptions['make']): Promise<number> {
  const beganMs = performance.now();
  const processes = Math.min(availableParallelism(), PROCESSES_MAX, seeds);
  const sum = nothing();
  const progress = setInterval(() => say(`${sum.seeds} of ${seeds} seeds`), PROGRESS_INTERVAL_MS);
  const statuses = await Promise.all(
    Array.from({ length: processes }, (_, i) =>
      employ({ first: firstSeed + i, end: firstSeed + seeds, stride: processes }, (part) => add(sum, part)),
    ),
  );
  clearInterval(progress);
  for (const { seed, failure } of sum.failures.slice(0, SHRUNK_MAX))
    tell(seed, shrink({ seed, make }, failure));
  const seconds = (performance.now() - beganMs) / 1000;
  say(
    `${sum.seeds} seeds, ${sum.seeds * STEPS} steps, ${sum.accepted} calls accepted, ${sum.refused} refused, ` +
      `${sum.crashes} crashes, ${(sum.virtualMs / 3_600_000).toFixed(1)} virtual hours, ` +
      `${sum.failures.length} failed, ${seconds.toFixed(1)} seconds`,
  );
  return sum.failures.length === 0 && sum.seeds === seeds && statuses.every((status) => status === 0) ? 0 : 1;
}

/** Every so-manieth seed from the first to before the last. */
interface Seeds {
  readonly first: number;
  readonly end: number;
  readonly stride: number;
}

/** Has a process of its own run a part of the seeds; gives how it ended. One that hangs is ended, and its seed told. */
async function employ({ first, end, stride }: Seeds, reported: (part: Sum) => void): Promise<number> {
  const child = Bun.spawn([process.execPath, Bun.main, SHARE, `${first},${end},${stride}`], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  let seed = first;
  const hangs = (): void => {
    say(`seed ${seed} has not ended within ${SEED_MAX_MS / 1000} seconds`);
    say(`bun ${program()} --seed ${seed}`);
    child.kill('SIGKILL');
  };
  let timer = setTimeout(hangs, SEED_MAX_MS);
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of child.stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) reported(JSON.parse(line) as Sum);
    seed += lines.length * stride;
    clearTimeout(timer);
    timer = setTimeout(hangs, SEED_MAX_MS);
  }
  clearTimeout(timer);
  return child.exited;
}

/** Runs a part of the seeds, and reports after each. */
function share(text: string, make: RunOptions['make']): number {
  const [first = 0, end = 0, stride = 1] = text.split(',').map(Number);
  let failed = 0;
  for (let seed = first; seed < end && failed < FAILURES_MAX; seed += stride) {
    const { failure, ...figures } = run({ seed, make });
    const part: Sum = {
      ...figures,
      seeds: 1,
      failures: failure === undefined ? [] : [{ seed, failure }],
    };
    say(JSON.stringify(part));
    failed += part.failures.length;
  }
  return 0;
}

function repeat(args: readonly string[], make: RunOptions['make']): number {
  const value = (name: string): string | undefined => args[args.indexOf(name) + 1];
  const seed = Number(value('--seed'));
  const steps = args.includes('--steps') ? value('--steps')?.split(',').map(Number) : undefined;
  const trace: string[] | undefined = args.includes('--trace') ? [] : undefined;
  const { failure } = run({ seed, steps, make, trace });
  if (trace !== undefined) say(trace.join('\n'));
  if (failure === undefined) say(`seed ${seed} breaks no rule`);
  else tell(seed, steps === undefined ? shrink({ seed, make }, failure) : failure);
  return failure === undefined ? 0 : 1;
}

function add(sum: Sum, part: Sum): void {
  sum.seeds += part.seeds;
  sum.accepted += part.accepted;
  sum.refused += part.refused;
  sum.crashes += part.crashes;
  sum.virtualMs += part.virtualMs;
  sum.failures.push(...part.failures);
}

function tell(seed: number, { rule, message, steps }: Failure): void {
  say(`seed ${seed} breaks the rule "${rule}" in ${steps.length} steps: ${message}`);
  say(`bun ${program()} --seed ${seed} --steps ${steps.join(',')}`);
}

function program(): string {
  return relative(process.cwd(), Bun.main);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

if (import.meta.main) process.exitCode = await campaign(process.argv.slice(2));
