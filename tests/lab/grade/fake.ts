import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { hash32 } from '../../../src/ring/hash.ts';

/** A reply as a fake gives it: a body that is no text is sent as JSON. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** A call as it came. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly id: string | null;
  readonly body: { readonly n?: unknown; readonly hostnames?: unknown } | undefined;
  /** Whether there was a body that is no JSON. */
  readonly isBroken: boolean;
  /** Takes the connection away from the fake, to do with it what no server should. */
  readonly raw: ServerResponse;
}

type Twist = (fake: Fake, asked: Asked) => Reply | 'done' | undefined;

export interface FakeOptions {
  /** The assignment's own shape: /rep is wrapped, ids are drawn by the balancer, and there is no /map_request. */
  readonly original?: boolean;
  readonly names?: readonly string[];
  /** What a server of this name calls itself in its greeting; undefined: the same. */
  readonly greets?: (name: string) => string;
  /** Is asked first, and answers what the fake is to do wrong. */
  readonly twist?: Twist;
}

const FAILURE = 400;
const fail = (text: string, status = FAILURE): Reply => ({
  status,
  body: { message: `<Error> ${text}`, status: 'failure' },
});

/** An implementation of the assignment that has no servers: it says that they answer. */
export class Fake implements AsyncDisposable {
  names: string[];
  /** Ids that the original shape has drawn. */
  drawn = 0;
  readonly #options: FakeOptions;
  readonly #server: Server;

  private constructor(options: FakeOptions) {
    this.#options = options;
    this.names = [...(options.names ?? ['Server 1', 'Server 2', 'Server 3'])];
    this.#server = createServer((request, reply) => void this.#serve(request, reply));
  }

  static async open(options: FakeOptions = {}): Promise<Fake> {
    const fake = new Fake(options);
    await new Promise<void>((resolve) => {
      fake.#server.listen(0, '127.0.0.1', resolve);
    });
    return fake;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Rendezvous hashing: no key moves but to who joins, or from who leaves. */
  owner(key: string): string {
    return this.names.toSorted((a, b) => hash32(`${b}|${key}`) - hash32(`${a}|${key}`))[0] ?? '';
  }

  list(): Reply {
    const members = { N: this.names.length, replicas: this.names };
    return {
      status: 200,
      body: this.#options.original === true ? { message: members, status: 'successful' } : members,
    };
  }

  changed(): Reply {
    return {
      status: 200,
      body: { message: { N: this.names.length, replicas: this.names }, status: 'successful' },
    };
  }

  hello(name: string): Reply {
    const called = this.#options.greets?.(name) ?? name;
    return { status: 200, body: { message: `Hello from Server: ${called}`, status: 'successful' } };
  }

  add(names: readonly string[], n: number): Reply {
    this.names.push(...names);
    for (let i = 1, left = n - names.length; left > 0; i++) {
      if (this.names.includes(`S${i}`)) continue;
      this.names.push(`S${i}`);
      left--;
    }
    return this.changed();
  }

  remove(names: readonly string[], n: number): Reply {
    this.names = this.names.filter((name) => !names.includes(name));
    this.names.splice(0, n - names.length);
    return this.changed();
  }

  answer(asked: Asked): Reply {
    const original = this.#options.original === true;
    const { method, path, id, body } = asked;
    if (asked.isBroken) return fail('the body is no JSON');
    switch (`${method} ${path}`) {
      case 'GET /rep':
        return this.list();
      case 'GET /home':
        return this.hello(this.owner(original || id === null ? String(this.drawn++) : id));
      case 'GET /heartbeat':
        return { status: 200, body: '' };
      case 'POST /add':
      case 'DELETE /rm':
        return this.#change(method, body);
      case 'GET /map_request':
        if (!original)
          return { status: 200, body: { request_id: Number(id), mapped_server: this.owner(id ?? '') } };
    }
    return fail(`'${path}' endpoint does not exist in server replicas`);
  }

  #change(method: string, body: Asked['body']): Reply {
    const { n, hostnames = [] } = body ?? {};
    const adds = method === 'POST';
    if (typeof n !== 'number' || !Number.isInteger(n) || n < 1) return fail('n must be a whole number');
    if (!Array.isArray(hostnames)) return fail('hostnames must be a list');
    const names = hostnames.map(String);
    if (names.length > n)
      return fail(`Length of hostname list is more than ${adds ? 'newly added' : 'removable'} instances`);
    if (new Set(names).size < names.length) return fail('a name twice');
    const known = names.filter((name) => this.names.includes(name));
    if (adds && known.length > 0) return fail('that name is taken', 409);
    if (!adds && known.length < names.length) return fail('no such server', 404);
    if (!adds && n > this.names.length) return fail('there are not so many');
    return adds ? this.add(names, n) : this.remove(names, n);
  }

  async #serve(request: IncomingMessage, raw: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url ?? '/', 'http://fake');
    const body = bodyOf(text);
    const asked: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      authorization: request.headers.authorization,
      id: url.searchParams.get('id'),
      body: body ?? undefined,
      raw,
      isBroken: body === null,
    };
    const reply = this.#options.twist?.(this, asked) ?? this.answer(asked);
    if (reply === 'done') return;
    raw.statusCode = reply.status;
    raw.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
  }
}

/** Undefined where there is none, null where it is no JSON. */
function bodyOf(text: string): Asked['body'] | null {
  try {
    return text === '' ? undefined : (JSON.parse(text) as Asked['body']);
  } catch {
    return null;
  }
}
