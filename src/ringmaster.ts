import project from '../package.json' with { type: 'json' };
import { createApp, type App } from './app.ts';
import type { Config } from './config.ts';
import { Dashboard } from './dashboard/dashboard.ts';
import { systemClock } from './fleet/clock.ts';
import { Fleet, type FleetOptions } from './fleet/fleet.ts';
import { httpHeartbeat } from './fleet/heartbeat.ts';
import { askPeer } from './fleet/shared/ask-peer.ts';
import { SharedFleet, type SharedFleetOptions } from './fleet/shared/shared-fleet.ts';
import type { Log } from './log.ts';
import type { MetricsSource } from './metrics/source.ts';
import { portRefused } from './port.ts';
import { openRuntime } from './runtime/choose.ts';
import { EngineMeter, metered } from './runtime/meter.ts';
import type { Runtime } from './runtime/runtime.ts';
import { NO_CLIENTS } from './traffic/clients.ts';
import { LoopDelay } from './traffic/loop-delay.ts';
import { clientsMax } from './traffic/relay/descriptors.ts';
import { Tally } from './traffic/tally.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Alone with its replicas, or sharing them. */
type AnyFleet = Pick<Fleet, keyof Fleet>;

/** Everything behind the listeners, whichever runtime they belong to. */
export interface Ringmaster {
  readonly app: App;
  readonly runtime: Runtime['kind'];
  /** Where docker was looked for and can't be used. */
  readonly whyNotDocker: string | undefined;
  readonly fleet: Pick<Fleet, 'names' | 'journal'>;
  /** Where the relay listens; undefined where there is none. */
  readonly trafficPort: number | undefined;
  /** Drains and removes the replicas, or keeps them where ON_EXIT says so. */
  close(): Promise<void>;
}

export interface Surroundings {
  /** Gives up an opening that is under way. */
  readonly stopping: AbortSignal;
  /** Cuts what `close`, or an opening that is given up, waits for. */
  readonly forced: AbortSignal;
  /** Where the control port listens, also where configuration let the kernel choose. */
  readonly port: number;
  /** Opens the traffic plane, where the platform has one. */
  readonly openTraffic?: (
    config: Config,
    fleet: AnyFleet,
    log: Log,
    tally: Tally,
  ) => Promise<Traffic | undefined>;
}

/** For a runtime that is being opened, which can't be called off: an image that is being built may take minutes. */
const RUNTIME_PATIENCE_MS = 500;

/**
 * Opens runtime and fleet; resolves when the replicas are ready. On any error, which is thrown, nothing that was started
 * is left behind. Throws StartFailed or FleetError, whose messages are for the operator.
 */
export async function openRingmaster(
  config: Config,
  log: Log,
  { stopping, forced, port, openTraffic }: Surroundings,
): Promise<Ringmaster> {
  const { runtime: opened, whyNotDocker } = await unlessStopped(openRuntime(config, port, log), stopping);
  const engine = new EngineMeter();
  const runtime = metered(opened, engine);
  if (config.onExit === 'keep' && !runtime.durable)
    log.warn(
      {},
      `ON_EXIT=keep has no effect: ${runtime.owns ? 'local processes end with Ringmaster' : 'servers that it does not own live on in any case, and the next start has those of UPSTREAMS'}`,
    );
  const fleet = fleetOf({ runtime, clock: systemClock, heartbeat: httpHeartbeat, log, config }, port);
  const tallies = { traffic: new Tally(), control: new Tally() };
  let traffic: Traffic | undefined;
  const loop = new LoopDelay();
  const unwatchLoop = loop.watch();
  const source: MetricsSource = {
    tallies,
    fleet,
    engine,
    clients: () => traffic?.clients() ?? NO_CLIENTS,
    connectionsMax: openTraffic === undefined ? undefined : clientsMax(config),
    loops: () => new Map([['main', loop], ...(traffic?.loops() ?? [])]),
    startedAtMs: Math.round(Date.now() - performance.now()),
    version: project.version,
    runtime: runtime.kind,
  };
  const dashboard = new Dashboard({
    source,
    config,
    trafficPort: () => traffic?.port,
    kill: runtime.kill === undefined ? undefined : async (name) => runtime.kill?.(name),
    log,
  });
  const closeAll = async (keep: boolean): Promise<void> => {
    const limit = AbortSignal.any([forced, AbortSignal.timeout(config.drainTimeoutMs)]);
    traffic?.stop();
    await fleet.close(keep);
    await traffic?.emptied(limit);
    await traffic?.close();
    dashboard.close();
    unwatchLoop();
  };
  const close = (): Promise<void> => closeAll(config.onExit === 'keep');
  stopping.addEventListener('abort', close);
  forced.addEventListener('abort', () => fleet.force());
  try {
    stopping.throwIfAborted();
    // Before any replica is started: a port that is taken stops the start.
    traffic = await openTraffic?.(config, fleet, log, tallies.traffic).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) throw error;
      const { host, trafficPort: port = 0 } = config;
      throw portRefused({ variable: 'TRAFFIC_PORT', host, port }, error);
    });
    stopping.throwIfAborted();
    await fleet.open();
    stopping.throwIfAborted();
  } catch (error) {
    // What was adopted is not to blame for a start that failed, and serves the next one.
    await closeAll(!stopping.aborted || config.onExit === 'keep');
    throw error;
  } finally {
    stopping.removeEventListener('abort', close);
  }
  return {
    app: createApp({ fleet, config, log, source, dashboard }),
    runtime: runtime.kind,
    whyNotDocker,
    fleet,
    trafficPort: traffic?.port,
    close,
  };
}

function fleetOf(options: FleetOptions, port: number): AnyFleet {
  const { runtime } = options;
  return isShared(runtime)
    ? new SharedFleet({ ...options, runtime, port, ask: askPeer })
    : new Fleet(options);
}

function isShared(runtime: Runtime): runtime is SharedFleetOptions['runtime'] {
  return runtime.commons !== undefined;
}

async function unlessStopped<T>(opening: Promise<T>, stopping: AbortSignal): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const onStop = (): void => void setTimeout(() => stopped.reject(stopping.reason), RUNTIME_PATIENCE_MS);
  stopping.addEventListener('abort', onStop);
  try {
    return await Promise.race([opening, stopped.promise]);
  } finally {
    stopping.removeEventListener('abort', onStop);
  }
}
