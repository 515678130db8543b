import { Elysia, t } from 'elysia';
import type { Forwarder } from '../traffic/forward.ts';
import { failure } from './schemas.ts';

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
      query: t.Object({
        id: t.Optional(
          t.String({ description: 'Key of the request: equal ids reach the same replica', examples: ['42'] }),
        ),
      }),
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
        500: failure('A bug in Ringmaster'),
        502: failure('The replica that was asked broke off, and no other may be asked'),
        503: failure('No replica is ready'),
        504: failure('No replica replied in time'),
      },
      detail: {
        tags: ['Requests'],
        summary: 'Send a request to the replica that owns its id',
        description:
          'Without an id, each request goes to a replica by chance. The header x-served-by names the replica.',
      },
    },
  );
}

/** Every path that is not ours belongs to the replicas, whatever the method. */
export function forwardAll({ forwarder, peerOf }: ForwardOptions) {
  const forward = ({ request }: { request: Request }) => forwarder.forward(request, peerOf(request));
  // The body is the replica's to read.
  const options = { parse: 'none', detail: { hide: true } } as const;
  return new Elysia({ name: 'api/forward' }).all('/', forward, options).all('/*', forward, options);
}
