import { readFileSync } from 'node:fs';
import type { Config } from '../../config.ts';

/** What else a process has open: listeners, heartbeats, the engine's streams, replicas' pipes, and some to spare. */
const OTHERS = 256;
/** Of few descriptors replicas get as many as clients; of many, no more than this. */
const UPSTREAMS_ENOUGH = 4096;
const LEAST = 16;

/** How many connections there may be on either side, so that neither takes the descriptors of the other. */
export interface Shares {
  readonly clientsMax: number;
  readonly upstreamsMax: number;
}

/** `limit`: descriptors that the process may have; `connectionsMax`: clients that are wanted. */
export function descriptorShares(limit: number, connectionsMax: number): Shares {
  const available = Math.max(2 * LEAST, limit - OTHERS);
  const clientsMax = Math.min(
    connectionsMax,
    Math.max(Math.floor(available / 2), available - UPSTREAMS_ENOUGH),
  );
  return { clientsMax, upstreamsMax: available - clientsMax };
}

/** Descriptors that this process may have, by the kernel; where it does not say, as many as anybody has. */
export function descriptorLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? 1_048_576 : Number(limit);
  } catch {
    return 1_048_576;
  }
}

/** Clients that the port for traffic takes at most, in all of its processes; undefined where configuration has no such port. */
export function clientsMax({
  trafficPort,
  workers,
  connectionsMax,
}: Pick<Config, 'trafficPort' | 'workers' | 'connectionsMax'>): number | undefined {
  if (trafficPort === undefined) return undefined;
  return workers * descriptorShares(descriptorLimit(), connectionsMax).clientsMax;
}
