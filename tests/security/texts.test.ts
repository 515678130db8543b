import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { fileURLToPath } from 'node:url';
import { replicasOf } from '../processes.ts';
import { environment, eventually, runRingmaster, spawnRingmaster, type Spawned } from '../spawned.ts';
import { JSON_TYPE, rawCall, stateOf } from './calls.ts';
import { REPLIES } from './hostile-replica.ts';
import { controlsIn, HOSTILE, onTerminal } from './terminal.ts';

const PATIENCE_MS = 120_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOSTILE_REPLICA = `'${process.execPath}' tests/security/hostile-replica.ts`;
/** Names that mean something to a shell, an engine, a page, a template, a terminal, a log or a head. */
const NAMES = [
  HOSTILE,
  'a\r\nSet-Cookie: b=c',
  'a\nb',
  'a\u0000',
  '\u001b[31ma',
  '\u009b31ma',
  'a\u007f',
  'a\u0085b',
  'a\u2028b',
  'a\u202eb',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "';drop table replicas;--",
  '../../etc/passwd',
  '/etc/passwd',
  '..',
  '.',
  '.hidden',
  '-rf',
  '--privileged',
  '$(touch /tmp/pwned)',
  '`id`',
  '${process.env.ADMIN_TOKEN}',
  '{{constructor}}',
  '%s%n',
  '%0d%0aa',
  '\\u001b',
  'a b',
  'a,b',
  'a=b',
  'a:b:c',
  'a/b',
  'a\\b',
  'a@b',
  'a#b',
  'a?b',
  'a*',
  'ä',
  '\u0430pi',
  '\uff41',
  '\u212a',
  'e\u0301',
  '\u200ba',
  '\ufeffa',
  '\ud800',
  '💥',
  '',
  ' ',
  'a'.repeat(64),
  'a'.repeat(100_000),
] as const;

/** Lines of a log on a pipe. */
function lines(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const changeWith = (url: string, method: string, body: object): Promise<Response> =>
  fetch(url + (method === 'POST' ? '/add' : '/rm'), {
    method,
    headers: JSON_TYPE,
    body: JSON.stringify(body),
  });

describe.each([
  ['process', { RUNTIME: 'process', REPLICAS: '1' }],
  ['static', { RUNTIME: 'static', UPSTREAMS: 'a=127.0.0.1:9' }],
])('a hostile name, with RUNTIME=%s', (_, env) => {
  let ringmaster: Spawned;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({ ...env, LOG_LEVEL: 'trace', CLUSTER: `sec-${process.pid}` });
  }, PATIENCE_MS);
  afterAll(() => ringmaster?.end('SIGTERM'), PATIENCE_MS);

  test(
    'is refused by /add and /rm, changes nothing, and is not repeated',
    async () => {
      const before = await stateOf(ringmaster.url);
      for (const name of NAMES)
        for (const method of ['POST', 'DELETE']) {
          const reply = await changeWith(ringmaster.url, method, { n: 1, hostnames: [name] });
          expect([method, name, reply.status]).toEqual([method, name, 400]);
          expect(reply.headers.get('content-type')).toStartWith('application/json');
          const text = await reply.text();
          expect(controlsIn(text)).toEqual([]);
          if (name.trim().length > 3) expect(text).not.toContain(name);
        }
      expect(await stateOf(ringmaster.url)).toBe(before);
      expect(await Bun.file('/tmp/pwned').exists()).toBe(false);
      expect(() => lines(ringmaster.output())).not.toThrow();
    },
    PATIENCE_MS,
  );
});

test(
  'a hostile name in UPSTREAMS stops the start, with one line that writes nothing on the terminal',
  async () => {
    // An environment can't hold NUL, and a comma separates.
    const names = NAMES.filter((name) => !/[\0,=]/.test(name) && name.isWellFormed() && name.length < 1000);
    for (const name of names.filter((_, i) => i % 4 === 0)) {
      const env = { RUNTIME: 'static', UPSTREAMS: `${name}=127.0.0.1:9` };
      const { status, stdout, stderr } = await runRingmaster(env);
      expect([name, status, stdout]).toEqual([name, 1, '']);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(controlsIn(stderr)).toEqual([]);
    }
  },
  PATIENCE_MS,
);

/** Everything that a client or a replica can put a text into; gives the heads that came back from each port. */
async function sendAll({ url, traffic }: Pick<Spawned, 'url' | 'traffic'>): Promise<{
  control: readonly string[];
  relayed: readonly string[];
}> {
  const inAHead = (text: string): string => Buffer.from(text).toString('latin1');
  const escaped = encodeURIComponent(HOSTILE.toWellFormed());
  const line = [...inAHead(HOSTILE)].filter((char) => char !== '\r' && char !== '\n').join('');
  const close = 'Connection: close\r\n\r\n';
  const requests = [
    `GET /echo/${line} HTTP/1.1\r\nHost: localhost\r\n${close}`,
    `GET /echo?id=${line} HTTP/1.1\r\nHost: localhost\r\n${close}`,
    `GET /echo?id=${escaped} HTTP/1.1\r\nHost: localhost\r\n${close}`,
    `GET /map_request?id=${escaped} HTTP/1.1\r\nHost: localhost\r\n${close}`,
    `GET /map_request?id=${line} HTTP/1.1\r\nHost: localhost\r\n${close}`,
    `GET / HTTP/1.1\r\nHost: ${line}\r\n${close}`,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${line}\r\n${close}`,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${line}\r\nUser-Agent: ${line}\r\n${close}`,
    `GET / HTTP/1.1\r\nHost: localhost\r\n${line}: a\r\n${close}`,
    `${line} / HTTP/1.1\r\nHost: localhost\r\n${close}`,
    `GET / HTTP/${line}\r\nHost: localhost\r\n${close}`,
    `${inAHead(HOSTILE)}\r\n\r\n`,
    ...Object.keys(REPLIES).map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${close}`),
    `POST /die HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n${close}`,
  ];
  const control: string[] = [];
  const relayed: string[] = [];
  for (const request of requests) {
    control.push((await rawCall(url, request)).head);
    relayed.push((await rawCall(traffic, request)).head);
  }
  return { control, relayed };
}

test(
  'whatever callers and replicas say, a log on a pipe is one JSON object a line, and no head has a line of theirs',
  async () => {
    const ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '2',
      WORKERS: '2',
      LOG_LEVEL: 'trace',
      REPLICA_COMMAND: HOSTILE_REPLICA,
      CLUSTER: `sec-${process.pid}`,
    });
    const { control, relayed } = await sendAll(ringmaster);
    await eventually(() => ringmaster.output().includes('replica process ended'));
    for (const head of [...control, ...relayed]) {
      expect(head).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/);
      expect(head).not.toMatch(/^FORGED/m);
      expect(head).not.toMatch(/^x-(?:second|served-by: nobody)/im);
    }
    // A field that a replica hides in another is none; Bun's own client, on the other port, takes a bare LF for a line's end.
    for (const head of relayed) expect(head).not.toMatch(/^Set-Cookie: b=c/im);
    expect(await ringmaster.end('SIGTERM')).toBe(0);
    const log = lines(ringmaster.output());
    const ended = log.filter(({ msg }) => msg === 'replica process ended');
    expect(ended.length).toBeGreaterThan(0);
    // As a value it is there, whole.
    expect(String(ended[0]?.['output'])).toContain('\u001b[2J');
    expect(log.some(({ msg }) => msg === 'bad reply from a replica')).toBe(true);
    expect(log.some(({ msg }) => msg === 'request refused')).toBe(true);
    for (const { msg } of log) expect(controlsIn(String(msg))).toEqual([]);
  },
  PATIENCE_MS,
);

test(
  'on a terminal, too: nothing that they say moves it, colours it, or looks like a line of ours',
  async () => {
    const env = environment({
      RUNTIME: 'process',
      REPLICAS: '2',
      WORKERS: '2',
      LOG_LEVEL: 'trace',
      REPLICA_COMMAND: HOSTILE_REPLICA,
      CLUSTER: `sec-${process.pid}`,
    });
    const { shown, status } = await onTerminal([process.execPath, '--no-orphans', 'src/main.ts'], {
      env,
      cwd: ROOT,
      running: async (shownSoFar, pid) => {
        const at = (name: string): string | undefined =>
          new RegExp(`^ {2}${name} +http://[^:]+:(\\d+)`, 'm').exec(shownSoFar())?.[1];
        await eventually(() => shownSoFar().includes('changes  accepted'));
        const base = (port: string | undefined): string => `http://127.0.0.1:${port}`;
        await sendAll({ url: base(at('page')), traffic: base(at('traffic')) });
        await eventually(() => shownSoFar().includes('replica process ended'));
        await eventually(async () => (await replicasOf(pid)).size === 2);
      },
    });
    expect(status).toBe(0);
    expect(shown).toContain('bad reply from a replica');
    expect(shown).toContain('request refused');
    expect(shown).toContain('\\u{1b}[2J');
    expect(controlsIn(shown)).toEqual([]);
    expect(shown).not.toMatch(/^FORGED/m);
  },
  PATIENCE_MS,
);
