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
  return keyOf(
    { url: new URL(`http://lb.example${path}`), headers: new Headers(headers), peer },
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
    ['query:__proto__', { path: '/?a=b' }, undefined],
    ['header:X-User', { headers: { 'x-user': 'ann' } }, 'ann'],
    ['header:x-user', { headers: { 'X-USER': 'ann' } }, 'ann'],
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
    ['ip', { peer: '2001:db8::1' }, '2001:db8::1'],
    ['ip', { peer: '' }, undefined],
    ['ip', { peer: '192.0.2.7', headers: { 'x-forwarded-for': '198.51.100.1' } }, '192.0.2.7'],
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

test('no request, however odd, makes it throw', () => {
  fc.assert(
    fc.property(fc.webQueryParameters(), fc.string({ unit: 'grapheme-ascii' }), (query, cookie) => {
      const found = key('query:id,cookie:sid', { path: `/?${query}`, headers: { cookie: cookie.trim() } });
      expect(found).not.toBe('');
    }),
    { seed: SEED, numRuns: 300 },
  );
});
