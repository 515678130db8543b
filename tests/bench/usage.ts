import { readdirSync, readFileSync } from 'node:fs';

/** Of what Linux shows in /proc, whatever the kernel's own clock: USER_HZ is 100 on every architecture that Bun has. */
const TICKS_PER_S = 100;

export interface Stat {
  readonly parent: number;
  /** CPU time of all threads, in the program itself. */
  readonly userSeconds: number;
  /** CPU time of all threads, in the kernel on its behalf. */
  readonly systemSeconds: number;
}

/** Reads /proc/PID/stat. The name in it stands in brackets and may hold any character, brackets too. */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    parent: Number(fields[1]),
    userSeconds: Number(fields[11]) / TICKS_PER_S,
    systemSeconds: Number(fields[12]) / TICKS_PER_S,
  };
}

/** Time that all cores of the machine were at work, for whomever: the first line of /proc/stat. */
export function parseMachineSeconds(text: string): number {
  const [user, nice, system, , , irq, softirq, steal] = (/^cpu +(.*)$/m.exec(text)?.[1] ?? '').split(' ');
  const busy = [user, nice, system, irq, softirq, steal].reduce((sum, ticks) => sum + Number(ticks ?? 0), 0);
  return busy / TICKS_PER_S;
}

/** VmRSS of /proc/PID/status in bytes; 0 for a process that has ended and was not waited for. */
export function parseRssBytes(text: string): number {
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** A process and all below it; only itself where there is no /proc. */
export function treeOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of entriesOf('/proc')) {
    const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : undefined;
    if (stat === undefined) continue;
    const { parent } = parseStat(stat);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const one of tree) tree.push(...(children.get(one) ?? []));
  return tree;
}

/** Undefined where this machine does not tell. */
export function machineSeconds(): number | undefined {
  const text = read('/proc/stat');
  return text === undefined ? undefined : parseMachineSeconds(text);
}

/** CPU time of some processes. */
export interface Cpu {
  readonly seconds: number;
  /** What of it was spent in the programs themselves, not in the kernel. */
  readonly userSeconds: number;
}

/** Undefined where this machine does not tell, or one of them has ended. */
export function cpuOf(pids: readonly number[]): Cpu | undefined {
  let userSeconds = 0;
  let systemSeconds = 0;
  for (const pid of pids) {
    const text = read(`/proc/${pid}/stat`);
    if (text === undefined) return undefined;
    const stat = parseStat(text);
    userSeconds += stat.userSeconds;
    systemSeconds += stat.systemSeconds;
  }
  return { seconds: userSeconds + systemSeconds, userSeconds };
}

/** Undefined where this machine does not tell, or one of them has ended. */
export function rssBytesOf(pids: readonly number[]): number | undefined {
  let bytes = 0;
  for (const pid of pids) {
    const text = read(`/proc/${pid}/status`);
    if (text === undefined) return undefined;
    bytes += parseRssBytes(text);
  }
  return bytes;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
