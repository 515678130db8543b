import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { ShadowView } from '../fleet/chooser.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { OwnedCounts } from '../fleet/shadow.ts';
import { ALGORITHMS, type Placement } from '../ring/placement.ts';
import { sharesOf } from '../ring/shares.ts';
import { Refusal } from './errors.ts';
import { bug, failure, part } from './schemas.ts';

const OFF = `No second algorithm is watched: set SHADOW_HASH to another of ${ALGORITHMS.join(', ')} than HASH, and start again`;

const partOrNull = (description: string, example: number) =>
  Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()], { description, examples: [example] });
const overMean = (description: string, example: number) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description, examples: [example] });

const shadow = Type.Object(
  {
    hash: Type.String({ description: 'HASH: the algorithm in force', examples: ['ring'] }),
    shadow: Type.String({ description: 'SHADOW_HASH: the one watched', examples: ['maglev'] }),
    since: Type.String({
      description: 'Since when requests are compared',
      examples: ['2026-03-08T09:00:00.000Z'],
    }),
    requests: Type.Integer({
      minimum: 0,
      description: 'Requests compared: those that have a key of their own, retries not again',
      examples: [10_000],
    }),
    agreement: partOrNull(
      'The part of them for which both name the same owner; null where there are none',
      0.34,
    ),
    largest_over_mean: Type.Object(
      {
        live: overMean('By the algorithm in force', 1.08),
        shadow: overMean('By the one watched', 1.02),
      },
      {
        description:
          'The most requests that one replica on the map owned, as a multiple of what its weight was due as they came; null where there are none',
      },
    ),
    replicas: Type.Array(
      Type.Object({
        name: Type.String({ description: 'Name of the replica', examples: ['server-1'] }),
        live_share: part('The part of the requests compared that it owned', 0.36),
        shadow_share: part('The part that it would have owned', 0.34),
        expected_live: part('The part of the keys that it owns; 0 where it is not on the map', 0.35),
        expected_shadow: partOrNull(
          'The part that it would own; null where the other algorithm has no map of so many replicas',
          0.33,
        ),
      }),
      { description: 'Those that are on the map or were, by name' },
    ),
  },
  { description: 'Both algorithms, on the same requests' },
);

/** What was compared, as the API tells it. */
export function shadowReply(
  { hash, placement, sinceMs, requests, agreements, replicas }: ShadowView,
  live: Placement,
) {
  const counts = new Map(replicas);
  const names = [...new Set([...live.names, ...counts.keys()])].sort();
  const share = (count: number | undefined): number => (requests > 0 ? (count ?? 0) / requests : 0);
  const [expectedLive, expectedShadow] = [sharesOf(live), placement && sharesOf(placement)];
  return {
    hash: live.algorithm,
    shadow: hash,
    since: new Date(sinceMs).toISOString(),
    requests,
    agreement: requests > 0 ? agreements / requests : null,
    largest_over_mean: {
      live: largestOverMean(live, counts, 'live'),
      shadow: largestOverMean(live, counts, 'shadow'),
    },
    replicas: names.map((name) => ({
      name,
      live_share: share(counts.get(name)?.live),
      shadow_share: share(counts.get(name)?.shadow),
      expected_live: expectedLive.get(name) ?? 0,
      expected_shadow: expectedShadow === undefined ? null : (expectedShadow.get(name) ?? 0),
    })),
  };
}

/** Of those on the map, by what was due to each; null where nothing was. */
function largestOverMean(
  { names }: Placement,
  counts: ReadonlyMap<string, OwnedCounts>,
  which: 'live' | 'shadow',
): number | null {
  let largest: number | null = null;
  for (const name of names) {
    const owned = counts.get(name);
    if (owned === undefined || owned.due === 0) continue;
    largest = Math.max(largest ?? 0, owned[which] / owned.due);
  }
  return largest;
}

/** What another algorithm would have made of the same requests. */
export function shadowApi(fleet: Pick<Fleet, 'choices'>) {
  return new Elysia({ name: 'api/shadow' }).get(
    '/shadow',
    () => {
      const { choices } = fleet;
      const view = choices.shadow();
      if (view === undefined) throw new Refusal(404, OFF);
      return shadowReply(view, choices.placement);
    },
    {
      parse: 'json',
      response: { 200: shadow, 404: failure('SHADOW_HASH is not set', OFF), ...bug },
      detail: {
        tags: ['Ringmaster'],
        summary: 'Compare another algorithm on the same requests',
        description:
          'With SHADOW_HASH: each request that has a key is placed by both, and goes where the one in force says.',
      },
    },
  );
}
