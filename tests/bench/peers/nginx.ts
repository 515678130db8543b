import { UPSTREAM_KEEPALIVE_CONNECTIONS, versionOf, type Place, type Program } from './program.ts';

/** More than the crowd of idle connections and the upstream ones. */
const CONNECTIONS_MAX = 16_384;

export const nginx: Program = {
  name: 'nginx',
  entrances: ['nginx'],
  version: () => versionOf(['nginx', '-v']),
  setUp: (place) => ({
    argv: ['nginx', '-e', 'stderr', '-p', place.dir, '-c', `${place.dir}/nginx.conf`],
    files: { 'nginx.conf': nginxConfig(place) },
  }),
};

export function nginxConfig({ dir, ports, upstreams, filesMax }: Place): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr crit;
events {
  worker_connections ${Math.min(CONNECTIONS_MAX, filesMax)};
  multi_accept on;
}
http {
${temporary.map((kind) => `  ${kind}_temp_path ${dir}/nginx-${kind};`).join('\n')}
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  upstream replicas {
    hash $arg_id consistent;
${upstreams.map(({ port }) => `    server 127.0.0.1:${port};`).join('\n')}
    keepalive ${UPSTREAM_KEEPALIVE_CONNECTIONS};
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${ports[0]} backlog=4096;
    location / {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}
