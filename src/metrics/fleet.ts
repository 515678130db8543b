import { sourceOf } from '../fleet/digest.ts';
import type { Happening } from '../fleet/journal.ts';
import type { ReplicaState } from '../fleet/state.ts';
import { CALL_BOUNDS_S, VERBS, type CallCounts } from '../runtime/meter.ts';
import { byReplica, HistogramWriter, single, type Family, type Look } from './family.ts';
import { sharesOf } from '../ring/shares.ts';

/** Those that a replica can be seen in; who is gone is no longer there. */
const STATES: readonly ReplicaState[] = ['starting', 'ready', 'ejected', 'waiting', 'draining'];

/** What happens to replicas. */
const KINDS: readonly Happening[] = [
  'joined',
  'ejected',
  'died',
  'restarting',
  'healed',
  'back',
  'draining',
  'left',
  'stayed',
  'weighed',
];

const CALL_DURATION = 'ringmaster_engine_call_duration_seconds';
const callDuration = new HistogramWriter(CALL_DURATION, CALL_BOUNDS_S);

export const fleetFamilies: readonly Family[] = [
  {
    name: 'ringmaster_replica_state',
    type: 'gauge',
    help: 'For each state 1 where the replica is in it, otherwise 0. Ready ones are on the ring; ejected ones may come back by themselves, waiting ones are to be started again.',
    samples: ({ replicas }) =>
      [...replicas.values()].flatMap(({ name, state }) =>
        STATES.map((one) => ({ labels: { replica: name, state: one }, value: one === state ? 1 : 0 })),
      ),
  },
  byReplica(
    'gauge',
    'ringmaster_replica_requests_in_flight',
    'Requests that the replica has at this moment, of both ports.',
    ({ inFlight }) => inFlight,
  ),
  byReplica(
    'counter',
    'ringmaster_replica_restarts_total',
    'How often the replica was started again.',
    ({ restarts }) => restarts,
  ),
  byReplica(
    'gauge',
    'ringmaster_replica_heartbeats_missed',
    'Heartbeats that the replica has missed in a row.',
    ({ missed }) => missed,
  ),
  {
    name: 'ringmaster_membership_changes_total',
    type: 'counter',
    help: 'What has happened to replicas: joined, ejected (may come back by itself), died, restarting, healed (with a new instance), back (with the one it had), draining, left, stayed (could not leave), weighed (given another weight).',
    samples: ({ source }) =>
      KINDS.map((kind) => ({ labels: { kind }, value: source.fleet.journal.count(kind) })),
  },
  {
    name: 'ringmaster_ring_info',
    type: 'gauge',
    help: 'Always 1. Where two Ringmasters have the same digest, they name the same owner for every key.',
    samples: ({ standing: { map, digest } }) => [
      { labels: { digest, algorithm: sourceOf(map).algorithm }, value: 1 },
    ],
  },
  single(
    'gauge',
    'ringmaster_ring_revision',
    'Changes that have led to this map, where several Ringmasters share the replicas; otherwise 0.',
    ({ standing }) => standing.revision,
  ),
  single(
    'gauge',
    'ringmaster_ring_points',
    'Points on the ring, of all replicas; 0 where keys are not placed by points.',
    ({ standing }) => standing.map.points ?? 0,
  ),
  {
    name: 'ringmaster_ring_share_ratio',
    type: 'gauge',
    help: 'The part of all keys that the replica owns, 0 to 1.',
    samples: ({ standing: { map } }) =>
      [...sharesOf(map)].map(([replica, value]) => ({ labels: { replica }, value })),
  },
  single(
    'gauge',
    'ringmaster_ring_replicas',
    'Replicas on the map.',
    ({ standing }) => standing.replicas.length,
  ),
  single(
    'gauge',
    'ringmaster_ring_replicas_ready',
    'Replicas on the map that answer.',
    ({ standing }) => standing.replicas.filter(({ state }) => state === 'ready').length,
  ),
  single(
    'gauge',
    'ringmaster_peers',
    'Other Ringmasters that share the replicas.',
    ({ standing }) => standing.peers.length,
  ),
  single(
    'gauge',
    'ringmaster_peers_answering',
    'Of those, the ones that answer.',
    ({ standing }) => standing.peers.filter(({ heard }) => heard !== undefined).length,
  ),
  single(
    'gauge',
    'ringmaster_peers_disagreeing',
    'Of those, the ones that have another map.',
    ({ standing: { peers, digest } }) =>
      peers.filter(({ heard }) => heard !== undefined && heard.digest !== digest).length,
  ),
  single(
    'gauge',
    'ringmaster_ring_disagreement_seconds',
    'For how long one of them has had another map.',
    ({ standing }) => standing.disagreementMs / 1000,
  ),
  single(
    'gauge',
    'ringmaster_engine_up',
    'Whether the engine that runs the replicas answered when it was asked last: 1 or 0.',
    ({ source }) => (source.fleet.engineAnswers ? 1 : 0),
  ),
  single(
    'counter',
    'ringmaster_engine_absences_total',
    'How often the engine stopped to answer.',
    ({ source }) => source.fleet.journal.count('engine away'),
  ),
  {
    name: 'ringmaster_engine_calls_total',
    type: 'counter',
    help: 'Calls of the engine that came to an end, by what was asked.',
    samples: (look) => byVerb(look, ({ took }) => took.reduce((sum, count) => sum + count, 0)),
  },
  {
    name: 'ringmaster_engine_call_errors_total',
    type: 'counter',
    help: 'Of those, the ones that failed.',
    samples: (look) => byVerb(look, ({ failed }) => failed),
  },
  {
    name: CALL_DURATION,
    type: 'histogram',
    help: 'How long calls of the engine took, those that failed included.',
    samples: ({ source }) =>
      VERBS.flatMap((verb) => {
        const { took, sumS } = source.engine.calls[verb];
        return callDuration.samples(took, sumS, { verb });
      }),
  },
];

function byVerb({ source }: Look, valueOf: (counts: CallCounts) => number) {
  return VERBS.map((verb) => ({ labels: { verb }, value: valueOf(source.engine.calls[verb]) }));
}
