/**
 * `bun run test`: runs every suite that this machine has what it takes for, and says which it left out and why.
 * With REQUIRE_DOCKER=1 a suite that is left out fails the run, unless it takes several hosts; with REQUIRE_SWARM=1 one
 * that does. The last line counts what was really run.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import Docker from 'dockerode';
import { ALL_HOSTS, Hosts } from './swarm/hosts.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const OUTPUT = `${ROOT}test-output`;
/** A safety net for a slow machine; no test depends on how long it takes. */
const TEST_TIMEOUT_MS = 60_000;

interface Suite {
  readonly name: string;
  /** Its files, by the end of their names; undefined: all that no other suite has. */
  readonly suffix: string | undefined;
  /** Why it can't run here; undefined when it can. */
  missing(): Promise<string | undefined>;
  /** What its files are run by; undefined: nothing. */
  readonly by?: readonly string[];
  /** Whether it waits for an engine most of the time: then it runs beside those that do not. */
  readonly waits?: boolean;
  /** Whether it takes the Swarm of several hosts that SWARM_HOSTS makes. */
  readonly onHosts?: boolean;
}

/** In a network of its own, of which a second engine can do what it likes. */
const IN_OWN_NETWORK = ['unshare', '--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

const SUITES: readonly Suite[] = [
  { name: 'needs nothing', suffix: undefined, missing: () => Promise.resolve(undefined) },
  {
    name: 'Deno',
    suffix: '.deno.test.ts',
    missing: () =>
      Promise.resolve(
        existsSync(`${ROOT}node_modules/@deno`) ? undefined : 'npm has no Deno for this machine',
      ),
  },
  {
    name: 'browser',
    suffix: '.browser.test.ts',
    missing: () => {
      const path = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
      return Promise.resolve(
        existsSync(path) ? undefined : `no Chromium at ${path}: install it, or set CHROMIUM`,
      );
    },
  },
  {
    name: 'Prometheus',
    suffix: '.prometheus.test.ts',
    missing: () => {
      const missing = ['prometheus', 'promtool'].filter((program) => Bun.which(program) === null);
      return Promise.resolve(missing.length === 0 ? undefined : `no ${missing.join(' and no ')} in PATH`);
    },
  },
  {
    name: 'nginx',
    suffix: '.nginx.test.ts',
    missing: () => Promise.resolve(Bun.which('nginx') === null ? 'no nginx in PATH' : undefined),
  },
  { name: 'a network of its own', suffix: '.network.test.ts', missing: namespacesMissing },
  { name: 'containers', suffix: '.docker.test.ts', missing: engineMissing, waits: true },
  {
    name: 'an engine of its own',
    suffix: '.engine.test.ts',
    missing: async () => (await engineMissing()) ?? secondEngineMissing(),
    by: IN_OWN_NETWORK,
    waits: true,
  },
  { name: 'a Swarm', suffix: '.swarm.test.ts', missing: hostsMissing, waits: true, onHosts: true },
  // Last of all: one of its hosts dies.
  { name: 'several hosts', suffix: '.hosts.test.ts', missing: hostsMissing, waits: true, onHosts: true },
];

/** Linux gives whoever may have one a network apart, where a test can have any address. */
async function namespacesMissing(): Promise<string | undefined> {
  const { exitCode } = await Bun.$`unshare --user --map-root-user --net ip link set lo up`.nothrow().quiet();
  return exitCode === 0
    ? undefined
    : 'this user may not make a network namespace, or unshare or ip is missing';
}

async function engineMissing(): Promise<string | undefined> {
  try {
    await new Docker().ping();
    return undefined;
  } catch {
    return 'no Docker engine answers';
  }
}

async function hostsMissing(): Promise<string | undefined> {
  return Hosts.missing() ?? (await engineMissing());
}

/** What tests/faults/second-engine.ts takes. */
function secondEngineMissing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes root on Linux';
  const path = ['/usr/sbin/dockerd', '/usr/bin/containerd', '/usr/bin/unshare'].find(
    (one) => !existsSync(one),
  );
  return path === undefined ? undefined : `no ${path}`;
}

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

interface Ran extends Count {
  /** What the tests that failed said. */
  told: readonly string[];
}

/** A file that has not ended by then hangs, and is ended. */
const FILE_TIMEOUT_MS = 900_000;
/** Of what a test that failed said, the last lines. */
const TOLD_LINES_MAX = 60;

/** Runs one file in a process of its own, so that none can spoil the next; counts what its report says it did. */
async function run(
  file: string,
  by: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const report = `${OUTPUT}/${file.replaceAll('/', '-')}.xml`;
  await Bun.file(report)
    .delete()
    .catch(() => {});
  const child = Bun.spawn(
    [
      ...by,
      process.execPath,
      'test',
      `--timeout=${TEST_TIMEOUT_MS}`,
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      file,
    ],
    {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: FILE_TIMEOUT_MS,
    },
  );
  // All at once when it has ended: another file runs at the same time.
  const said: string[] = [];
  const [told] = await Promise.all([listen(child.stderr, said), listen(child.stdout, said)]);
  const status = await child.exited;
  process.stdout.write(said.join(''));
  const [head = ''] =
    /<testsuites [^>]*>/.exec(
      await Bun.file(report)
        .text()
        .catch(() => ''),
    ) ?? [];
  const figure = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const [tests, failed, skipped] = [figure('tests'), figure('failures'), figure('skipped')];
  // An error outside of any test, or a file that ended before its report, fails without failing a test.
  const unseen = (status !== 0 && failed === 0) || tests === 0 ? 1 : 0;
  return {
    passed: tests - failed - skipped,
    failed: failed + unseen,
    skipped,
    told: failed + unseen > 0 ? told : [],
  };
}

/** Notes a file's output, and gives what it said of each test that failed, and last of all. */
async function listen(stream: ReadableStream<Uint8Array>, said: string[]): Promise<string[]> {
  const decoder = new TextDecoder();
  const told: string[] = [];
  let lines: string[] = [];
  let rest = '';
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    said.push(text);
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line);
      if (lines.length > TOLD_LINES_MAX) lines.shift();
      if (line.startsWith('(fail)')) told.push(lines.join('\n'));
      if (/^\((pass|fail)\)/.test(line)) lines = [];
    }
  }
  return [...told, [...lines, rest].join('\n')];
}

await mkdir(OUTPUT, { recursive: true });
const wanted = process.argv.slice(2);
const all = [...new Bun.Glob('tests/**/*.test.{js,ts}').scanSync(ROOT)]
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
const suffixes = SUITES.flatMap((suite) => suite.suffix ?? []);
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const leftOut: { readonly suite: Suite; readonly told: string }[] = [];
const failures: { readonly file: string; readonly told: readonly string[] }[] = [];

let hosts: Hosts | undefined;

/** Several hosts with the image, up since the first suite that takes them; gives what its files are told of them. */
async function hostsUp(): Promise<Readonly<Record<string, string>>> {
  hosts ??= await Hosts.up();
  await hosts.haveImage();
  const [, ...others] = ALL_HOSTS.map((host) => hosts?.socket(host));
  return { SWARM_SOCKETS: others.join(',') };
}

async function runSuite(suite: Suite): Promise<void> {
  const { suffix } = suite;
  const files = all.filter((file) =>
    suffix === undefined ? !suffixes.some((one) => file.endsWith(one)) : file.endsWith(suffix),
  );
  if (files.length === 0) return;
  const missing = await suite.missing();
  if (missing !== undefined) {
    leftOut.push({ suite, told: `left out: ${suite.name} (${files.join(', ')}): ${missing}` });
    return;
  }
  process.stdout.write(`\n── ${suite.name}: ${files.length} files\n`);
  let env: Readonly<Record<string, string>> = {};
  try {
    if (suite.onHosts === true) env = await hostsUp();
  } catch (error) {
    total.failed++;
    failures.push({
      file: files.join(', '),
      told: [`the hosts did not come up: ${(error as Error).message}`],
    });
    return;
  }
  for (const file of files) {
    const count = await run(file, suite.by, env);
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped += count.skipped;
    if (count.failed > 0) failures.push({ file, told: count.told });
  }
}

await Promise.all(
  [true, false].map(async (waits) => {
    for (const suite of SUITES) if ((suite.waits ?? false) === waits) await runSuite(suite);
  }),
);
await hosts?.down().catch((error: Error) => process.stdout.write(`\nhosts are left: ${error.message}\n`));
// Once more at the end, where whoever sees only that finds why.
for (const { file, told } of failures) process.stdout.write(`\nfailed: ${file}\n${told.join('\n')}\n`);
for (const { told } of leftOut) process.stdout.write(`\n${told}\n`);
for (const [variable, onHosts] of [
  ['REQUIRE_DOCKER', false],
  ['REQUIRE_SWARM', true],
] as const) {
  const required = leftOut.filter(({ suite }) => (suite.onHosts ?? false) === onHosts);
  if (required.length === 0 || process.env[variable] !== '1') continue;
  process.stdout.write(
    `\n${variable}=1: what is left out fails the run: ${required.map(({ suite }) => suite.name).join(', ')}\n`,
  );
  total.failed += required.length;
}
// A suite of which nothing ran proves nothing, and a skipped test is one that did not run.
if (total.passed === 0 || total.skipped > 0) total.failed += 1;
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exit(total.failed === 0 ? 0 : 1);
