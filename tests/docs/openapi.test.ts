import { describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { strictDocument } from '../../src/docs/document.ts';
import { silentLog } from '../../src/log.ts';
import { Ring } from '../../src/ring/ring.ts';
import { Built } from '../metrics/built.ts';
import { EMPTY_PLAN } from '../api/empty-plan.ts';

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly schema: { readonly example?: unknown };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
      }
    >
  >;
}

interface Schema {
  readonly description?: string;
  readonly example?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

const app = createApp({
  fleet: {
    names: () => [],
    plan: () => EMPTY_PLAN,
    ring: Ring.of([]),
    add: () => Promise.resolve([]),
    remove: () => Promise.resolve([]),
    weigh: () => Promise.resolve({}),
    claim: () => undefined,
    choices: new Built().fleet.choices,
    owner: () => undefined,
    explain: () => {
      throw new Error('nobody asks');
    },
    pulse: () => Promise.resolve(true),
    standing: () => ({
      map: Ring.of([]),
      digest: '',
      revision: 0,
      replicas: [],
      reached: [],
      leaving: [],
      peers: [],
      disagreementMs: 0,
    }),
  },
  config: parseConfig({}),
  log: silentLog,
});
const document = (await (
  await app(new Request('http://localhost/swagger/json'), () => '127.0.0.1')
).json()) as {
  paths: Record<string, Record<string, Operation>>;
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(
    ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
  ),
);

describe('the description of the API', () => {
  test('is valid OpenAPI', async () => {
    const result = await new Validator().validate(structuredClone(document));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  test('names the calls that are there and no other', () => {
    expect(operations.map(([name]) => name).sort()).toEqual([
      'DELETE /rm',
      'GET /explain',
      'GET /heartbeat',
      'GET /home',
      'GET /hot',
      'GET /map_request',
      'GET /metrics',
      'GET /ready',
      'GET /rep',
      'GET /ring',
      'GET /shadow',
      'POST /add',
      'POST /plan',
      'POST /weights',
    ]);
  });

  const statuses: Record<string, string[]> = {
    'GET /explain': ['200', '400', '500', '503'],
    'GET /heartbeat': ['200'],
    'GET /home': ['200', '400', '500', '502', '503', '504'],
    'GET /hot': ['200', '500'],
    'GET /map_request': ['200', '400', '500', '503'],
    'GET /metrics': ['200', '500'],
    'GET /ready': ['200', '500', '503'],
    'GET /rep': ['200', '500'],
    'GET /ring': ['200', '500'],
    'GET /shadow': ['200', '404', '500'],
    'POST /plan': ['200', '400', '404', '409', '413', '415', '500', '503'],
    'POST /add': ['200', '400', '401', '403', '409', '413', '415', '500', '503'],
    'DELETE /rm': ['200', '400', '401', '403', '404', '413', '415', '500', '503'],
    'POST /weights': ['200', '400', '401', '403', '404', '413', '415', '500', '503'],
  };

  const fields: Record<string, string[]> = {
    'POST /plan': ['add', 'rm', 'weights', 'hash'],
    'POST /add': ['n', 'hostnames', 'weights'],
    'DELETE /rm': ['n', 'hostnames'],
    'POST /weights': ['weights'],
  };

  test('of a change says both what it answers and what a dry run does', () => {
    for (const [name, own] of [
      ['POST /add', 'add'],
      ['DELETE /rm', 'rm'],
      ['POST /weights', 'weights'],
    ] as const) {
      const { parameters, responses } = Object.fromEntries(operations)[name] as Operation;
      expect(parameters).toMatchObject([{ name: 'dry_run', in: 'query', required: false }]);
      const replies = responses['200']?.content?.['application/json']?.schema.anyOf ?? [];
      expect(replies.map(({ properties }) => Object.keys(properties ?? {}))).toEqual([
        ['message', 'status'],
        [own, 'moved', 'least', 'moves', 'before', 'after', 'largest_over_mean'],
      ]);
    }
  });

  test.each(operations)(
    '%s has a summary, all of its statuses, a description and an example of each',
    (name, operation) => {
      expect(operation.summary).toBeString();
      expect(Object.keys(operation.responses).sort()).toEqual(statuses[name] as string[]);
      for (const { description, content } of Object.values(operation.responses)) {
        expect(description.length).toBeGreaterThan(5);
        const [type, ...others] = Object.keys(content ?? {});
        expect(others).toEqual([]);
        const whole = content?.[type as string]?.schema as Schema;
        for (const schema of whole.anyOf ?? [whole]) {
          if (schema.example !== undefined) continue;
          const parts = Object.values(schema.properties ?? {});
          expect(parts).not.toEqual([]);
          for (const one of parts)
            expect(one.example ?? one.properties ?? one.enum ?? one.items?.properties).toBeDefined();
        }
      }
      for (const { schema } of operation.parameters ?? []) expect(schema.example).toBeDefined();
      if (operation.requestBody !== undefined) {
        expect(Object.keys(operation.requestBody.content)).toEqual(['application/json']);
        const properties = operation.requestBody.content['application/json']?.schema.properties;
        expect(Object.keys(properties ?? {})).toEqual(fields[name] as string[]);
        for (const one of Object.values(properties ?? {})) expect(one.example).toBeDefined();
      }
    },
  );
});

test('a document in JSON Schema’s words becomes one in OpenAPI 3.0’s', () => {
  expect(
    strictDocument({
      schema: { type: 'string', const: 'ok', examples: ['a', 'b'] },
      response: {
        description: 'x',
        examples: ['dropped'],
        anyOf: ['dropped'],
        content: { 'text/plain': {} },
      },
      list: [{ const: 1 }],
      either: { anyOf: [{ const: 1 }, { type: 'string' }] },
      maybe: { examples: ['a'], anyOf: [{ type: 'string' }, { type: 'null' }] },
      nothing: { anyOf: [{ type: 'null' }] },
    }),
  ).toEqual({
    schema: { type: 'string', enum: ['ok'], example: 'a' },
    response: { description: 'x', content: { 'text/plain': {} } },
    list: [{ enum: [1] }],
    either: { anyOf: [{ enum: [1] }, { type: 'string' }] },
    maybe: { example: 'a', type: 'string', nullable: true },
    nothing: { anyOf: [{ type: 'null' }] },
  });
});
