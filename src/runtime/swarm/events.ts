import type Docker from 'dockerode';
import { followEvents, type EngineEvent } from '../docker/events.ts';
import { LABEL } from '../docker/template.ts';
import { rosterName } from './store.ts';

/** A task that is moved to another node is told of by no event at all, and one that ends on another node by none here. */
const POLL_MS = 1000;
/** Of all time, the most that is spent on lists that nobody asked for: one part of so many. */
const POLL_SHARE = 10;
const TYPES = ['service', 'config', 'node', 'container'];

/** Whether what the engine tells may change what is listed of the cluster. */
export function concerns(cluster: string, { Type, Actor }: EngineEvent): boolean {
  const attributes = Actor?.Attributes ?? {};
  if (Type === 'node') return true;
  if (Type === 'config') return attributes['name'] === rosterName(cluster);
  if (Type === 'service') return attributes['name']?.startsWith(`${cluster}-`) === true;
  return Type === 'container' && attributes[LABEL.cluster] === cluster;
}

/** How long until the next list that nobody asked for, when one takes that long. */
export function pollAfterMs(listMs: number): number {
  return Math.max(POLL_MS, listMs * (POLL_SHARE - 1));
}

/** Calls `wake` whenever something may have changed: at every event, and, as not all of them are told, every so often. */
export function watchSwarm(
  docker: Docker,
  cluster: string,
  listMs: () => number,
  wake: () => void,
): () => void {
  const unfollow = followEvents(docker, { type: TYPES }, (event) => concerns(cluster, event), wake);
  let timer: ReturnType<typeof setTimeout>;
  const poll = (): void => {
    timer = setTimeout(() => {
      wake();
      poll();
    }, pollAfterMs(listMs()));
  };
  poll();
  return () => {
    unfollow();
    clearTimeout(timer);
  };
}
