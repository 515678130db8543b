import project from '../package.json' with { type: 'json' };
import type { Config } from './config.ts';
import type { Log } from './log.ts';
import type { Ringmaster } from './ringmaster.ts';

export interface Announcement {
  readonly ringmaster: Ringmaster;
  readonly config: Config;
  /** The port that is listened on, also where configuration let the kernel choose. */
  readonly port: number;
  readonly log: Log;
}

/** Says what runs and where: a block to read on a terminal, one line of JSON on a pipe. */
export function announce({ ringmaster, config, port, log }: Announcement): void {
  const url = `http://${reachableHost(config.host)}:${port}`;
  const replicas = ringmaster.fleet.names();
  const { runtime, trafficPort } = ringmaster;
  const traffic = trafficPort === undefined ? 'off' : `http://${reachableHost(config.host)}:${trafficPort}`;
  const changes =
    config.adminToken === undefined ? 'loopback and private addresses' : 'who sends ADMIN_TOKEN';
  if (process.stdout.isTTY !== true) {
    log.info(
      { url, port, traffic, trafficPort, runtime, replicas, changes },
      `ready: ${url}, traffic: ${traffic}`,
    );
    return;
  }
  const rows = [
    ['ready', url],
    ['traffic', traffic],
    ['swagger', `${url}/swagger`],
    ['runtime', runtime],
    ['replicas', replicas.length === 0 ? 'none: POST /add adds some' : replicas.join(', ')],
    ['changes', `accepted from ${changes}`],
  ];
  const lines = rows.map(([name, text]) => `  ${(name ?? '').padEnd(10)}${text ?? ''}`);
  process.stdout.write(`\nRingmaster ${project.version}\n${lines.join('\n')}\n\n`);
}

/** An address to type into a browser: the one that means "every interface" is none. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
