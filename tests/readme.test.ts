import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { parseConfig } from '../src/config.ts';
import { digestOf, sourceOf } from '../src/fleet/digest.ts';
import { Ring } from '../src/ring/ring.ts';
import { spawnRingmaster, type Spawned } from './spawned.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const PATIENCE_MS = 60_000;
const readme = await Bun.file(`${ROOT}README.md`).text();

/** Commands of the tour, each with what it is said to print. */
const tour = [...section('A tour').matchAll(/```console\n([^]*?)```/g)].map((block) => {
  const [command = '', ...output] = (block[1] as string).trimEnd().split('\n');
  return [command.replace(/^\$ /, ''), output.join('\n')] as const;
});

function section(title: string): string {
  return readme.split(/^## /m).find((one) => one.startsWith(title)) ?? '';
}

describe('the README', () => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({ RUNTIME: 'process' });
  }, PATIENCE_MS);
  afterAll(async () => {
    await ringmaster?.end('SIGTERM');
  }, PATIENCE_MS);

  test('has a tour of all six calls', () => {
    for (const path of ['/home', '/heartbeat', '/map_request', '/rep', '/add', '/rm'])
      expect(tour.some(([command]) => command.includes(path))).toBe(true);
  });

  test.each(tour)(
    '%s',
    async (command, output) => {
      const real = command
        .replaceAll('localhost:5000', new URL(ringmaster.url).host)
        .replaceAll('localhost:8080', new URL(ringmaster.traffic).host.replace('localhost', '127.0.0.1'));
      const printed = await Bun.$`sh -c ${real}`.quiet().text();
      expect(printed.replaceAll('\r', '').trimEnd()).toBe(output);
    },
    PATIENCE_MS,
  );

  test('tells of several hosts what they say', () => {
    const told = section('Several hosts');
    const first = ['server-1', 'server-2', 'server-3'];
    for (const [, id, owner] of told.matchAll(/"request_id":(\d+),"mapped_server":"([^"]+)"/g))
      expect(owner).toBe(Ring.of(first).owner(id as string));
    const digests = [...told.matchAll(/"digest":"(\w+)"/g)].map((match) => match[1]);
    const digest = digestOf(sourceOf(Ring.of([...first, 'a'])));
    expect(digests).toEqual([digest, digest]);
  });

  test('names every variable that configuration has, with its default', async () => {
    const source = await Bun.file(`${ROOT}src/config.ts`).text();
    const names = [...source.matchAll(/\(\s*env,\s*'([A-Z_]+)'/g)].map((match) => match[1] as string);
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) expect(readme).toContain(`\`${name}\``);
    const defaults = parseConfig({});
    for (const value of [
      defaults.port,
      defaults.maxReplicas,
      defaults.startTimeoutMs,
      defaults.drainTimeoutMs,
    ])
      expect(readme).toMatch(new RegExp(`\\| [^|]*\\b${value}\\b[^|]* \\|`));
  });

  test('names every script that a user may run', async () => {
    const { scripts } = (await Bun.file(`${ROOT}package.json`).json()) as { scripts: Record<string, string> };
    for (const name of ['start', 'dev', 'test', 'check', 'soak', 'bench']) {
      expect(scripts[name]).toBeString();
      expect(readme).toContain(`bun run ${name}`);
    }
  });
});
