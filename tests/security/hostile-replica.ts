/**
 * A replica that somebody else has taken over: it answers heartbeats, and to the paths of `REPLIES` says what it should
 * not. To `/die` it ends with its last words on both streams.
 */
import { createServer } from 'node:net';
import { HOSTILE } from './terminal.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const EMPTY = 'Content-Length: 0\r\n\r\n';
/** In Latin-1, as a head is: of what is in HOSTILE all that fits into a line. */
const IN_A_LINE = [...HOSTILE].filter((char) => char !== '\r' && char !== '\n' && char <= '\u00ff').join('');
/** Of that, what a client that is strict takes for a value. */
const IN_A_VALUE = [...IN_A_LINE].filter((char) => char >= ' ' && char !== '\u007f').join('');
const KIB = 1024;

export const REPLIES: Readonly<Record<string, string>> = {
  '/status-text': `HTTP/1.1 200 ${IN_A_LINE}\r\n${EMPTY}`,
  '/status-none': `HTTP/1.1 ${IN_A_LINE}\r\n${EMPTY}`,
  '/no-reply': `${HOSTILE}\r\n\r\n`,
  '/field-value': `${OK}X-Evil: ${IN_A_LINE}\r\n${EMPTY}`,
  '/field-name': `${OK}${IN_A_LINE}: x\r\n${EMPTY}`,
  '/field-bare-cr': `${OK}X-Evil: a\rSet-Cookie: b=c\r\n${EMPTY}`,
  '/field-bare-lf': `${OK}X-Evil: a\nSet-Cookie: b=c\r\n${EMPTY}`,
  '/field-nul': `${OK}X-Evil: a\0b\r\n${EMPTY}`,
  '/field-folded': `${OK}X-Evil: a\r\n Set-Cookie: b=c\r\n${EMPTY}`,
  '/served-by': `${OK}X-Served-By: nobody\r\nX-Request-Id: ${IN_A_VALUE}\r\n${EMPTY}`,
  '/head-of-100-kib': `${OK}X-Evil: ${'a'.repeat(100 * KIB)}\r\n${EMPTY}`,
  '/head-of-10000-fields': `${OK}${'X-Evil: a\r\n'.repeat(10_000)}${EMPTY}`,
  '/two-lengths': `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  '/two-framings': `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  '/two-replies': `${OK}${EMPTY}HTTP/1.1 200 OK\r\nX-Second: yes\r\n${EMPTY}`,
  '/interim-with-fields': `HTTP/1.1 103 Early Hints\r\nX-Evil: ${IN_A_LINE}\r\n\r\n${OK}${EMPTY}`,
  '/upgrade-unasked': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  '/cookie': `${OK}Set-Cookie: a=b\r\nSet-Cookie: c=d; Path=/\r\n${EMPTY}`,
  '/redirect': `HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n${EMPTY}`,
  '/cors': `${OK}Access-Control-Allow-Origin: *\r\n${EMPTY}`,
};
/** What begins like that, and then goes on like that. */
const ENDLESS: Readonly<Record<string, readonly [start: string, more: string]>> = {
  '/endless-interims': ['', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(KIB)],
  '/endless-value': [`${OK}X-Evil: `, 'a'.repeat(64 * KIB)],
  '/endless-fields': [OK, 'X-Evil: a\r\n'.repeat(KIB)],
};
function serve(): void {
  const server = createServer((socket) => {
    /** The same bytes without end, as fast as they are taken. */
    const pour = (text: string): void => {
      while (!socket.destroyed) if (!socket.write(text, 'latin1')) break;
    };
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const path = /^\S+ ([^ ?]+)/.exec(bytes.toString('latin1'))?.[1] ?? '';
      const reply = REPLIES[path];
      if (reply !== undefined) socket.end(reply, 'latin1');
      else if (ENDLESS[path] !== undefined) {
        const [start, more] = ENDLESS[path];
        socket.write(start);
        socket.on('drain', () => pour(more));
        pour(more);
      } else if (path === '/die') {
        process.stdout.write(`${HOSTILE}\n`);
        process.stderr.write(`${HOSTILE}\n`, () => process.exit(3));
      } else
        socket.end(
          `${OK}X-Beat: ${IN_A_VALUE}\r\nContent-Length: ${Buffer.byteLength(HOSTILE)}\r\n\r\n${HOSTILE}`,
        );
    });
  });
  server.listen(Number(process.env['PORT']), process.env['HOST']);
}

if (import.meta.main) serve();
