import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Balance, Config, KeySource } from '../config.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { HALF_LIFE_MS, isCut, type HotReport } from '../fleet/hot-keys.ts';
import type { Placement } from '../ring/placement.ts';
import { bug, part } from './schemas.ts';

/** Keys that a reply lists, the largest; some 200 bytes each. */
const KEYS_MAX = 50;

const name = Type.String({ description: 'Name of the replica', examples: ['server-1'] });

const hot = Type.Object(
  {
    requests: Type.Number({
      minimum: 0,
      description: 'Requests lately, of both ports; one counts for half after half_life_ms, and so on',
      examples: [5021.4],
    }),
    at_home: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()], {
      description: 'The part of them that went to the owner of their key first; null where there were none',
      examples: [0.97],
    }),
    half_life_ms: Type.Integer({
      description: 'After so long a request counts for half',
      examples: [HALF_LIFE_MS],
    }),
    keys: Type.Array(
      Type.Object({
        key: Type.Union([Type.String(), Type.Null()], {
          description:
            'The key; null where it is too long, or may be a secret since HASH_KEY takes keys from a header, a cookie or the address',
          examples: ['42'],
        }),
        hash: Type.Union([Type.String(), Type.Null()], {
          description: 'What the map hashes it to; null of a long key that has not come for a while',
          examples: ['2cb7ef4e'],
        }),
        share: part('The part of all requests that have it: certainly so many', 0.21),
        error: part('How much more it may be', 0.0003),
        replica: Type.Union([Type.String(), Type.Null()], {
          description: 'Its owner; null where hash is null',
          examples: ['server-1'],
        }),
        spread_over: Type.Optional(
          Type.Array(Type.String(), {
            description: 'Where it is hot and HOT_KEY_SPREAD is above 1: who gets its requests',
            examples: [['server-1', 'server-3']],
          }),
        ),
      }),
      {
        description: `Keys that came more often than can be by chance, largest share first; at most ${KEYS_MAX}`,
      },
    ),
    replicas: Type.Array(
      Type.Object({
        name,
        share: part('The part of all requests that went there first', 0.35),
        home_share: part('The part of all requests whose key it owns', 0.38),
        largest_key_share: part('Of its keys, the largest share of all requests', 0.21),
      }),
      { description: 'Those on the map, by name' },
    ),
    spread: Type.Object({
      over: Type.Integer({ description: 'HOT_KEY_SPREAD; 1: no key is spread', examples: [2] }),
      from_share: Type.Number({ description: 'HOT_KEY_SHARE', examples: [0.1] }),
    }),
  },
  { description: 'What was asked lately' },
);

export interface HotView {
  readonly report: HotReport;
  readonly placement: Placement;
  readonly config: Pick<Config, 'hashKey'> & Pick<Balance, 'hotKeySpread' | 'hotKeyShare'>;
}

/** Whether keys are taken from where credentials are, or say who somebody is: no reply may have the text of one. */
function mayBeSecret(sources: readonly KeySource[]): boolean {
  return sources.some(({ from }) => from === 'header' || from === 'cookie' || from === 'ip');
}

/** What was asked lately, as the API tells it. */
export function hotReply({ report, placement, config }: HotView) {
  const { requests, home, keys, replicas } = report;
  const hidden = mayBeSecret(config.hashKey);
  // Clocks of several processes do not agree to the last digit.
  const share = (count: number): number => (requests > 0 ? Math.min(1, round(count / requests)) : 0);
  const certain = keys
    .map((one) => ({ ...one, certain: one.count - one.error }))
    // Of one that came as often as any other, more of the count may be others' than its own.
    .filter((one) => one.certain > one.error)
    .sort((a, b) => b.certain - a.certain);
  const largest = new Map<string, number>();
  for (const { known, certain: count } of certain)
    if (known?.owner !== undefined) largest.set(known.owner, Math.max(largest.get(known.owner) ?? 0, count));
  const counts = new Map(replicas);
  return {
    requests: Math.round(requests * 1000) / 1000,
    at_home: requests > 0 ? share(home) : null,
    half_life_ms: HALF_LIFE_MS,
    keys: certain.slice(0, KEYS_MAX).map((one) => ({
      key: hidden || isCut(one.key) ? null : one.key,
      hash: one.known === undefined ? null : one.known.hash.toString(16).padStart(8, '0'),
      share: share(one.certain),
      error: share(one.error),
      replica: one.known?.owner ?? null,
      ...(one.over.length === 0 ? {} : { spread_over: [...one.over] }),
    })),
    replicas: placement.names.map((each) => ({
      name: each,
      share: share(counts.get(each)?.requests ?? 0),
      home_share: share(counts.get(each)?.owned ?? 0),
      largest_key_share: share(largest.get(each) ?? 0),
    })),
    spread: { over: config.hotKeySpread, from_share: config.hotKeyShare },
  };
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** Which keys are asked for most, and what that makes of the replicas. */
export function hotApi(fleet: Pick<Fleet, 'choices'>, config: HotView['config']) {
  return new Elysia({ name: 'api/hot' }).get(
    '/hot',
    () => {
      const { choices } = fleet;
      return hotReply({ report: choices.hot(), placement: choices.placement, config });
    },
    {
      parse: 'json',
      response: { 200: hot, ...bug },
      detail: {
        tags: ['Ringmaster'],
        summary: 'Show which keys are asked for most',
        description:
          'Requests of both ports and of all workers, lately. A retry does not count again. Keys that may be secrets are told by their hash alone.',
      },
    },
  );
}
