import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { PLAIN_BALANCE } from '../../../src/fleet/chooser.ts';
import type { Lease } from '../../../src/fleet/member.ts';
import { FAILURES_IN_A_ROW } from '../../../src/fleet/outlier.ts';
import type { Failure, StayReport } from '../../../src/traffic/workers/messages.ts';
import { FleetMirror } from '../../../src/traffic/workers/mirror.ts';
import type { RingCopy, Stay } from '../../../src/traffic/workers/ring-copy.ts';
import { endRigs, Rig } from '../../fleet/rig.ts';
import { MirroredFleet } from './mirrored-fleet.ts';

endRigs();

const SEED = 20260307;

/** A mirror, and what it reports. */
function mirrored(): { mirror: FleetMirror; reports: StayReport[]; take(): StayReport[] } {
  const reports: StayReport[] = [];
  return {
    mirror: new FleetMirror((report) => void reports.push(report)),
    reports,
    take: () => reports.splice(0),
  };
}

/** A copy in which each stay is given as `NAME` or, to tell it from another of that name, `NAME/N`. */
function copy(version: number, ...stays: string[]): RingCopy {
  return {
    version,
    off: [],
    stays: stays.map((id, i) => ({
      id,
      name: id.split('/')[0] as string,
      address: { host: '10.0.0.1', port: i + 1 },
      onTrial: false,
      weight: 1,
      fullWeight: 1,
    })),
  };
}

function claimed(mirror: FleetMirror, key = 'key'): Lease {
  const lease = mirror.claim(key);
  if (lease === undefined) throw new Error('nothing could be claimed');
  return lease;
}

describe('a claim', () => {
  test('is of the replica, and the address, that the fleet would have claimed', async () => {
    const rig = new Rig({ config: { replicas: 7 } });
    await rig.open();
    const { mirror } = new MirroredFleet({ fleet: rig.fleet, clock: rig.clock, delayMs: () => 1 });
    await rig.clock.advance(10);
    const names = rig.fleet.names();
    fc.assert(
      fc.property(fc.string(), fc.option(fc.subarray(names), { nil: undefined }), (key, except) => {
        const tried = except && new Set(except);
        const [own, other] = [mirror.claim(key, tried), rig.fleet.claim(key, tried)];
        expect([own?.replica, own?.address]).toEqual([other?.replica, other?.address]);
        own?.release();
        other?.release();
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('is explained as the fleet explains it, whoever is off the ring, and whoever has left', async () => {
    const rig = new Rig({ config: { replicas: 6 } });
    await rig.open();
    const { mirror } = new MirroredFleet({ fleet: rig.fleet, clock: rig.clock, delayMs: () => 1 });
    const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
    const same = async (): Promise<Set<string>> => {
      await rig.clock.advance(10);
      const reasons = new Set<string>();
      for (const key of keys) {
        const found = mirror.explain(key);
        expect(found).toEqual(rig.fleet.explain(key));
        expect(found.goesTo).toBe(mirror.claim(key)?.replica);
        for (const { reason } of found.passedOver) reasons.add(reason);
      }
      return reasons;
    };
    expect([...(await same())]).toEqual([]);
    for (const key of keys.slice(0, 2)) rig.fleet.claim(key)?.unreachable();
    expect([...(await same())]).toEqual(['ejected']);
    // Who was not on the ring leaves without a swap of it, and is nobody's home any more.
    const off = rig.fleet.replicas().find(({ state }) => state === 'ejected')?.name ?? '';
    await rig.remove(1, off);
    await same();
    expect(keys.flatMap((key) => mirror.explain(key).preference)).not.toContain(off);
  });

  test('is of nobody before there is a ring, and where the ring is empty', () => {
    const { mirror } = mirrored();
    expect(mirror.claim('key')).toBeUndefined();
    mirror.show(copy(1));
    expect(mirror.claim('key')).toBeUndefined();
  });

  test('is of the stay that is on the ring, when the replica has left and come back elsewhere', () => {
    const { mirror } = mirrored();
    mirror.show(copy(1, 'a/1'));
    const before = claimed(mirror);
    mirror.show(copy(2));
    mirror.show(copy(3, 'b/3', 'a/3'));
    const after = claimed(
      mirror,
      [...'0123456789'].find((key) => mirror.claim(key)?.replica === 'a'),
    );
    expect([before.address.port, after.address.port]).toEqual([1, 2]);
  });
});

describe('a claim with a load factor', () => {
  const bounded = (): FleetMirror => new FleetMirror(() => {}, { ...PLAIN_BALANCE, loadFactor: 1.5 });

  test('is of whoever has room, by what is in flight here', () => {
    const mirror = bounded();
    mirror.show(copy(1, 'a', 'b', 'c'));
    const leases = Array.from({ length: 12 }, () => claimed(mirror));
    const counts = ['a', 'b', 'c'].map((name) => leases.filter(({ replica }) => replica === name).length);
    // ceil(1.5 * 12 / 3) = 6.
    expect(Math.max(...counts)).toBe(6);
    const owner = leases[0]?.replica;
    for (const lease of leases) if (lease.replica !== owner) lease.release();
    for (const lease of leases) lease.release();
    for (const lease of leases) lease.release();
    expect([claimed(mirror).replica, claimed(mirror).replica]).toEqual([owner, expect.any(String)]);
  });

  test('does not count what is left of a stay that is over', () => {
    const mirror = bounded();
    mirror.show(copy(1, 'a/1', 'b'));
    const key = [...'0123456789'].find((one) => claimed(mirror, one).replica === 'a') ?? '';
    for (let i = 0; i < 20; i++) claimed(mirror, key);
    mirror.show(copy(2, 'b'));
    mirror.show(copy(3, 'b', 'a/3'));
    expect(claimed(mirror, key).replica).toBe('a');
  });
});

describe('what was chosen', () => {
  test('counts the first claim of each request, and not what follows from it', () => {
    const mirror = new FleetMirror(() => {}, { ...PLAIN_BALANCE, shadowHash: 'maglev' });
    mirror.show(copy(1, 'a', 'b', 'c'));
    for (let i = 0; i < 10; i++) {
      const { replica } = claimed(mirror, 'hot');
      mirror.claim('hot', new Set([replica]));
      mirror.claim('hot', new Set());
      mirror.claim(`drawn-${i}`, undefined, false);
    }
    const { hot, shadow, away } = mirror.choices();
    expect(hot.requests).toBeCloseTo(30, 1);
    expect(hot.keys.map(({ key, count }) => [key, Math.round(count)])).toEqual([['hot', 20]]);
    expect([shadow?.requests, away]).toEqual([20, 0]);
    // What was told is not told again; what is hot is, as it is a state.
    expect(mirror.choices().shadow?.requests).toBe(0);
    expect(mirror.choices().hot.keys).toHaveLength(1);
  });

  test('goes through a channel as it is', () => {
    const mirror = new FleetMirror(() => {}, { ...PLAIN_BALANCE, shadowHash: 'maglev', hotKeySpread: 2 });
    mirror.show(copy(1, 'a', 'b', 'c'));
    for (let i = 0; i < 2000; i++) claimed(mirror, 'hot').release();
    const report = mirror.choices();
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(report.hot.keys[0]?.over).toHaveLength(2);
  });
});

describe('a stay', () => {
  test('is given back at once where nothing is in flight when it is over', () => {
    const { mirror, take } = mirrored();
    mirror.show(copy(1, 'a', 'b'));
    expect(take()).toEqual([{ type: 'shows', version: 1 }]);
    mirror.show(copy(2, 'b'));
    expect(take()).toEqual([
      { type: 'released', stay: 'a' },
      { type: 'shows', version: 2 },
    ]);
  });

  test('is given back once, with the last of its requests, in whatever order they end', () => {
    const { mirror, take } = mirrored();
    mirror.show(copy(1, 'a'));
    const [one, other] = [claimed(mirror), claimed(mirror)];
    mirror.show(copy(2));
    other.release();
    other.release();
    expect(take().filter(({ type }) => type === 'released')).toEqual([]);
    one.release();
    one.release();
    expect(take()).toEqual([{ type: 'released', stay: 'a' }]);
  });

  test('is not given back while it lasts, however often nothing is in flight', () => {
    const { mirror, reports } = mirrored();
    mirror.show(copy(1, 'a'));
    claimed(mirror).release();
    mirror.show(copy(2, 'a', 'b'));
    mirror.flush();
    expect(reports.map(({ type }) => type)).toEqual(['shows', 'shows']);
  });

  test('tells its own requests what is new, once, and none that is over', () => {
    const { mirror } = mirrored();
    mirror.show(copy(1, 'a/1'));
    const [first, released] = [claimed(mirror), claimed(mirror)];
    mirror.show(copy(2));
    mirror.show(copy(3, 'a/3'));
    const second = claimed(mirror);
    const told: string[] = [];
    for (const [name, lease] of Object.entries({ first, released, second }))
      for (const news of ['onLost', 'onLeaving', 'onCut'] as const)
        lease[news] = () => void told.push(`${name} ${news}`);
    released.release();
    mirror.tell('a/1', 'onLost');
    mirror.tell('a/1', 'onLost');
    mirror.tell('a/3', 'onLeaving');
    mirror.tell('nobody', 'onCut');
    expect(told).toEqual(['first onLost', 'second onLeaving']);
    mirror.tell('a/3', 'onCut');
    expect(told.at(-1)).toBe('second onCut');
  });

  test('may be left by one request that is told, for another', () => {
    const { mirror, take } = mirrored();
    mirror.show(copy(1, 'a'));
    const [one, other] = [claimed(mirror), claimed(mirror)];
    mirror.show(copy(2));
    take();
    one.onLost = () => {
      one.release();
      other.release();
    };
    mirror.tell('a', 'onLost');
    expect(take()).toEqual([{ type: 'released', stay: 'a' }]);
  });
});

describe('reports', () => {
  test('of failures: the first at once, those that follow with the next flush, once for all', () => {
    const { mirror, take } = mirrored();
    mirror.show(copy(1, 'a'));
    const lease = claimed(mirror);
    mirror.flush();
    take();
    const failed = (failure: Failure): StayReport => ({ type: 'failed', stay: 'a', failure });
    for (let i = 1; i < FAILURES_IN_A_ROW; i++) lease.failed();
    expect(take()).toEqual([failed('suspect')]);
    for (let i = 0; i < 1000; i++) lease.failed();
    expect(take()).toEqual([failed('failing')]);
    lease.unreachable();
    expect(take()).toEqual([failed('unreachable')]);
    mirror.flush();
    expect(take()).toEqual([failed('suspect'), failed('failing')]);
    mirror.flush();
    mirror.flush();
    expect(take()).toEqual([]);
    lease.answered();
    lease.failed();
    expect(take()).toEqual([failed('suspect')]);
  });

  test('that too many requests failed: of those in a row, and with one where the replica is on trial', () => {
    const { mirror, take } = mirrored();
    const [stay] = copy(1, 'a').stays as [Stay];
    mirror.show({ version: 1, stays: [{ ...stay, onTrial: true }], off: [] });
    const lease = claimed(mirror);
    const failing = (): boolean => {
      mirror.flush();
      mirror.flush();
      take();
      lease.failed();
      return take().some((report) => report.type === 'failed' && report.failure === 'failing');
    };
    expect(failing()).toBe(true);
    lease.answered();
    for (let round = 0; round < 3; round++) {
      for (let i = 1; i < FAILURES_IN_A_ROW; i++) expect(failing()).toBe(false);
      lease.answered();
    }
  });

  test('of what is in flight: with a flush, where it has changed', () => {
    const { mirror, take } = mirrored();
    mirror.show(copy(1, 'a'));
    const leases = [claimed(mirror), claimed(mirror)];
    take();
    mirror.flush();
    mirror.flush();
    expect(take()).toEqual([{ type: 'inFlight', requests: [['a', 2]] }]);
    leases[0]?.release();
    claimed(mirror);
    mirror.flush();
    expect(take()).toEqual([]);
    leases[1]?.release();
    mirror.flush();
    expect(take()).toEqual([{ type: 'inFlight', requests: [['a', 1]] }]);
  });
});
