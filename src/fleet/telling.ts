import type { Log } from '../log.ts';
import type { ReplicaEvent, ReplicaState } from './state.ts';

/** How a step of the state table stands in the log. */
export interface Telling {
  readonly level: keyof Log;
  readonly message: string;
}

/**
 * Each change of who is in, or of who is on the ring, is one line; what lies between two of them is for who looks closer.
 * A warning is what nobody asked for.
 */
export function tellingOf(event: ReplicaEvent, from: ReplicaState): Telling {
  switch (event) {
    case 'answered':
      return { level: 'info', message: 'replica is on the ring' };
    case 'missed':
      return { level: 'warn', message: 'replica is off the ring' };
    case 'died':
      if (from === 'ready') return { level: 'warn', message: 'replica is off the ring' };
      return from === 'starting'
        ? { level: 'warn', message: 'replica could not be started again' }
        : { level: 'warn', message: 'replica has died' };
    case 'left':
      return { level: 'info', message: 'replica leaves' };
    case 'removed':
      return { level: 'info', message: 'replica has left' };
    case 'stayed':
      return { level: 'warn', message: 'replica could not be removed, and stays' };
    case 'restarted':
    case 'found':
      return { level: 'debug', message: 'replica is being started again' };
  }
}
