import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import * as fc from 'fast-check';
import { parseConfig } from '../../src/config.ts';
import { keyOf, queryValues } from '../../src/traffic/key.ts';

const SEED = 20260302;
// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);

interface Asked {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly peer?: string;
}

function key(sources: string, { path = '/', headers = {}, peer = '192.0.2.7' }: Asked): string | undefined {
  const received = new Headers(headers);
  return keyOf(
    { target: path, origin: peer, header: (lower) => received.get(lower) ?? undefined },
    parseConfig({ HASH_KEY: sources }).hashKey,
  );
}

describe('each source', () => {
  test.each<[sources: string, asked: Asked, key: string | undefined]>([
    ['query:id', { path: '/home?id=42' }, '42'],
    ['query:id', { path: '/any/other?a=b&id=42' }, '42'],
    ['query:id', { path: '/?id=042' }, '042'],
    ['query:id', { path: '/?id=1&id=2' }, '1'],
    ['query:id', { path: '/?ID=1' }, undefined],
    ['query:id', { path: '/?xid=1' }, undefined],
    ['query:id', { path: '/id=1' }, undefined],
    ['query:id', { path: '/?id=' }, undefined],
    ['query:id', { path: '/?id' }, undefined],
    ['query:id', { path: '/?i%64=%34%32' }, '42'],
    ['query:id', { path: '/?id=a%20b' }, 'a b'],
    ['query:id', { path: '/?id=a+b' }, 'a b'],
    ['query:id', { path: '/?id=%zz' }, '%zz'],
    ['query:id', { path: '/?id=%F0%9F%8E%AA' }, '🎪'],
    ['query:id', { path: '/?id=a=b' }, 'a=b'],
    ['query:id', { path: '/?id=a;id=b' }, 'a;id=b'],
    ['query:id', { path: '/?&&id=1&' }, '1'],
    ['query:id', { path: '/?idx=1&id=2' }, '2'],
    ['query:id', { path: '/?a=id=1&b=id' }, undefined],
    ['query:id', { path: '/?id&id=1' }, undefined],
    ['query:id', { path: '/?a=?id=1' }, undefined],
    ['query:id', { path: '/??id=1' }, undefined],
    // What went wrong: URLSearchParams takes a "?" that the query begins with for the one before it.
    ['query:id', { path: '/??id=%31' }, undefined],
    ['query:a.b-c_d', { path: '/?a.b-c_d=1' }, '1'],
    ['query:id', { path: '*' }, undefined],
    ['query:__proto__', { path: '/?a=b' }, undefined],
    // What went wrong: bytes of UTF-8 in a field were taken one by one, and made another key than the same text in a query.
    ['header:x-user', { headers: { 'x-user': 'm\u00c3\u00bcller' } }, 'müller'],
    ['cookie:sid', { headers: { cookie: 'sid=\u00e9\u008d\u00b5' } }, '鍵'],
    ['header:x-user', { headers: { 'x-user': 'm\u00fcller' } }, 'müller'],
    ['header:x-user', { headers: { 'x-user': '\u00c3' } }, '\u00c3'],
    ['header:X-User', { headers: { 'x-user': 'ann' } }, 'ann'],
    ['header:x-user', { headers: { 'X-USER': 'ann' } }, 'ann'],
    ['header:X-USER', { headers: { 'x-user': 'ann' } }, 'ann'],
    ['header:x-user', { headers: { 'x-user': '' } }, undefined],
    ['header:x-user', { headers: { 'x-users': 'ann' } }, undefined],
    ['cookie:sid', { headers: { cookie: 'sid=1' } }, '1'],
    ['cookie:sid', { headers: { cookie: 'a=b; sid=1; c=d' } }, '1'],
    ['cookie:sid', { headers: { cookie: 'a=b;sid=1;sid=2' } }, '1'],
    ['cookie:sid', { headers: { cookie: 'xsid=1; sidx=2; SID=3' } }, undefined],
    ['cookie:sid', { headers: { cookie: 'a=sid=1' } }, undefined],
    ['cookie:sid', { headers: { cookie: 'sid=a=b==' } }, 'a=b=='],
    ['cookie:sid', { headers: { cookie: 'sid' } }, undefined],
    ['cookie:sid', { headers: { cookie: '=sid; sid=' } }, undefined],
    ['cookie:sid', { headers: { cookie: ' sid = 1 ' } }, '1'],
    ['cookie:sid', {}, undefined],
    ['path', { path: '/a/%2F//b?id=1' }, '/a/%2F//b'],
    ['path', { path: '/' }, '/'],
    ['path', { path: '/?' }, '/'],
    ['path', { path: '/a?b?c' }, '/a'],
    ['path', { path: '*' }, '*'],
    ['ip', { peer: '2001:db8::1' }, '2001:db8::1'],
    ['ip', { peer: '' }, undefined],
  ])('%s of %j is %j', (sources, asked, expected) => {
    expect(key(sources, asked)).toBe(expected);
  });
});

describe('of several sources', () => {
  const ALL = 'query:id,header:x-user,cookie:sid,ip';
  const asked: Asked = { path: '/?id=q', headers: { 'x-user': 'h', cookie: 'sid=c' }, peer: 'p' };

  test('the first that has a value counts, an empty one is none', () => {
    expect(key(ALL, asked)).toBe('q');
    expect(key(ALL, { ...asked, path: '/?id=' })).toBe('h');
    expect(key(ALL, { ...asked, path: '/', headers: { cookie: 'sid=c' } })).toBe('c');
    expect(key(ALL, { peer: 'p' })).toBe('p');
    expect(key(ALL, { peer: '' })).toBeUndefined();
  });

  test('their order is the configured one', () => {
    expect(key('ip,query:id', asked)).toBe('p');
    expect(key('cookie:sid,query:id', asked)).toBe('c');
  });
});

test('any text comes through a query whole, and /map_request reads the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string(), (id, other) => {
      const query = new URLSearchParams([
        ['other', other],
        ['id', id],
      ]);
      const url = new URL(`http://lb.example/x?${query}`);
      expect(key('query:id', { path: url.pathname + url.search })).toBe(id);
      expect(queryValues(url, 'id')).toEqual([id]);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('of any printable target a query parameter is what URL says, whether or not anything is encoded', () => {
  const ways = { plain: 0, encoded: 0, found: 0, foundEncoded: 0 };
  // What a query is made of, more often than chance would have it.
  const anyPiece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('id', '&id=', '&', '=', '?', '?id=', 'i', 'd', '&a.b=', '&a.b') },
    { weight: 2, arbitrary: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) },
  );
  const anyEncoded = fc.constantFrom('%', '%64', '%69d', '+', '%zz', '%F0%9F%8E%AA', '%ff', '%3D', '&i%64=');
  const anyQuery = fc.oneof(
    fc.array(anyPiece, { maxLength: 12 }),
    fc.array(fc.oneof(anyPiece, anyEncoded), { maxLength: 12 }),
  );
  const anyName = fc.constantFrom('id', 'a.b', 'i', 'x');
  fc.assert(
    fc.property(fc.constantFrom('/', '/a?', '/?', '/a%2Fb?'), anyQuery, anyName, (path, query, name) => {
      // No target has a fragment.
      const target = path + query.join('').replaceAll('#', '');
      const expected = new URL(`http://lb.example${target}`).searchParams.get(name) || undefined;
      expect(key(`query:${name}`, { path: target })).toBe(expected);
      const encoded = /\?.*[%+]/.test(target);
      ways[encoded ? 'encoded' : 'plain']++;
      if (expected !== undefined) ways[encoded ? 'foundEncoded' : 'found']++;
    }),
    { seed: SEED, numRuns: 5000 },
  );
  // The property is about all of them.
  for (const often of Object.values(ways)) expect(often).toBeGreaterThan(100);
});

test('no request, however odd, makes it throw', () => {
  fc.assert(
    fc.property(fc.webQueryParameters(), fc.string({ unit: 'grapheme-ascii' }), (query, cookie) => {
      const found = key('query:id,cookie:sid', { path: `/?${query}`, headers: { cookie: cookie.trim() } });
      expect(found).not.toBe('');
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('where the map is nginx’s a query is not decoded, as its $arg_ variables are not', () => {
  const { hashKey } = parseConfig({ HASH: 'nginx', HASH_KEY: 'query:id,header:x-user' });
  const keyed = (target: string): string | undefined =>
    keyOf({ target, origin: '', header: () => undefined }, hashKey);
  expect(keyed('/?id=a+b/c%3D')).toBe('a+b/c%3D');
  expect(keyed('/?x=%20&id=%zz&id=2')).toBe('%zz');
  expect(keyed('/?id=42')).toBe('42');
});
