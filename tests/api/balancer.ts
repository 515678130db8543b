import { afterEach } from 'bun:test';
import { createApp, type App } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { systemClock, type Clock } from '../../src/fleet/clock.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import { silentLog } from '../../src/log.ts';
import { FakeClock } from '../fleet/fake-clock.ts';
import { InstantRuntime } from '../runtime/instant-runtime.ts';

export const JSON_BODY = { 'content-type': 'application/json' };

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly peer?: string;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** Our app and fleet, with replicas that are there at once and of which nothing is asked. */
export class Balancer<C extends Clock = Clock> {
  readonly clock: C;
  readonly fleet: Fleet;
  readonly #app: App;

  private constructor(env: Readonly<Record<string, string>>, clock: C) {
    const config = parseConfig(env);
    this.clock = clock;
    this.fleet = new Fleet({
      runtime: new InstantRuntime(() => ({ host: '127.0.0.1', port: 9 })),
      clock,
      heartbeat: () => Promise.resolve('answered'),
      log: silentLog,
      config,
    });
    this.#app = createApp({ fleet: this.fleet, config, log: silentLog });
    balancers.add(this);
  }

  /** One that is open, and is closed after the test. */
  static async opened(env: Readonly<Record<string, string>> = {}): Promise<Balancer> {
    const balancer = new Balancer(env, systemClock);
    await balancer.fleet.open();
    return balancer;
  }

  /** The same, with time that the test lets go by. */
  static async timed(env: Readonly<Record<string, string>> = {}): Promise<Balancer<FakeClock>> {
    const balancer = new Balancer(env, new FakeClock());
    await balancer.clock.until(balancer.fleet.open());
    return balancer;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    { headers = JSON_BODY, peer = '127.0.0.1' }: Call = {},
  ): Promise<Reply> {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const request = new Request(`http://localhost:5000${path}`, {
      method,
      headers: { host: 'localhost:5000', ...headers },
      ...sent,
    });
    const reply = await this.#app(request, () => peer);
    return { status: reply.status, text: await reply.text(), headers: reply.headers };
  }

  async close(): Promise<void> {
    const closed = this.fleet.close(false);
    await (this.clock instanceof FakeClock ? this.clock.until(closed) : closed);
  }
}

const balancers = new Set<Balancer>();
afterEach(async () => {
  for (const balancer of balancers) await balancer.close();
  balancers.clear();
});
