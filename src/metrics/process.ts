import { readdirSync, readFileSync, statSync } from 'node:fs';
import { LOOP_DELAY_BOUNDS_MS } from '../traffic/loop-delay.ts';
import { HistogramWriter, single, type Family, type Sample } from './family.ts';

/** What Linux tells a process of itself. */
const DESCRIPTORS = '/proc/self/fd';
const LIMITS = '/proc/self/limits';

const LOOP_DELAY = 'ringmaster_event_loop_delay_seconds';
const loopDelay = new HistogramWriter(
  LOOP_DELAY,
  LOOP_DELAY_BOUNDS_MS.map((ms) => ms / 1000),
);

/** Those that begin with `process_` have the names and meanings that every Prometheus client gives them. */
export const processFamilies: readonly Family[] = [
  {
    name: 'ringmaster_build_info',
    type: 'gauge',
    help: 'Always 1. Which version it is, and how it runs replicas.',
    samples: ({ source: { version, runtime } }) => [{ labels: { version, runtime }, value: 1 }],
  },
  {
    name: LOOP_DELAY,
    type: 'histogram',
    help: 'How late a timer was, looked at ten times a second in each process: how long anything that is due has to wait.',
    samples: ({ source }) =>
      [...source.loops()].flatMap(([process, { counts, sumMs }]) =>
        loopDelay.samples(counts, sumMs / 1000, { process }),
      ),
  },
  single(
    'gauge',
    'process_start_time_seconds',
    'When the main process was started, in Unix time.',
    ({ source }) => source.startedAtMs / 1000,
  ),
  single('counter', 'process_cpu_seconds_total', 'CPU time of the main process, user and system.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }),
  single('gauge', 'process_resident_memory_bytes', 'Memory of the main process.', () =>
    process.memoryUsage.rss(),
  ),
  {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Open file descriptors of the main process, its connections included. Linux only.',
    samples: () => whereKnown(openDescriptors),
  },
  {
    name: 'process_max_fds',
    type: 'gauge',
    help: 'File descriptors that the main process may have. Linux only.',
    samples: () =>
      whereKnown(() =>
        Number(/^Max open files\s+(\d+)/m.exec(readFileSync(LIMITS, 'utf8'))?.[1] ?? Number.NaN),
      ),
  },
];

/** Without a sample where the platform does not tell. */
function whereKnown(read: () => number): Sample[] {
  try {
    const value = read();
    return Number.isFinite(value) ? [{ value }] : [];
  } catch {
    return [];
  }
}

function openDescriptors(): number {
  // Since Linux 6.2 the size of the folder; to list it takes 5 ms with 10,000 connections.
  const { size } = statSync(DESCRIPTORS);
  // One of those listed is the list itself.
  return size > 0 ? size : readdirSync(DESCRIPTORS).length - 1;
}
