import type { PlaceKind } from './place.ts';

/** What a soak is asked for. */
export interface Order {
  readonly minutes: number;
  /** Undefined: as RUNTIME=auto chooses. */
  readonly runtime: PlaceKind | undefined;
  readonly workers: number;
  /** Undefined: any. */
  readonly seed: number | undefined;
}

const MINUTES = 10;
const MINUTES_MAX = 7 * 24 * 60;
const WORKERS = 2;
const WORKERS_MAX = 64;
const SEED_MAX = 2 ** 32 - 1;

/** Reads `[MINUTES] [--runtime process|docker] [--workers N] [--seed N]`. Throws with a line that says what is wrong. */
export function orderOf(args: readonly string[]): Order {
  const options = new Map<string, string>();
  let minutes: number | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const name = /^--(runtime|workers|seed)$/.exec(arg)?.[1];
    if (name !== undefined) options.set(name, args[++i] ?? '');
    else if (minutes === undefined && /^\d+(?:\.\d+)?$/.test(arg)) minutes = Number(arg);
    else
      throw new Error(`${arg} is not allowed: [MINUTES] [--runtime process|docker] [--workers N] [--seed N]`);
  }
  if (minutes !== undefined && !(minutes > 0 && minutes <= MINUTES_MAX))
    throw new Error(`MINUTES must be more than 0, and ${MINUTES_MAX} at most`);
  const runtime = options.get('runtime');
  if (runtime !== undefined && runtime !== 'process' && runtime !== 'docker')
    throw new Error('--runtime must be process or docker');
  return {
    minutes: minutes ?? MINUTES,
    runtime,
    workers: whole('workers', options.get('workers'), 1, WORKERS_MAX) ?? WORKERS,
    seed: whole('seed', options.get('seed'), 0, SEED_MAX),
  };
}

function whole(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new Error(`--${name} must be a whole number from ${min} to ${max}`);
  return value;
}
