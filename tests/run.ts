/**
 * `bun run test`: runs every suite that this machine has what it takes for, and says which it left out and why.
 * With REQUIRE_DOCKER=1 a suite that is left out fails the run. The last line counts what was really run.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import Docker from 'dockerode';

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
  { name: 'a network of its own', suffix: '.network.test.ts', missing: namespacesMissing },
  { name: 'containers', suffix: '.docker.test.ts', missing: engineMissing, waits: true },
  {
    name: 'an engine of its own',
    suffix: '.engine.test.ts',
    missing: async () => (await engineMissing()) ?? secondEngineMissing(),
    by: IN_OWN_NETWORK,
    waits: true,
  },
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
async function run(file: string, by: readonly string[] = []): Promise<Ran> {
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
    { cwd: ROOT, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', timeout: FILE_TIMEOUT_MS },
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
const all = [...new Bun.Glob('tests/**/*.test.ts').scanSync(ROOT)]
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
const suffixes = SUITES.flatMap((suite) => suite.suffix ?? []);
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const leftOut: string[] = [];
const failures: { readonly file: string; readonly told: readonly string[] }[] = [];

async function runSuite(suite: Suite): Promise<void> {
  const { suffix } = suite;
  const files = all.filter((file) =>
    suffix === undefined ? !suffixes.some((one) => file.endsWith(one)) : file.endsWith(suffix),
  );
  if (files.length === 0) return;
  const missing = await suite.missing();
  if (missing !== undefined) {
    leftOut.push(`left out: ${suite.name} (${files.join(', ')}): ${missing}`);
    return;
  }
  process.stdout.write(`\n── ${suite.name}: ${files.length} files\n`);
  for (const file of files) {
    const count = await run(file, suite.by);
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
// Once more at the end, where whoever sees only that finds why.
for (const { file, told } of failures) process.stdout.write(`\nfailed: ${file}\n${told.join('\n')}\n`);
for (const line of leftOut) process.stdout.write(`\n${line}\n`);
if (leftOut.length > 0 && process.env['REQUIRE_DOCKER'] === '1') {
  process.stdout.write('\nREQUIRE_DOCKER=1: a suite that is left out fails the run\n');
  total.failed += leftOut.length;
}
// A suite of which nothing ran proves nothing, and a skipped test is one that did not run.
if (total.passed === 0 || total.skipped > 0) total.failed += 1;
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exit(total.failed === 0 ? 0 : 1);
