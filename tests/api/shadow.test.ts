import { describe, expect, test } from 'bun:test';
import { shadowReply } from '../../src/api/shadow.ts';
import type { ShadowView } from '../../src/fleet/chooser.ts';
import { placementOf } from '../../src/ring/algorithms.ts';
import { sitesOf } from '../../src/ring/placement.ts';

const SITES = sitesOf(['a', { name: 'b', weight: 2 }]);
const LIVE = placementOf('ring', SITES);
const VIEW: ShadowView = {
  hash: 'maglev',
  placement: placementOf('maglev', SITES),
  sinceMs: Date.UTC(2026, 2, 8, 9),
  requests: 0,
  agreements: 0,
  replicas: [],
};

describe('GET /shadow', () => {
  test('says nothing of what was not, but what is to be expected', () => {
    const reply = shadowReply(VIEW, LIVE);
    expect(reply).toMatchObject({
      hash: 'ring',
      shadow: 'maglev',
      since: '2026-03-08T09:00:00.000Z',
      requests: 0,
      agreement: null,
      largest_over_mean: { live: null, shadow: null },
      replicas: [
        { name: 'a', live_share: 0, shadow_share: 0 },
        { name: 'b', live_share: 0, shadow_share: 0 },
      ],
    });
    for (const which of ['expected_live', 'expected_shadow'] as const)
      expect(reply.replicas.reduce((sum, each) => sum + (each[which] ?? 0), 0)).toBeCloseTo(1, 9);
  });

  test('has shares of all that was compared, and balance by weight of those that are on the map', () => {
    const reply = shadowReply(
      {
        ...VIEW,
        requests: 100,
        agreements: 60,
        replicas: [
          ['b', { live: 30, shadow: 50, due: 50 }],
          ['a', { live: 30, shadow: 25, due: 20 }],
          ['gone', { live: 40, shadow: 25, due: 30 }],
        ],
      },
      LIVE,
    );
    expect(reply.agreement).toBe(0.6);
    // To a 20 were due, and it has half as many again; by the other map it has a quarter more.
    expect(reply.largest_over_mean).toEqual({ live: 1.5, shadow: 1.25 });
    expect(reply.replicas).toMatchObject([
      { name: 'a', live_share: 0.3, shadow_share: 0.25 },
      { name: 'b', live_share: 0.3, shadow_share: 0.5 },
      { name: 'gone', live_share: 0.4, shadow_share: 0.25, expected_live: 0, expected_shadow: 0 },
    ]);
  });

  test('says so where the other algorithm has no map of so many', () => {
    const { replicas } = shadowReply({ ...VIEW, placement: undefined }, LIVE);
    expect(replicas.map(({ expected_shadow }) => expected_shadow)).toEqual([null, null]);
  });
});
