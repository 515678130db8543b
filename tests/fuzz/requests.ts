import { Chance } from '../fleet/chance.ts';
import type { Operation, Schema } from './document.ts';
import {
  BAD_NAMES,
  BOUNDARIES,
  BYTES,
  IDS,
  JUNK,
  METHODS,
  NAMES,
  OTHER_FIELDS,
  PATH_PIECES,
  REFUSED_FIELDS,
} from './hostile.ts';
import { TOKEN } from './subject.ts';

/** One request, as bytes in Latin-1, and what is known of it by how it was made. */
export interface Probe {
  readonly kind: Kind;
  readonly method: string;
  readonly text: string;
  /** Whose words the reply has to keep to; undefined where the request is none that HTTP or the document knows. */
  readonly operation: Operation | undefined;
  /** False: whatever becomes of it, nothing may change. */
  readonly mayChange: boolean;
  /** What it asks for, where it can be read; for a change that is accepted. */
  readonly body: string;
  /** Whether it goes to the port where ADMIN_TOKEN is set. */
  readonly guarded: boolean;
  /** It is not whole: no reply is to be waited for. */
  readonly cut: boolean;
}

export const KINDS = ['valid', 'boundary', 'mutated', 'hostile', 'framed', 'bytes', 'cut'] as const;
export type Kind = (typeof KINDS)[number];

const LAST_CHUNK = '0\r\n\r\n';

/** The request that a seed and a number give, always the same. */
export function probe(operations: readonly Operation[], seed: number, number: number): Probe {
  const MIXED = 0x9e3779b1;
  const chance = new Chance(Math.imul(seed, MIXED) ^ Math.imul(number + 1, 0x85ebca6b));
  // Those that change something three times as often.
  const changes = operations.filter((one) => one.body !== undefined);
  const operation = of(chance, [...operations, ...changes, ...changes]);
  const kind = of(chance, KINDS);
  const maker = new Maker(chance, operation, kind);
  return maker.make();
}

function of<T>(chance: Chance, items: readonly T[]): T {
  return chance.pick(items) as T;
}

class Maker {
  readonly #chance: Chance;
  readonly #operation: Operation;
  readonly #kind: Kind;

  constructor(chance: Chance, operation: Operation, kind: Kind) {
    this.#chance = chance;
    this.#operation = operation;
    this.#kind = kind;
  }

  make(): Probe {
    const chance = this.#chance;
    const guarded = chance.happens(0.3);
    const probe = {
      kind: this.#kind,
      method: this.#operation.method,
      operation: this.#operation as Operation | undefined,
      // Where the token is set and not sent, nothing may change.
      mayChange: !guarded,
      guarded,
      cut: false,
    };
    let path = this.#operation.path + this.#query();
    const fields = ['Host: localhost', 'Content-Type: application/json'];
    if (guarded && chance.happens(0.7)) {
      fields.push(`Authorization: Bearer ${TOKEN}`);
      probe.mayChange = true;
    }
    let body = this.#operation.body === undefined ? undefined : this.#body(this.#operation.body);
    switch (this.#kind) {
      case 'hostile': {
        const hostile = of(chance, REFUSED_FIELDS);
        const name = /^[^:]+/.exec(hostile[0])?.[0] ?? '';
        const own = fields.findIndex((field) => field.startsWith(name));
        fields.splice(own < 0 ? fields.length : own, own < 0 ? 0 : 1, ...hostile);
        probe.mayChange = false;
        // The document says nothing of a Host that is none.
        if (name === 'Host') probe.operation = undefined;
        break;
      }
      case 'framed': {
        if (chance.happens(0.5)) probe.method = of(chance, METHODS);
        else path = this.#mangled(path);
        if (chance.happens(0.3)) path = `http://${of(chance, ['localhost', 'evil.example', 'a@b'])}${path}`;
        probe.operation = undefined;
        body ??= chance.happens(0.3) ? this.#text('{"n":1}') : undefined;
        break;
      }
      default:
        // A body where none belongs.
        if (body === undefined && this.#kind === 'boundary' && chance.happens(0.2)) body = '{"n":1}';
    }
    while (chance.happens(0.3)) {
      const field = of(chance, OTHER_FIELDS);
      // Twice is another thing than once.
      if (!fields.some((one) => one.split(':')[0] === field.split(':')[0])) fields.push(field);
    }
    const sent = body ?? '';
    const chunked = body !== undefined && chance.happens(0.2);
    if (chunked) fields.push('Transfer-Encoding: chunked');
    else if (body !== undefined) fields.push(`Content-Length: ${sent.length}`);
    const head = `${probe.method} ${path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`;
    const whole = head + (chunked ? this.#chunks(sent) : sent);
    if (this.#kind === 'bytes')
      return {
        ...probe,
        operation: undefined,
        body: sent,
        text: this.#bent(head) + whole.slice(head.length),
      };
    if (this.#kind === 'cut') {
      // Of the last chunk, which says that there is no more, Bun does not wait for the last byte.
      const whenWhole = whole.length - (chunked ? LAST_CHUNK.length : 1);
      const text = whole.slice(0, whenWhole - chance.below(whenWhole));
      return { ...probe, mayChange: false, cut: true, body: sent, text };
    }
    return { ...probe, body: sent, text: whole };
  }

  #query(): string {
    const chance = this.#chance;
    const parameters = this.#operation.parameters.filter((one) => one.required || chance.happens(0.5));
    if (parameters.length === 0)
      return chance.happens(0.1) ? `?${of(chance, ['', 'x', 'n=1', 'id=1', '__proto__=1', '%'])}` : '';
    const pairs = parameters.map(({ name, schema }) => {
      const wild = this.#kind !== 'valid' && chance.happens(schema.type === 'boolean' ? 0.3 : 1);
      if (wild) return `${name}=${of(chance, IDS)}`;
      return `${name}=${schema.type === 'boolean' ? chance.happens(0.5) : chance.below(1e9)}`;
    });
    return `?${pairs.join('&')}`;
  }

  #body(schema: Schema): string {
    const text = this.#json(schema);
    return this.#kind === 'mutated' || (this.#kind === 'framed' && this.#chance.happens(0.3))
      ? this.#text(text)
      : text;
  }

  /** A value of that schema; with boundaries and junk in it, where that is what is wanted. */
  #json(schema: Schema, name = ''): string {
    const chance = this.#chance;
    const wild = this.#kind === 'boundary' || this.#kind === 'mutated';
    if (this.#kind === 'mutated' && chance.happens(0.15)) return of(chance, JUNK);
    switch (schema.type) {
      case 'integer':
        return String(wild ? of(chance, BOUNDARIES) : 1 + chance.below(3));
      case 'string':
        return JSON.stringify(wild && chance.happens(0.4) ? of(chance, BAD_NAMES) : of(chance, NAMES));
      case 'array': {
        const items = Array.from({ length: chance.below(3) }, () => this.#json(schema.items ?? {}));
        return `[${items.join(',')}]`;
      }
      case 'object': {
        const { properties = {}, required = [] } = schema;
        const fields = Object.entries(properties)
          .filter(([field]) => required.includes(field) || chance.happens(0.5))
          .map(([field, inner]) => `${JSON.stringify(field)}:${this.#json(inner, field)}`);
        if (this.#kind === 'mutated' && chance.happens(0.3)) {
          const extra = of(chance, [
            'n',
            'N',
            'hostname',
            'hostnames',
            'add',
            'rm',
            '__proto__',
            'constructor',
            '',
            'x',
          ]);
          fields.splice(chance.below(fields.length + 1), 0, `${JSON.stringify(extra)}:${of(chance, JUNK)}`);
        }
        if (this.#kind === 'mutated' && chance.happens(0.15))
          fields.splice(chance.below(fields.length + 1), 1);
        return `{${fields.join(',')}}`;
      }
      default:
        return name;
    }
  }

  /** A body with some of its text gone, doubled or replaced; never longer than it may be. */
  #text(text: string): string {
    const chance = this.#chance;
    let changed = Buffer.from(text).toString('latin1');
    while (chance.happens(0.5)) {
      const at = chance.below(changed.length + 1);
      const end = at + chance.below(8);
      const put = of(chance, [
        '',
        '',
        ',',
        '"',
        '}',
        '{',
        '\0',
        '\xff',
        ' ',
        '\\',
        '1',
        'e',
        changed.slice(at, end),
      ]);
      changed = changed.slice(0, at) + put + changed.slice(chance.happens(0.5) ? at : end);
    }
    return changed;
  }

  /** A path with more in it than there should be. */
  #mangled(path: string): string {
    const chance = this.#chance;
    let changed = path;
    do {
      const at = 1 + chance.below(changed.length);
      const piece = of(chance, PATH_PIECES);
      changed = chance.happens(0.2)
        ? changed.slice(0, at) + changed.slice(at + 1)
        : changed.slice(0, at) + piece + changed.slice(at);
    } while (chance.happens(0.4));
    return changed;
  }

  /** A head with bytes of it replaced; its framing and its end stay, so that all of it is read. */
  #bent(head: string): string {
    const chance = this.#chance;
    const lines = head.slice(0, -4).split('\r\n');
    const times = 1 + chance.below(3);
    for (let i = 0; i < times; i++) {
      const n = chance.below(lines.length);
      const line = lines[n] as string;
      if (/^(?:content-length|transfer-encoding)/i.test(line)) continue;
      const at = chance.below(line.length + 1);
      const put = chance.happens(0.3) ? '' : of(chance, BYTES);
      lines[n] = line.slice(0, at) + put + line.slice(at + chance.below(3));
    }
    return `${lines.join('\r\n')}\r\n\r\n`;
  }

  #chunks(body: string): string {
    const at = this.#chance.below(body.length + 1);
    const parts = [body.slice(0, at), body.slice(at)].filter(Boolean);
    return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}${LAST_CHUNK}`;
  }
}
