import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coresHere, filesMax, type Cores } from './machine.ts';
import { treeOf } from './usage.ts';

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One process of a bench; what it writes goes to a file. */
export interface Started {
  readonly name: string;
  readonly pid: number;
  readonly running: boolean;
  /** Itself and all below it. */
  pids(): number[];
  /** The end of what it has written, for when it does not do what it should. */
  lastWords(): string;
  /** Asks it to end; resolves when it has, if need be by force. */
  end(): Promise<void>;
}

const ROOT = new URL('../..', import.meta.url).pathname;
const LAST_WORDS_CHARS = 2000;
const END_PATIENCE_MS = 5000;
const READY_PATIENCE_MS = 30_000;
const READY_POLL_MS = 20;

/** What one bench puts up: processes and a directory for their files. Nothing of it outlives the bench. */
export class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), 'ringmaster-bench-'));
  readonly cores = coresHere();
  readonly filesMax = filesMax();
  readonly #children = new Set<Bun.Subprocess>();
  readonly #cut = (): void => this.#cutAll();

  constructor() {
    // Reached from every way out, a signal too: see run.ts.
    process.on('exit', this.#cut);
  }

  start(name: string, command: Command, where: keyof Cores): Started {
    const file = join(this.dir, `${name.replaceAll(/\W/g, '-')}-${crypto.randomUUID()}.log`);
    const child = Bun.spawn(this.#placed(command.argv, where), {
      cwd: ROOT,
      env: { ...process.env, ...command.env },
      stdin: 'ignore',
      stdout: Bun.file(file),
      stderr: Bun.file(file),
    });
    this.#watch(child);
    return {
      name,
      pid: child.pid,
      get running() {
        return child.exitCode === null && child.signalCode === null;
      },
      pids: () => treeOf(child.pid),
      lastWords: () => readFileSync(file, 'utf8').slice(-LAST_WORDS_CHARS),
      end: () => this.#end(child),
    };
  }

  /** For what is spoken to over its stdin and stdout, and ends with them. */
  converse(argv: readonly string[], where: keyof Cores): Bun.Subprocess<'pipe', 'pipe', 'inherit'> {
    const child = Bun.spawn(this.#placed(argv, where), { cwd: ROOT, stdin: 'pipe', stdout: 'pipe' });
    this.#watch(child);
    return child;
  }

  /** Ends all that was started. */
  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.#end(child)));
    this.#cutAll();
    process.off('exit', this.#cut);
  }

  /** The command, bound to its cores and with as many open files as may be; the process id stays that of the command. */
  #placed(argv: readonly string[], where: keyof Cores): string[] {
    const bound = this.cores === undefined ? [] : ['taskset', '-c', this.cores[where]];
    return ['sh', '-c', `ulimit -n ${this.filesMax} && exec "$@"`, 'sh', ...bound, ...argv];
  }

  #watch(child: Bun.Subprocess): void {
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
  }

  async #end(child: Bun.Subprocess): Promise<void> {
    child.kill('SIGTERM');
    const patience = setTimeout(() => kill(treeOf(child.pid)), END_PATIENCE_MS);
    await child.exited;
    clearTimeout(patience);
  }

  #cutAll(): void {
    for (const child of this.#children)
      if (child.exitCode === null && child.signalCode === null) kill(treeOf(child.pid));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Resolves when `url` answers 200; rejects with what the process has written when it does not. */
export async function untilAnswered(url: string, started: Started): Promise<void> {
  const deadlineMs = performance.now() + READY_PATIENCE_MS;
  for (;;) {
    const signal = AbortSignal.timeout(READY_PATIENCE_MS);
    const reply = await fetch(url, { signal, keepalive: false }).catch(() => undefined);
    await reply?.arrayBuffer();
    if (reply?.status === 200) return;
    if (performance.now() > deadlineMs || !started.running)
      throw new Error(`${started.name} does not answer ${url}:\n${started.lastWords()}`);
    await Bun.sleep(READY_POLL_MS);
  }
}

/** Ports that nobody listens on now, for programs that can't be told to take a free one and say which. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const listening = Promise.withResolvers<void>();
      const server = createServer().listen(0, '127.0.0.1', () => listening.resolve());
      await listening.promise;
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
      return typeof address === 'object' ? (address?.port ?? 0) : 0;
    }),
  );
}
