import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { fetchesMax, send, sendByNodeHttp } from '../../src/traffic/upstream.ts';
import { upstreamCases } from './upstream.suite.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const DENO_TIMEOUT_MS = 60_000;
// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);

describe('send on Bun', () => {
  test.each(upstreamCases.map(({ name, run }) => [name, run] as const))('%s', (_, run) => run(send));
});

describe('sendByNodeHttp on Bun, where it is used for what fetch would change', () => {
  const cases = upstreamCases.filter(({ kept }) => kept === undefined);
  test.each(cases.map(({ name, run }) => [name, run] as const))('%s', (_, run) => run(sendByNodeHttp));
});

describe('sendByNodeHttp on Deno', () => {
  const errors = new Map<string, string | undefined>();
  let output = '';

  beforeAll(async () => {
    const script = ['run', '-A', '--no-check', '--node-modules-dir=manual', 'tests/traffic/upstream.deno.ts'];
    const child = Bun.spawn([`${ROOT}node_modules/.bin/deno`, ...script], {
      cwd: ROOT,
      env: { ...process.env, DENO_NO_UPDATE_CHECK: '1' },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    output = stdout + stderr;
    for (const line of stdout.split('\n').filter((one) => one.startsWith('{'))) {
      const { name, error }: { name: string; error?: string } = JSON.parse(line);
      errors.set(name, error);
    }
  }, DENO_TIMEOUT_MS);

  test.each(upstreamCases.map(({ name }) => name))('%s', (name) => {
    if (!errors.has(name)) throw new Error(`was not run:\n${output}`);
    expect(errors.get(name)).toBeUndefined();
  });
});

test.each([
  [undefined, 256],
  ['', 256],
  ['0', 256],
  ['abc', 256],
  ['70000', 256],
  ['1', 1],
  ['16384', 16_384],
  ['65535', 65_535],
])('with BUN_CONFIG_MAX_HTTP_REQUESTS=%p Bun fetches %d at once', (configured, max) => {
  expect(fetchesMax(configured)).toBe(max);
});
