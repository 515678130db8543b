import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type Docker from 'dockerode';
import type { ContainerInspectInfo, NetworkInspectInfo } from 'dockerode';
import { call } from './engine.ts';

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

/** `own`: the container that we run in. */
export async function findSwarmVantage(
  docker: Docker,
  own: ContainerInspectInfo | undefined,
): Promise<SwarmVantage> {
  const addresses = own?.NetworkSettings.Networks ?? {};
  const networks = await Promise.all(
    Object.keys(addresses).map((name) => call<OwnNetwork>(docker.getNetwork(name).inspect())),
  );
  const network = sharedOverlay(networks);
  const address = network === undefined ? undefined : addresses[network]?.IPAddress;
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
