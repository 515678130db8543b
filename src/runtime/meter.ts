import type { Runtime } from './runtime.ts';

/** What is asked of an engine. */
export type Verb = 'list' | 'start' | 'mark' | 'weigh' | 'stop' | 'kill';
export const VERBS: readonly Verb[] = ['list', 'start', 'mark', 'weigh', 'stop', 'kill'];

/** Upper bounds, in seconds, of calls that are counted together; what took longer is counted after them. */
export const CALL_BOUNDS_S: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface CallCounts {
  /** Calls that came to an end, by how long they took. */
  readonly took: Float64Array;
  sumS: number;
  /** Of those, the ones that threw. */
  failed: number;
}

/** What was asked of the engine, and what came of it. Only ever grows. */
export class EngineMeter {
  readonly calls: Readonly<Record<Verb, CallCounts>>;

  constructor() {
    const none = (): CallCounts => ({ took: new Float64Array(CALL_BOUNDS_S.length + 1), sumS: 0, failed: 0 });
    this.calls = { list: none(), start: none(), mark: none(), weigh: none(), stop: none(), kill: none() };
  }

  async count<T>(verb: Verb, call: () => Promise<T>): Promise<T> {
    const beganMs = performance.now();
    const counts = this.calls[verb];
    try {
      return await call();
    } catch (error) {
      counts.failed++;
      throw error;
    } finally {
      const tookS = (performance.now() - beganMs) / 1000;
      const bound = CALL_BOUNDS_S.findIndex((one) => tookS <= one);
      (counts.took[bound < 0 ? CALL_BOUNDS_S.length : bound] as number)++;
      counts.sumS += tookS;
    }
  }
}

/** The same runtime, whose calls are counted. */
export function metered(runtime: Runtime, meter: EngineMeter): Runtime {
  const { kind, durable, owns, naming, commons } = runtime;
  return {
    kind,
    durable,
    owns,
    naming,
    commons,
    list: () => meter.count('list', () => runtime.list()),
    start: (spec, signal) => meter.count('start', () => runtime.start(spec, signal)),
    mark: (names, as) => meter.count('mark', () => runtime.mark(names, as)),
    stop: (name, graceMs) => meter.count('stop', () => runtime.stop(name, graceMs)),
    ...(runtime.weigh === undefined
      ? {}
      : { weigh: (name, weight) => meter.count('weigh', async () => runtime.weigh?.(name, weight)) }),
    ...(runtime.kill === undefined
      ? {}
      : { kill: (name) => meter.count('kill', async () => runtime.kill?.(name)) }),
    watch: (wake) => runtime.watch(wake),
    close: (keep) => runtime.close(keep),
  };
}
