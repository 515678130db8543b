import { Elysia } from 'elysia';
import type { ForwardOptions } from './home.ts';

/** Every path that is not ours belongs to the replicas, whatever the method. */
export function forwardAll({ forwarder, peerOf }: ForwardOptions) {
  const forward = ({ request }: { request: Request }) => forwarder.forward(request, peerOf(request));
  // The body is the replica's to read.
  const options = { parse: 'none', detail: { hide: true } } as const;
  return new Elysia({ name: 'api/forward' }).all('/', forward, options).all('/*', forward, options);
}
