// A proxy on npm's httpxy. Takes the port to listen on, then those of the replicas. JavaScript, for
// its types are there only where it is installed.
import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'httpxy';

const CONNECTIONS_MAX = 256;

const [port, ...replicas] = process.argv.slice(2).map(Number);
const targets = replicas.map((replica) => new URL(`http://127.0.0.1:${replica}`));
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: CONNECTIONS_MAX });
const proxy = createProxyServer({ agent });

const server = createServer((request, response) => {
  const { url = '' } = request;
  const id = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('id') ?? '';
  const target = /** @type {URL} */ (targets[hash(id) % targets.length]);
  proxy.web(request, response, { target }).catch(() => {
    response.statusCode = 502;
    response.end();
  });
});
server.keepAliveTimeout = 3_600_000;
server.listen(port, '127.0.0.1', 4096);

/** FNV-1a, without a ring: less work than the others have. @param {string} text */
function hash(text) {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
