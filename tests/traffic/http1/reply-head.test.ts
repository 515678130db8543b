import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { Flaw } from '../../../src/traffic/http1/head.ts';
import { ReplyHead, type ReplyFraming } from '../../../src/traffic/http1/reply-head.ts';
import { replyOf } from './grammar.ts';
import { bytesOf, mutated, REPLIES, shownReply } from './heads.ts';

const SEED = 20260404;
const LIMITS = { headBytesMax: 16_384, headFieldsMax: 100 };
const METHOD = fc.constantFrom('GET', 'HEAD', 'POST');

function read(text: string, method = 'GET', limits: Partial<typeof LIMITS> = {}) {
  const head = new ReplyHead({ ...LIMITS, ...limits });
  const bytes = bytesOf(text);
  const result = head.read(bytes, 0, bytes.length, method);
  return { head, result };
}

/** What the parser took of the text, in the words of the grammar; undefined where it did not. */
function taken(text: string, method: string) {
  const { head, result } = read(text, method);
  if (result !== true) return undefined;
  const { status, reason, framing, length, persistent, end, fields } = shownReply(head);
  return {
    status,
    reason,
    fields: fields.lines.map(([name, value]) => [name, value]),
    framing,
    length,
    persistent,
    end,
  };
}

function expected(text: string, method: string) {
  const reply = replyOf(text, method);
  if (reply === undefined) return undefined;
  const { minor: _, ...rest } = reply;
  return rest as unknown as ReturnType<typeof taken>;
}

describe('a reply is framed', () => {
  test.each<[framing: ReplyFraming, length: number, persistent: boolean, method: string, text: string]>([
    ['length', 5, true, 'GET', '1.1 200 OK\r\nContent-Length: 5\r\n'],
    ['none', 0, true, 'GET', '1.1 200 OK\r\nContent-Length: 0\r\n'],
    ['chunked', 0, true, 'GET', '1.1 200 OK\r\nTransfer-Encoding: chunked\r\n'],
    ['close', 0, false, 'GET', '1.1 200 OK\r\n'],
    ['close', 0, false, 'GET', '1.1 200 OK\r\nConnection: keep-alive\r\n'],
    ['length', 5, false, 'GET', '1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n'],
    ['length', 5, false, 'GET', '1.0 200 OK\r\nContent-Length: 5\r\n'],
    ['length', 5, true, 'GET', '1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n'],
    ['close', 0, false, 'GET', '1.0 200 OK\r\nConnection: keep-alive\r\n'],
    // Without a body, whatever the fields say (RFC 9112, section 6.3).
    ['none', 0, true, 'HEAD', '1.1 200 OK\r\nContent-Length: 5\r\n'],
    ['none', 0, true, 'HEAD', '1.1 200 OK\r\nTransfer-Encoding: chunked\r\n'],
    ['none', 0, true, 'HEAD', '1.1 200 OK\r\n'],
    ['none', 0, true, 'GET', '1.1 304 \r\nContent-Length: 5\r\n'],
    ['none', 0, true, 'GET', '1.1 304 \r\nTransfer-Encoding: chunked\r\n'],
    ['none', 0, true, 'GET', '1.1 204 \r\n'],
    ['none', 0, true, 'GET', '1.1 204 \r\nContent-Length: 0\r\n'],
    // Who says that a body follows may well send one, which would be read as the next reply.
    ['none', 0, false, 'GET', '1.1 204 \r\nContent-Length: 5\r\n'],
    ['none', 0, false, 'GET', '1.1 204 \r\nTransfer-Encoding: chunked\r\n'],
    ['none', 0, false, 'HEAD', '1.1 204 \r\nContent-Length: 5\r\n'],
    ['none', 0, true, 'GET', '1.1 100 \r\n'],
    ['none', 0, true, 'GET', '1.1 101 \r\nConnection: upgrade\r\nUpgrade: x\r\n'],
    ['none', 0, true, 'GET', '1.1 199 \r\n'],
    ['length', 5, true, 'GET', '1.1 205 \r\nContent-Length: 5\r\n'],
    ['length', 5, true, 'GET', '1.1 599 \r\nContent-Length: 5\r\n'],
  ])('as %s (%d, %p) to %s: %j', (framing, length, persistent, method, text) => {
    const { head, result } = read(`HTTP/${text}\r\n`, method);
    expect(result).toBe(true);
    expect([head.framing, head.length, head.persistent]).toEqual([framing, length, persistent]);
  });
});

describe('a reply is refused', () => {
  test.each([
    'HTTP/1.1 200 OK\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1 600 OK\r\n\r\n',
    'HTTP/1.1 200OK\r\n\r\n',
    'HTTP/1.1 200\tOK\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
    'HTTP/1.1 200 O\x7fK\r\n\r\n',
    'HTTP/1.1 200 OK\r\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.1200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    ' HTTP/1.1 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    '<html>',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX : a\r\n\r\n',
  ])('%j', (text) => {
    expect(read(text).result).toBeInstanceOf(Flaw);
    // The rules are the same for a reply without a body: what follows it depends on them too.
    expect(read(text, 'HEAD').result).toBeInstanceOf(Flaw);
  });

  test('where it is too long, to the byte', () => {
    const text = 'HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n';
    expect(read(`${text}xx`, 'GET', { headBytesMax: text.length }).result).toBe(true);
    expect(read(`${text}xx`, 'GET', { headBytesMax: text.length - 1 }).result).toMatchObject({ status: 431 });
    expect(read(text.slice(0, -1), 'GET', { headBytesMax: text.length }).result).toBe(false);
    expect(read(text, 'GET', { headFieldsMax: 2 }).result).toBe(true);
    expect(read(text, 'GET', { headFieldsMax: 1 }).result).toMatchObject({ status: 431 });
  });
});

test('each byte at each place is taken as the grammar takes it', () => {
  const forms = [
    '~HTTP/1.1 200 OK\r\n\r\n',
    'HTTP~1.1 200 OK\r\n\r\n',
    'HTTP/~.1 200 OK\r\n\r\n',
    'HTTP/1.~ 200 OK\r\n\r\n',
    'HTTP/1.1~200 OK\r\n\r\n',
    'HTTP/1.1 ~00 OK\r\n\r\n',
    'HTTP/1.1 2~0 OK\r\n\r\n',
    'HTTP/1.1 20~ OK\r\n\r\n',
    'HTTP/1.1 200~OK\r\n\r\n',
    'HTTP/1.1 200~\r\n\r\n',
    'HTTP/1.1 200 O~K\r\n\r\n',
    'HTTP/1.1 200 OK~\n\r\n',
    'HTTP/1.1 200 OK\r~\r\n',
    'HTTP/1.1 200 OK\r\nX~: y\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: ~y\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: y\r\n~\n',
    'HTTP/1.1 200 OK\r\nX: y\r\n\r~',
  ];
  for (const form of forms)
    for (let byte = 0; byte < 256; byte++) {
      const text = form.replace('~', String.fromCharCode(byte));
      expect([text, taken(text, 'GET')]).toEqual([text, expected(text, 'GET')]);
    }
});

test('what is broken at random is taken as the grammar takes it', () => {
  let accepted = 0;
  fc.assert(
    fc.property(mutated(REPLIES), METHOD, (text, method) => {
      const reply = expected(text, method);
      if (reply !== undefined) accepted++;
      expect(taken(text, method)).toEqual(reply);
    }),
    { seed: SEED, numRuns: 10_000 },
  );
  expect(accepted).toBeGreaterThan(1000);
}, 60_000);

test('what is cut off anywhere is unfinished, or has the flaw that the whole has', () => {
  const head = new ReplyHead({ headBytesMax: 80, headFieldsMax: 3 });
  fc.assert(
    fc.property(mutated(REPLIES), METHOD, (text, method) => {
      const bytes = bytesOf(text);
      const whole = head.read(bytes, 0, bytes.length, method);
      const end = whole === true ? head.end : bytes.length;
      let known: boolean | Flaw = false;
      for (let cut = 0; cut <= bytes.length; cut++) {
        const result = head.read(bytes.subarray(0, cut), 0, cut, method);
        if (known !== false) expect<boolean | Flaw>(result).toBe(known);
        else if (result !== false) expect<boolean | Flaw>(result).toBe(whole);
        if (result === true) expect(cut).toBeGreaterThanOrEqual(end);
        known = result;
      }
      expect<boolean | Flaw>(known).toBe(whole);
    }),
    { seed: SEED, numRuns: 1000 },
  );
}, 60_000);

test('a head shows nothing of the one that was read before with it', () => {
  const used = new ReplyHead(LIMITS);
  fc.assert(
    fc.property(mutated(REPLIES), mutated(REPLIES), METHOD, METHOD, (before, text, methodBefore, method) => {
      const bytesBefore = bytesOf(before);
      used.read(bytesBefore, 0, bytesBefore.length, methodBefore);
      const bytes = bytesOf(text);
      const result = used.read(bytes, 0, bytes.length, method);
      const fresh = read(text, method);
      expect(result).toBe(fresh.result);
      if (result === true) expect(shownReply(used)).toEqual(shownReply(fresh.head));
    }),
    { seed: SEED, numRuns: 3000 },
  );
}, 60_000);
