import { WEIGHT_MAX } from '../config.ts';
import type { Naming } from './naming.ts';
import type { Commons } from './roster.ts';

/**
 * How replicas are run, as the fleet sees it: five verbs. Each implementation passes tests/runtime/contract.suite.ts.
 * An instance is one run of a replica (a container, a process); a replica outlives its instances and keeps its name.
 */
export interface Runtime {
  readonly kind: 'docker' | 'swarm' | 'process' | 'static';
  /** Whether instances outlive this process, so that ON_EXIT=keep and adoption mean something. */
  readonly durable: boolean;
  /**
   * Whether it starts and ends the servers themselves. One that somebody else runs can't be replaced: where it does not
   * answer it is off the ring for as long as that lasts, and no longer.
   */
  readonly owns: boolean;
  /** What a replica may be called. */
  readonly naming: Naming;
  /**
   * Where several Ringmasters share the replicas, what they agree through. Then the engine itself starts anew what has
   * ended, `mark` and what `list` says of marks are the roster's, and an instance without a seat is nobody's.
   */
  readonly commons?: Commons | undefined;
  /** Every instance that is ours. The truth: events only say when to ask. Throws EngineGone. */
  list(): Promise<Instance[]>;
  /**
   * Starts a new instance, after removing whatever of ours is left under that name. Resolves once the engine runs it,
   * which is before it answers. Throws EngineGone, NameInUse, StartFailed; then nothing of one that was to join is left,
   * and of a member whatever makes the next Ringmaster remember it.
   */
  start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance>;
  /**
   * Notes at the engine what the instances of those names are, side by side; gives the names that have none. Throws
   * EngineGone, NameInUse, StartFailed, when all have been tried.
   */
  mark(names: readonly string[], as: Mark): Promise<string[]>;
  /** Asks the replica's instance to end, ends it by force after `graceMs`, and removes it. Gone already is success. */
  stop(name: string, graceMs: number): Promise<void>;
  /**
   * Notes at the engine that the replica's instance has another weight than it was started with, so that the next
   * Ringmaster finds it; where nothing has that name nothing is done. Throws EngineGone, StartFailed. Undefined where
   * instances end with us, or the roster says what they weigh.
   */
  weigh?(name: string, weight: number): Promise<void>;
  /**
   * Ends the replica's instance by force, and leaves what is left of it to be found: so that it can be seen to heal. Where
   * nothing runs under that name nothing is done. Undefined where instances can't be reached from here, or are not ours.
   */
  kill?(name: string): Promise<void>;
  /** Calls `wake` when something may have changed. Returns the unsubscription. */
  watch(wake: () => void): () => void;
  /** Releases what the runtime itself holds (network, warden, streams); `keep` leaves what instances need to live on. */
  close(keep: boolean): Promise<void>;
}

/**
 * What the next Ringmaster takes an instance for, should this one be killed: one that an add has not committed, a member,
 * or one of several that leave together. Of those the first is the first to be removed: as long as it is there, none is gone.
 */
export type Mark = 'joining' | 'member' | 'leaving first' | 'leaving';

export interface InstanceSpec {
  readonly name: string;
  /** Place in joining order; kept when the replica is started again. */
  readonly order: number;
  /** Its share of the keys as a multiple of the share of weight 1: 1 to WEIGHT_MAX, and 1 where it is not said. */
  readonly weight?: number | undefined;
  /** Identifies the add that brought the replica in: members of one add are committed all or none. */
  readonly join: string;
  /** False while that add is under way: what a crash leaves behind in this state was never a member. */
  readonly committed: boolean;
}

export interface Instance extends InstanceSpec {
  /** Differs from run to run. */
  readonly id: string;
  readonly state: 'running' | 'paused' | 'ended';
  /** Whether it was to leave together with others, and as which of them. */
  readonly leaving?: 'first' | 'other' | undefined;
  /** Undefined when there is no way to reach it from here. */
  readonly address: Address | undefined;
  /** When it was started, in Unix ms, where the engine says so. */
  readonly startedAtMs?: number | undefined;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How an instance that has the mark is listed. */
export function marked(as: Mark): Pick<Instance, 'committed' | 'leaving'> {
  const leaving = as === 'leaving first' ? 'first' : as === 'leaving' ? 'other' : undefined;
  return { committed: as !== 'joining', leaving };
}

/** Digits of a whole number without a sign or a leading zero, as we write weights. */
const WEIGHT = /^[1-9]\d{0,2}$/;

/**
 * The weight that an engine has kept as `text`, 1 to WEIGHT_MAX; 1 where it has none: so is one that was started before there
 * were weights. Undefined where we have not written that.
 */
export function weightOf(text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  const weight = WEIGHT.test(text) ? Number(text) : Number.NaN;
  return weight <= WEIGHT_MAX ? weight : undefined;
}

/** The engine does not answer. */
export class EngineGone extends Error {
  override readonly name = 'EngineGone';
}

/** Something that is not ours has the name on the engine. */
export class NameInUse extends Error {
  override readonly name = 'NameInUse';
}

/** The engine answers, but this instance cannot be started; the message is for the log. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed';
}
