import { describe, expect, test } from 'bun:test';
import { fuzz } from './api.ts';
import { flawOf, flawOfReply, operationsOf, type Operation } from './document.ts';
import { KINDS, probe } from './requests.ts';
import { Subject } from './subject.ts';

const PATIENCE_MS = 300_000;
const REQUESTS = 3000;
const SEED = 20_261_122;

test(
  'whatever is sent to the API: no 5xx, replies as documented, nothing changed by a refused call, N by n by an accepted one',
  async () => {
    const { requests, statuses, kinds, accepted, failure } = await fuzz(REQUESTS, SEED);
    expect(failure).toBeUndefined();
    expect(requests).toBe(REQUESTS);
    // It did what it is for: changes were accepted, and calls refused in every way that there is.
    expect(accepted).toBeGreaterThan(REQUESTS / 50);
    for (const kind of KINDS) expect(kinds.get(kind)).toBeGreaterThan(REQUESTS / 20);
    for (const status of [200, 400, 401, 403, 404, 405, 409, 413, 415])
      expect(statuses.has(status)).toBe(true);
    expect([...statuses.keys()].filter((status) => status >= 500 && status !== 505)).toEqual([]);
  },
  PATIENCE_MS,
);

describe('a run', () => {
  test(
    'of one seed sends the same, and of another something else',
    async () => {
      await using subject = await Subject.open();
      const operations = await operationsOf(subject.url);
      const texts = (seed: number): string[] =>
        Array.from({ length: 200 }, (_, i) => probe(operations, seed, i).text);
      expect(texts(7)).toEqual(texts(7));
      expect(texts(8)).not.toEqual(texts(7));
      // Each of its requests depends on its number alone.
      expect(new Set(texts(7)).size).toBeGreaterThan(150);
    },
    PATIENCE_MS,
  );

  test('knows a reply that is not as documented', () => {
    const operation: Operation = {
      method: 'GET',
      path: '/x',
      parameters: [],
      body: undefined,
      responses: {
        200: {
          content: {
            'application/json': {
              schema: {
                type: 'object',
                required: ['n'],
                properties: { n: { type: 'integer', minimum: 1 }, s: { enum: ['a'] } },
              },
            },
          },
        },
      },
    };
    const flaw = (status: number, type: string, text: string): string | undefined =>
      flawOfReply(operation, { status, type, text });
    expect(flaw(200, 'application/json;charset=utf-8', '{"n":1,"s":"a"}')).toBeUndefined();
    expect(flaw(404, 'application/json', '{"n":1}')).toContain('404');
    expect(flaw(200, 'text/plain', '{"n":1}')).toContain('text/plain');
    for (const text of [
      '',
      '[]',
      '{}',
      '{"n":0}',
      '{"n":"1"}',
      '{"n":1,"s":"b"}',
      '{"n":1,"x":1}',
      '{"n":1.5}',
    ])
      expect([text, flaw(200, 'application/json', text)]).toEqual([text, expect.any(String)]);
    expect(
      flawOf({ a: 1, b: 2 }, { type: 'object', additionalProperties: { type: 'integer' } }, 'it'),
    ).toBeUndefined();
    expect(
      flawOf({ toString: 'x' }, { type: 'object', additionalProperties: { type: 'number' } }, 'it'),
    ).toBe('it.toString is no such number');
    expect(flawOf(2, { type: 'number', maximum: 1 }, 'it')).toBe('it is no such number');
    expect(flawOf(null, { type: 'string', nullable: true }, 'it')).toBeUndefined();
    expect(flawOf(null, { type: 'string' }, 'it')).toBe('it is no text');
    expect(flawOf(1, { anyOf: [{ type: 'string' }, { type: 'integer' }] }, 'it')).toBeUndefined();
    expect(flawOf([], { anyOf: [{ type: 'string' }, { type: 'boolean' }] }, 'it')).toBe(
      'it is no text, and it is neither true nor false',
    );
    expect(flawOf(['a', 1], { type: 'array', items: { type: 'string' } }, 'it')).toBe('it[1] is no text');
  });
});
