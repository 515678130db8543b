import type { Config } from '../config.ts';
import type { Explanation } from '../fleet/explain.ts';
import type { Lease } from '../fleet/member.ts';
import type { Address } from '../runtime/runtime.ts';
import type { AccessLog } from './access-log.ts';
import { Account } from './account.ts';
import { Attempts } from './attempts.ts';
import { ReplayableBody } from './body.ts';
import { RetryBudget } from './budget.ts';
import { EXPLAIN, explainedFields, type Explain } from './explained.ts';
import { keptRequestId, requestHeaders } from './headers.ts';
import { isAuthority } from './http1/authority.ts';
import { keyOf } from './key.ts';
import { passOn } from './pass-on.ts';
import { Patience } from './patience.ts';
import { Flight, Place } from './place.ts';
import { isComparable, isIdempotent, verdictOf, type Asked, type Failure, type Verdict } from './retry.ts';
import { CLIENT_GONE, Tally } from './tally.ts';
import { Trust } from './trust.ts';
import { SENDS_MAX, UpstreamError, type Send } from './upstream.ts';

/** The request could not be answered by any replica, or is none that can be sent on; `status` says why. */
export class ForwardError extends Error {
  override readonly name = 'ForwardError';
  constructor(
    readonly status: 400 | 502 | 503 | 504,
    message: string,
    /** Further fields of the reply. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export type ForwardConfig = Pick<
  Config,
  'hashKey' | 'replyHeaderTimeoutMs' | 'retries' | 'trustedProxies' | 'replicaInFlightMax'
>;

export interface ForwarderOptions {
  /** As Claim; where nothing was asked before, `except` is empty. */
  readonly claim: (key: string, except: ReadonlySet<string>, own: boolean) => Lease | undefined;
  /** What that comes to, for requests that ask; undefined: none is told. */
  readonly explain?: Explain;
  readonly send: Send;
  readonly config: ForwardConfig;
  /** Where requests are counted. */
  readonly tally?: Tally;
  /** Undefined: no request is told of. */
  readonly accessLog?: AccessLog | undefined;
}

/** What every attempt at one request sends. */
interface Message {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: ReplayableBody | undefined;
  readonly requestId: string;
  readonly key: string;
  /** Whether the request has that key, and it was not drawn for it. */
  readonly keyIsOwn: boolean;
  readonly attempts: Attempts;
  readonly account: Account;
  /** Aborts when the client goes away. */
  readonly client: AbortSignal;
  /** Whether the client is to be told why its request went where it went, and what it is told. */
  readonly explains: boolean;
  explained: Explanation | undefined;
}

/** Sends requests of the control port to the replica that owns their key, over the platform's own HTTP client. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #trust: Trust;
  readonly #tally: Tally;
  readonly #budget = new RetryBudget(performance.now());
  /** Instances that have answered, to which there may be kept connections. */
  readonly #answered = new WeakSet<Address>();
  readonly #flights = new WeakMap<Address, Flight>();
  /** Ids of those that failed, for who answers them instead. */
  readonly #failedIds = new WeakMap<Request, string>();
  #inFlight = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#tally = options.tally ?? new Tally();
    this.#trust = new Trust(options.config.trustedProxies);
  }

  /**
   * Resolves with the replica's reply, its body still streaming. Throws ForwardError: 503 where no replica is on the
   * ring or too many requests are in flight, 502 or 504 where none that may be asked replies, 400 where the request
   * cannot be sent on.
   */
  async forward(request: Request, peer: string): Promise<Response> {
    const { accessLog } = this.#options;
    const requestId = keptRequestId(request.headers) ?? crypto.randomUUID();
    const account = new Account({
      tally: this.#tally,
      accessLog: accessLog?.sample() === true ? accessLog : undefined,
      request,
      requestId,
      peer,
    });
    this.#inFlight++;
    try {
      if (this.#inFlight > SENDS_MAX)
        throw new ForwardError(503, 'Too many requests are in flight: ask again');
      return await this.#tryInOrder(request, peer, requestId, account);
    } catch (error) {
      this.#failedIds.set(request, requestId);
      account.refused(error instanceof ForwardError ? error.status : 500);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  /** The id under which a request that could not be answered was sent to replicas; of any other its own, or a new one. */
  idOf(request: Request): string {
    return this.#failedIds.get(request) ?? keptRequestId(request.headers) ?? crypto.randomUUID();
  }

  async #tryInOrder(request: Request, peer: string, requestId: string, account: Account): Promise<Response> {
    const { method } = request;
    const flaw = flawOf(request.headers);
    if (flaw !== undefined) throw new ForwardError(400, flaw);
    const target = targetOf(request.url);
    if (target === undefined || !URL.canParse(request.url))
      throw new ForwardError(400, 'Only a request for a path, with a valid Host, can be forwarded');
    if (losesBody(request))
      throw new ForwardError(400, `A ${method} with a body cannot be forwarded: send it as POST`);
    const { config } = this.#options;
    const header = (lower: string): string | undefined => request.headers.get(lower) ?? undefined;
    const origin = this.#trust.originOf(peer, header('x-forwarded-for'));
    const own = keyOf({ target, origin, header }, config.hashKey);
    const key = own ?? crypto.randomUUID();
    const body = request.body === null ? undefined : new ReplayableBody(request.body);
    const client = { address: peer, trusted: this.#trust.has(peer) };
    const headers = requestHeaders(request.headers, client, requestId);
    const attempts = new Attempts();
    const message: Message = {
      method,
      target,
      headers,
      body,
      requestId,
      key,
      keyIsOwn: own !== undefined,
      attempts,
      account,
      client: request.signal,
      explains: header(EXPLAIN) === '1',
      explained: undefined,
    };
    this.#budget.deposit();
    try {
      return await this.#askInOrder(message);
    } catch (error) {
      if (message.explained === undefined || !(error instanceof ForwardError)) throw error;
      throw new ForwardError(
        error.status,
        error.message,
        Object.fromEntries(explainedFields(message.explained)),
      );
    }
  }

  async #askInOrder(message: Message): Promise<Response> {
    const { attempts, account } = message;
    let place = this.#take(message);
    for (;;) {
      const { replica } = place.lease;
      account.asks(replica);
      const outcome = await this.#attempt(message, place);
      if (outcome instanceof Response) return outcome;
      if (outcome instanceof Place) {
        place = outcome;
        continue;
      }
      attempts.failed(replica, outcome);
      // That it is lost the fleet itself has said.
      if (outcome !== 'lost' && outcome !== 'refused') {
        if (attempts.allow(this.#asked(message))) attempts.compare(place.lease, outcome);
        else if (attempts.tried.size === 1) place.lease.failed();
        else place.lease.suspect();
      }
      if (!attempts.mayGoOn(this.#asked(message), this.#budget, performance.now()))
        throw new ForwardError(attempts.status, `Replica ${replica} did not answer this request`);
      place = this.#take(message);
    }
  }

  #asked({ method, body }: Message): Asked {
    return { method, bodyWhole: body?.whole ?? true, retries: this.#options.config.retries };
  }

  /** What a claim comes to that is made now, with no await between. */
  #explain({ explains, key, attempts }: Message): Explanation | undefined {
    return explains ? this.#options.explain?.(key, attempts.tried) : undefined;
  }

  /** A place at the next replica that is to be asked. */
  #take(message: Message): Place {
    const { key, keyIsOwn, attempts } = message;
    message.explained = this.#explain(message);
    const lease = this.#options.claim(key, attempts.tried, keyIsOwn);
    if (lease === undefined) {
      if (attempts.tried.size === 0)
        throw new ForwardError(503, 'No replica is ready: ask again, or /add some');
      throw new ForwardError(attempts.status, 'No replica answered this request');
    }
    const place = this.#placeOf(lease);
    if (place === undefined)
      throw new ForwardError(503, `Replica ${lease.replica} has too many requests in flight: ask again`);
    return place;
  }

  /** Undefined where there is none; then the lease is released. */
  #placeOf(lease: Lease): Place | undefined {
    const flight = this.#flights.get(lease.address) ?? new Flight();
    this.#flights.set(lease.address, flight);
    if (flight.inFlight < this.#options.config.replicaInFlightMax) return new Place(lease, flight);
    lease.release();
    return undefined;
  }

  /** The place at another replica that a failing reply is to be compared with, where there is one; see isComparable. */
  #another(message: Message, { lease }: Place, verdict: Verdict): Place | undefined {
    const { key, keyIsOwn, attempts } = message;
    const asked = this.#asked(message);
    if (!isComparable(asked)) return undefined;
    attempts.failed(lease.replica, 'failing');
    if (!attempts.allow(asked)) return undefined;
    const explained = this.#explain(message);
    const next = this.#options.claim(key, attempts.tried, keyIsOwn);
    const place = next === undefined ? undefined : this.#placeOf(next);
    if (place === undefined) return undefined;
    if (attempts.mayGoOn(asked, this.#budget, performance.now())) {
      attempts.compare(lease, verdict);
      message.explained = explained;
      return place;
    }
    place.release();
    return undefined;
  }

  async #attempt(message: Message, place: Place): Promise<Response | Failure | Place> {
    const { send, config } = this.#options;
    const { lease } = place;
    const { method, target, headers, body, client } = message;
    const attempt = new AbortController();
    const fresh = !isIdempotent(method) || body !== undefined;
    let failure: Failure | undefined;
    let cut = false;
    const giveUp = (why: Failure): void => {
      failure ??= why;
      attempt.abort();
    };
    const onClientGone = (): void => attempt.abort();
    const patience = new Patience(config.replyHeaderTimeoutMs, () => giveUp('silent'));
    lease.onLost = () => {
      // Only what may go elsewhere is called off when its replica leaves the ring: the rest has nowhere better to be.
      if (isIdempotent(method) && (body?.whole ?? true)) giveUp('lost');
    };
    lease.onCut = () => {
      cut = true;
      attempt.abort();
    };
    client.addEventListener('abort', onClientGone);
    try {
      const reply = await send(
        {
          address: lease.address,
          method,
          target,
          headers,
          // A slow upload is no silence of the replica's: it has until its timeout after the last that it took.
          body: body?.open(() => patience.renew()) ?? null,
          fresh,
        },
        attempt.signal,
      );
      patience.end();
      this.#answered.add(lease.address);
      const { status } = reply;
      // Replicas can send what Response does not know, such as 999. Past this nothing can throw but a read.
      if (status < 200 || status > 599) throw new UpstreamError(false);
      const verdict = verdictOf(status, reply.headers.has('retry-after'));
      const another = verdict === 'answers' ? undefined : this.#another(message, place, verdict);
      if (another !== undefined) {
        void reply.body?.cancel().catch(() => {});
        attempt.abort();
        place.release();
        return another;
      }
      message.attempts.answered(status);
      const onWhole = (): void => {
        if (verdict === 'answers') lease.answered();
      };
      const { requestId, account, explained } = message;
      return await passOn({ reply, method, requestId, explained, place, attempt, account, onWhole });
    } catch (error) {
      // Also where it was the reply that could not be passed on: no more of it is to come.
      attempt.abort();
      place.release();
      if (client.aborted) {
        message.account.clientGone();
        return new Response(null, { status: CLIENT_GONE });
      }
      if (cut) throw new ForwardError(502, 'The replica had to leave before it answered');
      failure ??= error instanceof UpstreamError && error.refused ? 'refused' : 'broken';
      if (failure === 'refused') lease.unreachable();
      // Where a kept connection breaks off, fetch by itself sends the request again: it may be what ended the replica.
      return failure === 'refused' && !fresh && this.#answered.has(lease.address) ? 'broken' : failure;
    } finally {
      patience.end();
      lease.onLost = undefined;
      client.removeEventListener('abort', onClientGone);
    }
  }
}

/**
 * Path and query as they came; URL would drop the "?" of an empty query. Undefined where there is no path to begin
 * with, as in CONNECT: put behind an address, `@other.example` would make it another one.
 */
function targetOf(url: string): string | undefined {
  return /^https?:\/\/[^/?#]*(\/[^#]*)/i.exec(url)?.[1];
}

/** What two readers may take differently, and the platform's server has let pass; undefined where there is none of it. */
function flawOf(headers: Headers): string | undefined {
  const length = headers.get('content-length');
  if (length !== null && !/^\d+$/.test(length)) return 'Content-Length must be one number';
  const host = new TextEncoder().encode(headers.get('host') ?? '');
  // Without one the platform's server answers itself, or it is HTTP/1.0.
  if (host.length > 0 && !isAuthority(host, 0, host.length))
    return 'Host must be a name or an address, with a port or without';
  return undefined;
}

/** Whether the request came with a body that the platform's server does not hand on: without it, it would be another request. */
function losesBody({ method, headers, body }: Request): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    body === null &&
    (headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0)
  );
}
