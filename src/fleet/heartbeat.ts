import { request } from 'node:http';
import { descriptorsSpent } from './descriptors.ts';
import type { Address } from '../runtime/runtime.ts';

/**
 * `answered`: a 2xx came in time. `refused`: nothing listens there, so no request can succeed either.
 * `failed`: anything else, silence included. `unsent`: it is we who could not connect, which says nothing of the replica.
 */
export type HeartbeatResult = 'answered' | 'refused' | 'failed' | 'unsent';

/** Sends one heartbeat; never rejects. `deadlineMs` covers it from connect to the last byte of the reply. */
export type Heartbeat = (
  address: Address,
  path: string,
  deadlineMs: number,
  signal: AbortSignal,
) => Promise<HeartbeatResult>;

/**
 * By node:http on a connection of its own: not under the cap that `fetch` has on Bun, so that requests which hang
 * cannot starve health checks, and a kept-alive socket cannot hide that nothing accepts connections any more.
 */
export const httpHeartbeat: Heartbeat = (address, path, deadlineMs, signal) =>
  new Promise((resolve) => {
    // A signal that has fired already tells nobody any more.
    if (signal.aborted) return resolve('failed');
    const outgoing = request({
      host: address.host,
      port: address.port,
      path,
      method: 'GET',
      agent: false,
      headers: { connection: 'close', 'user-agent': 'ringmaster-heartbeat' },
    });
    const settle = (result: HeartbeatResult): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(result);
      outgoing.destroy();
    };
    const onAbort = (): void => settle('failed');
    // A busy process may run this timer before it reads a reply that is already there: look once more first.
    const timer = setTimeout(() => setImmediate(() => settle('failed')), deadlineMs);
    signal.addEventListener('abort', onAbort);
    outgoing.on('response', (reply) => {
      const status = reply.statusCode ?? 0;
      reply.on('error', () => settle('failed'));
      reply.on('end', () => settle(status >= 200 && status < 300 ? 'answered' : 'failed'));
      reply.resume();
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const refused = error.code === 'ECONNREFUSED';
      if ((refused || error.code === 'EMFILE') && descriptorsSpent()) settle('unsent');
      else settle(refused ? 'refused' : 'failed');
    });
    outgoing.end();
  });
