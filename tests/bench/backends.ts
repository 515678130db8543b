/**
 * Three servers in one process that answer every request at once with the same small JSON, each under its own name:
 * what is left when a proxy is measured should be the proxy. Takes three ports.
 */
import { BACKEND_REPLY_BODIES } from './backend-reply.ts';

/** What came of a request head that is not whole yet. */
interface Half {
  text: string;
}

const HEAD_END = '\r\n\r\n';

const ports = process.argv.slice(2).map(Number);
for (const [i, body] of BACKEND_REPLY_BODIES.entries()) {
  const reply = new TextEncoder().encode(
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  Bun.listen<Half>({
    hostname: '127.0.0.1',
    port: ports[i] ?? 0,
    socket: {
      open: (socket) => {
        socket.data = { text: '' };
      },
      data: (socket, chunk) => {
        const text = socket.data.text + chunk.toString('latin1');
        let at = 0;
        for (let end = text.indexOf(HEAD_END); end >= 0; end = text.indexOf(HEAD_END, at)) {
          at = end + HEAD_END.length;
          socket.write(reply);
        }
        socket.data.text = text.slice(at);
      },
      end: (socket) => void socket.end(),
    },
  });
}
