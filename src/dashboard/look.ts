import { authority, type Config } from '../config.ts';
import type { ReplicaView } from '../fleet/crew.ts';
import { sourceOf } from '../fleet/digest.ts';
import { sharesOf } from '../ring/shares.ts';
import type { MetricsSource } from '../metrics/source.ts';
import type { Recorder } from './recorder.ts';
import type { ReplicaSnapshot, Snapshot } from './snapshot.ts';

/** By how much the two clocks may seem to differ from what was found first, in ms. */
const OFFSET_ERROR_MS = 100;

export interface LookOptions {
  readonly source: MetricsSource;
  readonly recorder: Recorder;
  readonly config: Pick<Config, 'adminToken' | 'maxReplicas' | 'shadowHash'>;
  readonly trafficPort: () => number | undefined;
  readonly chaos: boolean;
  /** Unix ms. */
  readonly wallNow: () => number;
  /** The fleet's clock. */
  readonly now: () => number;
}

/** Puts together what the page is told of this moment. */
export class Look {
  readonly #options: LookOptions;
  /** From the fleet's clock to Unix ms. */
  #offsetMs = 0;

  constructor(options: LookOptions) {
    this.#options = options;
  }

  /** Unix ms of a moment of the fleet's clock. */
  toUnix(ms: number): number {
    const { wallNow, now } = this.#options;
    const offsetMs = wallNow() - now();
    // Both clocks are read with some error: what has happened must not seem to move. The machine's may be set, though.
    if (Math.abs(offsetMs - this.#offsetMs) > OFFSET_ERROR_MS) this.#offsetMs = offsetMs;
    return Math.round(ms + this.#offsetMs);
  }

  snapshot(): Snapshot {
    const { source, recorder, config, trafficPort, chaos, wallNow } = this.#options;
    const { fleet } = source;
    const { map, digest, revision, peers } = fleet.standing();
    const { algorithm, points } = sourceOf(map);
    const shares = sharesOf(map);
    const replicas = fleet.everyone().map((view) => this.#replica(view, shares.get(view.name) ?? 0));
    return {
      at: wallNow(),
      ringmaster: {
        version: source.version,
        runtime: source.runtime as Snapshot['ringmaster']['runtime'],
        traffic_port: trafficPort() ?? null,
        started_at: source.startedAtMs,
      },
      needs_token: config.adminToken !== undefined,
      chaos,
      max_replicas: config.maxReplicas,
      engine_answers: fleet.engineAnswers,
      ring: { digest, revision, algorithm, points, shadow: config.shadowHash ?? null },
      totals: {
        ...recorder.total,
        in_flight: replicas.reduce((sum, { in_flight }) => sum + in_flight, 0),
        clients: source.clients(),
      },
      replicas,
      peers: peers.map(({ url, heard }) => ({
        url,
        answers: heard !== undefined,
        agrees: heard?.digest === digest,
      })),
    };
  }

  #replica(view: ReplicaView, share: number): ReplicaSnapshot {
    const { recorder, now } = this.#options;
    const { name, state, address, weight, effectiveWeight, inFlight, restarts } = view;
    const { sinceMs, why, startedAtMs, missed, askedAtMs } = view;
    return {
      name,
      state,
      address: address === undefined ? null : authority(address),
      weight,
      effective_weight: effectiveWeight,
      share,
      since: this.toUnix(sinceMs),
      why,
      started_at: startedAtMs ?? null,
      restarts,
      in_flight: inFlight,
      missed,
      silent_ms: askedAtMs === undefined ? 0 : Math.round(now() - askedAtMs),
      requests: recorder.requests(name),
      ...recorder.rates(name),
    };
  }
}
