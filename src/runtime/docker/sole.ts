import { createServer } from 'node:net';
import { StartFailed } from '../runtime.ts';

/** A Ringmaster that was just killed frees its hold with its process, which may take a moment to be gone. */
const ATTEMPTS_MAX = 10;
const ATTEMPT_EVERY_MS = 100;

/**
 * Makes sure that no other Ringmaster on this host runs the cluster: each would take the other's joins for orphans, and
 * the first to end would remove what the other serves. Held by a name in Linux's abstract socket space, which the
 * kernel frees with the process, however that ends; elsewhere, and between containers, there is no such name to share.
 * Throws StartFailed.
 */
export async function holdCluster(cluster: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const engine = process.env['DOCKER_HOST'] ?? '';
  for (let attempt = 1; !(await bind(`\0ringmaster ${cluster} ${engine}`)); attempt++) {
    if (attempt >= ATTEMPTS_MAX)
      throw new StartFailed(
        `another Ringmaster runs CLUSTER=${cluster} here: stop it, or set CLUSTER to another name`,
      );
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_EVERY_MS));
  }
}

function bind(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', () => resolve(false));
    server.listen({ path }, () => resolve(true));
    server.unref();
  });
}
