import { Agent, request, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';

/** Of a reply more is not read: all that is asked for here is a line or two. */
export const REPLY_BYTES_MAX = 65_536;
/** Connections to one server at once. */
const CONNECTIONS_MAX = 64;

/** What came of one call: a reply, or why there is none. */
export type Exchange =
  | { readonly ok: true; readonly status: number; readonly text: string }
  | { readonly ok: false; readonly timedOut: boolean; readonly why: string };

export interface Call {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Sent as JSON, a text as it is; undefined: no body. */
  readonly body?: object | string;
  /** Sent as a bearer token (RFC 6750); undefined: none. */
  readonly token?: string | undefined;
  /** From the call to the last byte of the reply. */
  readonly timeoutMs: number;
}

/**
 * Calls of one server, which need not be well behaved: whatever it sends, a call ends in time, and never throws. By
 * node:http and not by fetch, which takes a proxy from the environment, follows redirects and unpacks what is packed.
 */
export class Caller {
  readonly #base: URL;
  readonly #agent: Agent;
  readonly #isTls: boolean;

  /**
   * @param base scheme, host and port, of http or https; a path at its end is the beginning of all that are called
   * @param keepAlive whether connections are used again: faster, but where the server closes one in the moment in which
   *   it is used, a call fails by nobody's fault
   * @param insecure whether certificates that nobody vouches for are taken, of https
   */
  constructor(base: string, keepAlive: boolean, insecure = false) {
    this.#base = new URL(base);
    this.#isTls = this.#base.protocol === 'https:';
    const options = { keepAlive, maxSockets: CONNECTIONS_MAX };
    this.#agent = this.#isTls
      ? new TlsAgent({ ...options, rejectUnauthorized: !insecure })
      : new Agent(options);
  }

  call(path: string, { method = 'GET', body, token, timeoutMs }: Call): Promise<Exchange> {
    const { promise, resolve } = Promise.withResolvers<Exchange>();
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const url = new URL(this.#base.pathname.replace(/\/$/, '') + path, this.#base);
    const fail = (why: string, timedOut = false): void => {
      clearTimeout(timer);
      resolve({ ok: false, timedOut, why });
      call.destroy();
    };
    const timer = setTimeout(() => fail(`no whole reply within ${timeoutMs} ms`, true), timeoutMs);
    const call = (this.#isTls ? tlsRequest : request)(
      url,
      {
        method,
        agent: this.#agent,
        headers: {
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (reply) => {
        void read(reply).then(
          (found) => {
            if (found === undefined) fail(`a reply of more than ${REPLY_BYTES_MAX} bytes`);
            clearTimeout(timer);
            resolve({ ok: true, status: reply.statusCode ?? 0, text: found ?? '' });
          },
          (error: Error) => fail(`the reply broke off: ${error.message}`),
        );
      },
    );
    call.on('error', (error: Error) => fail(`no reply: ${error.message}`));
    call.end(text);
    return promise;
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#agent.destroy();
  }
}

/** The reply as text; undefined where it is too large. Rejects where it ends early. */
async function read(reply: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > REPLY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The value of a text in JSON; undefined where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
