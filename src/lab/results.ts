import type { Diagnosis, VariantResult } from './course-study.ts';
import type { Verdict } from './grade/grade.ts';
import type { LabAlgorithm, LabOptions } from './options.ts';
import type { Kill } from './recovery.ts';

/** One measurement: requests that were sent to so many replicas. */
export interface Measured {
  /** in joining order */
  readonly names: readonly string[];
  /** requests that each has answered, in the order of names */
  readonly counts: readonly number[];
  /** requests without a greeting */
  readonly failed: number;
  /** requests that another answered than the map names */
  readonly astray: number;
  /** part of the key space that each owns by the map, in the order of names */
  readonly shares: readonly number[];
  readonly elapsedMs: number;
}

/** Of a series that grows by one replica at a time. */
export interface Grown extends Measured {
  /** part of the ids that have another server than one replica before, 0 to 1; undefined: there is none before */
  readonly moved: number | undefined;
}

/** What came of one algorithm, live. */
export interface LiveResult {
  readonly algorithm: LabAlgorithm;
  /** how replicas ran: `process` or `docker` */
  readonly runtime: string;
  readonly even: Measured;
  readonly grown: readonly Grown[];
  readonly endpoints: Verdict;
  readonly kills: readonly Kill[];
}

export interface Results {
  readonly options: LabOptions;
  /** ISO 8601 */
  readonly date: string;
  readonly live: readonly LiveResult[];
  /** numbers of servers that variants are compared for */
  readonly numbers: readonly number[];
  readonly variants: readonly VariantResult[];
  readonly diagnosis: Diagnosis;
}
