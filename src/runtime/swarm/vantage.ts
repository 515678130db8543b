import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type Docker from 'dockerode';
import type { ContainerInspectInfo, NetworkInspectInfo, Service } from 'dockerode';
import { ownContainerId } from '../docker/vantage.ts';
import { call } from './engine.ts';
import { attachmentsOf, imageOfTask, type Task } from './tasks.ts';
import { STACK_LABEL } from './template.ts';

/**
 * From where Ringmaster sees its replicas. `beside`: in a container that is on a network which the Swarm's nodes share,
 * where replicas have addresses of their own. `published`: elsewhere, from where they are reached by ports of their nodes.
 */
export type SwarmVantage =
  | { readonly from: 'beside'; readonly network: string; readonly address: string }
  | { readonly from: 'published' };

export type OwnNetwork = Pick<NetworkInspectInfo, 'Name' | 'Driver' | 'Scope' | 'Attachable' | 'Ingress'>;

/** The network that replicas share with our own container: an attachable one before others, which only services can join. */
export function sharedOverlay(networks: readonly OwnNetwork[]): string | undefined {
  return networks
    .filter(({ Driver, Scope, Ingress }) => Driver === 'overlay' && Scope === 'swarm' && !Ingress)
    .toSorted((a, b) => Number(b.Attachable) - Number(a.Attachable) || (a.Name < b.Name ? -1 : 1))
    .map(({ Name }) => Name)[0];
}

/** The task that we are ourselves, as the Swarm tells it: on its own network, of its service, of its stack. */
export interface OwnTask {
  readonly service: string;
  readonly node: string;
  /** The same from run to run, and no other's at the same time. */
  readonly place: string;
  readonly image: string;
  readonly stack: string | undefined;
  readonly networks: readonly { readonly network: string; readonly address: string }[];
}

/**
 * The task that has one of our own addresses. Not by our container's id: the manager that we speak to may be on another
 * host, and its engine knows nothing of our container. `inContainer`: on a host an address that a task has, too, is chance.
 */
export function ownTaskOf(
  tasks: readonly Task[],
  addresses: ReadonlySet<string>,
  inContainer: boolean,
): Task | undefined {
  if (!inContainer) return undefined;
  return tasks.find((task) => attachmentsOf(task).some(({ address }) => addresses.has(address)));
}

/** Finds out whether we are a task, and which. */
export async function findOwnTask(docker: Docker): Promise<OwnTask | undefined> {
  const addresses = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  const running = JSON.stringify({ 'desired-state': ['running'] });
  const tasks = await call<Task[]>(docker.listTasks({ filters: running }));
  const task = ownTaskOf(
    tasks,
    new Set(addresses.map(({ address }) => address)),
    (await ownContainerId()) !== undefined,
  );
  if (task?.NodeID === undefined) return undefined;
  const service = await call(docker.getService(task.ServiceID).inspect() as Promise<Service>);
  return {
    service: task.ServiceID,
    node: task.NodeID,
    // A task of a global service has no slot: there is one on each node.
    place: `${task.ServiceID}.${task.Slot ?? task.NodeID}`,
    image: imageOfTask(task) ?? '',
    stack: service.Spec?.Labels?.[STACK_LABEL],
    networks: attachmentsOf(task),
  };
}

/** `own`: the task that we are; `container`: the container of this engine that we run in, where we are no task. */
export async function findSwarmVantage(
  docker: Docker,
  own: OwnTask | undefined,
  container: ContainerInspectInfo | undefined,
): Promise<SwarmVantage> {
  const attached = Object.entries(container?.NetworkSettings.Networks ?? {});
  const addresses = new Map(
    own === undefined
      ? attached.map(([name, { IPAddress }]) => [name, IPAddress])
      : own.networks.map(({ network, address }) => [network, address]),
  );
  const networks = await Promise.all(
    [...addresses.keys()].map((name) => call<OwnNetwork>(docker.getNetwork(name).inspect())),
  );
  const network = sharedOverlay(networks);
  const address = network === undefined ? undefined : addresses.get(network);
  if (network === undefined || address === undefined || address === '') return { from: 'published' };
  return { from: 'beside', network, address };
}

/** Any would do (RFC 863). */
const DISCARD_PORT = 9;

/** What the Swarm tells of a node. */
export interface SwarmNode {
  readonly ID: string;
  readonly Status?: { readonly State?: string; readonly Addr?: string };
  readonly ManagerStatus?: { readonly Addr?: string } | null;
}

/** Where the node's ports are for the others; `own`: the node that we are on. */
export function nodeAddress(node: SwarmNode | undefined, own: string): string | undefined {
  const known = (host: string | undefined): host is string =>
    host !== undefined && host !== '' && host !== '0.0.0.0' && host !== '::';
  const told = node?.Status?.Addr;
  if (known(told)) return told;
  // A manager listens on all its addresses where it was not told one, and says where the other managers reach it.
  const manager = node?.ManagerStatus?.Addr?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (known(manager)) return manager;
  return node?.ID === own ? '127.0.0.1' : undefined;
}

/**
 * The address of ours from which `address` is reached, which is where others find us that are near it: the engine that we
 * speak to may be on another machine. Nothing is sent. Gives `address` itself where there is no way to it.
 */
export function ownAddressTowards(address: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const settle = (own: string): void => {
      socket.close();
      resolve(own);
    };
    socket.on('error', () => settle(address));
    socket.connect(DISCARD_PORT, address, () => settle(socket.address().address));
  });
}

/** An address of the Internet Protocol's sixth version has brackets in a URL. */
export function baseUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
