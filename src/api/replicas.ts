import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Fleet } from '../fleet/fleet.ts';
import type { Weights } from '../fleet/membership.ts';
import { checkedBody } from './body.ts';
import { changeDetail, detail, isDryRun, refused } from './change.ts';
import { wrongInput } from './errors.ts';
import { dryRun, reportOf } from './plan.ts';
import { bug, change, changed, failure, names, replicas, weights } from './schemas.ts';
import type { Throttle } from './throttle.ts';

const joins = change('to add', 2, ['a'], {
  weights: Type.Optional(
    weights('Of those that hostnames names; otherwise a replica has weight 1', { a: 3 }),
  ),
});
const wrongJoin = (path: string | undefined): string => wrongInput('body', path);
/** Who leaves has no weight any more: there the field is one that is misspelt. */
const wrongLeave = (path: string | undefined): string =>
  wrongInput('body', path === '/weights' ? undefined : path);

/** A call of a change, as Elysia hands it over. */
interface Call {
  readonly request: Request;
  readonly body: { readonly n: number; readonly hostnames?: string[]; readonly weights?: Weights };
}

/** Who is in: read it, add to it, remove from it. */
export function replicasApi(
  fleet: Pick<Fleet, 'names' | 'plan' | 'add' | 'remove' | 'ring'>,
  dryRuns: Throttle,
) {
  const state = (members: readonly string[]) => ({ N: members.length, replicas: [...members] });
  const success = (members: readonly string[]) => ({
    message: state(members),
    status: 'successful' as const,
  });
  const add = async ({ request, body: { n, hostnames = [], weights = {} } }: Call) => {
    const join = { n, hostnames, weights };
    if (!isDryRun(request.url)) return success(await fleet.add(join));
    const plan = fleet.plan({ join });
    return { add: [...plan.joining], ...(await dryRuns.run(() => reportOf(plan, fleet.ring))) };
  };
  const remove = async ({ request, body: { n, hostnames = [] } }: Call) => {
    const leave = { n, hostnames };
    if (!isDryRun(request.url)) return success(await fleet.remove(leave));
    const plan = fleet.plan({ leave });
    return { rm: [...plan.leaving], ...(await dryRuns.run(() => reportOf(plan, fleet.ring))) };
  };
  return new Elysia({ name: 'api/replicas' })
    .get('/rep', () => state(fleet.names()), {
      parse: 'json',
      response: { 200: replicas, ...bug },
      detail: detail('List the replicas', 'In joining order.'),
    })
    .post('/add', add, {
      ...checkedBody(joins, wrongJoin),
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
      ...checkedBody(change('to remove', 1, ['a']), wrongLeave),
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
