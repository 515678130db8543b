import type { Choices } from '../fleet/chooser.ts';
import type { ReplicaView } from '../fleet/crew.ts';
import { Journal } from '../fleet/journal.ts';
import type { Standing } from '../fleet/standing.ts';
import { EngineMeter } from '../runtime/meter.ts';
import { NO_CLIENTS, type ClientCounts } from '../traffic/clients.ts';
import type { LoopDelay } from '../traffic/loop-delay.ts';
import { Tally, type Plane } from '../traffic/tally.ts';

/** All that Ringmaster knows of how it is doing: what is exported, and what is shown. */
export interface MetricsSource {
  readonly tallies: Readonly<Record<Plane, Tally>>;
  readonly fleet: {
    everyone(): ReplicaView[];
    standing(): Standing;
    readonly journal: Journal;
    readonly engineAnswers: boolean;
    readonly choices: Pick<Choices, 'hot' | 'away' | 'shadow'>;
  };
  readonly engine: EngineMeter;
  /** Client connections of the port for traffic, all processes together. */
  clients(): ClientCounts;
  /** How many of them there may be; undefined where there is no such port. */
  readonly connectionsMax?: number | undefined;
  /** By process: 'main', 'worker-1' and so on. */
  loops(): ReadonlyMap<string, LoopDelay>;
  /** Unix ms. */
  readonly startedAtMs: number;
  readonly version: string;
  readonly runtime: string;
}

/** Of a fleet of which nothing else is known, and nothing counted. */
export function sourceAround(fleet: Pick<MetricsSource['fleet'], 'standing' | 'choices'>): MetricsSource {
  return {
    tallies: { traffic: new Tally(), control: new Tally() },
    fleet: {
      everyone: () => [],
      standing: () => fleet.standing(),
      journal: new Journal(() => performance.now()),
      engineAnswers: true,
      choices: fleet.choices,
    },
    engine: new EngineMeter(),
    clients: () => NO_CLIENTS,
    loops: () => new Map(),
    startedAtMs: Date.now(),
    version: '',
    runtime: '',
  };
}
