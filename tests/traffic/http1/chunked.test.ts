import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { ChunkedDecoder } from '../../../src/traffic/http1/chunked.ts';
import { isForbiddenInTrailers } from '../../../src/traffic/http1/fields.ts';
import { bytesOf } from './heads.ts';

const SEED = 20260405;
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const SIZE_LINE = new RegExp(
  `^([0-9A-Fa-f]{1,12})((?:[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?)*)\\r\\n`,
);
const TRAILER = new RegExp(`^(${TOKEN}):([\\t -~\\x80-\\xff]*)\\r\\n`);

interface Body {
  readonly data: string;
  readonly trailers: readonly string[];
  readonly end: number;
}

/** The body that the text begins with, by the grammar of RFC 9112, section 7.1; undefined where it is cut off or none. */
function bodyOf(text: string): Body | undefined {
  let at = 0;
  let data = '';
  for (;;) {
    const [line = '', digits = ''] = SIZE_LINE.exec(text.slice(at)) ?? [];
    if (line === '') return undefined;
    at += line.length;
    const size = Number.parseInt(digits, 16);
    if (size === 0) break;
    if (text.slice(at + size, at + size + 2) !== '\r\n') return undefined;
    data += text.slice(at, at + size);
    at += size + 2;
  }
  const trailers: string[] = [];
  while (!text.startsWith('\r\n', at)) {
    const [line = '', name = '', value = ''] = TRAILER.exec(text.slice(at)) ?? [];
    if (line === '' || isForbiddenInTrailers(name)) return undefined;
    trailers.push(`${name}: ${value.replaceAll(/^[\t ]+|[\t ]+$/g, '')}`);
    at += line.length;
  }
  return { data, trailers, end: at + 2 };
}

interface Decoded extends Body {
  /** Where the data came from, as offsets into the text. */
  readonly spans: readonly number[];
}

/** Decodes the text in pieces that end where `cuts` say: a body, 'unfinished' or 'refused'. */
function decode(text: string, cuts: readonly number[] = [], decoder = new ChunkedDecoder(16_384, 100)) {
  let data = '';
  const spans: number[] = [];
  const edges = [...new Set(cuts.filter((cut) => cut > 0 && cut < text.length))].sort((a, b) => a - b);
  let start = 0;
  for (const end of [...edges, text.length]) {
    const bytes = bytesOf(text.slice(0, end));
    const read = decoder.read(bytes, start, end, {
      data: (from, first, past) => {
        expect(past).toBeGreaterThan(first);
        spans.push(first, past);
        data += Buffer.from(from.subarray(first, past)).toString('latin1');
      },
    });
    if (read < 0) return 'refused';
    if (decoder.done) return { data, trailers: [...decoder.trailers], end: read, spans } satisfies Decoded;
    expect(read).toBe(end);
    start = end;
  }
  return 'unfinished';
}

function body(result: ReturnType<typeof decode>): Body | string {
  return typeof result === 'string'
    ? result
    : { data: result.data, trailers: result.trailers, end: result.end };
}

describe('a chunked body', () => {
  test.each<[text: string, data: string, trailers: readonly string[]]>([
    ['0\r\n\r\n', '', []],
    ['000000000000\r\n\r\n', '', []],
    ['5\r\nhello\r\n0\r\n\r\n', 'hello', []],
    ['05\r\nhello\r\n00\r\n\r\n', 'hello', []],
    ['a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n', '01234567890123456789', []],
    ['0000000000ff\r\n' + 'x'.repeat(255) + '\r\n0\r\n\r\n', 'x'.repeat(255), []],
    // Data is not looked at.
    ['7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n', '\r\n0\r\n\r\n', []],
    ['1;a\r\nx\r\n0;b=c\r\n\r\n', 'x', []],
    ['1 ; a = b ; c="d;\\""\r\nx\r\n0\r\n\r\n', 'x', []],
    ['1;a="\\\\";b=""\r\nx\r\n0\r\n\r\n', 'x', []],
    ['1\t;\ta\r\nx\r\n0\r\n\r\n', 'x', []],
    ['1;a="\xff\t"\r\nx\r\n0\r\n\r\n', 'x', []],
    ['0\r\nX-Sum: 1\r\n\r\n', '', ['X-Sum: 1']],
    ['0\r\na:\r\nb:\t c d \t\r\n\r\n', '', ['a: ', 'b: c d']],
    ['0\r\na: \xa0b\xff\r\n\r\n', '', ['a: \xa0b\xff']],
  ])('%j', (text, data, trailers) => {
    expect(body(decode(text))).toEqual({ data, trailers, end: text.length });
  });

  test.each([
    '\r\n',
    ' 5\r\n',
    '\t5\r\n',
    '5 \r\n',
    '5\t\r\n',
    '5\n',
    '5\rx',
    '-5\r\n',
    '+5\r\n',
    '0x5\r\n',
    '5h\r\n',
    'g\r\n',
    '5,5\r\n',
    '5_0\r\n',
    '5.0\r\n',
    '\xb2\r\n',
    ';a\r\n',
    '5;\r\n',
    '5;;a\r\n',
    '5; \r\n',
    '5;a;\r\n',
    '5;a \r\n',
    '5;a=\r\n',
    '5;a= \r\n',
    '5;a=b \r\n',
    '5;=b\r\n',
    '5;a=b=c\r\n',
    '5;a b\r\n',
    '5;a=b c\r\n',
    '5;a="b\r\n',
    '5;a="b"c\r\n',
    '5;a="b"c"\r\n',
    '5;a="\n"\r\n',
    '5;a="\\\r\n"\r\n',
    '5;a="\x7f"\r\n',
    '5;a\n',
    '5;a\0\r\n',
    '5 5\r\n',
    '5\r\nhello0\r\n',
    '5\r\nhello\n0\r\n',
    '5\r\nhello\r0\r\n',
    '5\r\nhell\r\n0\r\n',
    '5\r\nhello!\r\n0\r\n',
    '0\r\n\n',
    '0\r\n\r\r',
    '0\n\r\n',
    '0\r\nabc\r\n',
    '0\r\n: b\r\n',
    '0\r\n a: b\r\n',
    '0\r\na: b\r\n c: d\r\n',
    '0\r\na : b\r\n',
    '0\r\na b: c\r\n',
    '0\r\na: b\n',
    '0\r\na: b\rc',
    '0\r\na: \0',
    '0\r\na: \x7f',
    '0\r\nGET / HTTP/1.1\r\n',
    '0\r\nHost: a\r\n',
    '0\r\nContent-Length: 5\r\n',
    '0\r\ncontent_length: 5\r\n',
    '0\r\nTransfer-Encoding: chunked\r\n',
    '0\r\nx: y\r\nSet-Cookie: a\r\n',
    '0\r\nAuthorization: a\r\n',
  ])('%j is none', (text) => {
    expect(decode(text)).toBe('refused');
    expect(decode(text, text.split('').keys().toArray())).toBe('refused');
  });
});

describe('a limit holds to the byte:', () => {
  test('of the digits of a size', () => {
    expect(decode('00000000000a\r\n')).toBe('unfinished');
    expect(decode('0000000000000')).toBe('refused');
    expect(decode('fffffffffffff')).toBe('refused');
    let given = 0;
    const decoder = new ChunkedDecoder(0, 0);
    const bytes = bytesOf(`ffffffffffff\r\n${'x'.repeat(1000)}`);
    expect(decoder.read(bytes, 0, bytes.length, { data: (_, start, end) => (given += end - start) })).toBe(
      bytes.length,
    );
    expect(given).toBe(1000);
    expect(decoder.done).toBe(false);
    // Each size counts its own digits.
    expect(body(decode('000000000001\r\nx\r\n000000000000\r\n\r\n'))).toMatchObject({ data: 'x' });
  });

  test('of extensions', () => {
    const extended = (bytes: number): string => `5;${'a'.repeat(bytes)}\r\nhello\r\n0\r\n\r\n`;
    // The CR is what ends one, so it counts.
    expect(decode(extended(1023))).toMatchObject({ data: 'hello' });
    expect(decode(extended(1024))).toBe('refused');
    expect(decode(`5;${'a'.repeat(1025)}`)).toBe('refused');
    expect(decode(`0;${'a'.repeat(1024)}\r\n\r\n`)).toBe('refused');
  });

  test('of extensions ahead of the data, over many chunks', () => {
    const small = '1;abcdefghij\r\nx\r\n';
    expect(decode(small.repeat(200))).toBe('refused');
    // Such as pay for themselves may go on for ever.
    const signed = `100;signature=${'f'.repeat(64)}\r\n${'x'.repeat(256)}\r\n`;
    expect(decode(signed.repeat(200))).toBe('unfinished');
    expect(decode(`${'1\r\nx\r\n'.repeat(5000)}0\r\n\r\n`)).toMatchObject({ end: 30_005 });
  });

  test('of trailers', () => {
    const trailers = (count: number): string => `0\r\n${'a: b\r\n'.repeat(count)}\r\n`;
    const limited = (text: string, bytes: number, count: number) =>
      decode(text, [], new ChunkedDecoder(bytes, count));
    expect(limited(trailers(3), 1000, 3)).toMatchObject({ trailers: ['a: b', 'a: b', 'a: b'] });
    expect(limited(trailers(4), 1000, 3)).toBe('refused');
    expect(limited(trailers(0), 0, 0)).toMatchObject({ trailers: [] });
    expect(limited(trailers(3), 12, 3)).toMatchObject({ end: 23 });
    expect(limited(trailers(3), 11, 3)).toBe('refused');
    expect(limited(`0\r\nx: ${'x'.repeat(2000)}`, 1000, 3)).toBe('refused');
  });

  test('and a trailer that is mostly spaces is read in time that grows as it does', () => {
    // Once a regular expression began anew at each space: 16 KB took a quarter of a second.
    const text = `0\r\na: b${' '.repeat(1_000_000)}c\r\n\r\n`;
    expect(decode(text, [], new ChunkedDecoder(2_000_000, 1))).toMatchObject({ end: text.length });
  }, 20_000);
});

const hex = (size: number): fc.Arbitrary<string> =>
  fc.constantFrom(size.toString(16), size.toString(16).toUpperCase(), size.toString(16).padStart(6, '0'));
const extension = fc.constantFrom('', ';a', ' ; a=b', ';a="b\\"\t;"', ';a;b', '\t;x = "y" ; z=1');
const chunk = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .chain((data) => fc.tuple(hex(data.length), extension, fc.constant(Buffer.from(data).toString('latin1'))))
  .map(([size, extension, data]) => `${size}${extension}\r\n${data}\r\n`);
const trailer = fc.constantFrom('X: y\r\n', 'Etag:\r\n', 'a-b:\t c \t\r\n', 'x: \xff\r\n');
const anyBody = fc
  .tuple(
    fc.array(chunk, { maxLength: 5 }),
    fc.constantFrom('0', '000'),
    extension,
    fc.array(trailer, { maxLength: 3 }),
  )
  .map(
    ([chunks, zero, extension, trailers]) =>
      `${chunks.join('')}${zero}${extension}\r\n${trailers.join('')}\r\n`,
  );
const cuts = fc.array(fc.nat(400), { maxLength: 12 });

test('a body is the same however it is split, and nothing is read past its end', () => {
  fc.assert(
    fc.property(
      anyBody,
      cuts,
      fc.constantFrom('', '0\r\n\r\n', 'GET / HTTP/1.1\r\n', '\r\n', '\0'),
      (text, cuts, after) => {
        const expected = bodyOf(text) as Body;
        expect(expected.end).toBe(text.length);
        expect(body(decode(text))).toEqual(expected);
        expect(body(decode(text + after, cuts))).toEqual(expected);
        expect(body(decode(text, text.split('').keys().toArray()))).toEqual(expected);
      },
    ),
    { seed: SEED, numRuns: 600 },
  );
}, 60_000);

test('what is done reads nothing more', () => {
  const decoder = new ChunkedDecoder(100, 1);
  const bytes = bytesOf('0\r\n\r\n5\r\nhello\r\n');
  const sink = {
    data: () => {
      throw new Error('There is no data');
    },
  };
  expect(decoder.read(bytes, 0, bytes.length, sink)).toBe(5);
  expect(decoder.read(bytes, 5, bytes.length, sink)).toBe(5);
  expect(decoder.done).toBe(true);
});

test('what is cut off anywhere is unfinished', () => {
  fc.assert(
    fc.property(anyBody, (text) => {
      for (let end = 0; end < text.length; end++) expect(decode(text.slice(0, end))).toBe('unfinished');
    }),
    { seed: SEED, numRuns: 100 },
  );
}, 60_000);

test('each byte at each place is taken as the grammar takes it', () => {
  const forms = [
    '~\r\nx\r\n0\r\n\r\n',
    '~1\r\nx\r\n0\r\n\r\n',
    '1~\r\nx\r\n0\r\n\r\n',
    '1~\nx\r\n0\r\n\r\n',
    '1\r~x\r\n0\r\n\r\n',
    '1;~\r\nx\r\n0\r\n\r\n',
    '1;a~\r\nx\r\n0\r\n\r\n',
    '1;a~b\r\nx\r\n0\r\n\r\n',
    '1;a=~\r\nx\r\n0\r\n\r\n',
    '1;a=b~\r\nx\r\n0\r\n\r\n',
    '1;a=b~c\r\nx\r\n0\r\n\r\n',
    '1;a="~"\r\nx\r\n0\r\n\r\n',
    '1;a="b~"\r\nx\r\n0\r\n\r\n',
    '1;a="\\~"\r\nx\r\n0\r\n\r\n',
    '1;a="b"~\r\nx\r\n0\r\n\r\n',
    '1;a ~b\r\nx\r\n0\r\n\r\n',
    '1 ~\r\nx\r\n0\r\n\r\n',
    '1\r\n~\r\n0\r\n\r\n',
    '1\r\nx~\n0\r\n\r\n',
    '1\r\nx\r~0\r\n\r\n',
    '1\r\nx\r\n0\r\n~\n',
    '1\r\nx\r\n0\r\n\r~',
    '0\r\n~a: b\r\n\r\n',
    '0\r\na~: b\r\n\r\n',
    '0\r\na~ b\r\n\r\n',
    '0\r\na:~b\r\n\r\n',
    '0\r\na: b~\r\n\r\n',
    '0\r\na: b~\n\r\n',
    '0\r\na: b\r~\r\n',
  ];
  for (const form of forms)
    for (let byte = 0; byte < 256; byte++) {
      const text = form.replace('~', String.fromCharCode(byte));
      const result = decode(text);
      expect([text, typeof result === 'string' ? undefined : body(result)]).toEqual([text, bodyOf(text)]);
    }
});

test('what is broken at random is taken as the grammar takes it, in pieces or not', () => {
  const change = fc.record({
    at: fc.nat(1000),
    gone: fc.nat(2),
    put: fc.constantFrom(
      '',
      '\r',
      '\n',
      '\r\n',
      '0',
      '5',
      'f',
      ';',
      ' ',
      '=',
      '"',
      '\\',
      ':',
      '\0',
      '\x7f',
      'Host: a\r\n',
    ),
  });
  const broken = fc.tuple(anyBody, fc.array(change, { maxLength: 2 })).map(([text, changes]) =>
    changes.reduce((text, { at, gone, put }) => {
      const i = at % (text.length + 1);
      return text.slice(0, i) + put + text.slice(i + gone);
    }, text),
  );
  let accepted = 0;
  fc.assert(
    fc.property(broken, cuts, (text, cuts) => {
      const expected = bodyOf(text);
      if (expected !== undefined) accepted++;
      const result = body(decode(text, cuts));
      expect(typeof result === 'string' ? undefined : result).toEqual(expected);
      expect(body(decode(text))).toEqual(result);
    }),
    { seed: SEED, numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(500);
}, 60_000);
