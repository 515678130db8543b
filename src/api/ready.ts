import { Elysia, t } from 'elysia';
import { Unavailable } from '../fleet/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { bug, failure } from './schemas.ts';

/** Any key: on a ring with one replica each has an owner. */
const SOME_KEY = '';

/** Whether Ringmaster can do its work: requests find a replica, and the engine that is to heal one answers. */
export function readyApi(fleet: Pick<Fleet, 'owner' | 'pulse'>) {
  return new Elysia({ name: 'api/ready' }).get(
    '/ready',
    async () => {
      // Throws, where others may have changed who is in.
      const noOwner = fleet.owner(SOME_KEY) === undefined;
      const noEngine = !(await fleet.pulse());
      if (noOwner && noEngine) throw new Unavailable('No replica is ready, and the engine does not answer');
      if (noOwner) throw new Unavailable('No replica is ready');
      if (noEngine) throw new Unavailable('The engine does not answer');
      return { ready: true as const };
    },
    {
      parse: 'json',
      response: {
        200: t.Object(
          { ready: t.Literal(true) },
          { description: 'Requests find a replica, and the engine answers' },
        ),
        ...bug,
        503: failure('What is missing, or that Ringmaster is starting or stopping', 'No replica is ready'),
      },
      detail: {
        tags: ['Ringmaster'],
        summary: 'Ask whether Ringmaster is ready',
        description:
          'For who sends requests only to what is ready. One that is not is no reason to start it again: /heartbeat says whether it is alive.',
      },
    },
  );
}
