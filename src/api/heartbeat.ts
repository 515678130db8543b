import { Elysia, t } from 'elysia';

/** Whether Ringmaster itself is alive. */
export const heartbeatApi = new Elysia({ name: 'api/heartbeat' }).get(
  '/heartbeat',
  ({ set }) => {
    // Said here, since the platform adds it to a body, and HEAD has none.
    set.headers['content-type'] = 'text/plain; charset=utf-8';
    return 'Hello';
  },
  {
    parse: 'text',
    response: { 200: t.String({ description: 'Ringmaster is alive', examples: ['Hello'] }) },
    detail: { tags: ['Ringmaster'], summary: 'Ask whether Ringmaster is alive' },
  },
);
