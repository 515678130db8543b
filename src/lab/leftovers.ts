import { Clusters } from '../runtime/docker/clusters.ts';
import { holdCluster } from '../runtime/docker/sole.ts';
import { removalOf } from './belongings.ts';
import { Interrupted } from './errors.ts';
import { ownView, sortClusters } from './identity.ts';

/** Who waits for a report does not wait for longer; the next lab finds the rest. */
const CLEAR_TIMEOUT_MS = 60_000;
/** Clusters that are left alone and told of. */
const TOLD_MAX = 5;

export interface Cleared {
  readonly containers: number;
  readonly networks: number;
  /** Clusters of which they were. */
  readonly clusters: readonly string[];
  /** Clusters of labs of which it can't be told from here whether they run. */
  readonly unknown: readonly string[];
  /** What could not be done, why, and the command that does it. */
  readonly failed: readonly string[];
}

export interface ClearOptions {
  /** Aborted: no more is removed. */
  readonly signal: AbortSignal;
  /** Milliseconds that only ever grow. */
  readonly now: () => number;
}

/** The engine that this machine's docker uses; undefined where none answers, which Ringmaster tells of itself. */
export async function openEngine(): Promise<Clusters | undefined> {
  try {
    return await Clusters.open();
  } catch {
    return undefined;
  }
}

/**
 * Removes what labs have left that were killed (SIGKILL, a machine short of memory) before they could do so themselves.
 * What is not certain to be of a dead one stays.
 *
 * @throws Interrupted where `signal` is aborted
 */
export async function clearLeftovers(engine: Clusters, { signal, now }: ClearOptions): Promise<Cleared> {
  const untilMs = now() + CLEAR_TIMEOUT_MS;
  const removed = { containers: 0, networks: 0, clusters: [] as string[], failed: [] as string[] };
  const names = await engine.names().catch((error: Error) => {
    removed.failed.push(`what labs that were killed may have left could not be looked for: ${error.message}`);
    return [];
  });
  const { dead, unknown } = sortClusters(names, ownView());
  for (const cluster of dead) {
    if (signal.aborted) throw new Interrupted('interrupted');
    try {
      if (now() > untilMs) throw new Error(`it took longer than ${CLEAR_TIMEOUT_MS / 1000} s`);
      // Its Ringmaster ends with it, but may not have ended yet; and two labs may be here at the same time.
      await holdCluster(cluster).catch(() => {
        throw new Error('its Ringmaster still runs, or another lab removes it');
      });
      const { containers, networks } = await engine.remove(cluster);
      removed.containers += containers;
      removed.networks += networks;
      // None where another lab was first.
      if (containers + networks > 0) removed.clusters.push(cluster);
    } catch (error) {
      removed.failed.push(
        `what a lab that was killed has left is still there: ${(error as Error).message}\n  ${removalOf(cluster)}`,
      );
    }
  }
  return { ...removed, unknown };
}

/** What was done about leftovers, in whole lines; empty where there were none. */
export function clearedText({ containers, networks, clusters, unknown, failed }: Cleared): string {
  const lines: string[] = [];
  const whose = clusters.length === 1 ? 'a lab that was killed' : 'labs that were killed';
  if (clusters.length > 0)
    lines.push(
      `removed what ${whose} had left: ${[...counted(containers, 'container'), ...counted(networks, 'network')].join(' and ')} of ${clusters.join(', ')}`,
    );
  lines.push(...failed);
  if (unknown.length > 0) {
    lines.push(
      'left alone, since from here it can not be told whether these labs run. What removes it where they do not:',
      ...unknown.slice(0, TOLD_MAX).map((cluster) => `  ${removalOf(cluster)}`),
    );
    if (unknown.length > TOLD_MAX) lines.push(`  and ${unknown.length - TOLD_MAX} more in the same way`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function counted(n: number, what: string): string[] {
  return n === 0 ? [] : [`${n} ${what}${n === 1 ? '' : 's'}`];
}
