import { STATUS_CODES } from 'node:http';
import { LATENCY_BUCKETS, latencyBucket } from '../traffic/latency.ts';
import { CLIENT_GONE, type Plane, type ReplicaTally } from '../traffic/tally.ts';
import { HistogramWriter, single, type Family, type Labels, type Look, type Sample } from './family.ts';

/**
 * Bounds of latency that are told, in ms: 0.5 ms to 65.536 s. Each is the bound of a bucket that is counted in, too, so that
 * what is told is exact; all 168 of those would be ten times as much to keep for whoever scrapes.
 */
const LATENCY_BOUNDS_MS: readonly number[] = Array.from({ length: 18 }, (_, i) => 2 ** (i - 1));
/** The last bucket that is told with each of them. */
const LATENCY_LAST_BUCKETS = LATENCY_BOUNDS_MS.map(latencyBucket);

/**
 * The label of each status: itself where it is one that people know, otherwise its class. A replica may send any of 500,
 * and must not be able to make as many series.
 */
const CODE_LABELS: readonly Labels[] = Array.from({ length: 1000 }, (_, code) =>
  Object.freeze({
    code:
      code === CLIENT_GONE || STATUS_CODES[code] !== undefined ? String(code) : `${Math.floor(code / 100)}xx`,
  }),
);

const DURATION = 'ringmaster_request_duration_seconds';
const duration = new HistogramWriter(
  DURATION,
  LATENCY_BOUNDS_MS.map((ms) => ms / 1000),
);

/** Client connections, by what they are there for. */
const CONNECTION_STATES = ['active', 'idle', 'tunnel', 'closing'] as const;

export const requestFamilies: readonly Family[] = [
  {
    name: 'ringmaster_requests_total',
    type: 'counter',
    help: 'Requests that are over, by the port they came to, the replica that had them (empty: none) and the status that the client got; 499 for a client that went away first.',
    samples: (look) => tallied(look, (tally, labels) => codesOf(tally, labels)),
  },
  {
    name: DURATION,
    type: 'histogram',
    help: 'How long requests took that were answered, from the head of the request to the last byte of the reply.',
    samples: (look) =>
      tallied(look, (tally, labels) =>
        duration.samples(told(tally.latency), tally.latencySumMs / 1000, labels),
      ),
  },
  counted(
    'ringmaster_retries_total',
    'Attempts at this replica that failed, and after which another replica was asked.',
    ({ retries }) => retries,
  ),
  counted(
    'ringmaster_failovers_total',
    'Requests that this replica answered after another had been asked.',
    ({ failovers }) => failovers,
  ),
  counted(
    'ringmaster_replies_broken_total',
    'Replies that broke off after their head had been passed on. Each is counted as a request, too, by its status.',
    ({ broken }) => broken,
  ),
  {
    name: 'ringmaster_client_connections',
    type: 'gauge',
    help: 'Clients connected to the port for traffic: active with a request, idle between two, tunnel after an Upgrade, closing.',
    samples: ({ source }) => {
      const clients = source.clients();
      return CONNECTION_STATES.map((state) => ({ labels: { state }, value: clients[state] }));
    },
  },
  {
    ...single(
      'gauge',
      'ringmaster_client_connections_max',
      'Clients that the port for traffic takes at most, at once.',
      () => 0,
    ),
    samples: ({ source: { connectionsMax } }) =>
      connectionsMax === undefined ? [] : [{ value: connectionsMax }],
  },
];

function counted(name: string, help: string, valueOf: (tally: ReplicaTally) => number): Family {
  return {
    name,
    type: 'counter',
    help,
    samples: (look) => tallied(look, (tally, sharedLabels) => [{ sharedLabels, value: valueOf(tally) }]),
  };
}

/** What `samplesOf` says of each plane and replica of which anything is counted. */
function tallied(
  { source: { tallies } }: Look,
  samplesOf: (tally: ReplicaTally, labels: Labels) => readonly Sample[],
): Sample[] {
  const samples: Sample[] = [];
  for (const plane of Object.keys(tallies) as Plane[])
    for (const [replica, tally] of tallies[plane].entries())
      samples.push(...samplesOf(tally, { plane, replica }));
  return samples;
}

function codesOf({ codes }: ReplicaTally, sharedLabels: Labels): Sample[] {
  const byLabels = new Map<string, { labels: Labels; sharedLabels: Labels; value: number }>();
  for (let code = 0; code < codes.length; code++) {
    const value = codes[code] as number;
    if (value === 0) continue;
    const labels = CODE_LABELS[code] as Labels;
    const sample = byLabels.get(labels['code'] as string);
    if (sample === undefined) byLabels.set(labels['code'] as string, { labels, sharedLabels, value });
    else sample.value += value;
  }
  return [...byLabels.values()];
}

/** What is counted, put together to what is told. */
function told(latency: Float64Array): Float64Array {
  const counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  let bucket = 0;
  for (const [i, last] of [...LATENCY_LAST_BUCKETS, LATENCY_BUCKETS - 1].entries())
    for (; bucket <= last; bucket++) (counts[i] as number) += latency[bucket] as number;
  return counts;
}
