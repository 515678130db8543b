import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Fleet } from '../fleet/fleet.ts';
import { checkedBody } from './body.ts';
import { Refusal, wrongInput } from './errors.ts';
import { dryRun, reportOf } from './plan.ts';
import { bug, change, changed, failure, names, replicas } from './schemas.ts';

const refused = {
  400: failure(
    'The body is not JSON, or a value in it is not allowed',
    'n must be a whole number, 1 or more',
  ),
  401: failure(
    'ADMIN_TOKEN is set, and the call does not carry it',
    'This needs the header Authorization: Bearer with the value of ADMIN_TOKEN',
  ),
  403: failure(
    'The caller may not change the replicas',
    'A page of another site may not change the replicas',
  ),
  415: failure(
    'The content type is not application/json',
    'Send the body with content-type: application/json',
  ),
  503: failure(
    'The engine or a replica did not do its part: nothing was changed',
    'The engine that runs the replicas does not answer: nothing was added',
  ),
  ...bug,
};
const detail = (summary: string, description: string) => ({ tags: ['Replicas'], summary, description });
/** Of a change; a token is needed only where ADMIN_TOKEN is set. */
const changeDetail = (summary: string, description: string) => ({
  ...detail(summary, description),
  security: [{}, { token: [] }],
  parameters: [dryRunParameter],
});

const DRY_RUN = 'dry_run';
const dryRunParameter = {
  name: DRY_RUN,
  in: 'query',
  required: false,
  description: 'true: say what the call would do and what it would move, and change nothing',
  // What the page to try the API fills in.
  schema: { type: 'boolean', default: false, example: false },
} as const;

/** Whether the call only asks. Throws Refusal for what may be meant so and is not understood: it would be a change. */
function isDryRun(url: string): boolean {
  const [found, ...others] = [...new URL(url).searchParams].filter(([name]) => /^dry[-_ ]?run$/i.test(name));
  if (found === undefined) return false;
  const [name, value] = found;
  if (name !== DRY_RUN || (value !== 'true' && value !== 'false') || others.length > 0)
    throw new Refusal(400, 'dry_run must be true or false, and be there once: ?dry_run=true');
  return value === 'true';
}

const wrongChange = (path: string | undefined): string => wrongInput('body', path);

/** A call of a change, as Elysia hands it over. */
interface Call {
  readonly request: Request;
  readonly body: { readonly n: number; readonly hostnames?: string[] };
}

/** Who is in: read it, add to it, remove from it. */
export function replicasApi(fleet: Pick<Fleet, 'names' | 'plan' | 'add' | 'remove' | 'ring'>) {
  const state = (members: readonly string[]) => ({ N: members.length, replicas: [...members] });
  const success = (members: readonly string[]) => ({
    message: state(members),
    status: 'successful' as const,
  });
  const add = async ({ request, body: { n, hostnames = [] } }: Call) => {
    const join = { n, hostnames };
    if (!isDryRun(request.url)) return success(await fleet.add(join));
    const plan = fleet.plan({ join });
    return { add: [...plan.joining], ...reportOf(plan, fleet.ring) };
  };
  const remove = async ({ request, body: { n, hostnames = [] } }: Call) => {
    const leave = { n, hostnames };
    if (!isDryRun(request.url)) return success(await fleet.remove(leave));
    const plan = fleet.plan({ leave });
    return { rm: [...plan.leaving], ...reportOf(plan, fleet.ring) };
  };
  return new Elysia({ name: 'api/replicas' })
    .get('/rep', () => state(fleet.names()), {
      parse: 'json',
      response: { 200: replicas, ...bug },
      detail: detail('List the replicas', 'In joining order.'),
    })
    .post('/add', add, {
      ...checkedBody(change('to add', 2, ['a']), wrongChange),
      response: {
        200: Type.Union(
          [
            changed('After the change', ['server-1', 'server-2', 'server-3', 'a', 'server-4']),
            dryRun({ add: names('Names of those that would join', ['a', 'server-4']) }),
          ],
          { description: 'All are ready and on the ring; with dry_run=true, what would join and move' },
        ),
        ...refused,
        409: failure('A name is taken', 'Hostname a is taken: choose a name that /rep does not list'),
        413: failure(
          'There would be more than MAX_REPLICAS replicas, or the body is too large',
          '3 replicas and 100 more would be over the limit of 64: add fewer or raise MAX_REPLICAS',
        ),
      },
      detail: changeDetail(
        'Add replicas',
        'Answers once all are ready and on the ring; missing names are generated, except with RUNTIME=static, where each server has to be named. All or none: where one cannot be started or does not answer, none is added.',
      ),
    })
    .delete('/rm', remove, {
      ...checkedBody(change('to remove', 1, ['a']), wrongChange),
      response: {
        200: Type.Union(
          [
            changed('After the change', ['server-1', 'server-2', 'server-3', 'server-4']),
            dryRun({ rm: names('Names of those that would leave', ['a']) }),
          ],
          { description: 'All are drained and gone; with dry_run=true, what would leave and move' },
        ),
        ...refused,
        404: failure(
          'A name is not that of a replica',
          'Hostname a is not a replica: /rep lists those that are',
        ),
        413: failure('The body is too large', 'The body is larger than 1048576 bytes'),
      },
      detail: changeDetail(
        'Remove replicas',
        'Answers once all are drained and gone; without names the newest leave. All or none: where one cannot be removed, none leaves.',
      ),
    });
}
