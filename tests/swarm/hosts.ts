import { accessSync, constants } from 'node:fs';
import { mkdtemp, mkdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { command } from './command.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const IMAGE = 'ringmaster:0.1.0';
/** A Swarm of fewer managers does not outlive one of them. */
const HOSTS = 3;
/** They are counted from 1. */
export const ALL_HOSTS: readonly number[] = Array.from({ length: HOSTS }, (_, i) => i + 1);

/**
 * Several engines on this machine, each a host of its own, joined into one Swarm of managers; the first is the engine that
 * is there anyway. A program brings them up and does to them what happens to hosts; SWARM_HOSTS says which.
 */
export class Hosts {
  readonly #program: string;
  readonly #sockets: readonly string[];
  readonly #addresses: readonly string[];
  readonly #nodes: readonly string[];
  /** A folder with the socket of each host, by its node. */
  readonly #socketsByNode: string;
  readonly #firewallRule: readonly string[];

  private constructor(
    program: string,
    sockets: readonly string[],
    facts: readonly Fact[],
    socketsByNode: string,
    firewallRule: readonly string[],
  ) {
    this.#program = program;
    this.#sockets = sockets;
    this.#addresses = facts.map(({ address }) => address);
    this.#nodes = facts.map(({ node }) => node);
    this.#socketsByNode = socketsByNode;
    this.#firewallRule = firewallRule;
  }

  /** Why there can be none on this machine; undefined where there can. */
  static missing(): string | undefined {
    const program = process.env['SWARM_HOSTS'] ?? '';
    if (program === '')
      return (
        'set SWARM_HOSTS to the path of a program that makes a Swarm of several engines on this machine, with the verbs ' +
        '"up HOSTS MANAGERS", "down", "load IMAGE", and of host I "socket I", "node I", "kill I", "cut I", "mend I"'
      );
    if (!isExecutable(program)) return `SWARM_HOSTS is ${program}, which is no program`;
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes root on Linux';
    return undefined;
  }

  /** As they are, where all are up; otherwise anew. */
  static async up(): Promise<Hosts> {
    const program = process.env['SWARM_HOSTS'] ?? '';
    const sockets = await Promise.all(ALL_HOSTS.map((host) => command([program, 'socket', String(host)])));
    const facts = await factsOf(sockets).catch(async () => {
      await command([program, 'down']);
      await command([program, 'up', String(HOSTS), String(HOSTS)]);
      return factsOf(sockets);
    });
    const [{ address }] = facts as [Fact];
    const rule = await letThrough(address);
    const socketsByNode = await mkdtemp(`${tmpdir()}/ringmaster-hosts-`);
    for (const [i, { node }] of facts.entries()) {
      await mkdir(`${socketsByNode}/${node}`);
      await symlink(sockets[i] as string, `${socketsByNode}/${node}/docker.sock`);
    }
    return new Hosts(program, sockets, facts, socketsByNode, rule);
  }

  async down(): Promise<void> {
    await command([this.#program, 'down']);
    // Not there where somebody else has removed it.
    if (this.#firewallRule.length > 0)
      await command(['iptables', '-D', ...this.#firewallRule]).catch(() => {});
    await rm(this.#socketsByNode, { recursive: true, force: true });
  }

  socket(host: number): string {
    return this.#sockets[host - 1] as string;
  }

  address(host: number): string {
    return this.#addresses[host - 1] as string;
  }

  node(host: number): string {
    return this.#nodes[host - 1] as string;
  }

  /**
   * Where a task finds the socket of the engine that runs it, in the words of the Swarm, which puts in its node: these
   * hosts have one file system, and /var/run/docker.sock in it is that of the first.
   */
  get socketOfOwnNode(): string {
    return `${this.#socketsByNode}/{{.Node.ID}}/docker.sock`;
  }

  docker(host: number, ...args: string[]): Promise<string> {
    return command(['docker', '-H', `unix://${this.socket(host)}`, ...args]);
  }

  /** Containers on the host, by a filter of `docker ps`: those that run. */
  async containers(host: number, ...filters: string[]): Promise<string[]> {
    const ids = await this.docker(host, 'ps', '-q', ...filters.flatMap((filter) => ['--filter', filter]));
    return ids.split('\n').filter((id) => id !== '');
  }

  /** What the Swarm, asked at the first host, takes the host for: `ready`, `down`. */
  state(host: number): Promise<string> {
    return this.docker(1, 'node', 'inspect', '-f', '{{.Status.State}}', this.node(host));
  }

  /** The one whose engine decides for the Swarm. */
  async leader(): Promise<number> {
    const listed = await this.docker(1, 'node', 'ls', '--format', '{{.ID}} {{.ManagerStatus}}');
    return ALL_HOSTS.find((host) => listed.includes(`${this.node(host)} Leader`)) ?? 0;
  }

  /** Its engine and all its containers end at once, and for good. */
  async kill(host: number): Promise<void> {
    await command([this.#program, 'kill', String(host)]);
  }

  /** Nothing reaches it, and it reaches nobody. */
  async cut(host: number): Promise<void> {
    await command([this.#program, 'cut', String(host)]);
  }

  async mend(host: number): Promise<void> {
    await command([this.#program, 'mend', String(host)]);
  }

  /** Has the project's image, as the source is now, on every host; gives its id, for which no node asks a registry. */
  async haveImage(): Promise<string> {
    await command(['docker', 'compose', '-f', `${ROOT}docker-compose.yml`, 'build', '--quiet']);
    const idAt = (host: number): Promise<string> =>
      this.docker(host, 'image', 'inspect', '-f', '{{.Id}}', IMAGE).catch(() => 'none');
    const id = await idAt(1);
    const ids = await Promise.all(ALL_HOSTS.map(idAt));
    if (ids.some((one) => one !== id)) await command([this.#program, 'load', IMAGE]);
    return id;
  }
}

interface Fact {
  readonly address: string;
  readonly node: string;
}

/** Throws unless all are managers of one Swarm, and ready. */
async function factsOf(sockets: readonly string[]): Promise<Fact[]> {
  const facts: Fact[] = [];
  for (const socket of sockets) {
    const told =
      '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.NodeAddr}} {{.Swarm.NodeID}}';
    const info = await command(['docker', '-H', `unix://${socket}`, 'info', '-f', told]);
    const [state, manages, address = '', node = ''] = info.split(' ');
    if (state !== 'active' || manages !== 'true') throw new Error(`${socket} is of no manager: ${info}`);
    facts.push({ address, node });
  }
  const listed = await command([
    'docker',
    '-H',
    `unix://${sockets[0]}`,
    'node',
    'ls',
    '--format',
    '{{.ID}} {{.Status}}',
  ]);
  const ready = facts.every(({ node }) => listed.includes(`${node} Ready`));
  if (!ready || listed.split('\n').length !== sockets.length) throw new Error(`not all are ready: ${listed}`);
  return facts;
}

/**
 * Lets hosts reach each other: what crosses a bridge of this machine may have to pass its firewall, which Docker has drop
 * what it does not know. Gives the rule that does it, which says nothing of any other bridge; none where there is no bridge.
 */
async function letThrough(address: string): Promise<string[]> {
  const interfaces = await command(['ip', '-o', '-4', 'addr', 'show']);
  const bridge = new RegExp(String.raw`^\d+: (\S+) +inet ${address.replaceAll('.', '\\.')}/`, 'm').exec(
    interfaces,
  )?.[1];
  if (bridge === undefined) return [];
  const rule = ['DOCKER-USER', '-i', bridge, '-o', bridge, '-j', 'ACCEPT'];
  await command(['iptables', '-C', ...rule]).catch(() => command(['iptables', '-I', ...rule]));
  return rule;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
