import { expect, test } from 'bun:test';
import { connect } from 'node:net';
import { replicasOf } from '../processes.ts';
import { eventually, spawnRingmaster } from '../spawned.ts';

const PATIENCE_MS = 120_000;

/** One for each place that a secret can be in, so that what leaks says where from. */
const SECRET = {
  token: 'SECRETtoken-0123456789',
  wrongToken: 'SECRETwrong-0123456789',
  cookie: 'SECRETcookie-0123456789',
  query: 'SECRETquery-0123456789',
  queryName: 'SECRETname-0123456789',
  body: 'SECRETbody-0123456789',
  field: 'SECRETfield-0123456789',
  basic: Buffer.from('user:SECRETbasic-0123456789').toString('base64'),
  userinfo: 'SECRETuserinfo-0123456789',
} as const;

const QUERY = `?id=1&${SECRET.queryName}=1&token=${SECRET.query}`;
const FIELDS = {
  cookie: `session=${SECRET.cookie}`,
  'x-api-key': SECRET.field,
  'x-request-id': 'req-of-the-test',
};

/** Sends the bytes as they are, and waits for the end of whatever comes back, or for a part of it. */
function send(base: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.on('data', () => {});
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
    socket.end(bytes);
  });
}

/** Good and bad, on one port. */
async function askAll(base: string): Promise<void> {
  const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
    const headers = { ...FIELDS, ...init.headers } as Record<string, string>;
    await fetch(base + path, { ...init, headers })
      .then((reply) => reply.text())
      .catch(() => {});
  };
  const json = { 'content-type': 'application/json' };
  const right = { ...json, authorization: `Bearer ${SECRET.token}` };
  for (const path of [
    '/home',
    '/rep',
    '/map_request',
    '/heartbeat',
    '/ready',
    '/ring',
    '/hot',
    '/shadow',
    '/metrics',
    '/swagger',
    '/x',
  ])
    await ask(path + QUERY);
  for (const path of ['/echo', '/add', '/rm', '/rep'])
    for (const method of ['POST', 'DELETE', 'PUT', 'OPTIONS'])
      for (const headers of [
        right,
        { ...json, authorization: `Bearer ${SECRET.wrongToken}` },
        { ...json, authorization: `Basic ${SECRET.basic}` },
        json,
      ])
        for (const body of [
          `{"n":1,"hostnames":["${SECRET.body}/"]}`,
          `{"n":"${SECRET.body}"}`,
          `{"n":1,"${SECRET.body}":1}`,
          `{"${SECRET.body}`,
          SECRET.body,
        ])
          await ask(path + QUERY, { method, body, headers });
  const head = (line: string, fields = ''): string =>
    `${line}\r\nHost: h\r\nCookie: a=${SECRET.cookie}\r\nAuthorization: Bearer ${SECRET.token}\r\n${fields}Connection: close\r\n\r\n`;
  for (const bytes of [
    head(`GET /x${QUERY} HTTP/1.1`, 'Content-Length: +1\r\n'),
    head(`GET /x${QUERY} HTTP/1.1`, `Bad Field: ${SECRET.field}\r\n`),
    head(`GET /x${QUERY} HTTP/1.1`, `X: ${SECRET.field}\u0000\r\n`),
    head(`GET /x${QUERY} HTTP/1.1`, `Content-Length: ${SECRET.field}\r\n`),
    head(`GET /x${QUERY} HTTP/1.1`, `Transfer-Encoding: ${SECRET.field}\r\n`),
    head(`GET /x${QUERY} HTTP/1.1`, `Host: ${SECRET.field}\r\n`),
    head(`GET /x${QUERY} HTTP/1.1`, `X-Request-Id: two ${SECRET.field}\r\n`),
    head(`GET /x${QUERY} HTTP/1.1`, 'Content-Length: 9\r\n'),
    head(`POST /x${QUERY} HTTP/1.1`, 'Content-Length: 900\r\n') + SECRET.body,
    head(`POST /x${QUERY} HTTP/1.1`, 'Transfer-Encoding: chunked\r\n') + `${SECRET.body}\r\n`,
    head(`TRACE /x${QUERY} HTTP/1.1`),
    head(`CONNECT ${SECRET.userinfo}@h:1 HTTP/1.1`),
    head(`GET http://user:${SECRET.userinfo}@h/x${QUERY} HTTP/1.1`),
    head(`GET x${QUERY} HTTP/1.1`),
    head(`GET /x${QUERY} HTTP/3.9`),
    head(`BREW /x${QUERY} HTTP/1.1`),
    head(`GET /x${QUERY}${'y'.repeat(20_000)} HTTP/1.1`),
    `GET /x${QUERY} HTTP/1.0\r\n\r\n`,
    `GET /rep${QUERY} HTTP/1.1\r\nHost: ${SECRET.userinfo}:x@h\r\nConnection: close\r\n\r\n`,
  ])
    await send(base, bytes);
}

test(
  'no token, cookie, field, query or body is in any line of the log, at any level, whatever becomes of the request',
  async () => {
    // Answers, or breaks off, or sends what is no reply: by the path.
    const script =
      'require("net").createServer(s=>s.on("data",d=>{const h=String(d);if(h.includes("/breaks"))s.destroy();else if(h.includes("/bad"))s.end("HTTP/1.1 200 OK\\r\\nBad Field: x\\r\\n\\r\\n");else s.end("HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok")}).on("error",()=>{})).listen(+process.env.PORT,process.env.HOST)';
    const ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '2',
      LOG_LEVEL: 'trace',
      ACCESS_LOG: '1',
      ADMIN_TOKEN: SECRET.token,
      HASH_KEY: 'query:token,cookie:session,header:x-api-key',
      SHADOW_HASH: 'maglev',
      REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
    });
    for (const base of [ringmaster.url, ringmaster.traffic]) {
      await askAll(base);
      for (const path of ['/breaks', '/bad'])
        for (const method of ['GET', 'POST'])
          await fetch(base + path + QUERY, {
            method,
            headers: FIELDS,
            ...(method === 'POST' ? { body: SECRET.body } : {}),
          }).catch(() => {});
    }
    // While nobody is there who could answer.
    for (const pid of (await replicasOf(ringmaster.pid)).values()) process.kill(pid, 'SIGKILL');
    for (const base of [ringmaster.url, ringmaster.traffic])
      await fetch(`${base}/home${QUERY}`, { headers: FIELDS }).catch(() => {});
    await eventually(() => ringmaster.output().includes('its new instance answers'));
    expect(await ringmaster.end('SIGTERM')).toBe(0);
    const output = ringmaster.output();
    // It has said something at all, of these requests.
    expect(output).toContain('req-of-the-test');
    expect(output).toContain('"msg":"request"');
    for (const [where, secret] of Object.entries(SECRET))
      expect([where, output.split('\n').filter((line) => line.includes(secret))]).toEqual([where, []]);
  },
  PATIENCE_MS,
);

test.each([
  ['cookie:session', { cookie: `session=${SECRET.cookie}` }],
  ['header:x-api-key', { 'x-api-key': SECRET.field }],
  ['query:none,cookie:session', { cookie: `session=${SECRET.cookie}${'x'.repeat(200)}` }],
])(
  'a key that is a credential is told by its hash alone: HASH_KEY=%s',
  async (hashKey, headers) => {
    const ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '2',
      WORKERS: '2',
      LOG_LEVEL: 'trace',
      HASH_KEY: hashKey,
      HOT_KEY_SPREAD: '2',
      SHADOW_HASH: 'maglev',
    });
    const sent = 30;
    for (let i = 0; i < sent; i++)
      for (const base of [ringmaster.url, ringmaster.traffic])
        await (await fetch(`${base}/home`, { headers, keepalive: false })).text();
    const told = async (path: string): Promise<string> => (await fetch(ringmaster.url + path)).text();
    await eventually(async () => (await told('/shadow')).includes(`"requests":${2 * sent},`));
    expect(await told('/hot')).toMatch(/"keys":\[\{"key":null,"hash":"[0-9a-f]{8}","share":[01]/);
    const all = [
      ...(await Promise.all(['/hot', '/shadow', '/metrics', '/ring'].map(told))),
      ringmaster.output(),
    ];
    for (const secret of Object.values(SECRET)) expect(all.join('\n')).not.toContain(secret);
    await ringmaster.end('SIGTERM');
  },
  PATIENCE_MS,
);

test('a bug in a request is told with its id and its path, and without what the error holds of the request', async () => {
  const root = new URL('../..', import.meta.url).pathname;
  const script = `
    import { createApp } from ${JSON.stringify(`${root}src/app.ts`)};
    import { parseConfig } from ${JSON.stringify(`${root}src/config.ts`)};
    import { openLog } from ${JSON.stringify(`${root}src/log.ts`)};
    const url = 'http://user:${SECRET.userinfo}@h/x?token=${SECRET.query}';
    const bug = Object.assign(new TypeError('can not read ' + url + ' of it'), {
      path: url, body: '${SECRET.body}', headers: { cookie: '${SECRET.cookie}' },
      cause: Object.assign(new Error('fetch "' + url + '"'), { request: '${SECRET.field}' }),
    });
    const app = createApp({ fleet: { claim: () => { throw bug; } }, config: parseConfig({ ACCESS_LOG: '1' }), log: openLog('trace') });
    const ask = (headers) => app(new Request('http://h/x?token=${SECRET.query}', { headers }), () => '127.0.0.1');
    const replies = [await ask({ 'x-request-id': 'kept' }), await ask({})];
    console.log(JSON.stringify({ ids: replies.map((reply) => [reply.status, reply.headers.get('x-request-id')]) }));`;
  const child = Bun.spawn([process.execPath, '-e', script], { cwd: root, stdout: 'pipe', stderr: 'pipe' });
  const output = await new Response(child.stdout).text();
  const errors = await new Response(child.stderr).text();
  expect([await child.exited, errors]).toEqual([0, '']);
  for (const secret of Object.values(SECRET)) expect(output).not.toContain(secret);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const { ids } = lines.pop() as { ids: [number, string][] };
  expect(ids[0]).toEqual([500, 'kept']);
  const bugs = lines.filter(({ msg }) => msg === 'unexpected error in a request');
  expect(bugs).toMatchObject(
    ids.map(([, requestId]) => ({
      requestId,
      method: 'GET',
      path: '/x',
      err: {
        type: 'TypeError',
        message: 'can not read http://…@h/x?… of it',
        stack: expect.stringContaining('TypeError'),
        cause: { message: 'fetch "http://…@h/x?…"' },
      },
    })),
  );
  expect(lines.filter(({ msg }) => msg === 'request')).toMatchObject(
    ids.map(([status, requestId]) => ({ status, requestId, path: '/x' })),
  );
});
