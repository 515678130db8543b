/** What Linux tells in /proc of a process that a test has started. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Ids of its children. */
export async function childrenOf(pid: number): Promise<number[]> {
  const found = await Bun.$`pgrep -P ${pid}`.nothrow().quiet().text();
  return found.split('\n').filter(Boolean).map(Number);
}

/** Whether it has ended. */
export async function gone(pid: number): Promise<boolean> {
  const stat = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => '');
  return stat === '' || stat.includes(') Z ');
}

/** Its children that are replicas, by their names. */
export async function replicasOf(pid: number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const child of await childrenOf(pid)) {
    const environment = read(`/proc/${child}/environ`).split('\0');
    const name = environment.find((one) => one.startsWith('SERVER_ID='))?.slice('SERVER_ID='.length);
    if (name !== undefined) found.set(name, child);
  }
  return found;
}

/** Its children that relay for it. */
export async function workersOf(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  return children.filter((child) => read(`/proc/${child}/cmdline`).includes('traffic/workers/worker.ts'));
}

export interface Memory {
  /** What is resident now. */
  readonly residentBytes: number;
  /** The most that was, since `forgetPeak`. */
  readonly peakBytes: number;
}

export function memoryOf(pid: number): Memory {
  const status = read(`/proc/${pid}/status`);
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** From here on `peakBytes` is what comes. */
export async function forgetPeak(pid: number): Promise<void> {
  await Bun.write(`/proc/${pid}/clear_refs`, '5');
}

/** How many descriptors it has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Ports that it listens on, in ascending order. */
export function listenersOf(pid: number): number[] {
  const sockets = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) sockets.add(inode);
  }
  const LISTEN = '0A';
  const rows = ['tcp', 'tcp6'].flatMap((table) => read(`/proc/${pid}/net/${table}`).split('\n').slice(1));
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(inode ?? ''))
    .map(([, local]) => Number.parseInt(local?.split(':')[1] ?? '', 16))
    .sort((a, b) => a - b);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed meanwhile.
    return '';
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
