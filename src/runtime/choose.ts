import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { DockerRuntime } from './docker/docker.ts';
import { holdCluster } from './docker/sole.ts';
import { ProcessRuntime } from './process/process.ts';
import { EngineGone, StartFailed, type Runtime } from './runtime.ts';
import { StaticRuntime } from './static/static.ts';

type Choice = Pick<
  Config,
  'runtime' | 'cluster' | 'replicaImage' | 'replicaCommand' | 'replicaPort' | 'upstreams'
>;

/**
 * The runtime that configuration asks for; with `auto`, docker where its engine answers and the image is there or can
 * be had, else process, and the log says why in one line. Throws StartFailed where docker was asked for.
 */
export async function openRuntime(config: Choice, log: Log): Promise<Runtime> {
  const openDocker = async (): Promise<Runtime> => {
    const runtime = await DockerRuntime.open({
      cluster: config.cluster,
      image: config.replicaImage,
      command: config.replicaCommand,
      replicaPort: config.replicaPort,
      log,
    });
    // Before anything is adopted.
    await holdCluster(config.cluster);
    return runtime;
  };
  const openProcess = (): Runtime => new ProcessRuntime({ command: config.replicaCommand, log });
  if (config.runtime === 'process') return openProcess();
  if (config.runtime === 'static') return new StaticRuntime(config.upstreams);
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
