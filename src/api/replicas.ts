import type { TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Elysia } from 'elysia';
import type { Fleet } from '../fleet/fleet.ts';
import { Refusal, wrongInput } from './errors.ts';
import { bug, change, changed, failure, replicas } from './schemas.ts';

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
});

/**
 * The options of a route that takes such a body, checked before Elysia does so: its error shows the whole body again,
 * indented, which for 40 KB of nested brackets took 12 s in which nothing else was served.
 */
function checkedBody<const T extends TSchema>(body: T) {
  const schema = TypeCompiler.Compile(body);
  const transform = ({ body: sent }: { readonly body: unknown }): void => {
    if (!schema.Check(sent)) throw new Refusal(400, wrongInput('body', schema.Errors(sent).First()?.path));
  };
  return { parse: 'json', body, transform } as const;
}

/** Who is in: read it, add to it, remove from it. */
export function replicasApi(fleet: Pick<Fleet, 'names' | 'add' | 'remove'>) {
  const state = (names: readonly string[]) => ({ N: names.length, replicas: [...names] });
  const success = (names: readonly string[]) => ({ message: state(names), status: 'successful' as const });
  return new Elysia({ name: 'api/replicas' })
    .get('/rep', () => state(fleet.names()), {
      parse: 'json',
      response: { 200: replicas, ...bug },
      detail: detail('List the replicas', 'In joining order.'),
    })
    .post('/add', async ({ body: { n, hostnames = [] } }) => success(await fleet.add({ n, hostnames })), {
      ...checkedBody(change('to add', 2, ['a'])),
      response: {
        200: changed('All are ready and on the ring', ['server-1', 'server-2', 'server-3', 'a', 'server-4']),
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
    .delete('/rm', async ({ body: { n, hostnames = [] } }) => success(await fleet.remove({ n, hostnames })), {
      ...checkedBody(change('to remove', 1, ['a'])),
      response: {
        200: changed('All are drained and gone', ['server-1', 'server-2', 'server-3', 'server-4']),
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
