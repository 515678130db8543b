/** Requests that must be served, as bytes in Latin-1, and what the replica must see of them. */
import type { Field, Framing } from './message.ts';

export interface Seen {
  readonly method: string;
  readonly target: string;
  /** Undefined: whatever the relay puts there for a request that had none. */
  readonly host: string | undefined;
  /** In their order, without Host, framing, and what the relay adds. */
  readonly fields: readonly Field[];
  readonly framing: Framing;
  readonly body: string;
  readonly trailers: readonly Field[];
}

export interface Fair {
  readonly name: string;
  readonly bytes: string;
  readonly sees: readonly Seen[];
  /** Whether the relay closes the connection after the last reply. */
  readonly closes: boolean;
}

interface Expected extends Partial<Seen> {
  readonly closes?: boolean;
}

const saw = (expected: Partial<Seen> = {}): Seen => ({
  method: 'GET',
  target: '/',
  host: 'a',
  fields: [],
  framing: 'none',
  body: '',
  trailers: [],
  ...expected,
});

function fair(name: string, bytes: string, { closes = false, ...expected }: Expected = {}): Fair {
  return { name, bytes, sees: [saw(expected)], closes };
}

const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const target = (text: string): string => `GET ${text} HTTP/1.1\r\nHost: a\r\n\r\n`;
const host = (value: string): string => `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`;
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

const hello = { method: 'POST', body: 'hello' } as const;
const HELLO = { ...hello, framing: 'length' } as const;
const CHUNKED = { ...hello, framing: 'chunked' } as const;
const LONG = 'a'.repeat(7900);
const METHOD_CHARS = "!#$%&'*+-.^_`|~09AZaz";

const withTarget = (name: string, text: string): Fair =>
  fair(`target: ${name}`, target(text), { target: text });
const withHost = (name: string, value: string): Fair => fair(`Host: ${name}`, host(value), { host: value });
const withMethod = (method: string): Fair =>
  fair(`method: ${method}`, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`, { method });
const withField = (name: string, lines: string, ...fields: readonly Field[]): Fair =>
  fair(`field: ${name}`, get(lines), { fields });
const withChunks = (name: string, chunks: string, expected: Expected = {}): Fair =>
  fair(`chunks: ${name}`, chunked(chunks), { ...CHUNKED, ...expected });

const ONES: readonly Fair[] = [
  fair('the least', get('')),
  ...[
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'HEAD',
    'FOOBAR',
    'get',
    'GETX',
    'PROPFIND',
    METHOD_CHARS,
  ].map(withMethod),
  withTarget('a path', '/a/b/c'),
  withTarget('a query', '/home?id=42&b=%20'),
  withTarget('a query without a name', '/?'),
  withTarget('two question marks', '/a?b?c'),
  withTarget('two slashes', '//a//b'),
  withTarget('dots, left alone', '/a/../b/./c'),
  withTarget('an escaped NUL', '/path%00.html'),
  withTarget('an escaped line end', '/path%0d%0aX-Injected:%20true'),
  withTarget('an escaped slash', '/a%2Fb%2fc'),
  withTarget('all that a path may hold', "/-._~!$&'()*+,;=:@%41"),
  withTarget('a URL in it', '/http://b/c'),
  withTarget('an authority in it', '/@b:80'),
  withTarget('8000 bytes', `/${LONG}`),
  withTarget('the longest', `/${'a'.repeat(8191)}`),
  fair('target: an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', { method: 'OPTIONS', target: '*' }),
  fair('target: absolute', target('http://a/x?y=z'), { target: '/x?y=z' }),
  fair('target: absolute, for another host', target('http://b:81/x'), { target: '/x', host: 'b:81' }),
  fair('target: absolute without a path', target('http://b'), { host: 'b' }),
  fair('target: absolute with but a query', target('http://b?id=1'), { target: '/?id=1', host: 'b' }),
  fair('target: absolute, scheme in capitals', target('HTTP://b/x'), { target: '/x', host: 'b' }),
  fair('target: absolute with IPv6', target('http://[::1]:80/x'), { target: '/x', host: '[::1]:80' }),
  withHost('a name', 'example.com'),
  withHost('a name with a dot behind', 'example.com.'),
  withHost('a port', 'example.com:8080'),
  withHost('an IPv4 address', '127.0.0.1:80'),
  withHost('an IPv6 address', '[::1]'),
  withHost('an IPv6 address and a port', '[fe80::1:2]:65535'),
  withHost('capitals', 'Example.COM'),
  withHost('underscores and hyphens', 'my_host-1'),
  fair('Host: last of all', 'GET / HTTP/1.1\r\nX: y\r\nhOsT:a\r\n\r\n', { fields: [['X', 'y']] }),
  fair('Host: tabs around it', 'GET / HTTP/1.1\r\nHost:\t \ta\t \r\n\r\n'),
  withField('order and case', 'Zz: 1\r\naA: 2\r\nMM: 3\r\n', ['Zz', '1'], ['aA', '2'], ['MM', '3']),
  withField('one name twice', 'X: 1\r\nY: 2\r\nx: 3\r\n', ['X', '1'], ['Y', '2'], ['x', '3']),
  withField(
    'empty',
    'X-Empty:\r\nX-Space: \r\nX-Tab:\t\r\n',
    ['X-Empty', ''],
    ['X-Space', ''],
    ['X-Tab', ''],
  ),
  withField('white space around and in it', 'X: \t a \t b\t \r\n', ['X', 'a \t b']),
  withField('no space before it', 'X:y\r\n', ['X', 'y']),
  withField('colons in it', 'X: a:b: c\r\n', ['X', 'a:b: c']),
  withField('quotes, commas and brackets', 'X: "a, b" [c] {d} <e>\r\n', ['X', '"a, b" [c] {d} <e>']),
  withField('obs-text', 'X: caf\xe9 \x80\xff\r\n', ['X', 'caf\xe9 \x80\xff']),
  withField('a name of all it may hold', "!#$%&'*+-.^`|~09AZaz: v\r\n", ["!#$%&'*+-.^`|~09AZaz", 'v']),
  withField('cookies in two lines', 'Cookie: a=b\r\nCookie: c=d\r\n', ['Cookie', 'a=b'], ['Cookie', 'c=d']),
  withField(
    'two types',
    'Content-Type: a/b\r\nContent-Type: c/d\r\n',
    ['Content-Type', 'a/b'],
    ['Content-Type', 'c/d'],
  ),
  withField('nonsense in a range', 'Range: bytes=abc-xyz\r\n', ['Range', 'bytes=abc-xyz']),
  withField('something like framing in a value', 'X: Transfer-Encoding: chunked\r\n', [
    'X',
    'Transfer-Encoding: chunked',
  ]),
  withField(
    'framing in other words',
    'X-Content-Length: 5\r\nContent-Lengths: 5\r\n',
    ['X-Content-Length', '5'],
    ['Content-Lengths', '5'],
  ),
  withField('a coding with an underscore is dropped', 'Transfer_Encoding: chunked\r\nX: y\r\n', ['X', 'y']),
  withField('a length with an underscore is dropped', 'content_length: 5\r\nX: y\r\n', ['X', 'y']),
  withField(
    'as many as there may be',
    'X: y\r\n'.repeat(99),
    ...Array.from({ length: 99 }, (): Field => ['X', 'y']),
  ),
  withField('nearly as large as it may be', `X: ${LONG}\r\nY: ${LONG}\r\n`, ['X', LONG], ['Y', LONG]),
  fair('length: a body', post('Content-Length: 5\r\n', 'hello'), HELLO),
  fair('length: zero', post('Content-Length: 0\r\n'), { method: 'POST', framing: 'length' }),
  fair('length: tabs and spaces around it', post('Content-Length:\t 5 \t\r\n', 'hello'), HELLO),
  fair('length: no space before it', post('content-length:5\r\n', 'hello'), HELLO),
  fair(
    'length: and another with an underscore',
    post('Content-Length: 5\r\nContent_Length: 99\r\n', 'hello'),
    HELLO,
  ),
  fair(
    'length: and a coding with an underscore',
    post('Content-Length: 5\r\nTRANSFER_ENCODING: chunked\r\n', 'hello'),
    HELLO,
  ),
  fair('length: with GET', `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`, {
    ...HELLO,
    method: 'GET',
  }),
  fair('length: with DELETE', `DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`, {
    ...HELLO,
    method: 'DELETE',
  }),
  fair('length: with OPTIONS', `OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`, {
    ...HELLO,
    method: 'OPTIONS',
  }),
  fair('length: with HEAD', `HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`, {
    ...HELLO,
    method: 'HEAD',
  }),
  fair('length: a body like a request', post('Content-Length: 18\r\n', 'GET / HTTP/1.1\r\n\r\n'), {
    ...HELLO,
    body: 'GET / HTTP/1.1\r\n\r\n',
  }),
  fair(
    'length: a body of all bytes',
    post('Content-Length: 256\r\n', String.fromCharCode(...Array(256).keys())),
    {
      ...HELLO,
      body: String.fromCharCode(...Array(256).keys()),
    },
  ),
  withChunks('one', '5\r\nhello\r\n0\r\n\r\n'),
  withChunks('two', '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'),
  withChunks('none', '0\r\n\r\n', { body: '' }),
  withChunks('a size in capitals', 'A\r\nhelloworld\r\n0\r\n\r\n', { body: 'helloworld' }),
  withChunks('a size in small letters', 'c\r\nHellO world1\r\n0\r\n\r\n', { body: 'HellO world1' }),
  withChunks('zeros before a size', '0005\r\nhello\r\n000\r\n\r\n'),
  withChunks('line ends as data', '4\r\n\r\n\r\n\r\n0\r\n\r\n', { body: '\r\n\r\n' }),
  withChunks('the last chunk as data', '5\r\n0\r\n\r\n\r\n0\r\n\r\n', { body: '0\r\n\r\n' }),
  withChunks('an extension', '5;ext=value\r\nhello\r\n0\r\n\r\n'),
  withChunks('an extension without a value', '5;ext\r\nhello\r\n0;last\r\n\r\n'),
  withChunks('an extension in quotes', '5;a="b;\\"\\\\c\t"\r\nhello\r\n0\r\n\r\n'),
  withChunks('two extensions', '5;a=b;c="d"\r\nhello\r\n0\r\n\r\n'),
  withChunks('a trailer', '5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n', {
    trailers: [['X-Checksum', 'abc']],
  }),
  withChunks('two trailers', '5\r\nhello\r\n0\r\nX: \t1 \r\ny:2\r\n\r\n', {
    trailers: [
      ['X', '1'],
      ['y', '2'],
    ],
  }),
  fair(
    'chunks: coding in other case',
    post('tRANSFER-eNCODING: \tCHUNKED \r\n', '5\r\nhello\r\n0\r\n\r\n'),
    CHUNKED,
  ),
  fair(
    'chunks: with GET',
    `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    { ...CHUNKED, method: 'GET' },
  ),
  fair('connection: close', get('Connection: close\r\n'), { closes: true }),
  fair('connection: close in other case, among others', get('connection: foo, CLOSE\r\n'), { closes: true }),
  fair('connection: keep-alive', get('Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n')),
  fair('connection: names a field', get('Connection: X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\n'), {
    fields: [['X-Other', '2']],
  }),
  fair(
    'connection: names fields in two lines',
    get('A: 1\r\nConnection: a ,,b\r\nB: 2\r\nConnection:\tC\r\nc: 3\r\nD: 4\r\n'),
    { fields: [['D', '4']] },
  ),
  fair('connection: upgrade that no version names', get('Upgrade: websocket\r\n')),
  fair('HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', { closes: true }),
  fair('HTTP/1.0 that keeps alive', 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n'),
  fair('HTTP/1.0 with a length', 'POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', {
    ...HELLO,
    closes: true,
  }),
  fair(
    'HTTP/1.0 with Expect',
    'POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
    { ...HELLO, closes: true },
  ),
  fair(
    'HTTP/1.0 with Upgrade',
    'GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    { closes: true },
  ),
];

const MANY: readonly Fair[] = [
  { name: 'pipeline: two', bytes: get('') + get(''), sees: [saw(), saw()], closes: false },
  {
    name: 'pipeline: after a body',
    bytes: post('Content-Length: 5\r\n', 'hello') + target('/2'),
    sees: [saw(HELLO), saw({ target: '/2' })],
    closes: false,
  },
  {
    name: 'pipeline: after chunks',
    bytes: chunked('5\r\nhello\r\n0\r\n\r\n') + target('/2') + chunked('5;x\r\nhello\r\n0\r\nX: y\r\n\r\n'),
    sees: [saw(CHUNKED), saw({ target: '/2' }), saw({ ...CHUNKED, trailers: [['X', 'y']] })],
    closes: false,
  },
  {
    name: 'pipeline: after a GET with a body like a request',
    bytes: `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n${target('/2')}`,
    sees: [saw({ framing: 'length', body: 'GET / HTTP/1.1\r\n\r\n' }), saw({ target: '/2' })],
    closes: false,
  },
  {
    name: 'pipeline: nothing is served after close',
    bytes: get('Connection: close\r\n') + target('/2'),
    sees: [saw()],
    closes: true,
  },
  {
    name: 'pipeline: nothing is served after HTTP/1.0',
    bytes: `GET / HTTP/1.0\r\nHost: a\r\n\r\n${target('/2')}`,
    sees: [saw()],
    closes: true,
  },
  {
    name: 'pipeline: HTTP/1.0 that keeps alive, then HTTP/1.1',
    bytes: `GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n${target('/2')}`,
    sees: [saw(), saw({ target: '/2' })],
    closes: false,
  },
  {
    name: 'pipeline: HEAD, then GET',
    bytes: `HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${target('/2')}`,
    sees: [saw({ method: 'HEAD' }), saw({ target: '/2' })],
    closes: false,
  },
];

export const FAIR: readonly Fair[] = [...ONES, ...MANY];

/** What a strict server may refuse, and may serve only like this. */
export const EITHER: readonly Fair[] = [
  fair('an empty line before the method', `\r\n${get('')}`),
  fair('two empty lines before the method', `\r\n\r\n${get('')}`),
  fair('HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'),
  fair('HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', { host: undefined, closes: true }),
  fair('a length with zeros before it', post('Content-Length: 005\r\n', 'hello'), HELLO),
  fair('a length of two zeros', post('Content-Length: 00\r\n'), { method: 'POST', framing: 'length' }),
  fair('a length like an octal one', post('Content-Length: 010\r\n', 'helloworld'), {
    ...HELLO,
    body: 'helloworld',
  }),
  fair(
    'an empty element before chunked',
    post('Transfer-Encoding: , chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
    CHUNKED,
  ),
  fair(
    'an empty element after chunked',
    post('Transfer-Encoding: chunked,\r\n', '5\r\nhello\r\n0\r\n\r\n'),
    CHUNKED,
  ),
  fair('a backslash in the target', target('/path\\file'), { target: '/path\\file' }),
  fair('a quote in the target', target('/"a"'), { target: '/"a"' }),
  fair('brackets in the target', target('/<a>[b]{c}|^`'), { target: '/<a>[b]{c}|^`' }),
  fair('half an escape in the target', target('/a%2'), { target: '/a%2' }),
  fair('a bad escape in the target', target('/a%zz'), { target: '/a%zz' }),
  fair('white space before an extension', chunked('5 ;a\r\nhello\r\n0\r\n\r\n'), CHUNKED),
  fair('white space in an extension', chunked('5; a = b\r\nhello\r\n0\r\n\r\n'), CHUNKED),
  fair('Expect of something unknown', get('Expect: 200-ok\r\n'), { fields: [['Expect', '200-ok']] }),
  fair('an underscore in another name', get('X_Y: z\r\n'), { fields: [['X_Y', 'z']] }),
];
