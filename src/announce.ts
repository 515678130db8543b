import project from '../package.json' with { type: 'json' };
import { printable, type Config } from './config.ts';
import type { Output } from './log.ts';
import type { Ringmaster } from './ringmaster.ts';
import { wrapped } from './terminal.ts';

export interface Announcement {
  readonly ringmaster: Ringmaster;
  readonly config: Config;
  /** The port that is listened on, also where configuration let the kernel choose. */
  readonly port: number;
  readonly output: Output;
}

/** Where the texts of the block begin. */
const INDENT_COLUMNS = 11;
/** What is left for them on the narrowest of terminals. */
const TEXT_COLUMNS_MIN = 20;

/** Says what runs and where: a block to read on a terminal, one line of JSON on a pipe. */
export function announce({ ringmaster, config, port, output }: Announcement): void {
  const url = `http://${reachableHost(config.host)}:${port}`;
  const replicas = ringmaster.fleet.names();
  const { runtime, trafficPort, whyNotDocker } = ringmaster;
  const traffic = trafficPort === undefined ? 'off' : `http://${reachableHost(config.host)}:${trafficPort}`;
  const changes =
    config.adminToken === undefined ? 'loopback and private addresses' : 'who sends ADMIN_TOKEN';
  const { log, terminal } = output;
  if (terminal === undefined) {
    log.info(
      { url, port, traffic, trafficPort, runtime, replicas, changes },
      `ready: ${url}, traffic: ${traffic}`,
    );
    return;
  }
  const rows = [
    ['page', `${url}/`],
    ['swagger', `${url}/swagger`],
    ['traffic', traffic],
    ['runtime', whyNotDocker === undefined ? runtime : `${runtime}: ${whyNotDocker}`],
    ['replicas', replicas.length === 0 ? 'none: POST /add adds some' : replicas.join(', ')],
    ['changes', `accepted from ${changes}`],
    ['end', `Ctrl-C ${endOf(ringmaster, config)}`],
  ] as const;
  const columns = Math.max(TEXT_COLUMNS_MIN, terminal.columns - INDENT_COLUMNS);
  const lines = rows.flatMap(([name, text]) =>
    wrapped(printable(text), columns).map((line, i) =>
      i === 0
        ? `  ${terminal.dim(name.padEnd(INDENT_COLUMNS - 2))}${line}`
        : `${' '.repeat(INDENT_COLUMNS)}${line}`,
    ),
  );
  terminal.end();
  terminal.print(`\n${terminal.bold(`Ringmaster ${project.version}`)}\n${lines.join('\n')}\n\n`);
}

type Ending = Pick<Config, 'onExit'>;

function endOf({ runtime }: Pick<Ringmaster, 'runtime'>, { onExit }: Ending): string {
  if (runtime === 'static') return 'finishes what is in flight, and leaves the servers as they are';
  if (onExit === 'keep' && runtime !== 'process')
    return 'finishes what is in flight, and keeps the replicas for the next start';
  if (runtime === 'swarm') return 'drains, and removes the replicas where no other Ringmaster shares them';
  return 'drains and removes the replicas';
}

/** What becomes of the replicas at the end. */
export interface Parting extends Ending {
  readonly runtime: Ringmaster['runtime'];
  /** Members when it began. */
  readonly members: number;
  /** Of those, who has left. */
  readonly left: number;
}

/** How far the end has come; or what it has come to, where it is `over`. */
export function partingLine({ runtime, onExit, members, left }: Parting, over: boolean): string {
  const what = (count: number): string =>
    `${count} ${runtime === 'static' ? 'server' : 'replica'}${count === 1 ? '' : 's'}`;
  const verb = runtime === 'static' ? 'let go of' : 'removed';
  if (members === 0) return 'draining… nothing to remove';
  if (left === members) return `draining… ${verb} ${what(left)}`;
  if (!over) return left === 0 ? 'draining…' : `draining… ${verb} ${left} of ${what(members)}`;
  if (left > 0) return `draining… ${verb} ${left} of ${what(members)}`;
  if (onExit === 'keep' && runtime !== 'process') return `draining… kept ${what(members)} for the next start`;
  if (runtime === 'swarm') return `draining… left ${what(members)} to the other Ringmasters`;
  return `draining… removed none of ${what(members)}`;
}

/** An address to type into a browser: the one that means "every interface" is none. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
