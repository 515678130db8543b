import { Elysia, t } from 'elysia';

/** What Ringmaster says of itself as long as it says anything. */
export const ALIVE = 'Hello';
export const ALIVE_TYPE = 'text/plain; charset=utf-8';

/** Whether Ringmaster itself is alive. */
export const heartbeatApi = new Elysia({ name: 'api/heartbeat' }).get(
  '/heartbeat',
  ({ set }) => {
    // Said here, since the platform adds it to a body, and HEAD has none.
    set.headers['content-type'] = ALIVE_TYPE;
    return ALIVE;
  },
  {
    parse: 'text',
    response: { 200: t.String({ description: 'Ringmaster is alive', examples: [ALIVE] }) },
    detail: { tags: ['Ringmaster'], summary: 'Ask whether Ringmaster is alive' },
  },
);
