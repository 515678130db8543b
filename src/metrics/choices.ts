import { single, type Family } from './family.ts';

/** Whom requests go to, and what another algorithm would say. */
export const choiceFamilies: readonly Family[] = [
  single(
    'counter',
    'ringmaster_requests_away_total',
    'Requests that went to another replica than the owner of their key first, since that was over its bound or the key is spread.',
    ({ source }) => source.fleet.choices.away,
  ),
  {
    name: 'ringmaster_hot_key_share_ratio',
    type: 'gauge',
    help: 'The part of all requests lately that had the key asked for most: certainly so many, 0 to 1.',
    samples: ({ hot: { requests, keys } }) => {
      const most = keys.reduce((largest, { count, error }) => Math.max(largest, count - error), 0);
      return [{ value: requests > 0 ? Math.min(1, most / requests) : 0 }];
    },
  },
  single(
    'gauge',
    'ringmaster_hot_keys_spread',
    'Keys that are hot, and spread over several replicas, in any process.',
    ({ hot }) => hot.keys.filter(({ over }) => over.length > 0).length,
  ),
  {
    name: 'ringmaster_shadow_requests_total',
    type: 'counter',
    help: 'Requests that were compared with SHADOW_HASH, by whether both algorithms name the same owner; none where it is off.',
    samples: ({ source }) => {
      const shadow = source.fleet.choices.shadow();
      if (shadow === undefined) return [];
      const { requests, agreements } = shadow;
      return [
        { labels: { agrees: 'true' }, value: agreements },
        { labels: { agrees: 'false' }, value: requests - agreements },
      ];
    },
  },
];
