import type { Instance } from '../runtime/runtime.ts';

export interface Adoption {
  /** Members, in joining order. */
  readonly members: readonly Instance[];
  /** Names of members whose add had begun to commit when Ringmaster died: to be committed now. */
  readonly commit: readonly string[];
  /** Left behind by an add that never committed: to be removed. */
  readonly discard: readonly Instance[];
}

/**
 * What a new Ringmaster makes of the instances it finds. An add commits all of its replicas or none: where one of them
 * is committed the others were ready too and follow it; where none is, the caller was never told of them.
 */
export function adoption(found: readonly Instance[]): Adoption {
  const committedJoins = new Set(found.filter((one) => one.committed).map((one) => one.join));
  const belongs = (one: Instance): boolean => one.committed || committedJoins.has(one.join);
  const byName = new Map<string, Instance>();
  // The best comes last and is kept: instances are removed by name, so what else has it goes with its next start or leave.
  for (const one of found.filter(belongs).sort((a, b) => worth(a) - worth(b))) byName.set(one.name, one);
  const members = [...byName.values()].sort(
    (a, b) => a.order - b.order || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  return {
    members,
    commit: members.filter((one) => !one.committed).map((one) => one.name),
    discard: found.filter((one) => !byName.has(one.name)),
  };
}

const STATES_BY_WORTH: readonly Instance['state'][] = ['ended', 'paused', 'running'];

function worth(one: Instance): number {
  return (one.committed ? STATES_BY_WORTH.length : 0) + STATES_BY_WORTH.indexOf(one.state);
}
