/**
 * The sample replica: the smallest server that the course assignment asks for, so that a fleet has something to run.
 * Only node:http, so that it starts in a few milliseconds and runs on Bun, Deno and Node alike.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { hostname } from 'node:os';

const NAME = process.env['SERVER_ID'] ?? hostname();
const PORT = Number(process.env['PORT'] ?? 5000);
const HOST = process.env['HOST'] ?? '0.0.0.0';
/** Longer than a balancer keeps idle connections, so that none is closed in the moment it is used again. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

function json(reply: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  reply.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  reply.end(text);
}

function answer(request: IncomingMessage, reply: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/home') {
    request.resume();
    json(reply, 200, { message: `Hello from Server: ${NAME}`, status: 'successful' });
  } else if (path === '/heartbeat') {
    request.resume();
    reply.writeHead(200, { 'content-type': 'text/plain', 'content-length': 0 }).end();
  } else if (path === '/echo') {
    reply.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' });
    request.pipe(reply);
  } else {
    request.resume();
    json(reply, 404, {
      message: `<Error> '${path}' endpoint does not exist in server replicas`,
      status: 'failure',
    });
  }
}

const server = createServer(answer);
server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
server.listen(PORT, HOST);

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
