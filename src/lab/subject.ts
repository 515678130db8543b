import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printable } from '../config.ts';
import { membersOf } from './contract.ts';
import { Caller, jsonOf } from './exchange.ts';
import type { LabAlgorithm, LabRuntime } from './options.ts';

/** The first start on a machine builds an image. */
const START_TIMEOUT_MS = 600_000;
/** From SIGTERM to the end: longer than replicas are drained. */
const STOP_TIMEOUT_MS = 60_000;
/** A change is answered once replicas are ready, or drained and gone. */
const CHANGE_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 10_000;
/** Of what it writes, to say why it ended. */
const OUTPUT_KEPT_CHARS = 4000;
/** Lines of that which are told. */
const TOLD_LINES_MAX = 3;

/** Variables that it gets of ours; any other could be one of its own settings, and make another experiment of this. */
const PASSED = /^(?:PATH|HOME|USER|LANG|TZ|TMPDIR|LC_\w+|DOCKER_\w+|BUN_\w+|XDG_\w+|NO_COLOR)$/;

/** What went wrong, in words for who runs the lab. */
export class LabError extends Error {
  override readonly name = 'LabError';
}

/** The lab was told to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export interface SubjectOptions {
  readonly algorithm: LabAlgorithm;
  readonly runtime: LabRuntime;
  readonly replicas: number;
  readonly signal: AbortSignal;
}

interface Ready {
  readonly port: number;
  readonly trafficPort: number;
  readonly runtime: string;
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
  readonly #child: ChildProcess;

  private constructor(algorithm: LabAlgorithm, child: ChildProcess, { port, trafficPort, runtime }: Ready) {
    this.algorithm = algorithm;
    this.#child = child;
    this.runtime = runtime;
    this.url = `http://127.0.0.1:${port}`;
    this.control = new Caller(this.url, true);
    this.traffic = new Caller(`http://127.0.0.1:${trafficPort}`, true);
  }

  /**
   * Resolves once its replicas are ready.
   *
   * @throws LabError with the last it said where it ends before; Interrupted where `signal` is aborted
   */
  static async start({ algorithm, runtime, replicas, signal }: SubjectOptions): Promise<Subject> {
    const child = spawn(
      process.execPath,
      [...orphanFlags(), fileURLToPath(new URL('../main.ts', import.meta.url))],
      {
        env: environment({
          HASH: algorithm,
          RUNTIME: runtime,
          REPLICAS: String(replicas),
          // Of this run alone, so that two labs on one machine do not meet.
          CLUSTER: `lab-${process.pid}-${algorithm}`,
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
    try {
      return new Subject(algorithm, child, await readyOf(child, signal));
    } catch (error) {
      await end(child);
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

  /** Ends it and what it has started. */
  async close(): Promise<void> {
    this.control.close();
    this.traffic.close();
    await end(this.#child);
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

/** Reads what it says until it is ready, and throws away what it says after that. */
function readyOf(child: ChildProcess, signal: AbortSignal): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>();
  let output = '';
  const read = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_KEPT_CHARS);
    const ready = readyIn(output);
    if (ready !== undefined) resolve(ready);
  };
  const interrupt = (): void => reject(new Interrupted('interrupted'));
  const timer = setTimeout(
    () =>
      reject(new LabError(`Ringmaster was not ready within ${START_TIMEOUT_MS / 1000} s: ${lastOf(output)}`)),
    START_TIMEOUT_MS,
  );
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  child.on('error', (error) => reject(new LabError(`Ringmaster could not be started: ${error.message}`)));
  child.on('close', () => reject(new LabError(`Ringmaster ended before it was ready: ${lastOf(output)}`)));
  signal.addEventListener('abort', interrupt, { once: true });
  if (signal.aborted) interrupt();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
  });
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

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
