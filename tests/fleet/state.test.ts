import { describe, expect, test } from 'bun:test';
import { nextState, type ReplicaEvent, type ReplicaState } from '../../src/fleet/state.ts';

const STATES: readonly ReplicaState[] = ['starting', 'ready', 'ejected', 'waiting', 'draining', 'gone'];
const EVENTS: readonly ReplicaEvent[] = [
  'answered',
  'missed',
  'died',
  'restarted',
  'left',
  'stayed',
  'removed',
];
const THROWS = undefined;

/** The whole table once more, every cell of it: a change there has to be made here as well, on purpose. */
const EXPECTED: Readonly<Record<ReplicaState, readonly (ReplicaState | typeof THROWS)[]>> = {
  //         answered  missed     died       restarted   left        stayed     removed
  starting: ['ready', THROWS, 'waiting', THROWS, 'draining', THROWS, THROWS],
  ready: [THROWS, 'ejected', 'waiting', THROWS, 'draining', THROWS, THROWS],
  ejected: ['ready', THROWS, 'waiting', THROWS, 'draining', THROWS, THROWS],
  waiting: [THROWS, THROWS, THROWS, 'starting', 'draining', THROWS, THROWS],
  draining: [THROWS, THROWS, THROWS, THROWS, THROWS, 'ejected', 'gone'],
  gone: [THROWS, THROWS, THROWS, THROWS, THROWS, THROWS, THROWS],
};

describe('the state table', () => {
  for (const state of STATES)
    for (const [i, event] of EVENTS.entries()) {
      const expected = EXPECTED[state][i];
      if (expected === THROWS)
        test(`${event} in ${state} is a bug that says so`, () => {
          expect(() => nextState(state, event)).toThrow(`${event} is not possible in ${state}`);
        });
      else
        test(`${event} in ${state} leads to ${expected}`, () => {
          expect(nextState(state, event)).toBe(expected);
        });
    }

  test('only an answered heartbeat leads to ready, and never out of draining or gone', () => {
    for (const state of STATES)
      for (const event of EVENTS) {
        if (event === 'answered' && state !== 'draining' && state !== 'gone') continue;
        expect(reached(state, event)).not.toBe('ready');
      }
  });

  test('whatever is still a member can be asked to leave, but once', () => {
    for (const state of STATES)
      expect(reached(state, 'left')).toBe(state === 'draining' || state === 'gone' ? undefined : 'draining');
  });
});

function reached(state: ReplicaState, event: ReplicaEvent): ReplicaState | undefined {
  try {
    return nextState(state, event);
  } catch {
    return undefined;
  }
}
