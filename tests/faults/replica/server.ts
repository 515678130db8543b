/**
 * A replica that tells a director what it is sent, and behaves as the director says: `server.ts HOST PORT`, the host of the
 * director being `gateway` where that is the machine which a container's network leads to. Node's modules only, and no
 * imports of ours: it is the one file of an image.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

const NAME = process.env['SERVER_ID'] ?? '';
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** The director may be out of reach while the network is cut. */
const AGAIN_MS = 100;
const ALLOCATED_BYTES_MAX = 4 * 1024 * 1024 * 1024;
const ALLOCATION_BYTES = 64 * 1024 * 1024;

let mode = '';
let director: Socket | undefined;
/** Notes that could not be sent yet. */
let untold = '';

function report(): void {
  const [, , host = '', port = ''] = process.argv;
  const socket = connect({ host: host === 'gateway' ? gateway() : host, port: Number(port), noDelay: true });
  socket.on('connect', () => {
    director = socket;
    socket.write(`hello ${NAME}\n${untold}`);
    untold = '';
  });
  socket.on('data', (bytes) => {
    for (const word of bytes.toString().split('\n').filter(Boolean)) obey(word);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    director = undefined;
    setTimeout(report, AGAIN_MS);
  });
}

function obey(word: string): void {
  if (word === 'dies') process.exit(3);
  if (word === 'eats memory') eat();
  // Not before: what it is sent is told from the first request on.
  if (mode === '') server.listen(Number(process.env['PORT']), process.env['HOST'] ?? '0.0.0.0');
  mode = word;
}

/** Where a container's default route leads. */
function gateway(): string {
  const route = readFileSync('/proc/net/route', 'latin1')
    .split('\n')
    .map((line) => line.split('\t'))
    .find(([, to]) => to === '00000000');
  return (route?.[2] ?? '')
    .match(/../g)!
    .toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}

function note(what: string): void {
  if (director === undefined) untold += `${what}\n`;
  else director.write(`${what}\n`);
}

function answer(request: IncomingMessage, reply: ServerResponse): void {
  request.resume();
  const target = request.url ?? '';
  if (target === '/heartbeat') {
    reply.writeHead(200, { 'content-length': 0 }).end();
    return;
  }
  note(`${request.method} ${target}`);
  if (mode === 'hangs') return;
  const [, slowMs] = /^slow (\d+)$/.exec(mode) ?? [];
  if (slowMs === undefined) greet(reply);
  else setTimeout(() => greet(reply), Number(slowMs));
}

function greet(reply: ServerResponse): void {
  const text = JSON.stringify({ message: `Hello from Server: ${NAME}`, status: 'successful' });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  reply.writeHead(mode === 'fails' ? 500 : 200, headers).end(text);
}

/** Until the kernel ends it. */
function eat(): void {
  const eaten: Buffer[] = [];
  for (let bytes = 0; bytes < ALLOCATED_BYTES_MAX; bytes += ALLOCATION_BYTES)
    eaten.push(Buffer.alloc(ALLOCATION_BYTES, 1));
}

const server = createServer(answer);
server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
report();
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
