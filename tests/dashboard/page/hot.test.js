// @ts-check
import { describe, expect, test } from 'bun:test';
import { shadowWords, spreadWords, standingOut } from '../../../src/dashboard/page/hot.js';

/** @param {number} share @param {string[]} [over] */
const key = (share, over) => ({
  key: `k${share}`,
  hash: '00000000',
  share,
  replica: 'a',
  ...(over === undefined ? {} : { spread_over: over }),
});
const spread = { over: 1, from_share: 0.1 };

describe('the keys that are shown', () => {
  test('are those that stand out, and those that are spread', () => {
    const keys = [key(0.3), key(0.05), key(0.049), key(0.03, ['a', 'b'])];
    const shown = standingOut({ requests: 1000, at_home: 1, keys, spread });
    expect(shown.map(({ share }) => share)).toEqual([0.3, 0.05, 0.03]);
  });

  test('are none where there were hardly any requests, and eight at most', () => {
    expect(standingOut({ requests: 49, at_home: 1, keys: [key(1)], spread })).toEqual([]);
    const keys = Array.from({ length: 20 }, () => key(0.05));
    expect(standingOut({ requests: 50, at_home: 1, keys, spread })).toHaveLength(8);
  });
});

test('it is said from when on and for how long a key is spread, where one is', () => {
  expect(spreadWords(spread)).toBe('');
  expect(spreadWords({ over: 2, from_share: 0.1 }).replaceAll('\u00a0', ' ')).toBe(
    ' From a share of 10.0 % on a key is spread over 2 replicas, until its share is below half of that.',
  );
});

describe('of the algorithm in the shadow', () => {
  const largest = { live: 1.084, shadow: null };
  test('it is said how often both agree, and how even both are', () => {
    const said = shadowWords({
      hash: 'ring',
      shadow: 'maglev',
      requests: 1200,
      agreement: 0.342,
      largest_over_mean: largest,
    });
    expect(said.replaceAll('\u00a0', ' ')).toBe(
      'In the shadow maglev is watched: both maps name the same owner for 34.2 % of 1,200 requests. ' +
        'Busiest replica, as a multiple of its due: 1.08 with ring, – with maglev.',
    );
  });

  test('it is said that there is nothing to say yet', () => {
    const none = { live: null, shadow: null };
    expect(
      shadowWords({ hash: 'ring', shadow: 'maglev', requests: 0, agreement: null, largest_over_mean: none }),
    ).toBe('In the shadow maglev is watched: no request had a key of its own yet.');
  });
});
