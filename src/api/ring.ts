import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Fleet } from '../fleet/fleet.ts';
import { sourceOf } from '../fleet/digest.ts';
import { bug } from './schemas.ts';

/** Digits after the point of a weight that grows. */
const WEIGHT_DIGITS = 4;

const name = Type.String({ description: 'Name of the replica', examples: ['server-1'] });

const ring = Type.Object(
  {
    digest: Type.String({
      description:
        'SHA-256 of algorithm, points, names and weights: where it is equal, so is the owner of every key',
      examples: ['0f8ef3377b30fc47f96b48247f463a726a802f62f3faa03d56403751d2f66c67'],
    }),
    revision: Type.Integer({
      minimum: 0,
      description:
        'With RUNTIME=swarm: how many changes of the common roster have led to it, the same number at every Ringmaster; otherwise 0',
      examples: [7],
    }),
    algorithm: Type.String({ description: 'How keys are placed', examples: ['ring'] }),
    points: Type.Integer({ description: 'Points of a replica of weight 1', examples: [1024] }),
    replicas: Type.Array(
      Type.Object({
        name,
        weight: Type.Integer({
          description: 'Its share, as a multiple of that of weight 1, as it was set',
          examples: [1],
        }),
        effective_weight: Type.Optional(
          Type.Number({
            minimum: 0,
            description:
              'Where it is not that: what the map has by which requests are sent just now, less while the replica starts slowly, and 0 while it is off that map',
            examples: [0.53125],
          }),
        ),
        state: Type.String({
          description: 'ready, or what it is on its way back from: ejected, waiting, starting',
          examples: ['ready'],
        }),
      }),
      { description: 'Those on the map, by name' },
    ),
    reached: Type.Array(Type.String(), {
      description: 'Those that another Ringmaster adds just now, and that have answered this one',
      examples: [[]],
    }),
    leaving: Type.Array(
      Type.Object({
        name,
        in_flight: Type.Integer({ description: 'Requests that it is still to finish', examples: [2] }),
      }),
      { description: 'Those that have left the map and finish what they have' },
    ),
    ringmasters: Type.Array(
      Type.Object({
        url: Type.String({ description: 'Where it is', examples: ['http://10.0.1.3:5000'] }),
        answers: Type.Boolean({ description: 'Whether it answers', examples: [true] }),
        digest: Type.Optional(
          Type.String({
            description: 'Of its own map, where it answers',
            examples: ['0f8ef3377b30fc47f96b48247f463a726a802f62f3faa03d56403751d2f66c67'],
          }),
        ),
        revision: Type.Optional(
          Type.Integer({ description: 'Of the roster that it follows', examples: [7] }),
        ),
      }),
      { description: 'The others that share the replicas, with RUNTIME=swarm' },
    ),
    disagreement_ms: Type.Integer({
      minimum: 0,
      description: 'For how long another Ringmaster has had another map; 0: all that answer have this one',
      examples: [0],
    }),
  },
  { description: 'The map in force' },
);

/** The map of keys to replicas, and whether other Ringmasters have the same. */
export function ringApi(fleet: Pick<Fleet, 'standing'>) {
  return new Elysia({ name: 'api/ring' }).get(
    '/ring',
    () => {
      const { map, digest, revision, replicas, reached, leaving, peers, disagreementMs } = fleet.standing();
      const { algorithm, points } = sourceOf(map);
      return {
        digest,
        revision,
        algorithm,
        points,
        replicas: replicas.map(({ name, weight, effectiveWeight, state }) => ({
          name,
          weight,
          ...(effectiveWeight === weight
            ? {}
            : { effective_weight: Number(effectiveWeight.toFixed(WEIGHT_DIGITS)) }),
          state,
        })),
        reached: [...reached],
        leaving: leaving.map(({ name, inFlight }) => ({ name, in_flight: inFlight })),
        ringmasters: peers.map(({ url, heard }) => ({
          url,
          answers: heard !== undefined,
          ...(heard === undefined ? {} : { digest: heard.digest, revision: heard.revision }),
        })),
        disagreement_ms: Math.round(disagreementMs),
      };
    },
    {
      parse: 'json',
      response: { 200: ring, ...bug },
      detail: {
        tags: ['Ringmaster'],
        summary: 'Show the map of keys to replicas',
        description: 'Two Ringmasters whose digests are equal name the same owner for every key.',
      },
    },
  );
}
