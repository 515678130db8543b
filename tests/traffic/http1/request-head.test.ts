import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { Flaw } from '../../../src/traffic/http1/head.ts';
import { RequestHead, type HeadLimits } from '../../../src/traffic/http1/request-head.ts';
import { requestOf } from './grammar.ts';
import { bytesOf, mutated, REQUESTS, shownRequest } from './heads.ts';

const SEED = 20260403;
const LIMITS: HeadLimits = { headBytesMax: 16_384, headFieldsMax: 100, targetBytesMax: 8192 };

function read(text: string, limits: Partial<HeadLimits> = {}) {
  const head = new RequestHead({ ...LIMITS, ...limits });
  const bytes = bytesOf(text);
  const result = head.read(bytes, 0, bytes.length);
  const status: number | boolean = result instanceof Flaw ? result.status : result;
  return { head, result, status };
}

const status = (text: string, limits?: Partial<HeadLimits>) => read(text, limits).status;

/** What the parser took of the text, in the words of the grammar; undefined where it did not. */
function taken(text: string) {
  const { head, result } = read(text);
  if (result !== true) return undefined;
  const { method, target, host, minor, framing, length, persistent, end, fields } = shownRequest(head);
  const lines = fields.lines.map(([name, value]) => [name, value]);
  return { method, target, host, minor, fields: lines, framing, length, persistent, end };
}

describe('a request is refused', () => {
  test.each<[status: number, text: string]>([
    [400, ' GET / HTTP/1.1\r\n'],
    [400, 'GET  / HTTP/1.1\r\n'],
    [400, 'GET /  HTTP/1.1\r\n'],
    [400, 'GET\t/ HTTP/1.1\r\n'],
    [400, 'GET /\tHTTP/1.1\r\n'],
    [400, 'GET / HTTP/1.1 \r\n'],
    [400, 'GET /\r\n'],
    [400, 'GET / HTTP/1.1\n'],
    [400, 'GET / HTTP/1.1\r\r\n'],
    [400, '\nGET / HTTP/1.1\r\n'],
    [400, '\rGET / HTTP/1.1\r\n'],
    [400, 'G(T / HTTP/1.1\r\n'],
    [400, ' \r\n'],
    [400, 'GET / http/1.1\r\n'],
    [400, 'GET / HTTP/1.10\r\n'],
    [400, 'GET / HTTP/11\r\n'],
    [400, 'GET / HTTP/1,1\r\n'],
    [400, 'GET / HTTP/01.1\r\n'],
    [400, 'GET / HTTP/1.x\r\n'],
    [400, 'GET / HTTPS/1.1\r\n'],
    [400, 'GET /a b HTTP/1.1\r\n'],
    [400, 'GET /a#b HTTP/1.1\r\n'],
    [400, 'GET /\x7f HTTP/1.1\r\n'],
    [400, 'GET /\0 HTTP/1.1\r\n'],
    [400, 'GET /\xfc HTTP/1.1\r\n'],
    [505, 'GET / HTTP/2.0\r\n'],
    [400, 'GET / HTTP/0.9\r\n'],
    [400, `${'M'.repeat(65)} / HTTP/1.1\r\n`],
    [400, 'M'.repeat(65)],
    [400, `${'M'.repeat(64)}\t`],
    [505, 'PRI * HTTP/2.0\r\n'],
    // With the fields that belong to it:
    [400, 'GET a HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET ?a HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http:// HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http://?a HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http://a:b/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET http://b/ HTTP/1.1\r\n\r\n'],
    [400, 'GET http://b/ HTTP/1.1\r\nHost: a@b\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    [400, 'GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    [400, 'GET / HTTP/1.0\r\nHost:\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
    [400, 'GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    [405, 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
    [405, 'CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n'],
    [405, 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'],
    [417, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n'],
    [417, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\n\r\n'],
    // Whoever went by the last of them alone would pass the first on unmet.
    [417, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nExpect: 100-continue\r\n\r\n'],
    [501, 'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ])('with %d: %j', (expected, text) => {
    expect(status(text)).toBe(expected);
  });
});

describe('a request says', () => {
  test.each<[text: string, target: string, host: string]>([
    ['GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n', '/a?b', 'h'],
    ['GET // HTTP/1.1\r\nHost: h\r\n\r\n', '//', 'h'],
    ['OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n', '*', 'h'],
    ['GET / HTTP/1.0\r\n\r\n', '/', ''],
    // RFC 9112, section 3.2.2: Host is not listened to where the target has an authority of its own.
    ['GET http://b:81/p?q HTTP/1.1\r\nHost: h\r\n\r\n', '/p?q', 'b:81'],
    ['GET http://b HTTP/1.1\r\nHost: h\r\n\r\n', '', 'b'],
    ['GET hTTp://b?q/r HTTP/1.1\r\nHost: h\r\n\r\n', '?q/r', 'b'],
    ['OPTIONS http://[::1]:80 HTTP/1.1\r\nHost: h\r\n\r\n', '', '[::1]:80'],
    ['GET http://b/ HTTP/1.0\r\n\r\n', '/', 'b'],
    ['\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n', '/a', 'h'],
  ])('what it is for: %j', (text, target, host) => {
    const shown = shownRequest(read(text).head);
    expect(status(text)).toBe(true);
    expect([shown.target, shown.host, shown.end]).toEqual([target, host, text.length]);
  });

  test.each<[line: string, persistent: boolean, protocols: readonly string[], continues: boolean]>([
    ['1.1\r\n', true, [], false],
    ['1.1\r\nConnection: close\r\n', false, [], false],
    ['1.1\r\nConnection: close, keep-alive\r\n', false, [], false],
    ['1.0\r\n', false, [], false],
    ['1.0\r\nConnection: keep-alive\r\n', true, [], false],
    ['1.0\r\nConnection: keep-alive, close\r\n', false, [], false],
    ['1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n', true, ['x'], false],
    ['1.1\r\nConnection: upgrade\r\n', true, [], false],
    // Several fields are one list (RFC 9110, section 5.3).
    ['1.1\r\nConnection: upgrade\r\nUpgrade: x/1 , ,\r\nUpgrade: Y\r\n', true, ['x/1', 'Y'], false],
    [
      '1.1\r\nConnection: upgrade\r\nUpgrade: x, h2c\r\nUpgrade: H2C, h2/1, h2x\r\n',
      true,
      ['x', 'h2x'],
      false,
    ],
    ['1.1\r\nUpgrade: x\r\n', true, [], false],
    ['1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n', false, [], false],
    ['1.1\r\nExpect: 100-Continue\r\n', true, [], true],
    // A client of HTTP/1.0 can expect nothing (RFC 9110, section 10.1.1).
    ['1.0\r\nExpect: 100-continue\r\n', false, [], false],
    ['1.0\r\nExpect: the-unexpected\r\n', false, [], false],
    ['1.0\r\nExpect: a\r\nExpect: b\r\n', false, [], false],
  ])('how it goes on: %j', (line, persistent, protocols, continues) => {
    const { head, result } = read(`GET / HTTP/${line}Host: a\r\n\r\n`);
    expect(result).toBe(true);
    expect(head.persistent).toBe(persistent);
    expect(head.protocols).toEqual(protocols);
    expect(head.continues).toBe(continues);
  });

  test.each([
    'GET',
    'POST',
    'PUT',
    'HEAD',
    'DELETE',
    'PATCH',
    'OPTIONS',
    'get',
    'GETS',
    'PORT',
    'M-SEARCH',
    "!#$%&'*+",
    'M'.repeat(64),
  ])('its method: %s', (method) => {
    expect(read(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).head.method).toBe(method);
  });
});

describe('a limit holds to the byte:', () => {
  const request = (target: string, rest = ''): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${rest}\r\n`;

  test('of the target', () => {
    for (const ending of ['', '?']) {
      const target = `/${'a'.repeat(49 - ending.length)}${ending}`;
      expect(status(request(target), { targetBytesMax: 50 })).toBe(true);
      expect(status(request(`${target}a`), { targetBytesMax: 50 })).toBe(414);
    }
    // As soon as it is known, and whatever follows.
    expect(status(`GET /${'a'.repeat(49)}`, { targetBytesMax: 50 })).toBe(false);
    expect(status(`GET /${'a'.repeat(50)}`, { targetBytesMax: 50 })).toBe(414);
    expect(status(`GET /${'a'.repeat(50)}#\n`, { targetBytesMax: 50 })).toBe(414);
  });

  test('of the head', () => {
    const text = request('/', `X: ${'x'.repeat(60)}\r\n`);
    expect(status(text, { headBytesMax: text.length })).toBe(true);
    expect(status(`${text}${'more'.repeat(100)}`, { headBytesMax: text.length })).toBe(true);
    expect(status(text, { headBytesMax: text.length - 1 })).toBe(431);
    expect(status(text.slice(0, -1), { headBytesMax: text.length })).toBe(false);
    // What stands behind the limit is nothing that is read.
    expect(status(`${text.slice(0, -2)}\0\0\0`, { headBytesMax: text.length - 2 })).toBe(431);
    expect(status(`${text.slice(0, -2)}\0\0\0`, { headBytesMax: text.length - 1 })).toBe(400);
    expect(status(request(`/${'a'.repeat(90)}`), { headBytesMax: 64 })).toBe(414);
    expect(status('\r\n'.repeat(40), { headBytesMax: 64 })).toBeGreaterThanOrEqual(400);
  });

  test('of the head, from where it starts', () => {
    const text = request('/');
    const bytes = bytesOf(`xxxxx${text}`);
    const head = new RequestHead({ ...LIMITS, headBytesMax: text.length });
    expect(head.read(bytes, 5, bytes.length)).toBe(true);
    expect(head.end).toBe(bytes.length);
  });

  test('of the fields', () => {
    const lines = (count: number): string => 'x: y\r\n'.repeat(count);
    expect(status(request('/', lines(4)), { headFieldsMax: 5 })).toBe(true);
    expect(status(request('/', lines(5)), { headFieldsMax: 5 })).toBe(431);
  });
});

describe('each byte is taken as the grammar takes it', () => {
  const FORMS: Record<string, readonly string[]> = {
    'in the method': ['~', '~GET', 'GET~', 'G~T'].map((method) => `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`),
    'in the target': ['~', '/~', '/a~b', 'http://a~b/', 'http~://a/', 'http://a/~', 'http://a~', '/%~1'].map(
      (target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`,
    ),
    'in the version': ['~', '~HTTP/1.1', 'HTTP~1.1', 'HTTP/~.1', 'HTTP/1~1', 'HTTP/1.~', 'HTTP/1.1~'].map(
      (version) => `GET / ${version}\r\nHost: a\r\n\r\n`,
    ),
    'in a name': ['~', '~X', 'X~', 'X~Y', 'Hos~'].map(
      (name) => `GET / HTTP/1.1\r\nHost: a\r\n${name}: y\r\n\r\n`,
    ),
    'in a value': ['~', ' ~', 'a~', 'a~b', ' ~ '].map(
      (value) => `GET / HTTP/1.1\r\nHost: a\r\nX:${value}\r\n\r\n`,
    ),
    'in Host': ['~', 'a~', '~a', 'a:~', '[~]'].map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
    'in a length': ['~', '~5', '5~', '5~5'].map(
      (n) => `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${n}\r\n\r\n`,
    ),
    'in a coding': ['~chunked', 'chunked~', 'chun~ked', '~'].map(
      (coding) => `PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${coding}\r\n\r\n`,
    ),
    'in Connection': ['~', '~close', 'close~', 'a~close', 'a,~,b'].map(
      (value) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: ${value}\r\n\r\n`,
    ),
    'at line ends': [
      '~GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET / HTTP/1.1~\nHost: a\r\n\r\n',
      'GET / HTTP/1.1\r~Host: a\r\n\r\n',
      'GET / HTTP/1.1~Host: a\r\n\r\n',
      'GET / HTTP/1.1\r\n~Host: a\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a~\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r~\r\n',
      'GET / HTTP/1.1\r\nHost: a~\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n~\n',
      'GET / HTTP/1.1\r\nHost: a\r\n\r~',
      'GET / HTTP/1.1\r\nHost: a\r\n~\r\n',
    ],
  };

  test.each(Object.keys(FORMS))('%s', (place) => {
    for (const form of FORMS[place] ?? [])
      for (let byte = 0; byte < 256; byte++) {
        const text = form.replace('~', String.fromCharCode(byte));
        expect([text, taken(text)]).toEqual([text, requestOf(text) as ReturnType<typeof taken>]);
      }
  });
});

test('what is broken at random is taken as the grammar takes it', () => {
  let accepted = 0;
  fc.assert(
    fc.property(mutated(REQUESTS), (text) => {
      const expected = requestOf(text);
      if (expected !== undefined) accepted++;
      expect(taken(text)).toEqual(expected as ReturnType<typeof taken>);
    }),
    { seed: SEED, numRuns: 20_000 },
  );
  // Neither of two that refuse everything proves the other right.
  expect(accepted).toBeGreaterThan(2000);
}, 60_000);

test('what is cut off anywhere is unfinished, or has the flaw that the whole has', () => {
  const head = new RequestHead({ headBytesMax: 120, headFieldsMax: 4, targetBytesMax: 40 });
  fc.assert(
    fc.property(mutated([...REQUESTS, `GET /${'a'.repeat(45)} HTTP/1.1\r\n\r\n`]), (text) => {
      const bytes = bytesOf(text);
      const whole = head.read(bytes, 0, bytes.length);
      const end = whole === true ? head.end : bytes.length;
      let known: boolean | Flaw = false;
      for (let cut = 0; cut <= bytes.length; cut++) {
        const result = head.read(bytes.subarray(0, cut), 0, cut);
        if (known !== false) expect<boolean | Flaw>(result).toBe(known);
        else if (result !== false) expect<boolean | Flaw>(result).toBe(whole);
        if (result === true) expect(cut).toBeGreaterThanOrEqual(end);
        known = result;
      }
      expect<boolean | Flaw>(known).toBe(whole);
    }),
    { seed: SEED, numRuns: 1500 },
  );
}, 60_000);

test('what stands around a head changes nothing in it', () => {
  const any = fc.uint8Array({ maxLength: 20 });
  fc.assert(
    fc.property(mutated(REQUESTS), any, any, (text, before, after) => {
      const alone = read(text);
      const head = new RequestHead(LIMITS);
      const own = bytesOf(text);
      const bytes = Buffer.concat([before, own, after]);
      // Beyond `end` there is nothing, whatever the memory holds.
      const result = head.read(bytes, before.length, before.length + own.length);
      expect(result).toBe(alone.result);
      if (result !== true) return;
      expect(head.end).toBe(before.length + alone.head.end);
      const { end: _, fields, ...shown } = shownRequest(head);
      const { end: __, fields: fieldsAlone, ...shownAlone } = shownRequest(alone.head);
      expect(shown).toEqual(shownAlone);
      expect(fields.lines).toEqual(fieldsAlone.lines);
    }),
    { seed: SEED, numRuns: 2000 },
  );
}, 60_000);

test('a head shows nothing of the one that was read before with it', () => {
  const used = new RequestHead(LIMITS);
  fc.assert(
    fc.property(mutated(REQUESTS), mutated(REQUESTS), fc.nat(200), (before, text, cut) => {
      const bytesBefore = bytesOf(before.slice(0, cut > 100 ? before.length : cut));
      used.read(bytesBefore, 0, bytesBefore.length);
      const bytes = bytesOf(text);
      const result = used.read(bytes, 0, bytes.length);
      const fresh = read(text);
      expect(result).toBe(fresh.result);
      if (result === true) expect(shownRequest(used)).toEqual(shownRequest(fresh.head));
    }),
    { seed: SEED, numRuns: 3000 },
  );
}, 60_000);
