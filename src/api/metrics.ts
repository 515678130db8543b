import { Elysia, t } from 'elysia';
import type { Fleet } from '../fleet/fleet.ts';
import { bug } from './schemas.ts';

/** Prometheus' text format, version 0.0.4. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What a monitor reads. */
export function metricsApi(fleet: Pick<Fleet, 'standing'>) {
  return new Elysia({ name: 'api/metrics' }).get(
    '/metrics',
    ({ set }) => {
      set.headers['content-type'] = CONTENT_TYPE;
      const { digest, replicas, peers, disagreementMs } = fleet.standing();
      const heard = peers.flatMap((peer) => peer.heard ?? []);
      const ready = replicas.filter(({ state }) => state === 'ready');
      return [
        gauge('ringmaster_ring_replicas', 'Replicas on the map.', replicas.length),
        gauge('ringmaster_ring_replicas_ready', 'Replicas on the map that answer.', ready.length),
        gauge('ringmaster_peers', 'Other Ringmasters that share the replicas.', peers.length),
        gauge('ringmaster_peers_answering', 'Of those, the ones that answer.', heard.length),
        gauge(
          'ringmaster_peers_disagreeing',
          'Of those, the ones that have another map.',
          heard.filter((peer) => peer.digest !== digest).length,
        ),
        gauge(
          'ringmaster_ring_disagreement_seconds',
          'For how long one of them has had another map.',
          disagreementMs / 1000,
        ),
      ].join('');
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

function gauge(name: string, help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
}
