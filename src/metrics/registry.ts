import Registry from 'prom-client/lib/registry.js';
import { choiceFamilies } from './choices.ts';
import { lookAt, type Family, type Look } from './family.ts';
import { fleetFamilies } from './fleet.ts';
import { processFamilies } from './process.ts';
import { requestFamilies } from './requests.ts';
import type { MetricsSource } from './source.ts';

export interface MetricsRegistry {
  readonly contentType: string;
  /** All metrics as they are now, in the text format of Prometheus. */
  metrics(): Promise<string>;
}

const FAMILIES: readonly Family[] = [
  ...requestFamilies,
  ...fleetFamilies,
  ...choiceFamilies,
  ...processFamilies,
];

/**
 * What Prometheus reads. Nothing is counted here: the source's own counts, which are made to be quick with each request,
 * are read when somebody asks.
 */
export function createRegistry(source: MetricsSource): MetricsRegistry {
  const registry = new Registry();
  let look: Look;
  for (const { name, type, help, samples } of FAMILIES)
    registry.registerMetric({ name, get: () => ({ name, type, help, values: samples(look) }) });
  return {
    contentType: registry.contentType,
    metrics() {
      // All families are read before this returns: another call can't come between.
      look = lookAt(source);
      return registry.metrics();
    },
  };
}
