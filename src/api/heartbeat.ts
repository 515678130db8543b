import { Elysia, t } from 'elysia';

/** Whether Ringmaster itself is alive. */
export const heartbeatApi = new Elysia({ name: 'api/heartbeat' }).get('/heartbeat', () => 'Hello', {
  parse: 'text',
  response: { 200: t.String({ description: 'Ringmaster is alive', examples: ['Hello'] }) },
  detail: { tags: ['Ringmaster'], summary: 'Ask whether Ringmaster is alive' },
});
