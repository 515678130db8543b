import type { Lease } from '../../src/fleet/member.ts';

/** A lease that does nothing, for who only keeps leases. */
export function idleLease(replica = 'a'): Lease {
  return {
    replica,
    address: { host: '10.0.0.1', port: 5000 },
    place: undefined,
    onLost: undefined,
    onLeaving: undefined,
    onCut: undefined,
    release() {},
    unreachable() {},
    suspect() {},
    failed() {},
    answered() {},
    failing() {},
  };
}
