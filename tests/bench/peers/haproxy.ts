import { versionOf, type Place, type Program } from './program.ts';

/** More than the crowd of idle connections. */
const CONNECTIONS_MAX = 12_288;

export const haproxy: Program = {
  name: 'HAProxy',
  entrances: ['HAProxy'],
  version: () => versionOf(['haproxy', '-v']),
  setUp: (place) => ({
    argv: ['haproxy', '-db', '-q', '-f', `${place.dir}/haproxy.cfg`],
    files: { 'haproxy.cfg': haproxyConfig(place) },
  }),
};

export function haproxyConfig({ ports, upstreams, filesMax }: Place): string {
  // It reckons with two files for each connection, which idle ones don't need, and would not start with fewer.
  return `global
  nbthread 1
  maxconn ${Math.min(CONNECTIONS_MAX, filesMax)}
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  option http-keep-alive
  http-reuse always
frontend clients
  bind 127.0.0.1:${ports[0]} backlog 4096
  default_backend replicas
backend replicas
  balance url_param id
  hash-type consistent sdbm avalanche
${upstreams.map(({ name, port }) => `  server ${name} 127.0.0.1:${port} pool-max-conn -1 pool-purge-delay 1h`).join('\n')}
`;
}
