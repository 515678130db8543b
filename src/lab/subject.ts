import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printable } from '../config.ts';
import type { Clusters } from '../runtime/docker/clusters.ts';
import type { Belongings } from './belongings.ts';
import { membersOf } from './contract.ts';
import { Interrupted, LabError } from './errors.ts';
import { Caller, jsonOf } from './exchange.ts';
import { clusterOf, ownIdentity } from './identity.ts';
import type { LabAlgorithm, LabRuntime } from './options.ts';

/** The first start on a machine builds an image. */
const START_TIMEOUT_MS = 600_000;
/** A change is answered once replicas are ready, or drained and gone. */
const CHANGE_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 10_000;
/** Calls that it answers no more fail before its end is told. */
const DEATH_TOLD_WITHIN_MS = 1000;
/** Of what it writes, to say why it ended. */
const OUTPUT_KEPT_CHARS = 4000;
/** Lines of that which are told. */
const TOLD_LINES_MAX = 3;

/** Variables that it gets of ours; any other could be one of its own settings, and make another experiment of this. */
const PASSED = /^(?:PATH|HOME|USER|LANG|TZ|TMPDIR|LC_\w+|DOCKER_\w+|BUN_\w+|XDG_\w+|NO_COLOR)$/;

export interface SubjectOptions {
  readonly algorithm: LabAlgorithm;
  readonly runtime: LabRuntime;
  readonly replicas: number;
  readonly signal: AbortSignal;
  readonly belongings: Belongings;
  /** Where it may start containers; undefined: it can't. */
  readonly engine: Clusters | undefined;
}

interface Ready {
  readonly port: number;
  readonly trafficPort: number;
  readonly runtime: string;
}

interface Life {
  readonly halted: AbortSignal;
  readonly end: () => Promise<void>;
}

export type ReplicaState = { readonly name: string; readonly state: string };

/** A Ringmaster of our own that is experimented with: a process, with replicas that go when it goes. */
export class Subject {
  readonly algorithm: LabAlgorithm;
  /** How its replicas run in fact: `process` or `docker`. */
  readonly runtime: string;
  /** Base of its control port. */
  readonly url: string;
  readonly control: Caller;
  readonly traffic: Caller;
  /** Aborted when the lab is told to end, or its process has ended, with the Interrupted or LabError that says so. */
  readonly halted: AbortSignal;
  readonly #end: () => Promise<void>;

  private constructor(algorithm: LabAlgorithm, { port, trafficPort, runtime }: Ready, life: Life) {
    this.algorithm = algorithm;
    this.runtime = runtime;
    this.halted = life.halted;
    this.#end = life.end;
    this.url = `http://127.0.0.1:${port}`;
    this.control = new Caller(this.url, true);
    this.traffic = new Caller(`http://127.0.0.1:${trafficPort}`, true);
  }

  /**
   * Resolves once its replicas are ready.
   *
   * @throws LabError with the last it said where it ends before; Interrupted where `signal` is aborted
   */
  static async start(options: SubjectOptions): Promise<Subject> {
    const { algorithm, runtime, replicas, signal, belongings, engine } = options;
    if (signal.aborted) throw new Interrupted('interrupted');
    // Of this run alone, so that two labs on one machine do not meet.
    const cluster = clusterOf(ownIdentity(), algorithm);
    const child = spawn(
      process.execPath,
      [...orphanFlags(), fileURLToPath(new URL('../main.ts', import.meta.url))],
      {
        env: environment({
          HASH: algorithm,
          RUNTIME: runtime,
          REPLICAS: String(replicas),
          CLUSTER: cluster,
          HOST: '127.0.0.1',
          PORT: '0',
          TRAFFIC_PORT: '0',
          CHAOS: '1',
        }),
        stdio: ['ignore', 'pipe', 'pipe'],
        // In a group of its own: Ctrl-C is for us, and we end it in order.
        detached: true,
      },
    );
    belongings.add(cluster, child, engine);
    const output = outputOf(child);
    const end = (): Promise<void> => belongings.end(cluster);
    try {
      const ready = await readyOf(child, output, signal);
      if (ready.runtime === 'process') belongings.hasNoContainers(cluster);
      return new Subject(algorithm, ready, { halted: haltOf(child, output, signal), end });
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** Names of its replicas, in joining order. */
  async names(): Promise<readonly string[]> {
    const came = await this.control.call('/rep', { timeoutMs: CALL_TIMEOUT_MS });
    const members = came.ok ? membersOf(came.text) : undefined;
    if (members === undefined)
      throw new LabError(`/rep of Ringmaster failed: ${came.ok ? came.text : came.why}`);
    return members.names;
  }

  /** Adds or removes until there are so many. */
  async scaleTo(replicas: number): Promise<readonly string[]> {
    const now = await this.names();
    const n = Math.abs(replicas - now.length);
    if (n === 0) return now;
    const came = await (replicas > now.length
      ? this.control.call('/add', { method: 'POST', body: { n }, timeoutMs: CHANGE_TIMEOUT_MS })
      : this.control.call('/rm', { method: 'DELETE', body: { n }, timeoutMs: CHANGE_TIMEOUT_MS }));
    if (!came.ok || came.status !== 200)
      throw new LabError(`scaling to ${replicas} replicas failed: ${came.ok ? came.text : came.why}`);
    return this.names();
  }

  /** Ends a replica by force: SIGKILL of the process, or of the container. */
  async kill(name: string): Promise<void> {
    const came = await this.control.call('/dashboard/kill', {
      method: 'POST',
      body: { name },
      timeoutMs: CALL_TIMEOUT_MS,
    });
    if (!came.ok || came.status !== 200)
      throw new LabError(`${name} could not be killed: ${came.ok ? came.text : came.why}`);
  }

  /** State of a replica as its map has it: `ready`, or what it is on its way back from; undefined where it is not there. */
  async stateOf(name: string): Promise<string | undefined> {
    const came = await this.control.call('/ring', { timeoutMs: CALL_TIMEOUT_MS });
    const ring = came.ok ? (jsonOf(came.text) as { readonly replicas?: readonly ReplicaState[] }) : undefined;
    return ring?.replicas?.find((one) => one.name === name)?.state;
  }

  /** Why `halted` is aborted, where that is why calls fail; undefined where it is not. */
  async whyHalted(): Promise<Error | undefined> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, DEATH_TOLD_WITHIN_MS);
    this.halted.addEventListener('abort', () => resolve(), { once: true });
    if (!this.halted.aborted) await promise;
    clearTimeout(timer);
    return this.halted.aborted ? (this.halted.reason as Error) : undefined;
  }

  /**
   * Ends it and what it has started, also where it has ended by itself before.
   *
   * @throws LabError where something may be left
   */
  async close(): Promise<void> {
    this.control.close();
    this.traffic.close();
    await this.#end();
  }
}

/** Where this is Bun: what it starts ends with it even where it is killed itself. */
function orphanFlags(): string[] {
  return 'bun' in process.versions ? ['--no-orphans'] : [];
}

function environment(ours: Readonly<Record<string, string>>): Record<string, string | undefined> {
  const passed = Object.entries(process.env).filter(([name]) => PASSED.test(name));
  return { ...Object.fromEntries(passed), ...ours };
}

interface Output {
  /** The last that it wrote. */
  readonly text: string;
  readonly onMore: (act: () => void) => void;
}

/** Reads all that it writes, or it would stand still, and keeps the end. */
function outputOf(child: ChildProcess): Output {
  let text = '';
  let act = (): void => {};
  const read = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-OUTPUT_KEPT_CHARS);
    act();
  };
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  return {
    get text() {
      return text;
    },
    onMore: (next) => {
      act = next;
    },
  };
}

function readyOf(child: ChildProcess, output: Output, signal: AbortSignal): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>();
  output.onMore(() => {
    const ready = readyIn(output.text);
    if (ready !== undefined) resolve(ready);
  });
  const interrupt = (): void => reject(new Interrupted('interrupted'));
  const timer = setTimeout(
    () =>
      reject(
        new LabError(`Ringmaster was not ready within ${START_TIMEOUT_MS / 1000} s: ${lastOf(output.text)}`),
      ),
    START_TIMEOUT_MS,
  );
  child.on('error', (error) => reject(new LabError(`Ringmaster could not be started: ${error.message}`)));
  child.on('close', () =>
    reject(new LabError(`Ringmaster ended before it was ready: ${lastOf(output.text)}`)),
  );
  signal.addEventListener('abort', interrupt, { once: true });
  if (signal.aborted) interrupt();
  return promise.finally(() => {
    clearTimeout(timer);
    output.onMore(() => {});
    signal.removeEventListener('abort', interrupt);
  });
}

function haltOf(child: ChildProcess, output: Output, signal: AbortSignal): AbortSignal {
  const halted = new AbortController();
  const interrupt = (): void => halted.abort(new Interrupted('interrupted'));
  const tell = (): void => {
    signal.removeEventListener('abort', interrupt);
    const how = child.signalCode === null ? `with status ${child.exitCode}` : `by ${child.signalCode}`;
    halted.abort(
      new LabError(`Ringmaster ended in the middle, ${how}. The last it said: ${lastOf(output.text)}`),
    );
  };
  child.once('exit', tell);
  signal.addEventListener('abort', interrupt, { once: true });
  if (child.exitCode !== null || child.signalCode !== null) tell();
  if (signal.aborted) interrupt();
  return halted.signal;
}

/** The line of its log that says where it listens. */
export function readyIn(output: string): Ready | undefined {
  for (const line of output.split('\n')) {
    if (!line.includes('"msg":"ready:')) continue;
    const told = jsonOf(line) as Partial<Ready> | undefined;
    const { port, trafficPort, runtime } = told ?? {};
    if (port !== undefined && trafficPort !== undefined && runtime !== undefined)
      return { port, trafficPort, runtime };
  }
  return undefined;
}

function lastOf(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const messages = lines.slice(-TOLD_LINES_MAX).map((line) => {
    const told = jsonOf(line) as { readonly msg?: unknown } | undefined;
    return printable(typeof told?.msg === 'string' ? told.msg : line);
  });
  return messages.join(' · ') || 'it said nothing';
}
