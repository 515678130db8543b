import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '../spawned.ts';

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** When, and what: as text. */
  readonly value: readonly [number, string];
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  readonly data: T;
}

/** A real Prometheus that scrapes one target every second, with its data in a folder that goes with it. */
export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #child: Bun.Subprocess;
  readonly #folder: string;
  readonly #said: Promise<string>;

  private constructor(url: string, child: Bun.Subprocess<'ignore', 'ignore', 'pipe'>, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
    this.#said = new Response(child.stderr).text();
  }

  /** `target`: host:port; `rules`: path of a file of rules. */
  static async start(target: string, rules: string): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const config = join(folder, 'prometheus.yml');
    await Bun.write(
      config,
      Bun.YAML.stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [rules],
        scrape_configs: [{ job_name: 'ringmaster', static_configs: [{ targets: [target] }] }],
      }),
    );
    const address = `127.0.0.1:${await freePort()}`;
    const child = Bun.spawn(
      [
        'prometheus',
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
    );
    const prometheus = new Prometheus(`http://${address}`, child, folder);
    const ready = async (): Promise<boolean> => {
      // Told as an error at once, and not by the time that a test has.
      if (child.exitCode !== null) return true;
      return (await fetch(`${prometheus.url}/-/ready`)).ok;
    };
    await eventually(ready);
    if (child.exitCode !== null) throw new Error(`Prometheus has ended:\n${await prometheus.#said}`);
    return prometheus;
  }

  /** What the API at `path` has to say; throws what Prometheus finds wrong with the question. */
  async ask<T>(path: string, params: Readonly<Record<string, string>> = {}): Promise<T> {
    const reply = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(params)}`);
    const { status, error, data } = (await reply.json()) as Answer<T>;
    if (status !== 'success') throw new Error(`${error}: ${JSON.stringify(params)}`);
    return data;
  }

  async query(expr: string): Promise<readonly Series[]> {
    return (await this.ask<{ result: readonly Series[] }>('query', { query: expr })).result;
  }

  /** Ends it; resolves with what it has logged. */
  async end(): Promise<string> {
    this.#child.kill('SIGTERM');
    await this.#child.exited;
    await rm(this.#folder, { recursive: true, force: true });
    return this.#said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

export async function promtool(
  args: readonly string[],
  stdin = '',
): Promise<{ status: number; said: string }> {
  const child = Bun.spawn(['promtool', ...args], {
    stdin: new Blob([stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, said: stdout + stderr };
}
