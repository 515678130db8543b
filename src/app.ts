import { Elysia } from 'elysia';
import { failureReply, isUnexpected, Refusal, type Thrown } from './api/errors.ts';
import { explainApi } from './api/explain.ts';
import { forwardAll } from './api/forward.ts';
import { checkChange, checkJson, limitBody } from './api/guard.ts';
import { heartbeatApi } from './api/heartbeat.ts';
import { homeApi } from './api/home.ts';
import { hotApi } from './api/hot.ts';
import { mapRequestApi } from './api/map-request.ts';
import { metricsApi } from './api/metrics.ts';
import { planApi } from './api/plan.ts';
import { readyApi } from './api/ready.ts';
import { replicasApi } from './api/replicas.ts';
import { ringApi } from './api/ring.ts';
import { shadowApi } from './api/shadow.ts';
import { Throttle } from './api/throttle.ts';
import { weightsApi } from './api/weights.ts';
import type { Config } from './config.ts';
import type { Dashboard } from './dashboard/dashboard.ts';
import { docs } from './docs/swagger.ts';
import { systemClock } from './fleet/clock.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { Log } from './log.ts';
import { createRegistry } from './metrics/registry.ts';
import { sourceAround, type MetricsSource } from './metrics/source.ts';
import { accessLogOf, pathOf } from './traffic/access-log.ts';
import { Forwarder, type ForwardConfig } from './traffic/forward.ts';
import { plainAddress } from './traffic/peer.ts';
import { send } from './traffic/upstream.ts';

export interface AppOptions {
  readonly fleet: Pick<
    Fleet,
    | 'names'
    | 'plan'
    | 'add'
    | 'remove'
    | 'weigh'
    | 'owner'
    | 'claim'
    | 'choices'
    | 'explain'
    | 'standing'
    | 'ring'
    | 'pulse'
  >;
  readonly config: ForwardConfig &
    Pick<Config, 'adminToken' | 'allowedHosts' | 'accessLog' | 'hotKeySpread' | 'hotKeyShare'>;
  readonly log: Log;
  /** Where forwarded requests are counted, and what /metrics tells; undefined: of the ring alone. */
  readonly source?: MetricsSource;
  readonly dashboard?: Pick<Dashboard, 'routes'>;
}

/** Answers one request of the control port; `peer` gives the address that its connection comes from. Never throws or rejects. */
export type App = (request: Request, peer: () => string) => Response | Promise<Response>;

/** A GET of what is our own to read, under a valid host: nothing about it is to be checked, whoever asks. */
const PLAIN_READ = /^https?:\/\/[\w.:[\]-]+\/(?:heartbeat|ready|map_request|explain|rep)(?:\?|$)/;

/** Our own paths and the methods they have; HEAD goes with GET (RFC 9110, section 9.3.2). */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  '/heartbeat': ['GET', 'HEAD'],
  '/ready': ['GET', 'HEAD'],
  '/map_request': ['GET', 'HEAD'],
  '/explain': ['GET', 'HEAD'],
  '/rep': ['GET', 'HEAD'],
  '/ring': ['GET', 'HEAD'],
  '/hot': ['GET', 'HEAD'],
  '/shadow': ['GET', 'HEAD'],
  '/metrics': ['GET', 'HEAD'],
  '/plan': ['POST'],
  '/add': ['POST'],
  '/rm': ['DELETE'],
  '/weights': ['POST'],
  '/': ['GET', 'HEAD'],
  '/dashboard': ['GET', 'HEAD'],
  // No HEAD: its reply never ends.
  '/dashboard/stream': ['GET'],
  '/dashboard/ring': ['GET', 'HEAD'],
  '/dashboard/kill': ['POST'],
};
const CHANGES: ReadonlySet<string> = new Set(['/add', '/rm', '/weights', '/dashboard/kill']);
/** Calls with a body that change nothing: open to whoever may read. */
const QUESTIONS: ReadonlySet<string> = new Set(['/plan']);
/** All that is below is ours, whatever it is. */
const DASHBOARD = '/dashboard/';

/** guard → api → docs → forward: one Elysia app behind a check of who may call what. */
export function createApp({ fleet, config, log, dashboard, source = sourceAround(fleet) }: AppOptions): App {
  const peers = new WeakMap<Request, string>();
  const peerOf = (request: Request): string => peers.get(request) ?? '';
  const forwarder = new Forwarder({
    claim: (key, except, own) => fleet.claim(key, except, own),
    explain: (key, except) => fleet.explain(key, except),
    send,
    config,
    tally: source.tallies.control,
    accessLog: accessLogOf(config.accessLog, log),
  });
  const fail = (thrown: Thrown, request: Request): Response => {
    const requestId = forwarder.idOf(request);
    if (isUnexpected(thrown)) {
      const { method, url } = request;
      log.error({ requestId, method, path: pathOf(url), err: thrown.error }, 'unexpected error in a request');
    }
    return failureReply(thrown, requestId);
  };
  // Not that of /plan, which anybody may ask: who may change things is not to wait for strangers.
  const dryRuns = new Throttle(systemClock);
  // A Host of one to three characters would shift where Elysia finds the path, unless told that hosts may be short.
  // Not normalized: a misspelt field is refused, not dropped in silence.
  const app = new Elysia({ handler: { standardHostname: false }, normalize: false })
    .onError({ as: 'global' }, ({ code, error, request }) => fail({ code, error }, request))
    .use(heartbeatApi)
    .use(readyApi(fleet))
    .use(mapRequestApi(fleet))
    .use(explainApi(fleet))
    .use(replicasApi(fleet, dryRuns))
    .use(weightsApi(fleet, dryRuns))
    .use(planApi(fleet, systemClock))
    .use(ringApi(fleet))
    .use(hotApi(fleet, config))
    .use(shadowApi(fleet))
    .use(metricsApi(createRegistry(source)))
    .use(dashboard?.routes() ?? new Elysia())
    .use(homeApi({ forwarder, peerOf }))
    .use(docs())
    .use(forwardAll({ forwarder, peerOf }));

  const answer = async (base: Request, peer: string): Promise<Response> => {
    const url = URL.parse(base.url);
    if (url === null) throw new Refusal(400, 'The request has no valid Host');
    const { pathname } = url;
    const { method } = base;
    const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname;
    const allowed = METHODS[path] ?? (path.startsWith(DASHBOARD) ? ['GET', 'HEAD'] : undefined);
    if (allowed?.includes(method) === false)
      throw new Refusal(405, `${path} takes ${allowed.join(' or ')}`, { allow: allowed.join(', ') });
    // One would show a client its own cookies, where a replica obeys (RFC 9110, section 9.3.8), the other is for tunnels.
    if (method === 'TRACE' || method === 'CONNECT')
      throw new Refusal(405, `${method} is not forwarded`, { allow: 'GET, HEAD, POST, PUT' });
    // A replica's page, which has our origin, would put a program of its own between the browser and us, for good.
    if (base.headers.get('service-worker') === 'script')
      throw new Refusal(403, 'Service workers are not served here: use the port for traffic');
    let request = base;
    if (CHANGES.has(path)) {
      checkChange({ peer, headers: request.headers }, config);
      request = await limitBody(request);
    } else if (QUESTIONS.has(path)) {
      checkJson(request.headers);
      request = await limitBody(request);
    } else if (allowed !== undefined && method === 'HEAD') {
      const full = await app.fetch(new Request(request.url, { headers: request.headers }));
      const headers = new Headers(full.headers);
      headers.set('content-length', String((await full.arrayBuffer()).byteLength));
      return new Response(null, { status: full.status, headers });
    }
    // Elysia would answer the HEAD of a route for GET by itself, with a length of 0 where the replica says another.
    if (method === 'HEAD' && !path.startsWith('/swagger')) return forwarder.forward(request, peer);
    peers.set(request, peer);
    if (!CHANGES.has(path)) return app.fetch(request);
    const requestId = forwarder.idOf(request);
    const reply = await app.fetch(request);
    reply.headers.set('x-request-id', requestId);
    if (url.searchParams.get('dry_run') !== 'true')
      log.info({ requestId, method, path, status: reply.status, peer }, 'change');
    return reply;
  };

  const checked = async (received: Request, peer: string): Promise<Response> => {
    let request = received;
    try {
      // HTTP/1.0 has no Host, and simple health checks speak it.
      if (received.url.startsWith('/') && !received.headers.has('host'))
        request = new Request(`http://localhost${received.url}`, received);
      return await answer(request, plainAddress(peer));
    } catch (error) {
      return fail({ code: undefined, error }, request);
    }
  };

  return (request, peer) =>
    request.method === 'GET' && PLAIN_READ.test(request.url) ? app.fetch(request) : checked(request, peer());
}
