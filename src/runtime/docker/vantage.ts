import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { call, found } from './engine.ts';

/**
 * From where Ringmaster sees its replicas, which decides the network they join and the address they are reached at.
 * `beside`: we are a container too, and share a network with them. `bridge`: we are on the engine's own Linux host,
 * where a container's address can be reached. `published`: we are elsewhere (a desktop's virtual machine, a rootless
 * engine's namespace), and reach them by ports published on loopback.
 */
export type Vantage =
  | { readonly from: 'beside'; readonly network: string; readonly alias: boolean }
  | { readonly from: 'bridge' | 'published' };

/** What tells the two vantages on a host apart. */
export interface HostFacts {
  readonly platform: string;
  readonly engineOs: string;
  readonly securityOptions: readonly string[];
}

export function hostVantage({ platform, engineOs, securityOptions }: HostFacts): Vantage {
  const ownKernel = platform === 'linux' && !engineOs.includes('Docker Desktop');
  const rootless = securityOptions.some((option) => option.includes('rootless'));
  return { from: ownKernel && !rootless ? 'bridge' : 'published' };
}

export interface OwnNetwork {
  readonly name: string;
  readonly internal: boolean;
}

/** The network that replicas share with our own container: a user's own before the default one, never an internal one. */
export function sharedNetwork(networks: readonly OwnNetwork[]): OwnNetwork | undefined {
  const usable = networks
    .filter(({ name, internal }) => !internal && name !== 'host' && name !== 'none')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return usable.find(({ name }) => name !== 'bridge') ?? usable[0];
}

export async function findVantage(docker: Docker): Promise<Vantage> {
  const own = await ownNetworks(docker);
  const shared = sharedNetwork(own);
  if (shared !== undefined) return { from: 'beside', network: shared.name, alias: shared.name !== 'bridge' };
  const info: { OperatingSystem?: string; SecurityOptions?: string[] } = await call(docker.info());
  return hostVantage({
    platform: process.platform,
    engineOs: info.OperatingSystem ?? '',
    securityOptions: info.SecurityOptions ?? [],
  });
}

/** Networks of the container that we run in; none on a host. */
async function ownNetworks(docker: Docker): Promise<OwnNetwork[]> {
  const self = await ownContainer(docker);
  if (self === undefined) return [];
  return Promise.all(
    Object.keys(self.NetworkSettings.Networks).map(async (name) => {
      const network = await call(docker.getNetwork(name).inspect());
      return { name, internal: network.Internal };
    }),
  );
}

/** The container of this engine that we run in; undefined on a host. */
export async function ownContainer(docker: Docker): Promise<ContainerInspectInfo | undefined> {
  const id = await ownContainerId();
  // Not found: some other engine's container, or only a host name that looks like one.
  return id === undefined ? undefined : found(docker.getContainer(id).inspect());
}

/** Docker mounts each container's own files from a folder named by its id; its host name is the id's first 12 digits. */
export async function ownContainerId(): Promise<string | undefined> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const mounted = /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf)/.exec(mounts)?.[1];
  return mounted ?? /^[0-9a-f]{12}$/.exec(hostname())?.[0];
}
