/**
 * A gate in front of the engine's socket, a process of its own, so that Ringmaster need not hold the socket: it lets
 * through what Ringmaster's docker runtime asks, and nothing else. Listens on a network that only the two of them share.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { ConfigError, parseConfig } from './config.ts';
import { openLog } from './log.ts';
import { cut, decide, refusalOfHead, type EngineCall, type Inspected } from './runtime/docker/gate.ts';
import { templateSource } from './runtime/docker/template.ts';

const VALUE_SHOWN_MAX_CHARS = 60;
const PATH_LOGGED_MAX_CHARS = 120;

const { config, port, socketPath, source } = readEnvironment();
const log = openLog(config.logLevel);
const server = createServer((asked, reply) => void answer(asked, reply));
server.on('error', (error: NodeJS.ErrnoException) =>
  end(`HOST=${config.host} GATE_PORT=${port} cannot be listened on: ${error.code ?? error.message}`),
);
server.listen(port, config.host, () =>
  log.info({ port: (server.address() as AddressInfo).port, network: source.network }, 'ready'),
);
// Nothing here wants an orderly end: who is in the middle of a call asks again.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit());

async function answer(asked: IncomingMessage, reply: ServerResponse): Promise<void> {
  const gone = new AbortController();
  reply.on('close', () => gone.abort());
  try {
    const { method = '', url: target = '' } = asked;
    const why = refusalOfHead(asked.headers);
    let verdict =
      why === undefined ? decide({ method, target, body: await text(asked) }, source) : { refuse: why };
    if ('inspect' in verdict) {
      const path = `/containers/${verdict.inspect}/json`;
      const found = await ask({ method: 'GET', path }, gone.signal);
      if (found.statusCode !== 200) return await pass(found, undefined, reply);
      verdict = verdict.judge((await json(found)) as Inspected);
    }
    if ('call' in verdict) return await pass(await ask(verdict.call, gone.signal), verdict.call.shown, reply);
    const refusal = 'refuse' in verdict ? verdict.refuse : 'undecided';
    const path = (target.split('?')[0] as string).slice(0, PATH_LOGGED_MAX_CHARS);
    log.warn({ method, path, why: refusal }, 'refused');
    send(reply, 403, { message: `the gate does not let through ${refusal}` });
  } catch (error) {
    if (gone.signal.aborted) return;
    log.warn({ err: error }, 'the engine did not answer');
    if (reply.headersSent) reply.destroy();
    else send(reply, 502, { message: 'the engine does not answer the gate' });
  }
}

function ask({ method, path, body }: EngineCall, signal: AbortSignal): Promise<IncomingMessage> {
  const sent = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    host: 'docker',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(method === 'POST' ? { 'content-length': Buffer.byteLength(sent) } : {}),
  };
  return new Promise((resolve, reject) => {
    // A connection for each call: one kept alive may turn out dead, and then not every call can be made again.
    const options = { socketPath, agent: false, method, path, headers, signal };
    request(options, resolve).on('error', reject).end(sent);
  });
}

async function pass(from: IncomingMessage, shown: EngineCall['shown'], reply: ServerResponse): Promise<void> {
  const status = from.statusCode ?? 502;
  if (shown !== undefined && status === 200) return send(reply, status, cut(await json(from), shown));
  const type = from.headers['content-type'];
  reply.writeHead(status, type === undefined ? {} : { 'content-type': type });
  // Of events the head comes at once, and the first of them perhaps in an hour.
  reply.flushHeaders();
  await pipeline(from, reply);
}

function send(reply: ServerResponse, status: number, body: unknown): void {
  // What was not read of a refused body must not be taken for the next call.
  const ending = status === 200 ? {} : { connection: 'close' };
  reply.writeHead(status, { 'content-type': 'application/json', ...ending }).end(JSON.stringify(body));
}

/** CLUSTER and the REPLICA_ ones as Ringmaster has them, which compare only if both read them in one way. */
function readEnvironment() {
  try {
    const config = parseConfig(process.env);
    const { cluster, replicaImage: image, replicaCommand: command, replicaPort } = config;
    const isPort = (value: string): boolean => /^\d{1,5}$/.test(value) && Number(value) <= 65_535;
    const port = setting('GATE_PORT', '2375', isPort, 'a whole number from 0 to 65535');
    // Said, not found out: it may not depend on anything that who gets here can bring about. host and none take away a
    // container's isolation, and on the other two it has no name.
    const isNetwork = (value: string): boolean =>
      /^(?!(?:host|none|bridge|default)$)[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value);
    const network = setting(
      'GATE_NETWORK',
      '',
      isNetwork,
      'the name of the network for replicas, not a built-in one',
    );
    const isSocket = (value: string): boolean => value.startsWith('unix:///');
    const engine = setting('DOCKER_HOST', 'unix:///var/run/docker.sock', isSocket, 'unix:// and a path');
    const vantage = { from: 'beside', network, alias: true } as const;
    const source = templateSource({ cluster, image, command, replicaPort }, vantage);
    return { config, port: Number(port), socketPath: engine.slice('unix://'.length), source };
  } catch (error) {
    if (error instanceof ConfigError) return end(error.message);
    throw error;
  }
}

function setting(name: string, fallback: string, fits: (value: string) => boolean, allowed: string): string {
  const value = process.env[name] || fallback;
  if (fits(value)) return value;
  // Escape codes must not write on the operator's terminal.
  const shown = JSON.stringify(value.slice(0, VALUE_SHOWN_MAX_CHARS)).replaceAll(/[^ -~]/g, '?');
  throw new ConfigError(`${name}=${shown} is not allowed: it must be ${allowed}`);
}

/** One line that says what to change, and the end. */
function end(line: string): never {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}
