import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { Unavailable } from '../fleet/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { queryValues } from '../traffic/key.ts';
import { Refusal } from './errors.ts';
import { bug, failure } from './schemas.ts';

/** What nearly every caller sends; it says what the longer way would say of it. */
const USUAL = /\?id=(0|[1-9]\d{0,14})$/;

/** The text of the id, which is the key, as it is for what is forwarded: "042" would be another key than 42. Undefined where it is no id. */
function idOf(url: string): string | undefined {
  const usual = USUAL.exec(url)?.[1];
  if (usual !== undefined && url.indexOf('?') === url.length - usual.length - '?id='.length) return usual;
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  // Of the rest nothing counts here, and its Host may be one that makes no URL.
  const [key = '', ...others] = queryValues(new URL(query, 'http://localhost'), 'id');
  const id = Number(key);
  return others.length === 0 && Number.isSafeInteger(id) && String(id) === key ? key : undefined;
}

/** Which replica owns an id; no request is sent. */
export function mapRequestApi(fleet: Pick<Fleet, 'owner'>) {
  return new Elysia({ name: 'api/map-request' }).get(
    '/map_request',
    ({ request }) => {
      const key = idOf(request.url);
      if (key === undefined)
        throw new Refusal(
          400,
          'id must be a whole number in plain decimal digits, such as 42, and be there once',
        );
      const owner = fleet.owner(key);
      if (owner === undefined) throw new Unavailable('No replica is ready: ask again, or /add some');
      return { request_id: Number(key), mapped_server: owner };
    },
    {
      parse: 'json',
      response: {
        200: Type.Object(
          {
            request_id: Type.Integer({ description: 'The id', examples: [42] }),
            mapped_server: Type.String({ description: 'Name of the owning replica', examples: ['server-2'] }),
          },
          { description: 'The owner' },
        ),
        400: failure(
          'The id is missing, or is not a whole number',
          'id must be a whole number in plain decimal digits, such as 42, and be there once',
        ),
        ...bug,
        503: failure(
          'No replica is ready, or this Ringmaster is cut off from the Swarm',
          'No replica is ready: ask again, or /add some',
        ),
      },
      detail: {
        tags: ['Requests'],
        summary: 'Ask which replica owns an id',
        description: 'Sends nothing. While the replicas stay the same, so does the answer.',
        parameters: [
          {
            name: 'id',
            in: 'query',
            required: true,
            description: 'Id of a request; its decimal digits are the key',
            schema: { type: 'integer', format: 'int64', example: 42 },
          },
        ],
      },
    },
  );
}
