import { Chance } from '../fleet/chance.ts';

/** Faults, by what is harmed. */
export const FAULTS = [
  /** Of a replica: killed, */
  'kill',
  /** asked to end, */
  'stop',
  /** silent until it is replaced, */
  'pause',
  /** silent for a while, */
  'pause and resume',
  /** gone with all that it has, */
  'remove',
  /** answering each request with 500, */
  'fails',
  /** answering heartbeats alone. */
  'hangs',
  /** One process that relays is killed. */
  'worker killed',
  /** The engine can't be reached, and meanwhile a replica dies. */
  'engine gone',
  /** Ringmaster itself stands still for a while. */
  'standstill',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Step {
  /** When it is due, from the begin. */
  readonly atMs: number;
  /** Undefined: a change of the members. */
  readonly fault: Fault | undefined;
  /** For what is left to chance until then, such as which of the members that there are. */
  readonly seed: number;
}

const CHANGE_INTERVAL_MS = 10_000;
const FAULT_INTERVAL_MS = 30_000;
/** From the begin, so that a minute has six changes and two faults. */
const FIRST_CHANGE_MS = 5000;
const FIRST_FAULT_MS = 10_000;

/** What is done in a run, in order of time. Of the possible faults each has its turn before one comes again. */
export function scheduleOf(seed: number, durationMs: number, possible: readonly Fault[]): Step[] {
  const chance = new Chance(seed);
  const steps: Step[] = [];
  const seedOfStep = (): number => chance.below(2 ** 32);
  let left: Fault[] = [];
  for (let atMs = FIRST_FAULT_MS; atMs < durationMs; atMs += FAULT_INTERVAL_MS) {
    if (left.length === 0) left = [...possible];
    const [fault] = left.splice(chance.below(left.length), 1);
    steps.push({ atMs, fault, seed: seedOfStep() });
  }
  for (let atMs = FIRST_CHANGE_MS; atMs < durationMs; atMs += CHANGE_INTERVAL_MS)
    steps.push({ atMs, fault: undefined, seed: seedOfStep() });
  return steps.toSorted((a, b) => a.atMs - b.atMs);
}
