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
  const members = found
    .filter(belongs)
    .sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return {
    members,
    commit: members.filter((one) => !one.committed).map((one) => one.name),
    discard: found.filter((one) => !belongs(one)),
  };
}
