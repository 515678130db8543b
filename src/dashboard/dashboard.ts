import { Type } from '@sinclair/typebox';
import { Elysia, type AnyElysia } from 'elysia';
import { checkedBody } from '../api/body.ts';
import { Refusal } from '../api/errors.ts';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { MetricsSource } from '../metrics/source.ts';
import { Look } from './look.ts';
import { page } from './page.ts';
import { hasPoints, POINTS_REPLICAS_MAX, pointsOf } from './points.ts';
import { Recorder, SAMPLE_MS } from './recorder.ts';
import { Stream } from './stream.ts';

const victim = Type.Object({ name: Type.String() }, { additionalProperties: false });
const wrongVictim = (): string => 'The body must be JSON with the name of a replica: {"name":"server-2"}';

export interface DashboardOptions {
  readonly source: MetricsSource;
  readonly config: Pick<Config, 'adminToken' | 'maxReplicas' | 'chaos' | 'shadowHash'>;
  readonly trafficPort: () => number | undefined;
  /** Ends a replica by force; undefined where that can't be done. */
  readonly kill: ((name: string) => Promise<void>) | undefined;
  readonly log: Log;
}

/** The live page: its files, the stream that tells it what happens, and what it asks for besides. */
export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #recorder: Recorder;
  readonly #look: Look;
  readonly #stream: Stream;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: DashboardOptions) {
    this.#options = options;
    const { source, config, trafficPort } = options;
    const { journal } = source.fleet;
    this.#recorder = new Recorder(source.tallies);
    this.#look = new Look({
      source,
      recorder: this.#recorder,
      config,
      trafficPort,
      chaos: this.#kill !== undefined,
      wallNow: Date.now,
      now: () => performance.now(),
    });
    this.#stream = new Stream({
      snapshot: () => this.#look.snapshot(),
      journal,
      recorder: this.#recorder,
      toUnix: (ms) => this.#look.toUnix(ms),
    });
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  /** Ends the streams that are open, and looks no more. */
  close(): void {
    clearInterval(this.#timer);
    this.#stream.close();
  }

  /** `/`, and what is below `/dashboard`. */
  routes(): AnyElysia {
    return new Elysia({ name: 'dashboard' }).guard({ detail: { hide: true } }, (app) =>
      app
        .get('/', ({ request }) => this.#file('index.html', request))
        .get('/dashboard', () => new Response(null, { status: 308, headers: { location: '/' } }))
        .get('/dashboard/stream', ({ request }) => this.#open(request))
        .get('/dashboard/ring', () => this.#points())
        .post('/dashboard/kill', ({ body }) => this.#killed(body.name), checkedBody(victim, wrongVictim))
        .all('/dashboard/*', ({ request, params }) => this.#file(params['*'], request)),
    );
  }

  get #kill(): DashboardOptions['kill'] {
    const { config, kill } = this.#options;
    return config.chaos ? kill : undefined;
  }

  #sample(): void {
    this.#recorder.sample(Date.now(), performance.now(), this.#options.source.fleet.everyone());
    this.#stream.wake();
  }

  #file(name: string, request: Request): Response {
    const reply = page.reply(name, request);
    if (reply === undefined) throw new Refusal(404, `There is no ${name}: the page is at /`);
    return reply;
  }

  #open(request: Request): Response {
    const reply = this.#stream.open(request.headers.get('last-event-id'));
    if (reply === undefined) throw new Refusal(503, 'Too many pages are open: close some');
    return reply;
  }

  #points(): Response {
    const { map, digest } = this.#options.source.fleet.standing();
    if (!hasPoints(map)) throw new Refusal(404, `The map of ${map.algorithm} has no points`);
    const points = pointsOf(map);
    if (points === undefined)
      throw new Refusal(
        413,
        `The ring has more than ${POINTS_REPLICAS_MAX} replicas: too many points to draw`,
      );
    return Response.json({ digest, ...points }, { headers: { 'cache-control': 'no-store' } });
  }

  async #killed(name: string): Promise<Response> {
    const kill = this.#kill;
    const { config, log, source } = this.#options;
    if (kill === undefined)
      throw new Refusal(
        403,
        config.chaos
          ? 'These replicas can not be killed from here: that works with containers of one host, and with processes'
          : 'Replicas are killed only where CHAOS=1 is set',
      );
    if (!source.fleet.everyone().some((view) => view.name === name))
      throw new Refusal(404, `There is no replica ${name}`);
    log.warn({ replica: name }, 'replica is killed, as was asked for');
    await kill(name);
    return Response.json({ message: `${name} is killed`, status: 'successful' });
  }
}
