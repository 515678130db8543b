import { Type, type TProperties } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Clock } from '../fleet/clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { InvalidChange } from '../fleet/errors.ts';
import type { Change, Plan } from '../fleet/membership.ts';
import { movement } from '../ring/movement.ts';
import { sitesOf, type Placement, type Site } from '../ring/placement.ts';
import { Ring } from '../ring/ring.ts';
import { checkedBody } from './body.ts';
import { bug, failure, hostname, part } from './schemas.ts';
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

/** What a change moves; all parts are of the key space, and exact. */
const moving = {
  moved: part('The part of the keys that changes its owner', 0.2455),
  least: part('What would have to change its owner if all shares were equal, whatever places them', 0.25),
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
    { description: 'The largest share, as a multiple of the mean' },
  ),
};

/** What a dry run answers: `who` it is about, and what of the keys would move. */
export const dryRun = <const Who extends TProperties>(who: Who) =>
  Type.Object(
    { ...who, ...moving },
    { description: 'With dry_run=true: what would be', additionalProperties: false },
  );

/** What the plan moves, as the API tells it. `inForce` is a map that is there: if it is that of before, it is not built again. */
export function reportOf({ before, after }: Plan, inForce: Placement) {
  const now = inForce instanceof Ring && isMapOf(inForce, before) ? inForce : Ring.of(before);
  const found = movement(now, Ring.of(after));
  return {
    moved: found.moved,
    least: found.least,
    moves: found.moves.slice(0, MOVES_MAX),
    before: Object.fromEntries(found.before.shares),
    after: Object.fromEntries(found.after.shares),
    largest_over_mean: { before: found.before.largestOverMean, after: found.after.largestOverMean },
  };
}

function isMapOf({ sites }: Placement, members: readonly Site[]): boolean {
  const sorted = sitesOf(members);
  return (
    sorted.length === sites.length &&
    sites.every(({ name, weight }, i) => name === sorted[i]?.name && weight === sorted[i].weight)
  );
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
  },
  // A misspelt "rm" would show a plan that is not the one that was meant.
  { additionalProperties: false },
);

function wrongProposal(path: string | undefined): string {
  const field = /^\/(add|rm)(?:\/|$)/.exec(path ?? '')?.[1];
  return field === undefined
    ? 'The body must be JSON with names in add, in rm or in both: {"add":["a"],"rm":["server-1"]}'
    : `${field} must be a list of texts`;
}

/** What a change would move, before it is made. */
export function planApi(fleet: Pick<Fleet, 'plan' | 'ring'>, clock: Clock) {
  // Anybody may ask, and rings cost more to build than a caller has to spend on the question.
  const throttle = new Throttle(clock);
  const changeOf = (hostnames: readonly string[]): Change => ({ n: hostnames.length, hostnames });
  return new Elysia({ name: 'api/plan' }).post(
    '/plan',
    ({ body: { add = [], rm = [] } }) => {
      if (add.length + rm.length === 0) throw new InvalidChange('Name at least one replica, in add or in rm');
      const plan = fleet.plan({
        ...(add.length > 0 ? { join: changeOf(add) } : {}),
        ...(rm.length > 0 ? { leave: changeOf(rm) } : {}),
      });
      return throttle.run(() => reportOf(plan, fleet.ring));
    },
    {
      ...checkedBody(proposal, wrongProposal),
      response: {
        200: Type.Object(moving, { description: 'What would move', additionalProperties: false }),
        400: failure(
          'The body is not JSON, or a value in it is not allowed',
          'Name at least one replica, in add or in rm',
        ),
        404: failure(
          'A name in rm is not that of a replica',
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
          'Changes nothing and starts nothing. The plan is between all members of now and all of after it, whether each is ready or not: what remains when all are healthy. Who leaves makes room for who joins under MAX_REPLICAS.',
      },
    },
  );
}
