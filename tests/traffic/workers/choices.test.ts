import { afterAll, afterEach, describe, expect, test } from 'bun:test';
import { hotReply } from '../../../src/api/hot.ts';
import { eventually } from '../../spawned.ts';
import { Claimant } from './claimant.ts';
import { endRigs, WorkersRig } from './rig.ts';

const PATIENCE_MS = 60_000;

afterEach(endRigs);
afterAll(endRigs);

describe('what workers choose', () => {
  test(
    'adds up in the fleet with what it chooses itself, and stays when one of them ends',
    async () => {
      const rig = await new WorkersRig({ env: { SHADOW_HASH: 'maglev', HASH_KEY: 'query:id' } }).open();
      const { fleet, config } = rig;
      const [one, other] = await Claimant.each(rig.port, 2);
      const ask = async (claimant: Claimant | undefined, key: string, times: number): Promise<void> => {
        for (let i = 0; i < times; i++) await claimant?.claim(key);
      };
      await ask(one, 'x', 30);
      await ask(other, 'x', 20);
      await ask(other, 'y', 10);
      const own = fleet.claim('x');
      fleet.claim('x', new Set([own?.replica ?? '']))?.release();
      own?.release();
      await eventually(() => fleet.choices.shadow()?.requests === 61);
      const reply = hotReply({ report: fleet.choices.hot(), placement: fleet.choices.placement, config });
      const shares = reply.keys.map(({ key, share, error, replica }) => [key, share, error, replica]);
      expect(shares).toEqual([
        ['x', expect.closeTo(51 / 61, 2), 0, fleet.ring.owner('x')],
        ['y', expect.closeTo(10 / 61, 2), 0, fleet.ring.owner('y')],
      ]);
      expect(reply.requests).toBeGreaterThan(50);
      expect(reply.requests).toBeLessThanOrEqual(61);
      process.kill(one?.self.pid ?? 0, 'SIGKILL');
      await eventually(() => rig.logged('accepts connections').length === 1);
      await ask(other, 'z', 5);
      await eventually(() => fleet.choices.shadow()?.requests === 66);
    },
    PATIENCE_MS,
  );

  test(
    'keeps each of them within its bound by what it has in flight itself',
    async () => {
      const rig = await new WorkersRig({ env: { LOAD_FACTOR: '1.5' } }).open();
      for (const claimant of await Claimant.each(rig.port, 2)) {
        const claims = await Promise.all(Array.from({ length: 12 }, () => claimant.claim('x')));
        const counts = rig.fleet
          .names()
          .map((name) => claims.filter(({ replica }) => replica === name).length);
        expect(Math.max(...counts)).toBe(6);
        expect(counts.reduce((sum, count) => sum + count)).toBe(12);
      }
      await eventually(
        () => rig.fleet.names().reduce((sum, name) => sum + (rig.inFlight(name) ?? 0), 0) === 24,
      );
      // The fleet sees what both have in flight: ceil(1.5 * 25 / 3) = 13 are due to the owner, of 26 as many, of 27 one more.
      const owner = rig.fleet.ring.owner('x') ?? '';
      expect(rig.inFlight(owner)).toBe(12);
      const leases = Array.from({ length: 3 }, () => rig.fleet.claim('x'));
      expect(leases.map((lease) => lease?.replica === owner)).toEqual([true, false, true]);
      for (const lease of leases) lease?.release();
    },
    PATIENCE_MS,
  );
});
