/** Fleets that break a rule each, to see that it is found out; as a program, a campaign with the first of them. */
import { Fleet, type FleetOptions } from '../../src/fleet/fleet.ts';
import type { Lease } from '../../src/fleet/member.ts';
import type { Change } from '../../src/fleet/membership.ts';
import { campaign } from './campaign.ts';

/** One add too many, where two take effect one after the other and there are many members already. */
export class DoublingFleet extends Fleet {
  override async add(change: Change): Promise<string[]> {
    const names = await super.add(change);
    if (names.length >= 6) void super.add({ n: 1, hostnames: [] }).catch(() => {});
    return names;
  }
}

/** Says that all has been done that was asked, and has not done it. */
export class LyingFleet extends Fleet {
  override async remove(change: Change): Promise<string[]> {
    if (change.n !== 2 && change.n !== 3) return super.remove(change);
    const names = await super.remove({ ...change, n: 1, hostnames: change.hostnames.slice(0, 1) });
    return names.slice(0, -1);
  }
}

/** Counts no request as in flight: what it drains is not waited for. */
export class ForgetfulFleet extends Fleet {
  override claim(key: string, except?: ReadonlySet<string>): Lease | undefined {
    const lease = super.claim(key, except);
    lease?.release();
    return lease;
  }
}

/** Hears nothing of what the engine tells. */
export function deafFleet(options: FleetOptions): Fleet {
  const { runtime } = options;
  const deaf = Object.create(runtime, { watch: { value: () => () => {} } }) as typeof runtime;
  for (const verb of ['list', 'start', 'mark', 'stop', 'close'] as const)
    Object.defineProperty(deaf, verb, { value: runtime[verb].bind(runtime) });
  return new Fleet({ ...options, runtime: deaf });
}

if (import.meta.main)
  process.exitCode = await campaign(process.argv.slice(2), (options) => new DoublingFleet(options));
