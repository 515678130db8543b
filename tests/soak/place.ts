import { fileURLToPath } from 'node:url';
import { EngineProxy } from '../engine-proxy.ts';
import { replicasOf } from '../processes.ts';
import { freeze } from '../faults/freeze.ts';
import type { Environment } from '../spawned.ts';
import type { Fault } from './schedule.ts';

/** Where replicas run, and ways to harm them there. Each rejects where there is no such replica. */
export interface Place {
  readonly env: Environment;
  /** What starts a replica there that the director on this port leads. */
  command(directorPort: number): Promise<string>;
  /** Faults of replicas and of the engine that there are. */
  readonly faults: readonly Fault[];
  kill(replica: string): Promise<unknown>;
  /** Asks it to end. */
  stop(replica: string): Promise<unknown>;
  /** It goes on to exist, and says nothing. */
  pause(replica: string): Promise<unknown>;
  /** Undoes `pause`, where it was not replaced meanwhile. */
  resume(replica: string): Promise<unknown>;
  /** It is gone with all that it has. */
  remove(replica: string): Promise<unknown>;
  /** Takes the engine away from Ringmaster, or gives it back. */
  engine(there: boolean): void;
  /** What is left there once Ringmaster has ended. */
  left(): Promise<string[]>;
  /** Removes what is left. */
  clean(): Promise<void>;
}

const OF_REPLICAS: readonly Fault[] = ['kill', 'stop', 'pause', 'pause and resume', 'fails', 'hangs'];
const REPLICA = fileURLToPath(new URL('../faults/replica/server.ts', import.meta.url));
/** For a container that is asked to end; then it is killed. */
const STOP_GRACE_S = 2;

export type PlaceKind = 'process' | 'docker';

/** `ringmaster`: its process id, once it has one. */
export function placeOf(kind: PlaceKind, ringmaster: () => number): Place {
  return kind === 'docker' ? new Containers() : new Processes(ringmaster);
}

class Processes implements Place {
  readonly env = { RUNTIME: 'process' };
  readonly faults = OF_REPLICAS;
  readonly #paused = new Map<string, number>();

  constructor(readonly ringmaster: () => number) {}

  command(directorPort: number): Promise<string> {
    return Promise.resolve(`${process.execPath} ${REPLICA} 127.0.0.1 ${directorPort}`);
  }

  async kill(replica: string): Promise<void> {
    process.kill(await this.#find(replica), 'SIGKILL');
  }

  async stop(replica: string): Promise<void> {
    process.kill(await this.#find(replica), 'SIGTERM');
  }

  async pause(replica: string): Promise<void> {
    const pid = await this.#find(replica);
    this.#paused.set(replica, pid);
    process.kill(pid, 'SIGSTOP');
  }

  async resume(replica: string): Promise<void> {
    const pid = await this.#find(replica);
    if (pid === this.#paused.get(replica)) process.kill(pid, 'SIGCONT');
  }

  remove(replica: string): Promise<void> {
    return this.kill(replica);
  }

  engine(): void {}

  left(): Promise<string[]> {
    return Promise.resolve([]);
  }

  clean(): Promise<void> {
    return Promise.resolve();
  }

  async #find(replica: string): Promise<number> {
    const pid = (await replicasOf(this.ringmaster())).get(replica);
    if (pid === undefined) throw new Error(`${replica} does not run`);
    return pid;
  }
}

class Containers implements Place {
  readonly faults: readonly Fault[] = [...OF_REPLICAS, 'remove', 'engine gone'];
  readonly #cluster = `soak-${process.pid}`;
  readonly #proxy = new EngineProxy();
  readonly env = { RUNTIME: 'docker', CLUSTER: this.#cluster, DOCKER_HOST: this.#proxy.dockerHost };

  constructor() {
    this.#proxy.up();
  }

  /** The program goes with the command, so that it needs no image of its own. */
  async command(directorPort: number): Promise<string> {
    const code = new Bun.Transpiler({ loader: 'ts' }).transformSync(await Bun.file(REPLICA).text());
    const url = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
    return `bun -e "process.argv=['','','gateway','${directorPort}'];await import('${url}')"`;
  }

  kill(replica: string): Promise<unknown> {
    return this.#docker('kill', replica);
  }

  stop(replica: string): Promise<unknown> {
    return this.#docker(`stop -t ${STOP_GRACE_S}`, replica);
  }

  pause(replica: string): Promise<unknown> {
    return freeze(`${this.#cluster}-${replica}`, environment());
  }

  resume(replica: string): Promise<unknown> {
    return this.#docker('unpause', replica);
  }

  remove(replica: string): Promise<unknown> {
    return this.#docker('rm -f', replica);
  }

  engine(there: boolean): void {
    if (there) this.#proxy.up();
    else this.#proxy.down();
  }

  async left(): Promise<string[]> {
    const containers = await docker(
      `ps -a --filter label=ringmaster.cluster=${this.#cluster} --format {{.Names}}`,
    );
    const networks = await docker(`network ls --filter name=${this.#cluster} --format {{.Name}}`);
    return [...containers, ...networks];
  }

  async clean(): Promise<void> {
    this.#proxy.down();
    const left = await docker(`ps -aq --filter label=ringmaster.cluster=${this.#cluster}`);
    if (left.length > 0) await docker(`rm -f ${left.join(' ')}`);
    const networks = await docker(`network ls -q --filter name=${this.#cluster}`);
    if (networks.length > 0) await docker(`network rm ${networks.join(' ')}`);
  }

  async #docker(command: string, replica: string): Promise<void> {
    const name = `${this.#cluster}-${replica}`;
    // Of one that is gone `rm -f` would say nothing.
    await docker(`inspect -f {{.Id}} ${name}`);
    await docker(`${command} ${name}`);
  }
}

/** Lines of what a command of the engine's own client prints. Rejects where it fails. */
async function docker(command: string): Promise<string[]> {
  const text = await Bun.$`docker ${{ raw: command }}`.env(environment()).quiet().text();
  return text.split('\n').filter(Boolean);
}

/** Without the engine that Ringmaster is told of, which a fault takes away. */
function environment(): Record<string, string | undefined> {
  const { DOCKER_HOST: _, ...env } = process.env;
  return env;
}
