import type { Config } from '../config.ts';
import { systemClock } from '../fleet/clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log } from '../log.ts';
import type { ClientCounts } from './clients.ts';
import type { LoopDelay } from './loop-delay.ts';
import type { Tally } from './tally.ts';
import { openRelay } from './relay/relay.ts';
import { openWorkers } from './workers/workers.ts';

/** The traffic plane, in however many processes. */
export interface Traffic {
  readonly port: number;
  /** Clients that are connected, by what they are there for. */
  clients(): ClientCounts;
  /** How long what is due waits in each process of its own. */
  loops(): ReadonlyMap<string, LoopDelay>;
  /** Accepts no more: idle connections are closed, the others after the reply that is under way. */
  stop(): void;
  /** Resolves when no client is connected any more, or when the signal says so: a reply may be whole and not yet read. */
  emptied(signal: AbortSignal): Promise<void>;
  /** Cuts what is left; resolves when nothing is. */
  close(): Promise<void>;
}

/** How often it is looked whether clients are left. Workers tell of theirs more often. */
const LOOK_INTERVAL_MS = 150;

/** Opens it where `config` has a port for it, and counts its requests in `tally`. Rejects with what a listener throws, such as an error with code EADDRINUSE. */
export async function openTraffic(
  config: Config,
  fleet: Pick<Fleet, 'claim' | 'explain' | 'follow' | 'hold' | 'choices'>,
  log: Log,
  tally: Tally,
): Promise<Traffic | undefined> {
  const { host, trafficPort: port, workers } = config;
  if (port === undefined) return undefined;
  if (workers > 1) {
    const several = await openWorkers({ host, port, count: workers, fleet, config, log, tally });
    return {
      port: several.port,
      clients: () => several.clients(),
      loops: () => several.loops(),
      stop: () => several.stop(),
      emptied: async (signal) => {
        // What they told last may be older than the stop.
        await systemClock.sleep(LOOK_INTERVAL_MS, signal);
        await emptied(several, signal);
      },
      close: () => several.close(),
    };
  }
  const relay = openRelay({
    host,
    port,
    shared: false,
    claim: (key, except, own) => fleet.claim(key, except, own),
    explain: (key, except) => fleet.explain(key, except),
    config,
    log,
    tally,
  });
  return {
    port: relay.port,
    clients: () => relay.clients(),
    loops: () => new Map(),
    stop: () => relay.stop(),
    emptied: (signal) => emptied(relay, signal),
    close: () => Promise.resolve(relay.close()),
  };
}

async function emptied(clients: { readonly connections: number }, signal: AbortSignal): Promise<void> {
  while (clients.connections > 0 && !signal.aborted) await systemClock.sleep(LOOK_INTERVAL_MS, signal);
}
