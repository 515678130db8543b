import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { DockerRuntime } from './docker/docker.ts';
import { holdCluster } from './docker/sole.ts';
import { ProcessRuntime } from './process/process.ts';
import { EngineGone, StartFailed, type Runtime } from './runtime.ts';
import { StaticRuntime } from './static/static.ts';
import { SwarmRuntime } from './swarm/swarm.ts';

type Choice = Pick<
  Config,
  'runtime' | 'cluster' | 'replicaImage' | 'replicaCommand' | 'replicaPort' | 'upstreams'
>;

export interface OpenedRuntime {
  readonly runtime: Runtime;
  /** Undefined where docker was not looked for, or is there. */
  readonly whyNotDocker?: string;
}

/**
 * The runtime that configuration asks for; with `auto`, docker where its engine answers and the image is there or can
 * be had, else process, and the log says why in one line. `port` is where others reach our control port. Throws StartFailed
 * where docker or swarm was asked for.
 */
export async function openRuntime(config: Choice, port: number, log: Log): Promise<OpenedRuntime> {
  const replicas = {
    cluster: config.cluster,
    image: config.replicaImage,
    command: config.replicaCommand,
    replicaPort: config.replicaPort,
    log,
  };
  const openDocker = async (): Promise<Runtime> => {
    log.debug({ progress: 'docker' }, 'looking for Docker');
    const runtime = await DockerRuntime.open(replicas);
    // Before anything is adopted.
    await holdCluster(config.cluster);
    return runtime;
  };
  const openProcess = (): Runtime => new ProcessRuntime({ command: config.replicaCommand, log });
  if (config.runtime === 'process') return { runtime: openProcess() };
  if (config.runtime === 'static') return { runtime: new StaticRuntime(config.upstreams) };
  if (config.runtime === 'swarm') {
    log.debug({ progress: 'swarm' }, 'looking for the Swarm');
    const runtime = await SwarmRuntime.open({ ...replicas, port }).catch((error: unknown) => {
      if (error instanceof EngineGone || error instanceof StartFailed)
        throw new StartFailed(`RUNTIME=swarm: ${withoutDocker(error)}`);
      throw error;
    });
    return { runtime };
  }
  try {
    return { runtime: await openDocker() };
  } catch (error) {
    if (!(error instanceof EngineGone || error instanceof StartFailed)) throw error;
    const why = withoutDocker(error);
    if (config.runtime === 'docker') throw new StartFailed(`RUNTIME=docker: ${why}`);
    log.warn({ progress: 'docker' }, `replicas run as local processes: ${why}`);
    return { runtime: openProcess(), whyNotDocker: why };
  }
}

/** One clear line on why docker can't be used, without what only an engine's developer would read. */
function withoutDocker(error: EngineGone | StartFailed): string {
  if (error instanceof StartFailed) return `Docker answers, but ${error.message}`;
  if (error.message.includes('EACCES')) return 'this user may not use the Docker socket';
  return 'no Docker engine answers on this machine';
}
