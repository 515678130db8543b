import type { ReplicaView } from '../fleet/crew.ts';
import type { Journal } from '../fleet/journal.ts';
import type { Standing } from '../fleet/standing.ts';
import type { EngineMeter } from '../runtime/meter.ts';
import type { ClientCounts } from '../traffic/clients.ts';
import type { LoopDelay } from '../traffic/loop-delay.ts';
import type { Plane, Tally } from '../traffic/tally.ts';

/** All that Ringmaster knows of how it is doing: what is exported, and what is shown. */
export interface MetricsSource {
  readonly tallies: Readonly<Record<Plane, Tally>>;
  readonly fleet: {
    everyone(): ReplicaView[];
    standing(): Standing;
    readonly journal: Journal;
    readonly engineAnswers: boolean;
  };
  readonly engine: EngineMeter;
  /** Client connections of the port for traffic, all processes together. */
  clients(): ClientCounts;
  /** By process: 'main', 'worker-1' and so on. */
  loops(): ReadonlyMap<string, LoopDelay>;
  /** Unix ms. */
  readonly startedAtMs: number;
  readonly version: string;
  readonly runtime: string;
}
