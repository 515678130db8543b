import { expect, test } from 'bun:test';
import { caddyConfig } from './peers/caddy.ts';
import { haproxyConfig } from './peers/haproxy.ts';
import { nginxConfig } from './peers/nginx.ts';
import { UPSTREAM_KEEPALIVE_CONNECTIONS, type Place } from './peers/program.ts';
import { ringmaster } from './peers/ringmaster.ts';

const place: Place = {
  dir: '/tmp/bench',
  ports: [8001, 8002],
  upstreams: [
    { name: 'server-1', port: 9001 },
    { name: 'server-2', port: 9002 },
  ],
  version: '2.7.1',
  filesMax: 20_000,
};

/** What makes the comparison one: the same port, replicas, hash of the id, one core and kept connections for all. */
const needed: readonly [string, string, readonly (string | RegExp)[]][] = [
  [
    'nginx',
    nginxConfig(place),
    [
      'listen 127.0.0.1:8001',
      'server 127.0.0.1:9001;',
      'server 127.0.0.1:9002;',
      'hash $arg_id consistent;',
      'worker_processes 1;',
      'access_log off;',
      `keepalive ${UPSTREAM_KEEPALIVE_CONNECTIONS};`,
      'proxy_http_version 1.1;',
      'proxy_set_header Connection "";',
      'pid /tmp/bench/',
      /worker_connections 1\d{4};/,
    ],
  ],
  [
    'HAProxy',
    haproxyConfig(place),
    [
      'bind 127.0.0.1:8001',
      'server server-1 127.0.0.1:9001',
      'server server-2 127.0.0.1:9002',
      'balance url_param id',
      'hash-type consistent',
      'nbthread 1',
      'http-reuse always',
      /maxconn 1\d{4}\n/,
    ],
  ],
  [
    'Caddy',
    caddyConfig(place),
    [
      'http://127.0.0.1:8001 {',
      'reverse_proxy 127.0.0.1:9001 127.0.0.1:9002 {',
      'lb_policy query id',
      `keepalive_idle_conns_per_host ${UPSTREAM_KEEPALIVE_CONNECTIONS}`,
      'admin off',
    ],
  ],
];

test.each(needed)('%s is set up as the others are', (_, config, parts) => {
  for (const part of parts) expect(config).toMatch(part);
  // A setting that could not be filled in.
  expect(config).not.toMatch(/undefined|NaN/);
});

test('a Caddy without a policy for queries hashes the target', () => {
  expect(caddyConfig({ ...place, version: '2.6.2' })).toContain('lb_policy uri_hash');
  expect(caddyConfig({ ...place, version: '3.0.0' })).toContain('lb_policy query id');
});

test('none reckons with more files than it may open', () => {
  const poor = { ...place, filesMax: 1024 };
  expect(nginxConfig(poor)).toContain('worker_connections 1024;');
  expect(haproxyConfig(poor)).toContain('maxconn 1024\n');
});

test('Ringmaster is started as a user starts it', () => {
  const { argv, env } = ringmaster.setUp(place);
  expect(argv.slice(1)).toEqual(['--no-orphans', 'src/main.ts']);
  expect(env).toMatchObject({
    TRAFFIC_PORT: '8001',
    PORT: '8002',
    RUNTIME: 'static',
    UPSTREAMS: 'server-1=127.0.0.1:9001,server-2=127.0.0.1:9002',
  });
});
