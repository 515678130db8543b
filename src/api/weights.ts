import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { InvalidChange } from '../fleet/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { weightsOf, type Weights } from '../fleet/membership.ts';
import { checkedBody } from './body.ts';
import { changeDetail, isDryRun, refused } from './change.ts';
import { dryRun, reportOf } from './plan.ts';
import { failure, weights } from './schemas.ts';
import type { Throttle } from './throttle.ts';

const EXAMPLE = { 'server-1': 2, 'server-2': 1, 'server-3': 1 };
const wished = Type.Object(
  { weights: weights('Who is not named keeps its own', { 'server-1': 2 }) },
  { additionalProperties: false },
);

function wrongWeights(path: string | undefined): string {
  return path?.split('/')[1] === 'weights'
    ? 'weights must be whole numbers by name: {"server-1":2}'
    : 'The body must be JSON with weights by name: {"weights":{"server-1":2}}';
}

/** A call, as Elysia hands it over. */
interface Call {
  readonly request: Request;
  readonly body: { readonly weights: Weights };
}

/** Gives replicas other weights while they run. */
export function weightsApi(fleet: Pick<Fleet, 'plan' | 'weigh' | 'ring'>, dryRuns: Throttle) {
  const weigh = async ({ request, body }: Call) => {
    if (Object.keys(body.weights).length === 0)
      throw new InvalidChange('Name at least one replica in weights: {"weights":{"server-1":2}}');
    if (!isDryRun(request.url))
      return {
        message: { weights: { ...(await fleet.weigh(body.weights)) } },
        status: 'successful' as const,
      };
    const plan = fleet.plan({ weigh: body.weights });
    return {
      weights: { ...weightsOf(plan.after) },
      ...(await dryRuns.run(() => reportOf(plan, fleet.ring))),
    };
  };
  return new Elysia({ name: 'api/weights' }).post('/weights', weigh, {
    ...checkedBody(wished, wrongWeights),
    response: {
      200: Type.Union(
        [
          Type.Object(
            {
              message: Type.Object({ weights: weights('Of all replicas', EXAMPLE) }),
              status: Type.Literal('successful'),
            },
            { description: 'After the change' },
          ),
          dryRun({ weights: weights('Of all replicas, as they would be', EXAMPLE) }),
        ],
        {
          description: 'All are in force; with dry_run=true, what the weights would be, and what would move',
        },
      ),
      ...refused,
      404: failure(
        'A name is not that of a replica',
        'Hostname a is not a replica: /rep lists those that are',
      ),
      413: failure('The body is too large', 'The body is larger than 1048576 bytes'),
    },
    detail: changeDetail(
      'Change weights',
      'Answers once they are in force. With HASH=ring and rendezvous keys only move to replicas that weigh more than before, or from those that weigh less; with others some more. All or none. Not with HASH=course, which has no weights.',
    ),
  });
}
