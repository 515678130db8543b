/** Replies of replicas, as bytes in Latin-1: those that must not reach a client, and odd ones that must. */
import type { Field } from './message.ts';

type Row = readonly [name: string, bytes: string];

const CL = 'Content-Length: 5\r\n';
const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const line = (text: string): string => `${text}\r\n${CL}\r\nhello`;
const chunked = (body: string): string => ok('Transfer-Encoding: chunked\r\n', body);
const END = '0\r\n\r\n';

/** Each is answered with 502, and its connection closed. */
export const BAD_HEADS: readonly Row[] = [
  ['no reply at all', 'nonsense\r\n\r\n'],
  ['a request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['bytes of no meaning', '\x16\x03\x01\x02\0\x01\0\r\n\r\n'],
  ['a body without a head', '<html></html>\r\n\r\n'],
  ['a version in lower case', line('http/1.1 200 OK')],
  ['HTTP/2.0', line('HTTP/2.0 200 OK')],
  ['HTTP/0.9', line('HTTP/0.9 200 OK')],
  ['HTTP/1', line('HTTP/1 200 OK')],
  ['HTTP/11.1', line('HTTP/11.1 200 OK')],
  ['another protocol', line('ICY/1.1 200 OK')],
  ['no status', line('HTTP/1.1 OK')],
  ['an empty status', line('HTTP/1.1  OK')],
  ['a status of two digits', line('HTTP/1.1 20 OK')],
  ['a status of four digits', line('HTTP/1.1 2000 OK')],
  ['a status of 099', line('HTTP/1.1 099 OK')],
  ['a status with a letter', line('HTTP/1.1 2x0 OK')],
  ['a status with a sign', line('HTTP/1.1 +20 OK')],
  ['two spaces before the status', line('HTTP/1.1  200 OK')],
  ['a tab before the status', line('HTTP/1.1\t200 OK')],
  ['a tab after the status', line('HTTP/1.1 200\tOK')],
  ['a space before the version', line(' HTTP/1.1 200 OK')],
  ['a NUL in the reason', line('HTTP/1.1 200 O\0K')],
  ['DEL in the reason', line('HTTP/1.1 200 O\x7fK')],
  ['a bare CR in the reason', line('HTTP/1.1 200 O\rK')],
  ['a bare LF after the status line', `HTTP/1.1 200 OK\n${CL}\r\nhello`],
  ['a bare LF after a field', ok(`X: y\n${CL}`, 'hello')],
  ['a bare LF for the end of the head', `HTTP/1.1 200 OK\r\n${CL}\nhello\r\n\r\n`],
  ['only bare LFs', 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'],
  ['a bare CR in a value', ok(`X: a\rb\r\n${CL}`, 'hello')],
  ['a bare CR for a line end', ok(`X: a\r${CL}`, 'hello')],
  ['a folded line', ok(`X: y\r\n z\r\n${CL}`, 'hello')],
  ['a folded length', ok('Content-Length:\r\n 5\r\n', 'hello')],
  ['white space before the first field', ok(` X: y\r\n${CL}`, 'hello')],
  ['a space before the colon', ok('Content-Length : 5\r\n', 'hello')],
  ['a tab before the colon', ok(`X\t: y\r\n${CL}`, 'hello')],
  ['no colon', ok(`nonsense\r\n${CL}`, 'hello')],
  ['an empty name', ok(`: y\r\n${CL}`, 'hello')],
  ['a bracket in a name', ok(`X[: y\r\n${CL}`, 'hello')],
  ['a NUL in a value', ok(`X: a\0b\r\n${CL}`, 'hello')],
  ['DEL in a value', ok(`X: a\x7fb\r\n${CL}`, 'hello')],
  ['escape in a value', ok(`X: a\x1bb\r\n${CL}`, 'hello')],
  ['a length and a coding', ok(`${CL}Transfer-Encoding: chunked\r\n`, END)],
  ['a coding and a length', ok(`Transfer-Encoding: chunked\r\n${CL}`, END)],
  ['two lengths that differ', ok(`${CL}Content-Length: 6\r\n`, 'hello!')],
  ['two lengths that are the same', ok(CL + CL, 'hello')],
  ['a list of lengths', ok('Content-Length: 5, 6\r\n', 'hello!')],
  ['a list of the same length', ok('Content-Length: 5, 5\r\n', 'hello')],
  ['an empty length', ok('Content-Length:\r\n', 'hello')],
  ['a negative length', ok('Content-Length: -5\r\n', 'hello')],
  ['a length with a sign', ok('Content-Length: +5\r\n', 'hello')],
  ['a hexadecimal length', ok('Content-Length: 0x5\r\n', 'hello')],
  ['a length with letters', ok('Content-Length: 5 bytes\r\n', 'hello')],
  ['a length beyond all', ok('Content-Length: 99999999999999999999\r\n', 'hello')],
  ['an unknown coding', ok('Transfer-Encoding: gzip\r\n', 'hello')],
  ['identity', ok('Transfer-Encoding: identity\r\n', 'hello')],
  ['an empty coding', ok('Transfer-Encoding:\r\n', END)],
  ['an unknown coding before chunked', ok('Transfer-Encoding: gzip, chunked\r\n', END)],
  ['a coding after chunked', ok('Transfer-Encoding: chunked, gzip\r\n', END)],
  ['chunked twice', ok('Transfer-Encoding: chunked, chunked\r\n', END)],
  ['chunked in two fields', ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', END)],
  ['chunked with a parameter', ok('Transfer-Encoding: chunked;a=b\r\n', END)],
  ['xchunked', ok('Transfer-Encoding: xchunked\r\n', END)],
  ['a coding behind a vertical tab', ok('Transfer-Encoding: \x0bchunked\r\n', END)],
  ['a coding on HTTP/1.0', `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${END}`],
  [
    '101 that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  ],
  ['a bad reply after a 103', `HTTP/1.1 103 Early Hints\r\n\r\n${line('HTTP/1.1 OK')}`],
  ['a 100 with a bad field', `HTTP/1.1 100 Continue\r\nX : y\r\n\r\n${line('HTTP/1.1 200 OK')}`],
  ['a head that is too large', ok(`X: ${'y'.repeat(17_000)}\r\n${CL}`, 'hello')],
  ['too many fields', ok(`${'X: y\r\n'.repeat(101)}${CL}`, 'hello')],
];

/** Each begins well: the client sees a message that breaks, or 502, but no whole one. */
export const BAD_BODIES: readonly Row[] = [
  ['a size that is none', chunked('5\r\nhello\r\nxyz\r\n')],
  ['a size with a sign', chunked(`+5\r\nhello\r\n${END}`)],
  ['a size with a prefix', chunked(`0x5\r\nhello\r\n${END}`)],
  ['a size with a space behind', chunked(`5 \r\nhello\r\n${END}`)],
  ['a size with a space before', chunked(` 5\r\nhello\r\n${END}`)],
  ['no size', chunked(`\r\nhello\r\n${END}`)],
  ['a size of 2^64 and 5', chunked(`10000000000000005\r\nhello\r\n${END}`)],
  ['a size ended by a bare LF', chunked(`5\nhello\r\n${END}`)],
  ['a size ended by a bare CR', chunked(`5\rhello\r\n${END}`)],
  ['data ended by a bare LF', chunked(`5\r\nhello\n${END}`)],
  ['data not ended', chunked(`5\r\nhello${END}`)],
  ['data longer than its size', chunked(`3\r\nhello\r\n${END}`)],
  ['a last chunk ended by a bare LF', chunked('5\r\nhello\r\n0\n\r\n')],
  ['an extension with a bare LF', chunked(`5;\nhello\r\n${END}`)],
  ['an extension with a bare CR', chunked(`5;a\rb\r\nhello\r\n${END}`)],
  ['an extension with a NUL', chunked(`5;a\0\r\nhello\r\n${END}`)],
  ['a trailer with a space before the colon', chunked('5\r\nhello\r\n0\r\nX : y\r\n\r\n')],
  ['a trailer that is folded', chunked('5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n')],
  ['a trailer with a bare CR', chunked('5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n')],
  ['a length for a trailer', chunked('5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n')],
  ['a coding for a trailer', chunked('5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n')],
];

/** Each ends too early, when the replica closes. */
export const SHORT_BODIES: readonly Row[] = [
  ['no byte of its length', ok(CL)],
  ['less than its length', ok(CL, 'hell')],
  ['no chunk', chunked('')],
  ['half a size', chunked('5')],
  ['a size and no data', chunked('5\r\n')],
  ['half a chunk', chunked('5\r\nhel')],
  ['a chunk without its end', chunked('5\r\nhello')],
  ['a chunk and no last one', chunked('5\r\nhello\r\n')],
  ['half of the last chunk', chunked('5\r\nhello\r\n0')],
  ['a last chunk without the end of all', chunked('5\r\nhello\r\n0\r\n')],
  ['a trailer without the end of all', chunked('5\r\nhello\r\n0\r\nX: y\r\n')],
];

/** Each ends before its head does: 502. */
export const SHORT_HEADS: readonly Row[] = [
  ['a letter', 'H'],
  ['a version', 'HTTP/1.1 '],
  ['a status line', 'HTTP/1.1 200 OK\r\n'],
  ['half a field', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ['a head without its end', `HTTP/1.1 200 OK\r\n${CL}`],
  ['all but a letter', `HTTP/1.1 200 OK\r\n${CL}\r`],
  ['only a 100', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['only a 103', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'],
];

export interface OddReply {
  readonly name: string;
  readonly bytes: string;
  readonly method: string;
  readonly status: number;
  readonly body: string;
  /** Some that the client must see, in their order. */
  readonly fields: readonly Field[];
  readonly trailers: readonly Field[];
  /** Statuses that come before. */
  readonly interim: readonly number[];
  /** The replica closes after it. */
  readonly closes: boolean;
  /** Whether the next request may come on the same connection. */
  readonly reused: boolean;
}

function odd(name: string, bytes: string, expected: Partial<OddReply> = {}): OddReply {
  return {
    name,
    bytes,
    method: 'GET',
    status: 200,
    body: 'hello',
    fields: [],
    trailers: [],
    interim: [],
    closes: false,
    reused: expected.closes !== true,
    ...expected,
  };
}

const EMPTY = { body: '' } as const;
const once = { reused: false } as const;

export const ODD: readonly OddReply[] = [
  odd('a length', ok(CL, 'hello'), { fields: [['content-length', '5']] }),
  odd('a length of zero', ok('Content-Length: 0\r\n'), { ...EMPTY, fields: [['content-length', '0']] }),
  odd('a length in other case, with tabs', ok('cONTENT-lENGTH:\t5 \r\n', 'hello')),
  odd('chunks', chunked(`2\r\nhe\r\n3\r\nllo\r\n${END}`)),
  odd('no chunks', chunked(END), EMPTY),
  odd('chunked in other case', ok('transfer-ENCODING:\tChunked\r\n', `5\r\nhello\r\n${END}`)),
  odd('a size in capitals with zeros', chunked('00A\r\nhelloworld\r\n00\r\n\r\n'), { body: 'helloworld' }),
  odd('chunk extensions', chunked('5;a;b=c;d="e;\\""\r\nhello\r\n0;last\r\n\r\n')),
  odd('trailers', chunked('5\r\nhello\r\n0\r\nX-Sum: 1\r\ny:2\r\n\r\n'), {
    trailers: [
      ['X-Sum', '1'],
      ['y', '2'],
    ],
  }),
  odd('line ends as data', chunked(`4\r\n\r\n\r\n\r\n${END}`), { body: '\r\n\r\n' }),
  odd('to the end of the connection', ok('', 'hello'), { closes: true }),
  odd('nothing to the end of the connection', ok(''), { ...EMPTY, closes: true }),
  odd('a reply for a body, to the end of the connection', ok('', ok(CL, 'hello')), {
    body: ok(CL, 'hello'),
    closes: true,
  }),
  odd('HTTP/1.0 to the end of the connection', 'HTTP/1.0 200 OK\r\n\r\nhello', { closes: true }),
  odd('HTTP/1.0 with a length', `HTTP/1.0 200 OK\r\n${CL}\r\nhello`, { closes: true }),
  odd('HTTP/1.0 with a length, left open', `HTTP/1.0 200 OK\r\n${CL}\r\nhello`, once),
  odd('connection: close, left open', ok(`${CL}Connection: close\r\n`, 'hello'), once),
  odd('connection: close among others', ok(`${CL}connection: x, CLOSE\r\n`, 'hello'), once),
  odd('a length, then the end', ok(CL, 'hello'), { closes: true }),
  odd('chunks, then the end', chunked(`5\r\nhello\r\n${END}`), { closes: true }),
  odd('no reason', line('HTTP/1.1 200 ')),
  odd('a reason of tabs and obs-text', line('HTTP/1.1 200 \tfair \xe9\xff\t')),
  odd('an unknown status', line('HTTP/1.1 299 Odd'), { status: 299 }),
  odd('418', line('HTTP/1.1 418 Teapot'), { status: 418 }),
  odd('599', line('HTTP/1.1 599 Late'), { status: 599 }),
  odd('500', line('HTTP/1.1 500 Oh'), { status: 500 }),
  odd('503 of its own', line('HTTP/1.1 503 No'), { status: 503 }),
  odd('204', 'HTTP/1.1 204 No Content\r\n\r\n', { ...EMPTY, status: 204 }),
  odd('204 with a length of zero', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', {
    ...EMPTY,
    status: 204,
  }),
  // What says that five bytes come may send them: such a connection is not to be trusted.
  odd('204 with a length', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', {
    ...EMPTY,
    status: 204,
    ...once,
  }),
  odd('304', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', {
    ...EMPTY,
    status: 304,
    fields: [['etag', '"x"']],
  }),
  odd('304 with a length', `HTTP/1.1 304 Not Modified\r\n${CL}\r\n`, { ...EMPTY, status: 304 }),
  odd('205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', { ...EMPTY, status: 205 }),
  odd('HEAD with a length', ok(CL), { ...EMPTY, method: 'HEAD', fields: [['content-length', '5']] }),
  odd('HEAD with a large length', ok('Content-Length: 123456789012\r\n'), {
    ...EMPTY,
    method: 'HEAD',
    fields: [['content-length', '123456789012']],
  }),
  odd('HEAD with a coding', ok('Transfer-Encoding: chunked\r\n'), { ...EMPTY, method: 'HEAD' }),
  odd('HEAD with neither', ok('X: y\r\n'), { ...EMPTY, method: 'HEAD', fields: [['x', 'y']] }),
  odd('HEAD with a body all the same', ok(CL, 'hello'), { ...EMPTY, method: 'HEAD', ...once }),
  odd('204 with a body all the same', 'HTTP/1.1 204 No\r\n\r\nhello', { ...EMPTY, status: 204, ...once }),
  odd('304 with a body all the same', `HTTP/1.1 304 No\r\n${CL}\r\nhello`, {
    ...EMPTY,
    status: 304,
    ...once,
  }),
  odd('bytes too many', ok(CL, 'hello, world'), once),
  odd('a second reply', ok(CL, 'hello') + ok(CL, 'again'), once),
  odd('a line end too many', ok(CL, 'hello\r\n'), once),
  odd('bytes too many after chunks', chunked(`5\r\nhello\r\n${END}X`), once),
  odd('a 103', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok(CL, 'hello')}`, { interim: [103] }),
  odd(
    'a row of them',
    `HTTP/1.1 102 \r\n\r\nHTTP/1.1 103 A\r\nX: y\r\n\r\nHTTP/1.1 199 B\r\n\r\n${ok(CL, 'hello')}`,
    {
      interim: [102, 103, 199],
    },
  ),
  odd('a 100 that nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${ok(CL, 'hello')}`, { interim: [100] }),
  odd('cookies in their order', ok(`Set-Cookie: a=1\r\nX: y\r\nset-cookie: b=2\r\n${CL}`, 'hello'), {
    fields: [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x', 'y'],
    ],
  }),
  odd('empty and odd values', ok(`X:\r\nY: \t a "b" \xe9\t \r\n${CL}`, 'hello'), {
    fields: [
      ['x', ''],
      ['y', 'a "b" \xe9'],
    ],
  }),
  odd('a redirect', `HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n${CL}\r\nhello`, {
    status: 302,
    fields: [['location', 'http://elsewhere/']],
  }),
  odd('a body in gzip, left alone', ok(`Content-Encoding: gzip\r\n${CL}`, '\x1f\x8b\x08\0\xff'), {
    body: '\x1f\x8b\x08\0\xff',
    fields: [['content-encoding', 'gzip']],
  }),
];
