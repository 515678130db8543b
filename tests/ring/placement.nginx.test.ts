import { afterAll, beforeAll, expect, test } from 'bun:test';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash32 } from '../../src/ring/hash.ts';
import { Nginx } from '../../src/ring/nginx.ts';
import { freePorts } from '../bench/stage.ts';

/** A server as the configuration of nginx has it. */
interface Member {
  /** what nginx calls it, and hashes */
  readonly label: string;
  /** where its own server block listens */
  readonly listen: readonly string[];
  readonly weight: number;
  readonly down?: boolean;
}

const KEYS = 10_000;
/** Sent before the replies to the first are read. */
const PIPELINED_MAX = 500;
const START_TRIES_MAX = 200;
const START_TRY_MS = 25;

let dir: string;
let nginx: ReturnType<typeof Bun.spawn>;
let sets: Readonly<Record<string, { readonly port: number; readonly members: readonly Member[] }>>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringmaster-nginx-'));
  // Its workers are of another user, and connect to the sockets in it.
  await chmod(dir, 0o755);
  const ports = await freePorts(40);
  const port = (): number => ports.pop() as number;
  const address = (weight: number): Member => {
    const label = `127.0.0.1:${port()}`;
    return { label, listen: [label], weight };
  };
  // A name may have two addresses: both are one server to the hash, whatever nginx makes of them.
  const hasV6 = await listens('::1');
  const named = (weight: number): Member => {
    const own = port();
    const listen = [`127.0.0.1:${own}`, ...(hasV6 ? [`[::1]:${own}`] : [])];
    return { label: `localhost:${own}`, listen, weight };
  };
  const socket = (name: string, weight: number): Member => ({
    label: `unix:${dir}/${name}`,
    listen: [`unix:${dir}/${name}`],
    weight,
  });
  sets = {
    'three equal addresses': { port: port(), members: [address(1), address(1), address(1)] },
    'names and addresses with weights': {
      port: port(),
      members: [named(1), address(5), named(3), address(2), address(1), named(10), address(4)],
    },
    'sockets, names and addresses': {
      port: port(),
      members: [socket('a.sock', 2), socket('b:80', 1), named(1), address(3), socket('UNIX', 1)],
    },
    'some that are down': {
      port: port(),
      members: [
        address(1),
        { ...address(1), down: true },
        address(2),
        { ...address(1), down: true },
        address(1),
        address(1),
      ],
    },
  };
  await writeFile(join(dir, 'nginx.conf'), configuration());
  nginx = Bun.spawn(['nginx', '-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf')], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
  });
  const first = Object.values(sets)[0]!.port;
  for (let i = 0; !(await answers(first)); i++) {
    if (i === START_TRIES_MAX || nginx.exitCode !== null) throw new Error('nginx did not start');
    await Bun.sleep(START_TRY_MS);
  }
});

afterAll(async () => {
  nginx?.kill('SIGTERM');
  await nginx?.exited;
  await rm(dir, { recursive: true, force: true });
});

test.each(['three equal addresses', 'names and addresses with weights', 'sockets, names and addresses'])(
  '%s: nginx sends 10,000 keys where the map says',
  async (name) => {
    const { port, members } = sets[name]!;
    const map = mapOf(members);
    const keys = someKeys();
    const answered = await ask(port, keys);
    expect(answered).toHaveLength(KEYS);
    const labels = new Map(map.sites.map(({ name: each, label }) => [each, label]));
    for (const [i, key] of keys.entries())
      expect([key.slice(0, 50), answered[i]]).toEqual([key.slice(0, 50), labels.get(map.owner(key)!)]);
    // A map of one server would say the same of all keys.
    expect(new Set(answered).size).toBe(members.length);
  },
);

test('where its server is down, nginx sends a key to the next of its preference that is not', async () => {
  const { port, members } = sets['some that are down']!;
  const map = mapOf(members);
  const keys = someKeys();
  const answered = await ask(port, keys);
  const up = new Set(members.filter(({ down }) => down !== true).map(({ label }) => label));
  const labels = new Map(map.sites.map(({ name, label }) => [name, label as string]));
  let passed = 0;
  for (const [i, key] of keys.entries()) {
    const preference = map.preference(key).map((name) => labels.get(name) as string);
    if (!up.has(preference[0] as string)) passed++;
    expect([key.slice(0, 50), answered[i]]).toEqual([
      key.slice(0, 50),
      preference.find((label) => up.has(label)),
    ]);
  }
  expect(passed).toBeGreaterThan(KEYS / 10);
});

function mapOf(members: readonly Member[]): Nginx {
  return Nginx.of(members.map(({ label, weight }, i) => ({ name: `server-${i + 1}`, label, weight })));
}

/** As nginx has them in `$arg_key`: nothing decoded, and bytes of UTF-8 as they are. */
function someKeys(): string[] {
  const odd = [
    '0',
    'é',
    'ключ',
    '鍵',
    '\u{1f3aa}',
    '%41',
    'a=b',
    'a+b',
    '"',
    "'",
    '?',
    '/../',
    'k'.repeat(4000),
    ':80',
  ];
  return Array.from(
    { length: KEYS },
    (_, i) => odd[i] ?? (i % 2 === 0 ? String(i) : hash32(String(i)).toString(36)),
  );
}

/** Over one connection, some requests at a time before their replies. */
async function ask(port: number, keys: readonly string[]): Promise<string[]> {
  const answered: string[] = [];
  let next = 0;
  let rest = '';
  const done = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1');
  const send = (): void => {
    const some = keys.slice(next, next + PIPELINED_MAX);
    next += some.length;
    socket.write(some.map((key) => `GET /?key=${key} HTTP/1.1\r\nHost: test\r\n\r\n`).join(''));
  };
  socket.setEncoding('utf8');
  socket.on('connect', send);
  socket.on('data', (text: string) => {
    const parts = (rest + text).split('>>\n');
    rest = parts.pop() ?? '';
    for (const part of parts) answered.push(part.slice(part.lastIndexOf('<<') + 2));
    if (answered.length === keys.length) done.resolve();
    else if (answered.length === next) send();
  });
  socket.on('error', (error) => done.reject(error));
  socket.on('close', () => done.reject(new Error(`nginx closed after ${answered.length} replies`)));
  await done.promise.finally(() => socket.destroy());
  return answered;
}

function configuration(): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const upstreams = Object.values(sets).map(
    ({ port, members }) => `upstream set-${port} {
    hash $arg_key consistent;
${members.map(({ label, weight, down }) => `    server ${label} weight=${weight}${down === true ? ' down' : ''};`).join('\n')}
  }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://set-${port}; }
  }`,
  );
  const servers = Object.values(sets).flatMap(({ members }) =>
    members.map(
      ({ label, listen }) => `server {
${listen.map((each) => `    listen ${each};`).join('\n')}
    location / { return 200 "<<${label}>>\\n"; }
  }`,
    ),
  );
  return `daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr crit;
events { worker_connections 512; }
http {
${temporary.map((kind) => `  ${kind}_temp_path ${dir}/nginx-${kind};`).join('\n')}
  access_log off;
  keepalive_requests 1000000;
  large_client_header_buffers 4 16k;
  ${[...upstreams, ...servers].join('\n  ')}
}
`;
}

async function listens(host: string): Promise<boolean> {
  const outcome = Promise.withResolvers<boolean>();
  const server = createServer();
  server.on('error', () => outcome.resolve(false));
  server.listen(0, host, () => server.close(() => outcome.resolve(true)));
  return outcome.promise;
}

async function answers(port: number): Promise<boolean> {
  const outcome = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.on('connect', () => outcome.resolve(true));
  socket.on('error', () => outcome.resolve(false));
  return outcome.promise.finally(() => socket.destroy());
}
