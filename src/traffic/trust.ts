import { BlockList, isIP } from 'node:net';
import { plainAddress } from './peer.ts';

/** Tells the proxies whose X-Forwarded fields are believed from everybody else. */
export class Trust {
  readonly #list = new BlockList();
  readonly #any: boolean;

  /** `networks`: addresses or CIDR blocks, as Config has checked them. */
  constructor(networks: readonly string[]) {
    this.#any = networks.length > 0;
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  has(address: string): boolean {
    const family = this.#any ? isIP(address) : 0;
    return family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * Where a request that came through `peer` began: the last address of its X-Forwarded-For that is not a trusted
   * proxy's itself, since what stands before it could be anybody's claim.
   */
  originOf(peer: string, forwardedFor: string | undefined): string {
    if (forwardedFor === undefined || !this.has(peer)) return peer;
    const hops = forwardedFor.split(',').map((hop) => plainAddress(hop.trim()));
    let origin = peer;
    for (let i = hops.length - 1; i >= 0; i--) {
      const hop = hops[i] as string;
      if (isIP(hop) === 0) return origin;
      origin = hop;
      if (!this.has(hop)) return origin;
    }
    return origin;
  }
}
