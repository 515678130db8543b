import { request } from 'node:http';
import type { AskPeer, PeerReport } from './peers.ts';

/** What one tells of itself is longer with every replica: 10,000 take some 0.7 MB. */
const REPORT_BYTES_MAX = 8 * 1024 * 1024;

/** By node:http, as heartbeats are: not under the cap that `fetch` has. */
export const askPeer: AskPeer = (url, deadlineMs, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    const asked = request(`${url}/ring`, {
      agent: false,
      headers: { connection: 'close', 'user-agent': 'ringmaster-peer' },
    });
    const settle = (report: PeerReport | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(report);
      asked.destroy();
    };
    const onAbort = (): void => settle(undefined);
    const timer = setTimeout(onAbort, deadlineMs);
    signal.addEventListener('abort', onAbort);
    asked.on('response', (reply) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      reply.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > REPORT_BYTES_MAX) return settle(undefined);
        chunks.push(chunk);
      });
      reply.on('error', onAbort);
      reply.on('end', () => settle(reply.statusCode === 200 ? reportOf(Buffer.concat(chunks)) : undefined));
    });
    asked.on('error', onAbort);
    asked.end();
  });

/** What the body of a reply to GET /ring says; undefined where it is something else. */
export function reportOf(body: Uint8Array): PeerReport | undefined {
  let read: unknown;
  try {
    read = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
  const digest = at(read, 'digest');
  const revision = at(read, 'revision');
  if (typeof digest !== 'string' || typeof revision !== 'number') return undefined;
  const ready = listAt(read, 'replicas').filter((one) => at(one, 'state') === 'ready');
  return {
    digest,
    revision,
    ready: new Set(ready.flatMap((one) => textAt(one, 'name'))),
    reached: new Set(listAt(read, 'reached').filter((one) => typeof one === 'string')),
    leaving: new Set(listAt(read, 'leaving').flatMap((one) => textAt(one, 'name'))),
    others: new Map(
      listAt(read, 'ringmasters').flatMap((one) =>
        textAt(one, 'url').flatMap((url) => {
          const heard = at(one, 'revision');
          return typeof heard === 'number' ? [[url, heard] as const] : [];
        }),
      ),
    ),
  };
}

function at(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  return Object.entries(value).find(([name]) => name === field)?.[1];
}

function listAt(value: unknown, field: string): readonly unknown[] {
  const found = at(value, field);
  return Array.isArray(found) ? found : [];
}

function textAt(value: unknown, field: string): string[] {
  const found = at(value, field);
  return typeof found === 'string' ? [found] : [];
}
