import type { Instance } from '../runtime/runtime.ts';

export interface Adoption {
  /** Members, in joining order. */
  readonly members: readonly Instance[];
  /** Names of members whose add had begun to commit when Ringmaster died: to be committed now. */
  readonly commit: readonly string[];
  /** Names of members whose leave had not begun to remove: their marks are to be taken back, one by one in this order. */
  readonly stay: readonly string[];
  /** Left behind by an add that never committed, or by a leave that had begun to remove: to be removed. */
  readonly discard: readonly Instance[];
}

/**
 * What a new Ringmaster makes of the instances it finds. An add commits all of its replicas or none: where one of them
 * is committed the others were ready too and follow it; where none is, the caller was never told of them. A leave of
 * several removes the first of them before any other: where that is there all of them are and stay, else the rest follows.
 */
export function adoption(found: readonly Instance[]): Adoption {
  const begun = !found.some((one) => one.leaving === 'first');
  // By name, as they are removed: a start that was cut short may have left a second one.
  const gone = new Set(found.filter((one) => begun && one.leaving === 'other').map((one) => one.name));
  const staying = found.filter((one) => !gone.has(one.name));
  const committedJoins = new Set(staying.filter((one) => one.committed).map((one) => one.join));
  const belongs = (one: Instance): boolean => one.committed || committedJoins.has(one.join);
  const byName = new Map<string, Instance>();
  // The best comes last and is kept: instances are removed by name, so what else has it goes with its next start or leave.
  for (const one of staying.filter(belongs).sort((a, b) => worth(a) - worth(b))) byName.set(one.name, one);
  const members = [...byName.values()].sort(
    (a, b) => a.order - b.order || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  // The first comes last: killed before, the next Ringmaster must still find it.
  const marked = (as: Instance['leaving']): string[] =>
    members
      .filter(({ name }) => found.some((one) => one.name === name && one.leaving === as))
      .map(({ name }) => name);
  return {
    members,
    commit: members.filter((one) => !one.committed).map((one) => one.name),
    stay: [...marked('other'), ...marked('first')],
    discard: found.filter((one) => !byName.has(one.name)),
  };
}

const STATES_BY_WORTH: readonly Instance['state'][] = ['ended', 'paused', 'running'];

function worth(one: Instance): number {
  return (one.committed ? STATES_BY_WORTH.length : 0) + STATES_BY_WORTH.indexOf(one.state);
}
