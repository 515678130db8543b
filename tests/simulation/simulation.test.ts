import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Fleet, type FleetOptions } from '../../src/fleet/fleet.ts';
import { deafFleet, DoublingFleet, ForgetfulFleet, LyingFleet } from './broken-fleet.ts';
import { toyRings } from './rings.ts';
import type { Rule } from './rule.ts';
import { run, type Failure } from './run.ts';
import { shrink } from './shrink.ts';

/** Of a campaign's many, what every run of the tests has the time for; `campaign.ts` takes as many as it is told. */
const SEEDS = 300;
/** Of a fleet that breaks a rule, the seeds until that is found. */
const SEEDS_BROKEN_MAX = 60;
/** Of those, the failures that are shrunk. */
const FAILURES_SHRUNK = 3;
/** What is left of the shortest when it is shrunk. */
const STEPS_SHRUNK_MAX = 8;
const TEST_TIMEOUT_MS = 300_000;
const ROOT = new URL('../..', import.meta.url).pathname;

setDefaultTimeout(TEST_TIMEOUT_MS);

let realRings: () => void;
beforeAll(() => {
  realRings = toyRings();
});
afterAll(() => realRings());

test('whatever happens, members are who was let in, the ring is who is ready, and all are well in the end', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failure } = run({ seed });
    if (failure === undefined) continue;
    const { rule, message, steps } = shrink({ seed }, failure);
    throw new Error(
      `${rule}: ${message}\nbun tests/simulation/campaign.ts --seed ${seed} --steps ${steps.join(',')}`,
    );
  }
});

// Dozens of calls that a closing Ringmaster refused doubled what might have come of them, each: it never ended.
test('a seed in which a full queue is refused ends', () => {
  expect(run({ seed: 4723 }).failure).toBeUndefined();
});

test('the same seed is the same run, another one is another', () => {
  const digests = (first: number): number[] =>
    [first, first + 1, first + 2].map((seed) => run({ seed }).digest);
  expect(digests(7)).toEqual(digests(7));
  expect(new Set([...digests(7), ...digests(10)]).size).toBe(6);
  const traces = [0, 1].map(() => {
    const trace: string[] = [];
    run({ seed: 7, trace });
    return trace;
  });
  expect(traces[0]).toEqual(traces[1]);
  expect(traces[0]?.length).toBeGreaterThan(200);
});

/** The first failures of a campaign, each as short as it gets; some seeds need many steps to come to the same. */
function shortestFailure(make: (options: FleetOptions) => Fleet): { seed: number; shrunk: Failure } {
  const found: { seed: number; shrunk: Failure }[] = [];
  for (let seed = 1; seed <= SEEDS_BROKEN_MAX && found.length < FAILURES_SHRUNK; seed++) {
    const { failure } = run({ seed, make });
    if (failure !== undefined) found.push({ seed, shrunk: shrink({ seed, make }, failure) });
  }
  const [shortest] = found.sort((a, b) => a.shrunk.steps.length - b.shrunk.steps.length);
  if (shortest === undefined) throw new Error(`${SEEDS_BROKEN_MAX} seeds have found nothing`);
  return shortest;
}

describe('a fleet that breaks a rule', () => {
  test.each<[string, readonly Rule[], (options: FleetOptions) => Fleet]>([
    ['that does twice what was asked once', ['history'], (options) => new DoublingFleet(options)],
    ['that has not done what it says', ['history', 'follower'], (options) => new LyingFleet(options)],
    ['that drains nothing', ['in flight', 'drain', 'news'], (options) => new ForgetfulFleet(options)],
    ['that does not hear what the engine tells', ['noticed'], deafFleet],
  ])('%s is found out, and the failure is shrunk to a few steps', (_, rules, make) => {
    const { seed, shrunk } = shortestFailure(make);
    expect(rules).toContain(shrunk.rule);
    expect(shrunk.steps.length).toBeLessThanOrEqual(STEPS_SHRUNK_MAX);
    expect(run({ seed, make, steps: shrunk.steps }).failure).toEqual(shrunk);
    // None of them is there for nothing.
    for (const i of shrunk.steps.keys())
      expect(run({ seed, make, steps: shrunk.steps.toSpliced(i, 1) }).failure?.rule).not.toBe(shrunk.rule);
  });
});

describe('a campaign', () => {
  async function campaign(program: string, ...args: string[]): Promise<{ status: number; lines: string[] }> {
    const child = Bun.spawn([process.execPath, program, ...args], {
      cwd: ROOT,
      stdout: 'pipe',
      stderr: 'inherit',
    });
    const text = await new Response(child.stdout).text();
    return { status: await child.exited, lines: text.trimEnd().split('\n') };
  }

  test('ends with one line of figures', async () => {
    const { status, lines } = await campaign('tests/simulation/campaign.ts', '6', '100');
    expect(status).toBe(0);
    expect(lines.at(-1)).toMatch(
      /^6 seeds, 1200 steps, \d+ calls accepted, \d+ refused, \d+ crashes, [\d.]+ virtual hours, 0 failed, [\d.]+ seconds$/,
    );
  });

  test('prints what fails as a command that repeats it', async () => {
    const { status, lines } = await campaign('tests/simulation/broken-fleet.ts', '4');
    expect(status).toBe(1);
    const found = lines.findIndex((line) => line.startsWith('seed '));
    const command = lines[found + 1]?.split(' ') ?? [];
    expect(command.slice(0, 3)).toEqual(['bun', 'tests/simulation/broken-fleet.ts', '--seed']);
    const again = await campaign(command[1] as string, ...command.slice(2));
    expect(again).toEqual({ status: 1, lines: lines.slice(found, found + 2) });
    // It is the fleet that is broken, not the steps.
    const well = await campaign('tests/simulation/campaign.ts', ...command.slice(2));
    expect(well.status).toBe(0);
  });
});
