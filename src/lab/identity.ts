import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { statFields } from '../lineage.ts';
import type { LabAlgorithm } from './options.ts';

/**
 * Who a lab is, in the name of each of its clusters, so that another lab can tell from the name alone whether it still
 * runs. A process id does not say that: it is given to another process later, and means another one in a container or on
 * another host that shares the engine.
 */
export interface LabIdentity {
  readonly pid: number;
  /** Where that id has its meaning: the host since it was booted, and the process and time namespaces there. */
  readonly scope: string;
  /** When its process was started. */
  readonly birth: string;
}

/** What is there under a process id: nobody, who was started then, or somebody of whom no more can be seen. */
export type Sight = 'nobody' | 'hidden' | { readonly birth: string };

/** From where it is looked, and what is seen there. */
export interface View {
  readonly scope: string;
  readonly at: (pid: number) => Sight;
}

/** Two that differ are the same by chance once in 36^6, about two billion. */
const SCOPE_CHARS = 6;
/** Two that differ and are the same by chance keep what could go, no more. */
const BIRTH_CHARS = 3;
/** Of who can't tell: no other lab is there. Has a character that no other scope has. */
const NOWHERE = '_'.repeat(SCOPE_CHARS);
/** `lab-PID-SCOPE+BIRTH-ALGORITHM`: of a cluster's 32 characters none is left with the longest id that Linux has. */
const CLUSTER = /^lab-([1-9]\d{0,6})-([0-9a-z_]{6})([0-9a-z]{3})-[a-z]+$/;

export function clusterOf({ pid, scope, birth }: LabIdentity, algorithm: LabAlgorithm): string {
  return `lab-${pid}-${scope}${birth}-${algorithm}`;
}

/** The lab that a cluster is of; undefined: of none. */
export function labOf(cluster: string): LabIdentity | undefined {
  const [, pid, scope, birth] = CLUSTER.exec(cluster) ?? [];
  return pid === undefined || scope === undefined || birth === undefined
    ? undefined
    : { pid: Number(pid), scope, birth };
}

/** Whether a lab still runs, as far as this is certain. */
export function standingOf({ pid, scope, birth }: LabIdentity, view: View): 'alive' | 'dead' | 'unknown' {
  if (scope === NOWHERE || scope !== view.scope) return 'unknown';
  const seen = view.at(pid);
  if (seen === 'nobody') return 'dead';
  if (seen === 'hidden') return 'unknown';
  return seen.birth === birth ? 'alive' : 'dead';
}

/** Clusters of labs that have ended, and of those where it can't be told; the others are nobody's concern. */
export function sortClusters(
  clusters: readonly string[],
  view: View,
): { readonly dead: readonly string[]; readonly unknown: readonly string[] } {
  const found = { dead: [] as string[], unknown: [] as string[] };
  for (const cluster of clusters) {
    const lab = labOf(cluster);
    const standing = lab === undefined ? 'alive' : standingOf(lab, view);
    if (standing !== 'alive') found[standing].push(cluster);
  }
  return found;
}

/** This process. Linux only, where /proc tells of processes; elsewhere it says that it can't be told. */
export function ownIdentity(): LabIdentity {
  const seen = at(process.pid);
  const scope = scopeHere();
  return typeof seen === 'object' && scope !== NOWHERE
    ? { pid: process.pid, scope, birth: seen.birth }
    : { pid: process.pid, scope: NOWHERE, birth: digest(String(Date.now()), BIRTH_CHARS) };
}

/** As this process sees it. */
export function ownView(): View {
  return { scope: scopeHere(), at };
}

function scopeHere(): string {
  try {
    // A /proc of another process namespace tells of other processes.
    if (readlinkSync('/proc/self') !== String(process.pid)) return NOWHERE;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const processes = readlinkSync('/proc/self/ns/pid');
    return digest(`${boot}\0${processes}\0${timeNamespace()}`, SCOPE_CHARS);
  } catch {
    return NOWHERE;
  }
}

/** Processes of two are told different times at which one was started. Linux has them since 5.6. */
function timeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time');
  } catch {
    return '';
  }
}

function at(pid: number): Sight {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return isThere(pid) ? 'hidden' : 'nobody';
  }
  return sightIn(stat);
}

/** What /proc/PID/stat (proc(5)) says. */
export function sightIn(stat: string): Sight {
  const fields = statFields(stat);
  const [state, startTicks] = [fields[0], fields[19]];
  // It has ended, and only who started it has not taken note.
  if (state === 'Z' || state === 'X') return 'nobody';
  return startTicks === undefined ? 'hidden' : { birth: digest(startTicks, BIRTH_CHARS) };
}

/** Where /proc hides processes of other users (hidepid), a signal to one is refused, not lost. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function digest(text: string, chars: number): string {
  const number = createHash('sha256').update(text).digest().readUIntBE(0, 6);
  return number.toString(36).padStart(chars, '0').slice(-chars);
}
