import { createApp, type App } from './app.ts';
import type { Config } from './config.ts';
import { systemClock } from './fleet/clock.ts';
import { Fleet } from './fleet/fleet.ts';
import { httpHeartbeat } from './fleet/heartbeat.ts';
import type { Log } from './log.ts';
import { openRuntime } from './runtime/choose.ts';
import type { Runtime } from './runtime/runtime.ts';

/** Everything behind the listeners, whichever runtime they belong to. */
export interface Ringmaster {
  readonly app: App;
  readonly runtime: Runtime['kind'];
  readonly fleet: Fleet;
  /** Drains and removes the replicas, or keeps them where ON_EXIT says so. */
  close(): Promise<void>;
}

/**
 * Opens runtime and fleet; resolves when the replicas are ready. `stopping` gives up, and then as on any error, which
 * is thrown, nothing is left behind. Throws StartFailed or FleetError, whose messages are for the operator.
 */
export async function openRingmaster(config: Config, log: Log, stopping: AbortSignal): Promise<Ringmaster> {
  const runtime = await openRuntime(config, log);
  if (config.onExit === 'keep' && !runtime.durable)
    log.warn({}, 'ON_EXIT=keep has no effect: local processes end with Ringmaster');
  const fleet = new Fleet({ runtime, clock: systemClock, heartbeat: httpHeartbeat, log, config });
  const giveUp = (): void => void fleet.close(false);
  stopping.addEventListener('abort', giveUp);
  try {
    stopping.throwIfAborted();
    await fleet.open();
    stopping.throwIfAborted();
  } catch (error) {
    await fleet.close(false);
    throw error;
  } finally {
    stopping.removeEventListener('abort', giveUp);
  }
  return {
    app: createApp({ fleet, config, log }),
    runtime: runtime.kind,
    fleet,
    close: () => fleet.close(config.onExit === 'keep'),
  };
}
