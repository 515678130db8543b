import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { Unavailable } from '../fleet/errors.ts';
import { TOLD_MAX, type Explanation } from '../fleet/explain.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { hashText } from '../traffic/explained.ts';
import { Refusal } from './errors.ts';
import { algorithm, bug, failure } from './schemas.ts';

const WHICH = 'Give one of id and key, once: ?id=42 or ?key=alice';
const ID = 'id must be a whole number in plain decimal digits, such as 42, and be there once';
const EMPTY = 'key is empty: a request without a key goes to a replica by chance';

/** What is asked about: the key, and the id that it was given as. */
interface Asked {
  readonly key: string;
  readonly id: number | undefined;
}

/** Of the query nothing else counts. Throws Refusal where it does not say one key. */
function askedOf(url: string): Asked {
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  // Its Host may be one that makes no URL.
  const { searchParams } = new URL(query, 'http://localhost');
  const [ids, keys] = [searchParams.getAll('id'), searchParams.getAll('key')];
  if (ids.length + keys.length !== 1) throw new Refusal(400, WHICH);
  const [key] = keys;
  if (key === '') throw new Refusal(400, EMPTY);
  if (key !== undefined) return { key, id: undefined };
  const [text = ''] = ids;
  const id = Number(text);
  // As /map_request: "042" would be another key than 42.
  if (!Number.isSafeInteger(id) || String(id) !== text) throw new Refusal(400, ID);
  return { key: text, id };
}

const replica = (description: string, example: string) => Type.String({ description, examples: [example] });
const replicaOrNobody = (description: string, example: string) =>
  Type.Union([Type.String(), Type.Null()], { description, examples: [example] });

const explanation = Type.Object(
  {
    key: Type.String({ description: 'The key that was asked about', examples: ['42'] }),
    id: Type.Optional(Type.Integer({ description: 'The id, where it was asked by one', examples: [42] })),
    hash: Type.String({
      pattern: '^[0-9a-f]{8}$',
      description: 'What the key is hashed to, as 8 hexadecimal digits: all that the map knows of it',
      examples: ['087fcd5c'],
    }),
    algorithm: algorithm('How keys are placed'),
    position: Type.Integer({
      minimum: 0,
      description: 'Where the hash falls, among the positions, counted from 0',
      examples: [142_593_372],
    }),
    positions: Type.Integer({
      minimum: 1,
      description: 'How many positions there are: 4294967296 on a circle, the size of the table elsewhere',
      examples: [4_294_967_296],
    }),
    point: Type.Optional(
      Type.Integer({
        minimum: 0,
        description:
          'On a circle: where the point is that the key belongs to, the first at or after it, of owner',
        examples: [142_694_071],
      }),
    ),
    home: replicaOrNobody('Who would own the key if all replicas were ready', 'server-2'),
    owner: replicaOrNobody('Who owns it, as /map_request says; null where nobody is ready', 'server-1'),
    goes_to: replicaOrNobody('Who would get a request of that key now', 'server-1'),
    preference: Type.Array(Type.String(), {
      description: `All replicas, ready or not, in the order in which they stand in for each other, home first; at most ${TOLD_MAX}`,
      examples: [['server-2', 'server-1', 'server-3']],
    }),
    passed_over: Type.Array(
      Type.Object({
        replica: replica('Who it is', 'server-2'),
        reason: Type.String({
          description:
            'draining, ejected, waiting (died, to be started again) or starting: it is not ready; asked before: it failed this very request; over its bound: LOAD_FACTOR allows it no more; spread to another: the key is hot, see HOT_KEY_SPREAD; starting slowly: its share still grows; another map: it is ready, but the map of those that are ready gives the key to another; gone: it has just left',
          examples: ['ejected'],
        }),
        detail: Type.String({
          description: 'The same in a few words more',
          examples: ['off the ring until it answers: connection refused'],
        }),
      }),
      { description: `Who comes before goes_to, and why the request is not theirs; at most ${TOLD_MAX}` },
    ),
    spread_over: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Among whom the requests of the key are spread, where it comes so often that they are',
        examples: [['server-2', 'server-1']],
      }),
    ),
  },
  { description: 'What becomes of the key, at this moment', additionalProperties: false },
);

function told({ key, id }: Asked, owner: string | undefined, found: Explanation) {
  const { hash, algorithm, position, positions, point, home, goesTo, preference, passedOver } = found;
  return {
    key,
    ...(id === undefined ? {} : { id }),
    hash: hashText(hash),
    algorithm,
    position,
    positions,
    ...(point === undefined ? {} : { point }),
    home: home ?? null,
    owner: owner ?? null,
    goes_to: goesTo ?? null,
    preference: [...preference],
    passed_over: passedOver.map((one) => ({ ...one })),
    ...(found.spreadOver === undefined ? {} : { spread_over: [...found.spreadOver] }),
  };
}

/** Why a request of a key goes where it goes; no request is sent. */
export function explainApi(fleet: Pick<Fleet, 'owner' | 'explain'>) {
  return new Elysia({ name: 'api/explain' }).get(
    '/explain',
    ({ request }) => {
      const asked = askedOf(request.url);
      const owner = fleet.owner(asked.key);
      const found = fleet.explain(asked.key);
      if (found.home === undefined) throw new Unavailable('There is no replica: /add some');
      return told(asked, owner, found);
    },
    {
      parse: 'json',
      response: {
        200: explanation,
        400: failure('Neither id nor key is there, or both, or a value is none', WHICH),
        ...bug,
        503: failure(
          'There is no replica, or this Ringmaster is cut off from the Swarm',
          'There is no replica: /add some',
        ),
      },
      detail: {
        tags: ['Requests'],
        summary: 'Explain where a key goes, and why',
        description:
          'Sends nothing and changes nothing: it tells where the key falls, who owns it, who stands in for whom, and why each replica before the one that would get the request is passed over just now. A request for a replica that carries x-ringmaster-explain: 1 is told the same of itself in fields of its reply.',
        parameters: [
          {
            name: 'id',
            in: 'query',
            required: false,
            description: 'Id of a request; its decimal digits are the key',
            schema: { type: 'integer', format: 'int64', example: 42 },
          },
          {
            name: 'key',
            in: 'query',
            required: false,
            description:
              'Any other key, as the text that is hashed; instead of id. With HASH=nginx that is the value as it stands in a request, so a % in it is written %25 here',
            // One for both would be filled in for both, which is refused.
            schema: { type: 'string', example: '' },
          },
        ],
      },
    },
  );
}
