import { Elysia, t } from 'elysia';
import { Unavailable } from '../fleet/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { queryValue } from '../traffic/key.ts';
import { Refusal } from './errors.ts';
import { failure } from './schemas.ts';

/** Which replica owns an id; no request is sent. */
export function mapRequestApi(fleet: Pick<Fleet, 'ring'>) {
  return new Elysia({ name: 'api/map-request' }).get(
    '/map_request',
    ({ query: { id }, request }) => {
      // The key is the text of the id, as it is for what is forwarded: "042" would be another key than 42.
      const key = queryValue(new URL(request.url), 'id');
      if (key !== String(id))
        throw new Refusal(400, 'id must be one whole number in plain decimal digits, such as 42');
      const owner = fleet.ring.owner(key);
      if (owner === undefined) throw new Unavailable('No replica is ready: ask again, or /add some');
      return { request_id: id, mapped_server: owner };
    },
    {
      query: t.Object({
        id: t.Integer({
          minimum: Number.MIN_SAFE_INTEGER,
          maximum: Number.MAX_SAFE_INTEGER,
          description: 'Id of a request; its decimal digits are the key',
          examples: [42],
        }),
      }),
      response: {
        200: t.Object(
          {
            request_id: t.Integer({ description: 'The id', examples: [42] }),
            mapped_server: t.String({ description: 'Name of the owning replica', examples: ['server-2'] }),
          },
          { description: 'The owner' },
        ),
        400: failure('The id is missing, or is not a whole number'),
        500: failure('A bug in Ringmaster'),
        503: failure('No replica is ready'),
      },
      detail: {
        tags: ['Requests'],
        summary: 'Ask which replica owns an id',
        description: 'Sends nothing. While the replicas stay the same, so does the answer.',
      },
    },
  );
}
