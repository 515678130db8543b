import type { Config } from '../config.ts';
import type { Lease } from '../fleet/member.ts';
import { ReplayableBody } from './body.ts';
import { replyHeaders, requestHeaders } from './headers.ts';
import { keyOf } from './key.ts';
import { failureStatus, isIdempotent, shouldRetry, type Failure } from './retry.ts';
import { SENDS_MAX, UpstreamError, type Send } from './upstream.ts';

/** A reply of known length up to this is looked at once before it is passed on: most are whole by then. */
const WHOLE_REPLY_BYTES_MAX = 64 * 1024;

/** The request could not be answered by any replica; `status` says why. */
export class ForwardError extends Error {
  override readonly name = 'ForwardError';
  constructor(
    readonly status: 502 | 503 | 504,
    message: string,
  ) {
    super(message);
  }
}

export interface ForwarderOptions {
  /** Picks the key's next replica that is not in `except`. */
  readonly claim: (key: string, except: ReadonlySet<string>) => Lease | undefined;
  readonly send: Send;
  readonly config: Pick<Config, 'hashKey' | 'replyHeaderTimeoutMs'>;
}

/** Sends requests of the control port to the replica that owns their key, over the platform's own HTTP client. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #inFlight = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the replica's reply, its body still streaming. Throws ForwardError: 503 where no replica is on the
   * ring or too many requests are in flight, 502 or 504 where none that may be asked replies.
   */
  async forward(request: Request, peer: string): Promise<Response> {
    if (this.#inFlight >= SENDS_MAX)
      throw new ForwardError(503, 'Too many requests are in flight: ask again');
    this.#inFlight++;
    try {
      return await this.#tryInOrder(request, peer);
    } finally {
      this.#inFlight--;
    }
  }

  async #tryInOrder(request: Request, peer: string): Promise<Response> {
    const url = new URL(request.url);
    const { method } = request;
    const key =
      keyOf({ url, headers: request.headers, peer }, this.#options.config.hashKey) ?? crypto.randomUUID();
    const body = request.body === null ? undefined : new ReplayableBody(request.body);
    const headers = requestHeaders(request.headers, {
      address: peer,
      host: request.headers.get('host') ?? url.host,
    });
    const tried = new Set<string>();
    let reached = 0;
    let last: Failure | undefined;
    for (;;) {
      const lease = this.#options.claim(key, tried);
      if (lease === undefined) {
        if (last === undefined) throw new ForwardError(503, 'No replica is ready: ask again, or /add some');
        throw new ForwardError(failureStatus(last), 'No replica answered this request');
      }
      tried.add(lease.replica);
      const outcome = await this.#attempt(request, url, headers, body, lease);
      if (outcome instanceof Response) return outcome;
      last = outcome;
      if (last !== 'refused') reached++;
      if (!shouldRetry({ method, failure: last, bodyWhole: body?.whole ?? true, reached }))
        throw new ForwardError(failureStatus(last), `Replica ${lease.replica} did not answer this request`);
    }
  }

  async #attempt(
    request: Request,
    url: URL,
    headers: Headers,
    body: ReplayableBody | undefined,
    lease: Lease,
  ): Promise<Response | Failure> {
    const { send, config } = this.#options;
    const { method } = request;
    const attempt = new AbortController();
    let failure: Failure | undefined;
    const giveUp = (why: Failure): void => {
      failure ??= why;
      attempt.abort();
    };
    const onClientGone = (): void => giveUp('broken');
    const deadline = setTimeout(() => giveUp('silent'), config.replyHeaderTimeoutMs);
    // Only what may go elsewhere is called off when its replica leaves the ring: a POST has nowhere better to be.
    if (isIdempotent(method) && (body?.whole ?? true)) lease.onLost = () => giveUp('lost');
    request.signal.addEventListener('abort', onClientGone);
    try {
      const reply = await send(
        {
          address: lease.address,
          method,
          target: url.pathname + url.search,
          headers,
          body: body?.open() ?? null,
          fresh: !isIdempotent(method),
        },
        attempt.signal,
      );
      return await passOn(reply, lease, method);
    } catch (error) {
      const refused = error instanceof UpstreamError && error.refused;
      failure ??= refused ? 'refused' : 'broken';
      if (failure === 'refused') lease.unreachable();
      else lease.suspect();
      lease.release();
      return request.signal.aborted ? new Response(null, { status: 499 }) : failure;
    } finally {
      clearTimeout(deadline);
      lease.onLost = undefined;
      request.signal.removeEventListener('abort', onClientGone);
    }
  }
}

/** The client's view of a reply. Its lease ends with its body. Throws where the reply breaks before any of it was passed on. */
async function passOn(reply: Response, lease: Lease, method: string): Promise<Response> {
  const headers = replyHeaders(reply.headers, lease.replica);
  const { status, statusText } = reply;
  if (reply.body === null || method === 'HEAD') {
    lease.release();
    return new Response(null, { status, statusText, headers });
  }
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> = reply.body.getReader();
  const length = Number(headers.get('content-length') ?? Number.NaN);
  let first: Uint8Array<ArrayBuffer> | undefined;
  if (length <= WHOLE_REPLY_BYTES_MAX) {
    first = (await reader.read()).value ?? new Uint8Array();
    if (first.byteLength === length) {
      lease.release();
      return new Response(first, { status, statusText, headers });
    }
  }
  return new Response(relay(reader, first, lease), { status, statusText, headers });
}

function relay(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  first: Uint8Array | undefined,
  lease: Lease,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (first !== undefined && first.byteLength > 0) controller.enqueue(first);
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          lease.release();
          controller.close();
        } catch (error) {
          // An error, not an end: the client must see that the message broke.
          lease.release();
          lease.suspect();
          controller.error(error);
        }
      },
      async cancel(reason) {
        lease.release();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
