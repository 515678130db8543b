import { createServer, type AddressInfo } from 'node:net';

/**
 * The port that several processes can share: `port`, or a free one for 0. Rejects, with `code`, where somebody listens
 * there already. Those who share a port can't see that by themselves: the kernel lets them in with each other, and
 * with a stranger's balancer as well.
 */
export function portToShare(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const found = (probe.address() as AddressInfo).port;
      probe.close(() => resolve(found));
    });
  });
}
