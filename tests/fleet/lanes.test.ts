import { describe, expect, test } from 'bun:test';
import { Lanes } from '../../src/fleet/lanes.ts';
import { Chance } from './chance.ts';

const NEVER = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Something that is under way until it is let go. */
function held(lanes: Lanes, begun: string[], name: string, signal = NEVER) {
  const end = Promise.withResolvers<void>();
  const ran = lanes.run(() => {
    begun.push(name);
    return end.promise;
  }, signal);
  return { end, ran };
}

describe('lanes', () => {
  test('run so many at once, the others in the order of coming', async () => {
    const lanes = new Lanes(2);
    const begun: string[] = [];
    const all = ['a', 'b', 'c', 'd'].map((name) => held(lanes, begun, name));
    await turn();
    expect(begun).toEqual(['a', 'b']);
    all[1]?.end.resolve();
    await turn();
    expect(begun).toEqual(['a', 'b', 'c']);
    for (const { end } of all) end.resolve();
    await Promise.all(all.map(({ ran }) => ran));
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  test('are left by what fails, and who waits no more does not run', async () => {
    const lanes = new Lanes(1);
    const begun: string[] = [];
    const gone = new AbortController();
    const [first, second, third] = [
      held(lanes, begun, 'first'),
      held(lanes, begun, 'second', gone.signal),
      held(lanes, begun, 'third'),
    ];
    gone.abort();
    await second.ran;
    first.end.reject(new Error('failed'));
    await expect(first.ran).rejects.toThrow('failed');
    await turn();
    expect(begun).toEqual(['first', 'third']);
    third.end.resolve();
    await third.ran;
    await lanes.run(() => Promise.resolve(void begun.push('aborted')), gone.signal);
    expect(begun).toEqual(['first', 'third']);
  });

  test('are never more than there are, and none is lost', async () => {
    const chance = new Chance(20261122);
    for (let round = 0; round < 200; round++) {
      const count = 1 + chance.below(4);
      const lanes = new Lanes(count);
      let [now, most, ran] = [0, 0, 0];
      const runs = Array.from({ length: 20 }, async () => {
        const signal = new AbortController();
        if (chance.happens(0.3)) void turn().then(() => signal.abort());
        await lanes.run(async () => {
          most = Math.max(most, ++now);
          for (let i = chance.below(3); i > 0; i--) await turn();
          now--;
          ran++;
        }, signal.signal);
      });
      await Promise.all(runs);
      expect(most).toBeLessThanOrEqual(count);
      expect(now).toBe(0);
      // All are free again.
      const begun: string[] = [];
      const again = Array.from({ length: count + 1 }, (_, i) => held(lanes, begun, `${i}`));
      expect(begun).toHaveLength(count);
      for (const { end } of again) end.resolve();
      await Promise.all(again.map((one) => one.ran));
      expect(ran).toBeGreaterThan(0);
    }
  });
});
