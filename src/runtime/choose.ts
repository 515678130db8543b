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

/**
 * The runtime that configuration asks for; with `auto`, docker where its engine answers and the image is there or can
 * be had, else process, and the log says why in one line. `port` is where others reach our control port. Throws StartFailed
 * where docker or swarm was asked for.
 */
export async function openRuntime(config: Choice, port: number, log: Log): Promise<Runtime> {
  const replicas = {
    cluster: config.cluster,
    image: config.replicaImage,
    command: config.replicaCommand,
    replicaPort: config.replicaPort,
    log,
  };
  const openDocker = async (): Promise<Runtime> => {
    const runtime = await DockerRuntime.open(replicas);
    // Before anything is adopted.
    await holdCluster(config.cluster);
    return runtime;
  };
  const openProcess = (): Runtime => new ProcessRuntime({ command: config.replicaCommand, log });
  if (config.runtime === 'process') return openProcess();
  if (config.runtime === 'static') return new StaticRuntime(config.upstreams);
  if (config.runtime === 'swarm')
    return SwarmRuntime.open({ ...replicas, port }).catch((error: unknown) => {
      if (error instanceof EngineGone || error instanceof StartFailed)
        throw new StartFailed(`RUNTIME=swarm: ${withoutDocker(error)}`);
      throw error;
    });
  try {
    return await openDocker();
  } catch (error) {
    if (!(error instanceof EngineGone || error instanceof StartFailed)) throw error;
    const why = withoutDocker(error);
    if (config.runtime === 'docker') throw new StartFailed(`RUNTIME=docker: ${why}`);
    log.warn({}, `replicas run as local processes: ${why}`);
    return openProcess();
  }
}

/** One clear line on why docker can't be used, without what only an engine's developer would read. */
function withoutDocker(error: EngineGone | StartFailed): string {
  if (error instanceof StartFailed) return `Docker answers, but ${error.message}`;
  if (error.message.includes('EACCES')) return 'this user may not use the Docker socket';
  return 'no Docker engine answers on this machine';
}
