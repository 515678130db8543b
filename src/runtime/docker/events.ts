import type Docker from 'dockerode';
import { LABEL } from './template.ts';

const RECONNECT_MS = 500;
/** By then the engine has taken the subscription. It says nothing, not even that, before its first event. */
const SUBSCRIBED_MS = 200;
/** An event comes before the engine's list shows what it tells of: a moment, on a busy machine a second. */
const LISTED_AFTER_MS = [100, 400, 1600] as const;
const ACTIONS = ['die', 'pause', 'unpause', 'destroy', 'rename', 'start'] as const;

/** Of all that the engine tells, what is about our containers and may change what its list shows. */
export function eventFilters(cluster: string): Record<string, string[]> {
  return { type: ['container'], event: [...ACTIONS], label: [`${LABEL.cluster}=${cluster}`] };
}

/** What is read of an event. */
export interface EngineEvent {
  readonly Type?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
}

/** Calls `wake` whenever the engine reports something of our containers. */
export function watchEvents(docker: Docker, cluster: string, wake: () => void): () => void {
  return followEvents(docker, eventFilters(cluster), () => true, wake);
}

/**
 * Calls `wake` whenever the engine reports something that concerns us, and after every reconnection, since what
 * happened in between is not told. Only ever a hint: what is true is in the engine's list.
 */
export function followEvents(
  docker: Docker,
  filters: Record<string, string[]>,
  concerns: (event: EngineEvent) => boolean,
  wake: () => void,
): () => void {
  const closed = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let listed: ReturnType<typeof setTimeout>[] = [];
  const onEvent = (): void => {
    wake();
    for (const one of listed) clearTimeout(one);
    listed = LISTED_AFTER_MS.map((ms) => setTimeout(wake, ms));
  };
  const concernsUs = (line: string): boolean => {
    try {
      return line !== '' && concerns(JSON.parse(line) as EngineEvent);
    } catch {
      // What can't be read may be anything.
      return true;
    }
  };
  const connect = async (): Promise<void> => {
    timer = setTimeout(wake, SUBSCRIBED_MS);
    try {
      const stream = await docker.getEvents({ filters, abortSignal: closed.signal });
      // One event a line; a chunk may end within one.
      let rest = '';
      stream.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n');
        rest = lines.pop() ?? '';
        if (lines.some(concernsUs)) onEvent();
      });
      await new Promise<void>((resolve) => {
        // Our own abort arrives as an error too.
        stream.on('error', () => resolve());
        stream.on('end', resolve);
        stream.on('close', resolve);
      });
    } catch {
      // The engine is away; the next attempt tells.
    }
    if (closed.signal.aborted) return;
    clearTimeout(timer);
    wake();
    timer = setTimeout(() => void connect(), RECONNECT_MS);
  };
  void connect();
  return () => {
    closed.abort();
    clearTimeout(timer);
    for (const one of listed) clearTimeout(one);
  };
}
