import { describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import project from '../package.json' with { type: 'json' };

const ROOT = new URL('..', import.meta.url).pathname;
const read = (path: string): Promise<string> => Bun.file(ROOT + path).text();
const sources = [...new Bun.Glob('src/**/*.ts').scanSync(ROOT)].sort();

/**
 * The rooms and the rooms below them that each may import. Files at the top of src are rooms of their own. What is not
 * listed may not be imported: a request goes down through the house, never up.
 */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  main: ['announce', 'app', 'config', 'lineage', 'log', 'port', 'preface', 'ringmaster', 'traffic'],
  edge: ['app', 'config', 'log', 'preface', 'ringmaster'],
  gate: ['config', 'log', 'runtime'],
  announce: ['config', 'log', 'ringmaster', 'terminal'],
  preface: ['api', 'dashboard'],
  ringmaster: ['app', 'config', 'dashboard', 'fleet', 'log', 'metrics', 'port', 'runtime', 'traffic'],
  port: [],
  app: ['api', 'config', 'dashboard', 'docs', 'fleet', 'log', 'metrics', 'traffic'],
  docs: [],
  dashboard: ['api', 'config', 'fleet', 'log', 'metrics', 'ring', 'traffic'],
  api: ['config', 'fleet', 'ring', 'traffic'],
  metrics: ['fleet', 'ring', 'runtime', 'traffic'],
  traffic: ['config', 'fleet', 'log', 'ring', 'runtime'],
  fleet: ['config', 'log', 'ring', 'runtime'],
  runtime: ['config', 'log'],
  ring: [],
  replica: [],
  lab: ['config', 'dashboard', 'lineage', 'ring', 'runtime', 'terminal'],
  log: ['config', 'terminal'],
  terminal: ['config'],
  lineage: [],
  config: ['ring'],
};

function roomOf(path: string): string {
  return path
    .replace(/^src\//, '')
    .replace(/\.ts$/, '')
    .split('/')[0] as string;
}

/** What a file imports, of ours by its path from the root. */
async function importsOf(path: string): Promise<{ target: string; typeOnly: boolean }[]> {
  const text = await read(path);
  return [...text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from '([^']+)'|^import '([^']+)'/gms)].map(
    (match) => {
      const from = (match[2] ?? match[3]) as string;
      const target = from.startsWith('.') ? new URL(from, `file:///${path}`).pathname.slice(1) : from;
      return { target, typeOnly: match[1] !== undefined };
    },
  );
}

describe('the house', () => {
  test('every file of src is in a room that the plan knows', () => {
    expect([...new Set(sources.map(roomOf))].filter((room) => BELOW[room] === undefined)).toEqual([]);
  });

  test('imports point down', async () => {
    const upward: string[] = [];
    for (const path of sources)
      for (const { target } of await importsOf(path)) {
        if (!target.startsWith('src/')) continue;
        const [from, to] = [roomOf(path), roomOf(target)];
        if (from !== to && BELOW[from]?.includes(to) !== true) upward.push(`${path} imports ${target}`);
      }
    expect(upward).toEqual([]);
  });

  test('the plan itself has no way back up', () => {
    const climbs = (room: string, path: readonly string[]): string[] =>
      path.includes(room)
        ? [[...path, room].join(' → ')]
        : (BELOW[room] ?? []).flatMap((one) => climbs(one, [...path, room]));
    expect(Object.keys(BELOW).flatMap((room) => climbs(room, []))).toEqual([]);
  });

  test('traffic and api see the fleet, and of a runtime no more than types', async () => {
    const seen: string[] = [];
    for (const path of sources.filter((one) => ['api', 'traffic'].includes(roomOf(one))))
      for (const { target, typeOnly } of await importsOf(path))
        if (roomOf(target) === 'runtime' && target.startsWith('src/') && !typeOnly)
          seen.push(`${path} imports ${target}`);
    expect(seen).toEqual([]);
  });

  test('the ring is pure: no clock, no I/O, no await', async () => {
    for (const path of sources.filter((one) => roomOf(one) === 'ring')) {
      const text = await read(path);
      // MD5 is as pure as any hash.
      const md5 = "import { createHash } from 'node:crypto';\n";
      const isPure = (target: string): boolean =>
        target.startsWith('src/ring/') || (target === 'node:crypto' && text.includes(md5));
      expect((await importsOf(path)).filter(({ target }) => !isPure(target))).toEqual([]);
      expect(text).not.toMatch(
        /\bawait\b|\basync\b|\bDate\b|Math\.random|performance\.|\bBun\.|\bDeno\.|\bprocess\./,
      );
    }
  });

  test('only main and the relay speak to Bun directly; the rest runs on Deno too', async () => {
    for (const path of sources.filter((one) => one !== 'src/main.ts' && one !== 'src/traffic/relay/relay.ts'))
      expect(await read(path)).not.toMatch(/\bBun\.(?!SocketHandler)/);
  });
});

describe('the repository', () => {
  test('has at its top what convention expects, and no more', () => {
    const top = Bun.spawnSync(['git', 'ls-files'], { cwd: ROOT }).stdout.toString().split('\n');
    const names = [...new Set(top.filter(Boolean).map((path) => path.split('/')[0] as string))].sort();
    const expected = [
      '.ci',
      '.dockerignore',
      '.gitignore',
      '.oxlintrc.json',
      'Dockerfile',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bun.lock',
      'bunfig.toml',
      'docker-compose.swarm.yml',
      'docker-compose.yml',
      'package.json',
      'src',
      'tests',
      'tsconfig.json',
    ];
    // A checkout without git, such as an unpacked archive, has nothing to say here.
    if (names.length > 0) expect(names).toEqual(expected);
    for (const name of expected) expect(readdirSync(ROOT)).toContain(name);
  });

  test('versions are exact, and each dependency has its reason in the README', async () => {
    const readme = await read('README.md');
    for (const [name, version] of Object.entries({ ...project.dependencies, ...project.devDependencies })) {
      expect(`${name}@${version}`).toMatch(/@\d+\.\d+\.\d+$/);
      expect(readme).toContain(`\`${name}\``);
    }
  });

  test('one version is named everywhere', async () => {
    expect(await read('docker-compose.yml')).toContain(`image: ringmaster:${project.version}\n`);
    expect(await read('docker-compose.swarm.yml')).toContain(`:-ringmaster:${project.version}}\n`);
    const base = /^FROM (\S+)/m.exec(await read('Dockerfile'))?.[1];
    expect(base).toBe('oven/bun:1.4.5-slim');
    expect(await read('README.md')).toContain(`bun@${base?.replace(/^.*:|-slim$/g, '')}`);
  });

  test('no registry host, no path of a machine', async () => {
    const files = [...sources, 'README.md', 'Dockerfile', 'docker-compose.yml', 'package.json', 'bun.lock'];
    for (const path of files)
      expect(await read(path)).not.toMatch(/registry\.npmjs|yarnpkg\.com|\/work\/|\/root\//);
  });
});
