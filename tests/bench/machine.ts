import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, type } from 'node:os';

/** Cores as `taskset -c` takes them. */
export interface Cores {
  /** One core, for what is measured. */
  readonly measured: string;
  /** All others, for the load and what answers it. */
  readonly others: string;
}

/** How many files a process that is started may have open, at most. */
const FILES_WANTED = 65_536;

/** `0-3,5` as numbers. */
export function parseCoreList(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Undefined where there are not two cores to part. */
export function partCores(allowed: readonly number[]): Cores | undefined {
  const [measured, ...others] = allowed;
  if (measured === undefined || others.length === 0) return undefined;
  return { measured: String(measured), others: others.join(',') };
}

/** Undefined where processes can't be bound to cores: no taskset, or no two cores. */
export function coresHere(): Cores | undefined {
  if (Bun.which('taskset') === null) return undefined;
  try {
    const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return allowed === undefined ? undefined : partCores(parseCoreList(allowed));
  } catch {
    return undefined;
  }
}

/** The limit of open files that a process can be given here. */
export function filesMax(): number {
  const limit = Bun.spawnSync(['sh', '-c', 'ulimit -Hn']).stdout.toString().trim();
  return limit === 'unlimited' ? FILES_WANTED : Math.min(Number(limit) || 256, FILES_WANTED);
}

/** One line on what was measured on. */
export function machineText(): string {
  return `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${type()} ${release()}, Bun ${Bun.version}`;
}
