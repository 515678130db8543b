import { getAll } from './connection.ts';

/** What the stack file publishes unless it is told otherwise. */
export const PORT = 5000;
export const TRAFFIC_PORT = 8080;
/** Connections that ids are asked on. */
const AT_ONCE = 50;
/** For what is asked again and again, in ms. */
const LOOK_DEADLINE_MS = 5000;

/** What GET /ring says. */
export interface RingView {
  readonly digest: string;
  readonly replicas: readonly { readonly name: string; readonly state: string }[];
  readonly leaving: readonly unknown[];
  readonly ringmasters: readonly { readonly answers: boolean; readonly digest?: string }[];
  readonly disagreement_ms: number;
}

export interface Changed {
  readonly status: number;
  /** Names after the change; those of a failure are none. */
  readonly replicas: readonly string[];
  readonly text: string;
}

/** The one that is on a host. */
export class Ringmaster {
  readonly host: string;

  constructor(host: string) {
    this.host = host;
  }

  async rep(): Promise<string[]> {
    return ((await this.#look('/rep')) as { replicas: string[] }).replicas;
  }

  async ring(): Promise<RingView> {
    return (await this.#look('/ring')) as RingView;
  }

  /** Whom the ids 0 to `ids` - 1 are mapped to: a name, or the status of what was no 200. */
  async owners(ids: number): Promise<string[]> {
    const targets = Array.from({ length: ids }, (_, id) => `/map_request?id=${id}`);
    const answers = await getAll(this.host, PORT, targets, AT_ONCE);
    return answers.map(({ status, body }) => (status === 200 ? mappedServer(body) : String(status)));
  }

  /** Who serves them: what x-served-by says, which the body has to say as well. */
  async servers(port: number, ids: number): Promise<string[]> {
    const targets = Array.from({ length: ids }, (_, id) => `/home?id=${id}`);
    const answers = await getAll(this.host, port, targets, AT_ONCE);
    return answers.map(({ status, server, body }) =>
      status === 200 && body === greeting(server) ? server : `${status} ${server} ${body}`,
    );
  }

  add(n: number, hostnames: readonly string[] = []): Promise<Changed> {
    return this.change('POST', '/add', JSON.stringify({ n, hostnames }));
  }

  remove(n: number, hostnames: readonly string[] = []): Promise<Changed> {
    return this.change('DELETE', '/rm', JSON.stringify({ n, hostnames }));
  }

  async change(method: string, path: string, body: string): Promise<Changed> {
    const headers = { 'content-type': 'application/json' };
    // None is sent again by itself, on a connection that was kept.
    const reply = await fetch(`http://${this.host}:${PORT}${path}`, {
      method,
      headers,
      body,
      keepalive: false,
    });
    const text = await reply.text();
    const { message } = JSON.parse(text) as { message: { replicas: string[] } | string };
    return { status: reply.status, replicas: typeof message === 'string' ? [] : message.replicas, text };
  }

  async #look(path: string): Promise<unknown> {
    const signal = AbortSignal.timeout(LOOK_DEADLINE_MS);
    const reply = await fetch(`http://${this.host}:${PORT}${path}`, { signal, keepalive: false });
    if (!reply.ok) throw new Error(`${path} at ${this.host}: ${reply.status}`);
    return reply.json();
  }
}

export function mappedServer(body: string): string {
  return (JSON.parse(body) as { mapped_server: string }).mapped_server;
}

/** What the sample server answers at /home. */
export function greeting(server: string): string {
  return `{"message":"Hello from Server: ${server}","status":"successful"}`;
}
