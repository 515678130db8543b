import { Elysia, t } from 'elysia';
import { EXPLAIN, EXPLAINED } from '../traffic/explained.ts';
import type { Forwarder } from '../traffic/forward.ts';
import { bug, failure } from './schemas.ts';

export interface ForwardOptions {
  readonly forwarder: Forwarder;
  readonly peerOf: (request: Request) => string;
}

/** The replicas' own call: forwarded like every other path, and documented because the sample replica answers it. */
export function homeApi({ forwarder, peerOf }: ForwardOptions) {
  return new Elysia({ name: 'api/home' }).get(
    '/home',
    ({ request }) => forwarder.forward(request, peerOf(request)),
    {
      parse: 'json',
      response: {
        200: t.Object(
          {
            message: t.String({
              description: 'Which replica it was',
              examples: ['Hello from Server: server-2'],
            }),
            status: t.Literal('successful'),
          },
          { description: "The owning replica's own reply" },
        ),
        400: failure(
          'The request is none that can be sent on',
          'A GET with a body cannot be forwarded: send it as POST',
        ),
        ...bug,
        502: failure(
          'The replica that was asked broke off, and no other may be asked',
          'No replica answered this request',
        ),
        503: failure('No replica is ready', 'No replica is ready: ask again, or /add some'),
        504: failure('No replica replied in time', 'No replica answered this request'),
      },
      detail: {
        tags: ['Requests'],
        summary: 'Send a request to the replica that owns its id',
        description:
          'Without an id, each request goes to a replica by chance. The header x-served-by names the replica.',
        // Not checked: the query is the replica's to read.
        parameters: [
          {
            name: 'id',
            in: 'query',
            required: false,
            description: 'Key of the request: equal ids reach the same replica',
            schema: { type: 'string', example: '42' },
          },
          {
            name: EXPLAIN,
            in: 'header',
            required: false,
            description: `1: the reply says in ${EXPLAINED.join(', ')} why the request went where it went; any path that is forwarded has that, on both ports`,
            schema: { type: 'string', enum: ['1'], example: '1' },
          },
        ],
      },
    },
  );
}
