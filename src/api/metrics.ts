import { Elysia, t } from 'elysia';
import { bug } from './schemas.ts';

/** What writes the metrics. */
export interface Exposition {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** What a monitor reads. */
export function metricsApi(exposition: Exposition) {
  return new Elysia({ name: 'api/metrics' }).get(
    '/metrics',
    ({ set }) => {
      set.headers['content-type'] = exposition.contentType;
      return exposition.metrics();
    },
    {
      parse: 'text',
      response: {
        200: t.String({ description: 'Metrics', examples: ['ringmaster_ring_replicas 3\n'] }),
        ...bug,
      },
      detail: {
        tags: ['Ringmaster'],
        summary: 'Show metrics',
        description: 'In the text format of Prometheus.',
      },
    },
  );
}
