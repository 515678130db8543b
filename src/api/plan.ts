import { Type, type TProperties } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Clock } from '../fleet/clock.ts';
import { InvalidChange } from '../fleet/errors.ts';
import { isMapOf } from '../fleet/explain.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Change, Plan, Proposal, Weights } from '../fleet/membership.ts';
import { placementOf } from '../ring/algorithms.ts';
import { movement } from '../ring/movement.ts';
import { ALGORITHMS, type Algorithm, type Placement, type Site } from '../ring/placement.ts';
import { checkedBody } from './body.ts';
import { algorithm, bug, failure, hostname, part, weights } from './schemas.ts';
import { Throttle } from './throttle.ts';

/** Moves that a reply lists, the largest; some 80 bytes each. Among 100 replicas there are never more. */
const MOVES_MAX = 10_000;

const nameOrNobody = (description: string, example: string) =>
  Type.Union([Type.String(), Type.Null()], { description, examples: [example] });
const shares = (description: string, example: Readonly<Record<string, number>>) =>
  Type.Object({}, { additionalProperties: Type.Number(), description, examples: [example] });
const overMean = (example: number) =>
  Type.Union([Type.Number({ minimum: 1 }), Type.Null()], {
    description: 'null where there is no replica',
    examples: [example],
  });

/** What a change moves; all parts are of the key space. */
const moving = {
  moved: part('The part of the keys that changes its owner', 0.2455),
  least: part(
    'What would have to change its owner if all shares were as the weights say, whatever places them',
    0.25,
  ),
  moves: Type.Array(
    Type.Object({
      from: nameOrNobody('Who owns them before; null: nobody', 'server-1'),
      to: nameOrNobody('Who owns them after; null: nobody', 'a'),
      share: part('The part of the keys', 0.0902),
    }),
    { description: `From whom to whom, largest first; at most the ${MOVES_MAX} largest` },
  ),
  before: shares('The part of the keys that each replica owns before', {
    'server-1': 0.34,
    'server-2': 0.32,
    'server-3': 0.34,
  }),
  after: shares('The part of the keys that each replica owns after', {
    'server-1': 0.25,
    'server-2': 0.24,
    'server-3': 0.26,
    a: 0.25,
  }),
  largest_over_mean: Type.Object(
    { before: overMean(1.02), after: overMean(1.05) },
    {
      description:
        'The largest share, as a multiple of what its weight is due: of the mean, where all weights are equal',
    },
  ),
};

const hashes = Type.Object(
  { before: algorithm('How keys are placed now'), after: algorithm('How they would be placed') },
  { description: 'Where hash was asked for: the one in force, and that one' },
);

/** What a dry run answers: `who` it is about, and what of the keys would move. */
export const dryRun = <const Who extends TProperties>(who: Who) =>
  Type.Object(
    { ...who, ...moving },
    { description: 'With dry_run=true: what would be', additionalProperties: false },
  );

/** What the plan moves, as the API tells it. `inForce` is a map that is there: where it is one of the plan's, it is not built again. */
export function reportOf({ before, after, hash }: Plan, inForce: Placement) {
  const found = movement(mapOf(hash.before, before, inForce), mapOf(hash.after, after, inForce), {
    movesMax: MOVES_MAX,
  });
  return {
    moved: found.moved,
    least: found.least,
    moves: [...found.moves],
    before: Object.fromEntries(found.before.shares),
    after: Object.fromEntries(found.after.shares),
    largest_over_mean: { before: found.before.largestOverMean, after: found.after.largestOverMean },
  };
}

function mapOf(algorithm: Algorithm, members: readonly Site[], inForce: Placement): Placement {
  return inForce.algorithm === algorithm && isMapOf(inForce, members)
    ? inForce
    : placementOf(algorithm, members);
}

const proposal = Type.Object(
  {
    add: Type.Optional(
      Type.Array(hostname(['a']), { description: 'Names of those that would join', examples: [['a']] }),
    ),
    rm: Type.Optional(
      Type.Array(hostname(['server-1']), {
        description: 'Names of those that would leave',
        examples: [['server-1']],
      }),
    ),
    weights: Type.Optional(weights('Of those in add and of those who stay', { 'server-2': 2 })),
    hash: Type.Optional(algorithm('How keys would be placed; as they are where it is not said')),
  },
  // A misspelt "rm" would show a plan that is not the one that was meant.
  { additionalProperties: false },
);

function wrongProposal(path: string | undefined): string {
  const field = /^\/(add|rm|weights|hash)(?:\/|$)/.exec(path ?? '')?.[1];
  switch (field) {
    case 'hash':
      return `hash must be one of ${ALGORITHMS.join(', ')}`;
    case 'weights':
      return 'weights must be whole numbers by name: {"server-2":2}';
    case undefined:
      return 'The body must be JSON with one or more of add, rm, weights and hash: {"add":["a"],"rm":["server-1"]}';
    default:
      return `${field} must be a list of texts`;
  }
}

interface Wish {
  readonly add?: readonly string[];
  readonly rm?: readonly string[];
  readonly weights?: Weights;
  readonly hash?: Algorithm;
}

/** The wish as the fleet takes it: a weight is of one that joins, or of one that stays. Throws InvalidChange. */
function proposalOf({ add = [], rm = [], weights = {}, hash }: Wish): Proposal {
  if (add.length + rm.length + Object.keys(weights).length === 0 && hash === undefined)
    throw new InvalidChange('Name at least one replica, in add, rm or weights, or a hash');
  return {
    ...(add.length > 0 ? { join: changeOf(add) } : {}),
    ...(rm.length > 0 ? { leave: changeOf(rm) } : {}),
    weigh: weights,
    ...(hash === undefined ? {} : { hash }),
  };
}

function changeOf(hostnames: readonly string[]): Change {
  return { n: hostnames.length, hostnames };
}

/** What a change would move, before it is made. */
export function planApi(fleet: Pick<Fleet, 'plan' | 'ring'>, clock: Clock) {
  // Anybody may ask, and rings cost more to build than a caller has to spend on the question.
  const throttle = new Throttle(clock);
  return new Elysia({ name: 'api/plan' }).post(
    '/plan',
    ({ body }) => {
      const plan = fleet.plan(proposalOf(body));
      return throttle.run(() => ({
        ...reportOf(plan, fleet.ring),
        ...(body.hash === undefined ? {} : { hash: { ...plan.hash } }),
      }));
    },
    {
      ...checkedBody(proposal, wrongProposal),
      response: {
        200: Type.Object(
          { ...moving, hash: Type.Optional(hashes) },
          { description: 'What would move', additionalProperties: false },
        ),
        400: failure(
          'The body is not JSON, or a value in it is not allowed',
          'Name at least one replica, in add, rm or weights, or a hash',
        ),
        404: failure(
          'A name in rm or weights is not that of a replica',
          'Hostname a is not a replica: /rep lists those that are',
        ),
        409: failure('A name in add is taken', 'Hostname a is taken: choose a name that /rep does not list'),
        413: failure(
          'There would be more than MAX_REPLICAS replicas, or the body is too large',
          '64 replicas and 1 more would be over the limit of 64: add fewer or raise MAX_REPLICAS',
        ),
        415: failure(
          'The content type is not application/json',
          'Send the body with content-type: application/json',
        ),
        ...bug,
        503: failure('Too many ask at once', '64 such calls are waiting already: ask again later'),
      },
      detail: {
        tags: ['Replicas'],
        summary: 'Ask what a change would move',
        description:
          'Changes nothing and starts nothing. The plan is between all members of now and all of after it, whether each is ready or not, with their full weights: what remains when all are healthy. Who leaves makes room for who joins under MAX_REPLICAS. All parts are exact, counted over every hash that a key can have, with two exceptions: with rendezvous before and after they are what hashes without a flaw give, and where one is the map of another key hash than the other (nginx, ketama and course each have their own, and rendezvous an order for each key) a key that is somewhere now may be anywhere then, so each part is the product of two shares.',
      },
    },
  );
}
