import { afterAll } from 'bun:test';
import { createServer } from 'node:net';

/** Ringmaster as a process of its own, as a user starts it. */
export interface Spawned {
  /** Base of its control port, without a slash at the end. */
  readonly url: string;
  /** Base of its traffic port; empty where that is off. */
  readonly traffic: string;
  readonly pid: number;
  /** What it has written so far. */
  output(): string;
  /** Sends a signal and resolves with the exit status once it has ended. */
  end(signal: NodeJS.Signals): Promise<number>;
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
}

const ROOT = new URL('..', import.meta.url).pathname;
const live = new Set<Bun.Subprocess>();
// A test that failed half-way must not leave a balancer behind. Where several files share one process this is called for
// the first of them only; `bun run test` gives each its own, and --no-orphans below ends what is left in any case.
// Outside of a test, as in `bun run soak`, who starts one ends it.
if (Bun.main.endsWith('.test.ts'))
  afterAll(async () => {
    await Promise.all(
      [...live].map((one) => {
        one.kill('SIGTERM');
        return one.exited;
      }),
    );
  });

/** Variables of ours that the caller's own environment may have set. */
const OURS: ReadonlySet<string> = new Set([
  'PORT',
  'HOST',
  'RUNTIME',
  'REPLICAS',
  'CLUSTER',
  'ADMIN_TOKEN',
  'HASH_KEY',
  'MAX_REPLICAS',
  'TRAFFIC_PORT',
  'UPSTREAMS',
  'WORKERS',
  'CHAOS',
  'ACCESS_LOG',
  'LOAD_FACTOR',
  'HOT_KEY_SPREAD',
  'HOT_KEY_SHARE',
  'SHADOW_HASH',
]);

export type Environment = Readonly<Record<string, string>>;

export function environment(env: Environment): Record<string, string | undefined> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.has(name)));
  return { ...inherited, PORT: '0', TRAFFIC_PORT: '0', HOST: '127.0.0.1', ...env };
}

/** Starts it on a free port; resolves when it says that it is ready, rejects with its output when it ends before. */
export async function spawnRingmaster(
  env: Environment,
  command: readonly string[] = [process.execPath, '--no-orphans', 'src/main.ts'],
): Promise<Spawned> {
  const child = Bun.spawn([...command], { cwd: ROOT, env: environment(env), stdout: 'pipe', stderr: 'pipe' });
  live.add(child);
  let output = '';
  const ready = Promise.withResolvers<{ url: string; traffic: string }>();
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      output += decoder.decode(chunk, { stream: true });
      const port = /"port":(\d+),.*"msg":"ready/.exec(output)?.[1];
      const traffic = /"traffic":"([^"]*)","trafficPort":\d+,.*"msg":"ready/.exec(output)?.[1] ?? '';
      if (port !== undefined) ready.resolve({ url: `http://127.0.0.1:${port}`, traffic });
    }
  };
  const streams = Promise.all([read(child.stdout), read(child.stderr)]);
  const exited = child.exited.then(async (status) => {
    await streams;
    live.delete(child);
    ready.reject(new Error(`ended with ${status} before it was ready:\n${output}`));
    return status;
  });
  // Who only waits for the end must not be told twice that it was never ready.
  ready.promise.catch(() => {});
  return {
    ...(await ready.promise),
    pid: child.pid,
    output: () => output,
    exited,
    signal: (signal) => child.kill(signal),
    end: (signal) => {
      child.kill(signal);
      return exited;
    },
  };
}

/** Runs it where it is expected to end by itself. */
export async function runRingmaster(
  env: Environment,
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([process.execPath, 'src/main.ts'], {
    cwd: ROOT,
    env: environment(env),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

/** A port that nobody listens on, on any address, for who can't be told to take a free one and say which. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** Resolves when `condition` does not throw or give false; asks again until then, for as long as the test has time. */
export async function eventually(condition: () => unknown): Promise<void> {
  for (;;) {
    try {
      if ((await condition()) !== false) return;
    } catch {
      // Not yet.
    }
    await Bun.sleep(20);
  }
}
