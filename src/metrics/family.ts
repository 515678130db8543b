import type { ReplicaView } from '../fleet/crew.ts';
import type { HotReport } from '../fleet/hot-keys.ts';
import type { Standing } from '../fleet/standing.ts';
import type { MetricsSource } from './source.ts';

export type Labels = Readonly<Record<string, string>>;

/** One line, as prom-client writes it. */
export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
  /** Labels that follow those: an object that several samples share is written out only once. */
  readonly sharedLabels?: Labels;
  /** Where it is not the family's. */
  readonly metricName?: string;
}

/** All samples of one name. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  samples(look: Look): Sample[];
}

/** What all families are told of, so that what one scrape says belongs together. */
export interface Look {
  readonly source: MetricsSource;
  readonly standing: Standing;
  readonly hot: HotReport;
  /** By name, each of which comes once: Prometheus takes nothing of a scrape in which a series comes twice. */
  readonly replicas: ReadonlyMap<string, ReplicaView>;
}

export function lookAt(source: MetricsSource): Look {
  const replicas = new Map<string, ReplicaView>();
  for (const view of source.fleet.everyone()) if (!replicas.has(view.name)) replicas.set(view.name, view);
  const { fleet } = source;
  return { source, standing: fleet.standing(), hot: fleet.choices.hot(), replicas };
}

/** A family of one sample, which has no labels. */
export function single(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  valueOf: (look: Look) => number,
): Family {
  return { name, type, help, samples: (look) => [{ value: valueOf(look) }] };
}

/** A family with one sample for each replica there is. */
export function byReplica(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  valueOf: (view: ReplicaView) => number,
): Family {
  return {
    name,
    type,
    help,
    samples: ({ replicas }) =>
      [...replicas.values()].map((view) => ({ labels: { replica: view.name }, value: valueOf(view) })),
  };
}

/** Writes histograms of one name, which all have the same bounds. */
export class HistogramWriter {
  readonly #bucketName: string;
  readonly #sumName: string;
  readonly #countName: string;
  readonly #bounds: readonly Labels[];

  /** `boundsS`: upper bounds, in seconds, ascending. */
  constructor(name: string, boundsS: readonly number[]) {
    this.#bucketName = `${name}_bucket`;
    this.#sumName = `${name}_sum`;
    this.#countName = `${name}_count`;
    this.#bounds = [...boundsS.map(String), '+Inf'].map((le) => Object.freeze({ le }));
  }

  /** `counts`: what is in each bucket and not in one before it; one more than there are bounds. */
  samples(counts: ArrayLike<number>, sum: number, sharedLabels: Labels): Sample[] {
    let count = 0;
    const samples = this.#bounds.map((labels, i): Sample => {
      count += counts[i] as number;
      return { metricName: this.#bucketName, labels, sharedLabels, value: count };
    });
    samples.push(
      { metricName: this.#sumName, sharedLabels, value: sum },
      { metricName: this.#countName, sharedLabels, value: count },
    );
    return samples;
  }
}
