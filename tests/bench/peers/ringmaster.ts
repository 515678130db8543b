import project from '../../../package.json' with { type: 'json' };
import type { Program } from './program.ts';

/** As a user starts it: both its ports belong to one process. */
export const ringmaster: Program = {
  name: 'Ringmaster',
  entrances: ['Ringmaster relay', 'Ringmaster port 5000'],
  version: () => project.version,
  setUp: ({ ports, upstreams }) => ({
    argv: [process.execPath, '--no-orphans', 'src/main.ts'],
    env: {
      BUN_CONFIG_MAX_HTTP_REQUESTS: '16384',
      HOST: '127.0.0.1',
      TRAFFIC_PORT: String(ports[0]),
      PORT: String(ports[1]),
      RUNTIME: 'static',
      UPSTREAMS: upstreams.map(({ name, port }) => `${name}=127.0.0.1:${port}`).join(','),
    },
  }),
};
