import type { ChildProcess } from 'node:child_process';
import type { Clusters } from '../runtime/docker/clusters.ts';
import { LabError } from './errors.ts';

/** From SIGTERM to the end: longer than replicas are drained. */
const STOP_TIMEOUT_MS = 60_000;
/** From SIGKILL until what it has at an engine is gone too. Nobody who has asked twice waits for longer. */
export const FORCE_TIMEOUT_MS = 10_000;

interface Belonging {
  readonly child: ChildProcess;
  /** Where it may have containers and a network; undefined: nowhere, and all else ends with its process. */
  engine: Pick<Clusters, 'remove'> | undefined;
  /** Begun once, whoever asks for it. */
  removal?: Promise<void>;
}

/** The Ringmasters that the lab has started and not yet ended, by their clusters, with all that they have started. */
export class Belongings {
  readonly #all = new Map<string, Belonging>();
  readonly #forceTimeoutMs: number;

  constructor(forceTimeoutMs = FORCE_TIMEOUT_MS) {
    this.#forceTimeoutMs = forceTimeoutMs;
  }

  /** @param engine undefined where it can't have anything at one */
  add(cluster: string, child: ChildProcess, engine: Pick<Clusters, 'remove'> | undefined): void {
    this.#all.set(cluster, { child, engine });
  }

  /** It has said that its replicas are processes. */
  hasNoContainers(cluster: string): void {
    const one = this.#all.get(cluster);
    if (one !== undefined) one.engine = undefined;
  }

  /**
   * Ends one in order, and removes by force what it leaves where it does not end so.
   *
   * @throws LabError where something may be left, with the command that removes it
   */
  async end(cluster: string): Promise<void> {
    const one = this.#all.get(cluster);
    if (one === undefined) return;
    if (isRunning(one.child)) {
      one.child.kill('SIGTERM');
      const timer = setTimeout(() => one.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await endOf(one.child);
      clearTimeout(timer);
    }
    // With any other status it has not removed all that it has started.
    if (one.child.exitCode !== 0) await this.#force(cluster, one);
    this.#all.delete(cluster);
  }

  /**
   * Ends all at once, by force.
   *
   * @throws LabError as above, within the limit of that
   */
  async endByForce(): Promise<void> {
    await Promise.all(
      [...this.#all].map(async ([cluster, one]) => {
        await this.#force(cluster, one);
        this.#all.delete(cluster);
      }),
    );
  }

  /** What may be left where the lab ends now, and the commands that remove it; empty where nothing may. */
  left(): string {
    return leftText([...this.#all].flatMap(([cluster, { engine }]) => (engine ? [cluster] : [])));
  }

  #force(cluster: string, one: Belonging): Promise<void> {
    one.removal ??= inTime(forced(cluster, one), this.#forceTimeoutMs).catch((error: Error) => {
      if (one.engine === undefined) throw new LabError(`Ringmaster did not end: ${error.message}`);
      throw new LabError(
        `what was started could not be removed by force: ${error.message}\n${leftText([cluster])}`,
      );
    });
    return one.removal;
  }
}

export function leftText(clusters: readonly string[]): string {
  if (clusters.length === 0) return '';
  return [
    `containers and the network of ${clusters.join(', ')} may be left. This removes them:`,
    ...clusters.map((cluster) => `  ${removalOf(cluster)}`),
  ].join('\n');
}

/** The command that removes what an engine has of a cluster, as a shell takes it. */
export function removalOf(cluster: string): string {
  const label = `label=ringmaster.cluster=${cluster}`;
  return `docker rm -fv $(docker ps -aq --filter ${label}); docker network prune -f --filter ${label}`;
}

/** First the Ringmaster, which would heal what is removed. */
async function forced(cluster: string, { child, engine }: Belonging): Promise<void> {
  if (isRunning(child)) {
    child.kill('SIGKILL');
    await endOf(child);
  }
  await engine?.remove(cluster);
}

async function inTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`it took longer than ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
  });
}
