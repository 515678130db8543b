import { command } from './command.ts';
import type { Hosts } from './hosts.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
export const STACK = 'ringmaster';
export const STACK_FILE = `${ROOT}docker-compose.swarm.yml`;
/** What Ringmaster marks its own with, as CLUSTER is by default. */
const CLUSTER = 'ringmaster.cluster=ringmaster';
const OF_STACK = `com.docker.stack.namespace=${STACK}`;
/** Of Ringmaster's own containers. */
export const OF_RINGMASTER = `label=com.docker.swarm.service.name=${STACK}_ringmaster`;
/** Of the containers of replicas. */
export const OF_REPLICAS = `label=${CLUSTER}`;

/** As the stack file's first lines say, on all hosts. */
export async function deploy(hosts: Hosts): Promise<void> {
  const env = { RINGMASTER_IMAGE: await hosts.haveImage(), DOCKER_SOCKET: hosts.socketOfOwnNode };
  await command(['docker', 'stack', 'deploy', '--resolve-image', 'never', '-c', STACK_FILE, STACK], env);
}

export async function removeStack(): Promise<void> {
  await command(['docker', 'stack', 'rm', STACK]);
}

/** What there is of the stack or of the replicas on `hosts`, and in the Swarm. */
export async function leftovers(hosts: Hosts, alive: readonly number[]): Promise<string[]> {
  const left: string[] = [];
  const look = async (host: number, kind: string, list: readonly string[]): Promise<void> => {
    for (const label of [CLUSTER, OF_STACK]) {
      const found = await hosts.docker(host, ...list, '-q', '--filter', `label=${label}`);
      left.push(...found.split('\n').flatMap((id) => (id === '' ? [] : `${kind} ${id} on host ${host}`)));
    }
  };
  for (const kind of ['service', 'config', 'secret']) await look(1, kind, [kind, 'ls']);
  for (const host of alive) {
    await look(host, 'container', ['ps', '-a']);
    for (const kind of ['network', 'volume']) await look(host, kind, [kind, 'ls']);
  }
  return left;
}
