import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../log.ts';
import { startedNaming } from '../naming.ts';
import {
  marked,
  StartFailed,
  type Instance,
  type InstanceSpec,
  type Mark,
  type Runtime,
} from '../runtime.ts';
import { Warden } from './warden.ts';

const LOOPBACK = '127.0.0.1';
/** What is kept of a replica's output, to say why it died. */
const OUTPUT_KEPT_CHARS = 2000;
/** Variables that a replica gets from ours. Never the whole environment: it may hold ADMIN_TOKEN. */
const ENVIRONMENT_PASSED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER'] as const;
/** Waits for the word that the warden knows of it, and only then becomes the replica; end of file means we died. */
const GATE = 'read -r go && exec "$@" </dev/null';

interface Child {
  readonly instance: Omit<Instance, 'state' | 'committed' | 'leaving'>;
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  mark: Mark;
  state: Instance['state'];
  /** Set when we end it, so that its end is no news. */
  stopping: boolean;
}

export interface ProcessRuntimeOptions {
  /** Undefined: the sample server. */
  readonly command: readonly string[] | undefined;
  readonly log: Log;
}

/** Replicas as child processes on loopback, each in a process group of its own that can't outlive Ringmaster. */
export class ProcessRuntime implements Runtime {
  readonly kind = 'process';
  readonly durable = false;
  readonly owns = true;
  readonly naming = startedNaming;
  readonly #command: readonly string[];
  readonly #log: Log;
  readonly #warden = new Warden();
  readonly #children = new Map<string, Child>();
  readonly #watchers = new Set<() => void>();

  constructor({ command, log }: ProcessRuntimeOptions) {
    this.#command = command ?? sampleServer();
    this.#log = log;
  }

  list(): Promise<Instance[]> {
    return Promise.resolve(
      [...this.#children.values()].map(({ instance, state, mark }) => ({
        ...instance,
        state,
        ...marked(mark),
      })),
    );
  }

  async start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance> {
    await this.stop(spec.name, 0);
    const port = await this.#freePort();
    if (signal.aborted) throw new StartFailed('was given up');
    const child = this.#spawn(spec, port);
    const group = child.process.pid;
    if (group === undefined) {
      await child.ended;
      throw new StartFailed('no process could be made for it');
    }
    await Promise.race([this.#warden.guard(group), child.ended]);
    if (signal.aborted || child.state === 'ended') {
      await this.stop(spec.name, 0);
      throw new StartFailed('ended before it was started');
    }
    child.process.stdin?.end('go\n');
    return { ...child.instance, state: child.state, ...marked(child.mark) };
  }

  mark(names: readonly string[], as: Mark): Promise<string[]> {
    for (const name of names) {
      const child = this.#children.get(name);
      if (child !== undefined) child.mark = as;
    }
    return Promise.resolve(names.filter((name) => !this.#children.has(name)));
  }

  async stop(name: string, graceMs: number): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    child.stopping = true;
    this.#signal(child, graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => this.#signal(child, 'SIGKILL'), graceMs);
    await child.ended;
    clearTimeout(timer);
    if (this.#children.get(name) === child) this.#children.delete(name);
  }

  kill(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child !== undefined && child.state !== 'ended') this.#signal(child, 'SIGKILL');
    return Promise.resolve();
  }

  watch(wake: () => void): () => void {
    this.#watchers.add(wake);
    return () => this.#watchers.delete(wake);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((name) => this.stop(name, 0)));
    await this.#warden.close();
  }

  #spawn(spec: InstanceSpec, port: number): Child {
    const process_ = spawn('/bin/sh', ['-c', GATE, 'ringmaster-replica', ...this.#command], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...Object.fromEntries(ENVIRONMENT_PASSED.map((name) => [name, process.env[name]])),
        SERVER_ID: spec.name,
        HOST: LOOPBACK,
        PORT: String(port),
      },
    });
    let output = '';
    for (const stream of [process_.stdout, process_.stderr])
      stream?.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-OUTPUT_KEPT_CHARS);
      });
    process_.stdin?.on('error', () => {});
    const { name, order, weight, join } = spec;
    const ended = Promise.withResolvers<void>();
    const child: Child = {
      instance: {
        name,
        order,
        weight,
        join,
        id: `${process_.pid}-${port}`,
        address: { host: LOOPBACK, port },
        startedAtMs: Date.now(),
      },
      process: process_,
      ended: ended.promise,
      mark: spec.committed ? 'member' : 'joining',
      state: 'running',
      stopping: false,
    };
    const onEnd = (status: number | null, signal: string | null): void => {
      if (child.state === 'ended') return;
      child.state = 'ended';
      // Its leader is gone; what it started must not stay.
      this.#signal(child, 'SIGKILL');
      if (process_.pid !== undefined) this.#warden.forget(process_.pid);
      if (!child.stopping)
        this.#log.warn({ replica: name, status, signal, output: output.trim() }, 'replica process ended');
      ended.resolve();
      for (const wake of this.#watchers) wake();
    };
    process_.on('error', (error) => {
      output += error.message;
      onEnd(null, null);
    });
    process_.on('exit', onEnd);
    this.#children.set(name, child);
    return child;
  }

  #signal(child: Child, signal: 'SIGTERM' | 'SIGKILL'): void {
    if (child.process.pid === undefined) return;
    try {
      process.kill(-child.process.pid, signal);
    } catch {
      // No such group: it has ended already.
    }
  }

  /** A port that the kernel says is free and that no live replica was given a moment ago. */
  async #freePort(): Promise<number> {
    const given = new Set([...this.#children.values()].map((child) => child.instance.address?.port));
    for (;;) {
      const port = await new Promise<number>((resolve, reject) => {
        const probe = createServer();
        probe.on('error', () => reject(new StartFailed('no free port on loopback')));
        probe.listen(0, LOOPBACK, () => {
          const address = probe.address();
          probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
        });
      });
      if (!given.has(port)) return port;
    }
  }
}

function sampleServer(): string[] {
  const path = fileURLToPath(new URL('../../replica/main.ts', import.meta.url));
  const run =
    'Deno' in globalThis
      ? ['run', '--quiet', '--no-config', '--allow-net', '--allow-env', '--allow-sys']
      : [];
  return [process.execPath, ...run, path];
}
