import { UPSTREAM_KEEPALIVE_CONNECTIONS, versionOf, type Place, type Program } from './program.ts';

export const caddy: Program = {
  name: 'Caddy',
  entrances: ['Caddy'],
  version: () => versionOf(['caddy', 'version']),
  setUp: (place) => ({
    argv: ['caddy', 'run', '--adapter', 'caddyfile', '--config', `${place.dir}/Caddyfile`],
    // It keeps files of its own in the home directory otherwise.
    env: { GOMAXPROCS: '1', XDG_CONFIG_HOME: place.dir, XDG_DATA_HOME: place.dir },
    files: { Caddyfile: caddyConfig(place) },
  }),
};

export function caddyConfig({ ports, upstreams, version }: Place): string {
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
  servers {
    protocols h1
  }
}
http://127.0.0.1:${ports[0]} {
  bind 127.0.0.1
  reverse_proxy ${upstreams.map(({ port }) => `127.0.0.1:${port}`).join(' ')} {
    lb_policy ${policy(version)}
    transport http {
      versions 1.1
      compression off
      keepalive 1h
      keepalive_idle_conns ${UPSTREAM_KEEPALIVE_CONNECTIONS * upstreams.length}
      keepalive_idle_conns_per_host ${UPSTREAM_KEEPALIVE_CONNECTIONS}
    }
  }
}
`;
}

/** By the id alone since 2.7; before, by the whole target, of which only the id changes here. */
function policy(version: string): string {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 7) ? 'query id' : 'uri_hash';
}
