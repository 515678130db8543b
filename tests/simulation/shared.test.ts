import { expect, setDefaultTimeout, test } from 'bun:test';
import { SharedFleet } from '../../src/fleet/shared/shared-fleet.ts';
import { runShared } from './shared.ts';

setDefaultTimeout(300_000);

/** Each takes a fifth of a second. */
const SEEDS = 60;

test('several Ringmasters share one truth, whatever happens to them, to their hosts and to the replicas', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await runShared(seed);
});

test('one that tells owners though it is cut off is found out', async () => {
  const { owner } = SharedFleet.prototype;
  SharedFleet.prototype.owner = function (key) {
    return this.standing().map.owner(key);
  };
  try {
    await expect(
      (async () => {
        for (let seed = 1; seed <= SEEDS; seed++) await runShared(seed);
      })(),
    ).rejects.toThrow(/tells owners by/);
  } finally {
    SharedFleet.prototype.owner = owner;
  }
});
