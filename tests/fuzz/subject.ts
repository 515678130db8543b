import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { systemClock } from '../../src/fleet/clock.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import type { Log } from '../../src/log.ts';
import { InstantRuntime } from '../runtime/instant-runtime.ts';

export const REPLICAS_MAX = 8;
export const TOKEN = 'correct-horse-battery';
const REPLICAS = 3;
/** Ids whose owners a refused call may not change. */
const IDS = 50;

/** Our own app and fleet, over real sockets, with replicas that are there at once: all of them one real server. */
export class Subject {
  /** What the log was told of our own bugs. */
  readonly bugs: string[] = [];
  readonly fleet: Fleet;
  readonly #echo: Bun.Server<undefined>;
  readonly #servers: readonly Bun.Server<undefined>[];

  private constructor() {
    this.#echo = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      development: false,
      fetch: (request) =>
        new URL(request.url).pathname === '/home'
          ? Response.json({ message: 'Hello from Server: any', status: 'successful' })
          : new Response('echo'),
    });
    const address = { host: '127.0.0.1', port: this.#echo.port as number };
    const bug = (fields: object, message: string): void => {
      const error: unknown = 'err' in fields ? fields.err : undefined;
      this.bugs.push(`${message}: ${error instanceof Error ? error.stack : JSON.stringify(fields)}`);
    };
    const log: Log = { debug() {}, info() {}, warn() {}, error: bug };
    const env = {
      MAX_REPLICAS: String(REPLICAS_MAX),
      REPLICAS: String(REPLICAS),
      ALLOWED_HOSTS: 'lb.example',
    };
    this.fleet = new Fleet({
      runtime: new InstantRuntime(() => address),
      clock: systemClock,
      heartbeat: () => Promise.resolve('answered'),
      log,
      config: parseConfig(env),
    });
    this.#servers = [env, { ...env, ADMIN_TOKEN: TOKEN }].map((one) => {
      const app = createApp({ fleet: this.fleet, config: parseConfig(one), log });
      return Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        // As main has it.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        development: false,
        fetch: (request, self) => app(request, () => self.requestIP(request)?.address ?? ''),
        error: (error) => {
          bug({ err: error }, 'in a listener');
          return new Response(null, { status: 500 });
        },
      });
    });
  }

  static async open(): Promise<Subject> {
    const subject = new Subject();
    await subject.fleet.open();
    return subject;
  }

  /** Ports of the API: one without ADMIN_TOKEN, and one with. */
  get ports(): readonly [open: number, guarded: number] {
    const [open, guarded] = this.#servers.map((server) => server.port as number);
    return [open as number, guarded as number];
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports[0]}`;
  }

  /** Who is in, and who owns which id. */
  state(): { readonly names: readonly string[]; readonly text: string } {
    const names = this.fleet.names();
    const { ring } = this.fleet;
    const owners = Array.from({ length: IDS }, (_, id) => ring.owner(String(id)));
    return { names, text: `${names.join(' ')} / ${owners.join(' ')}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop(true)));
    await this.fleet.close(false);
    await this.#echo.stop(true);
  }
}
