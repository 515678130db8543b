import { createHash, timingSafeEqual } from 'node:crypto';
import type { Config } from '../config.ts';
import { Refusal } from './errors.ts';

/** Body of a change, at most: names of the largest fleet fit in a tenth of it. */
export const CHANGE_BODY_BYTES_MAX = 1024 * 1024;

/** What decides whether a call may change things. */
export interface Caller {
  /** Address of the peer as its socket says, without an IPv6 scope or IPv4 mapping. */
  readonly peer: string;
  readonly headers: Headers;
}

export type Policy = Pick<Config, 'adminToken' | 'allowedHosts'>;

/**
 * Throws Refusal where the caller may not change the fleet. Two enemies: strangers on the network, who need the
 * token; and a web page in the operator's own browser, which comes from loopback, and is known by its Host (DNS
 * rebinding), its Origin, its Sec-Fetch-Site and by what a form can't send.
 */
export function checkChange({ peer, headers }: Caller, { adminToken, allowedHosts }: Policy): void {
  const host = headers.get('host') ?? '';
  if (!isOwnHost(host, allowedHosts))
    throw new Refusal(
      403,
      'This Host may not be used for changes: call by address, or list it in ALLOWED_HOSTS',
    );
  if (headers.get('sec-fetch-site') === 'cross-site')
    throw new Refusal(403, 'A page of another site may not change the replicas');
  const origin = headers.get('origin');
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`)
    throw new Refusal(403, 'A page of another origin may not change the replicas');
  if (adminToken !== undefined) {
    if (!isBearer(headers.get('authorization') ?? '', adminToken))
      throw new Refusal(401, 'This needs the header Authorization: Bearer with the value of ADMIN_TOKEN', {
        'www-authenticate': 'Bearer',
      });
  } else if (!isPrivate(peer)) {
    throw new Refusal(
      403,
      'Changes from this address need ADMIN_TOKEN to be set, and sent as Authorization: Bearer',
    );
  }
  checkJson(headers);
}

/** Throws Refusal where the body is not said to be JSON: what a form can send, and a page of another site unasked, is not. */
export function checkJson(headers: Headers): void {
  const type = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new Refusal(415, 'Send the body with content-type: application/json');
}

/** An address literal, localhost, a single-label name, or a listed one: no public DNS name can be pointed at us unasked. */
function isOwnHost(host: string, allowed: readonly string[]): boolean {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.exec(host);
  const name = match?.[1]?.toLowerCase().replace(/\.$/, '');
  if (name === undefined || name === '') return false;
  return (
    name.startsWith('[') ||
    /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name) ||
    !name.includes('.') ||
    allowed.includes(name)
  );
}

/** Compares in a time that depends neither on the first difference nor on the length. */
function isBearer(authorization: string, token: string): boolean {
  const sent = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(sent), digest(token)) && sent !== '';
}

/** Loopback (RFC 1122, RFC 4291), private (RFC 1918), unique local (RFC 4193) and link-local addresses. */
export function isPrivate(address: string): boolean {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(address);
  if (v4 !== null) {
    const [a, b] = [Number(v4[1]), Number(v4[2])];
    return (
      a === 127 ||
      a === 10 ||
      (a === 172 && b >= 16 && b < 32) ||
      (a === 192 && b === 168) ||
      (a === 169 && b === 254)
    );
  }
  return address === '::1' || /^f[cd][0-9a-f]{2}:/i.test(address) || /^fe[89ab][0-9a-f]:/i.test(address);
}

/** Throws Refusal where the body is larger than a change can be; otherwise gives the request with its body's size known. */
export async function limitBody(request: Request): Promise<Request> {
  const tooLarge = (): never => {
    throw new Refusal(413, `The body is larger than ${CHANGE_BODY_BYTES_MAX} bytes`);
  };
  const length = request.headers.get('content-length');
  if (length !== null && Number(length) > CHANGE_BODY_BYTES_MAX) tooLarge();
  if (length !== null || request.body === null) return request;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body as ReadableStream<Uint8Array<ArrayBuffer>>) {
      size += chunk.byteLength;
      if (size > CHANGE_BODY_BYTES_MAX) tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // A caller that goes away is no bug of ours, and must not be able to fill the log with them.
    throw new Refusal(400, 'The body broke off');
  }
  return new Request(request.url, {
    method: request.method,
    headers: request.headers,
    body: new Blob(chunks),
    signal: request.signal,
  });
}
