import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable, pipeline } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Address } from '../runtime/runtime.ts';
import { authority } from '../config.ts';

export interface Outgoing {
  readonly address: Address;
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  /** On a connection of its own: a kept one may be closed by the replica just as it is used, and this request would not be sent again. */
  readonly fresh: boolean;
}

/** No reply could be had; `refused`: there was no connection, so the replica has not seen a byte. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  constructor(readonly refused: boolean) {
    super(refused ? 'no connection to the replica' : 'no reply from the replica');
  }
}

/**
 * Sends one request; resolves with the head of the reply, its body a stream of the bytes as they came, null for HEAD
 * and for statuses that have none. Throws UpstreamError.
 */
export type Send = (outgoing: Outgoing, signal: AbortSignal) => Promise<Response>;

const REFUSED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ConnectionRefused',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'FailedToOpenSocket',
  'EMFILE',
  'ENFILE',
]);

function upstreamError(error: unknown): UpstreamError {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return new UpstreamError(REFUSED.has(code));
}

/** By Bun's fetch, which can leave a compressed body as it is. */
export const sendByFetch: Send = async ({ address, method, target, headers, body, fresh }, signal) => {
  try {
    return await fetch(`http://${authority(address)}${target}`, {
      method,
      headers,
      body,
      redirect: 'manual',
      decompress: false,
      keepalive: !fresh,
      // HTTP_PROXY is for the way out of a network; replicas are inside, on loopback even.
      proxy: false,
      // A stream may be silent for as long as it likes; a reply that does not begin is the caller's to give up.
      timeout: false,
      signal,
    });
  } catch (error) {
    throw upstreamError(error);
  }
};

const agent = new Agent({ keepAlive: true });

/** By node:http, for runtimes whose fetch always decompresses (Deno's does, and keeps the field that says it is compressed). */
export const sendByNodeHttp: Send = ({ address, method, target, headers, body, fresh }, signal) =>
  new Promise((resolve, reject) => {
    const fields: Record<string, string> = Object.fromEntries(headers);
    // A length is sent only with a body to match it. A body without one goes in chunks, and node:http must be told so:
    // for a DELETE it would send the bytes bare, and the replica would read them as the next request.
    if (body === null) delete fields['content-length'];
    else if (fields['content-length'] === undefined) fields['transfer-encoding'] = 'chunked';
    const outgoing = httpRequest({
      host: address.host,
      port: address.port,
      method,
      path: target,
      headers: fields,
      agent: fresh ? false : agent,
      signal,
    });
    outgoing.on('error', (error) => reject(upstreamError(error)));
    outgoing.on('response', (reply) => {
      try {
        resolve(toResponse(reply, method));
      } catch {
        // A status that Response does not have, such as 999: thrown here it would end the process.
        outgoing.destroy();
        reject(new UpstreamError(false));
      }
    });
    // A protocol that nobody asked for.
    outgoing.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new UpstreamError(false));
    });
    if (body === null) return void outgoing.end();
    // Not a byte is taken from the client before there is a connection to give it to. Deno tells of a second one when
    // it sends a request again.
    outgoing.once('socket', (socket) => {
      const pump = (): void => {
        // The replica may refuse a body by its head alone.
        outgoing.flushHeaders();
        // Its errors are those of `outgoing`, too.
        pipeline(Readable.fromWeb(body as unknown as NodeReadableStream<Uint8Array>), outgoing, () => {});
      };
      if (socket.connecting) socket.once('connect', pump);
      else pump();
    });
  });

function toResponse(reply: IncomingMessage, method: string): Response {
  const status = reply.statusCode ?? 0;
  const headers = new Headers();
  for (let i = 0; i + 1 < reply.rawHeaders.length; i += 2)
    headers.append(reply.rawHeaders[i] as string, reply.rawHeaders[i + 1] as string);
  const bare = method === 'HEAD' || status === 204 || status === 205 || status === 304;
  if (bare) reply.resume();
  return new Response(bare ? null : (Readable.toWeb(reply) as unknown as ReadableStream<Uint8Array>), {
    status,
    headers,
  });
}

/** Bun's fetch takes a path of //a for /a: such a request goes by node:http, which costs five times as much. */
const sendOnBun: Send = (outgoing, signal) =>
  outgoing.target.startsWith('//')
    ? sendByNodeHttp({ ...outgoing, fresh: true }, signal)
    : sendByFetch(outgoing, signal);

const onBun = 'Bun' in globalThis;

export const send: Send = onBun ? sendOnBun : sendByNodeHttp;

/** Requests that `send` can have waiting for a reply at once, process-wide; Bun queues what is over it without a word. */
export const SENDS_MAX = onBun ? fetchesMax(process.env['BUN_CONFIG_MAX_HTTP_REQUESTS']) : 16_384;

/** What Bun makes of BUN_CONFIG_MAX_HTTP_REQUESTS. */
export function fetchesMax(configured: string | undefined): number {
  const parsed = Number(configured ?? '');
  return Number.isInteger(parsed) && parsed >= 1 && parsed <= 65_535 ? parsed : 256;
}
