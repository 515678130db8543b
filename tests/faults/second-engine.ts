/** A Docker engine of a test's own, so that it can be restarted and killed while the machine's serves others. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { childrenOf, gone } from '../processes.ts';
import { eventually } from '../spawned.ts';

/** Addresses for its networks. */
const POOL = '10.213.0.0/16';
/** The default bridge of an engine; one that is told to have none, or another, removes it, whoever's it is. */
const DEFAULT_BRIDGE = 'docker0:';

export class SecondEngine {
  readonly #folder: string;
  #daemon: Bun.Subprocess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<SecondEngine> {
    if (readFileSync('/proc/net/dev', 'utf8').includes(DEFAULT_BRIDGE))
      throw new Error('This would harm the engine of this machine: run it by `bun run test engine`');
    const engine = new SecondEngine(await mkdtemp('/tmp/ringmaster-engine-'));
    await engine.start();
    return engine;
  }

  get dockerHost(): string {
    return `unix://${this.#folder}/engine.sock`;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const folder = this.#folder;
    this.#daemon = Bun.spawn(
      [
        'dockerd',
        `--host=${this.dockerHost}`,
        `--data-root=${folder}/data`,
        `--exec-root=${folder}/exec`,
        `--pidfile=${folder}/pid`,
        `--default-address-pool=base=${POOL},size=24`,
        '--bridge=none',
        '--iptables=false',
        '--ip-masq=false',
        '--ip-forward=false',
      ],
      { stdin: 'ignore', stdout: 'ignore', stderr: Bun.file(`${folder}/log`) },
    );
    await eventually(() => this.docker('version'));
  }

  /** Resolves when it has ended, and with SIGTERM its containers too. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon;
    daemon?.kill(signal);
    await daemon?.exited;
    // Its containerd has ended with it, but may not be reaped: the next daemon would take it for alive, and wait for ever.
    await rm(`${this.#folder}/exec/containerd/containerd.pid`, { force: true });
  }

  async docker(command: string): Promise<string> {
    const host = this.dockerHost;
    return (await Bun.$`docker --host ${host} ${{ raw: command }}`.quiet().text()).trim();
  }

  /** Copies an image from the machine's engine. */
  async load(image: string): Promise<void> {
    await Bun.$`docker save ${image} | docker --host ${this.dockerHost} load`.quiet();
  }

  /** Ends it, with all that it has started. */
  async close(): Promise<void> {
    if (this.#daemon?.exitCode === null) await this.stop('SIGTERM');
    // What a daemon that was killed has left: found by its folder, which is in each command line.
    const found = await Bun.$`pgrep -f -- ${this.#folder}/`.nothrow().quiet().text();
    const shims = found.split('\n').filter(Boolean).map(Number);
    const containers = (await Promise.all(shims.map(childrenOf))).flat();
    for (const pid of [...containers, ...shims]) {
      if (!(await gone(pid))) process.kill(pid, 'SIGKILL');
      await eventually(() => gone(pid));
    }
    const bridges = await Bun.$`ip -o -4 addr show to ${POOL}`.nothrow().quiet().text();
    for (const line of bridges.split('\n').filter(Boolean))
      await Bun.$`ip link delete ${line.split(/\s+/)[1]}`.nothrow().quiet();
    for (const at of await this.#mounts()) await Bun.$`umount --lazy ${at}`.nothrow().quiet();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** What is mounted in its folder, the last first. */
  async #mounts(): Promise<string[]> {
    const lines = (await Bun.file('/proc/self/mounts').text()).split('\n');
    const all = lines.map((line) => line.split(' ')[1] ?? '');
    return all.filter((at) => at.startsWith(`${this.#folder}/`)).toReversed();
  }
}
