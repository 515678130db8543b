import type { OffReplica, ReadyReplica } from '../../fleet/crew.ts';

/** One stretch of time that a replica is on the ring: one that leaves it and comes back has a new stay. */
export interface Stay extends ReadyReplica {
  readonly id: string;
}

/** Who is on the ring, and which members are not; a later copy has a higher version. */
export interface RingCopy {
  readonly version: number;
  readonly stays: readonly Stay[];
  /** Their states are those of that moment: what changes with nobody coming or going is not told. */
  readonly off: readonly OffReplica[];
}

export const EMPTY_RING: RingCopy = Object.freeze({ version: 0, stays: [], off: [] });

/** The copy that follows `copy`. None may be left out: who is in two that follow each other was there in between. */
export function nextCopy(
  copy: RingCopy,
  ready: readonly ReadyReplica[],
  off: readonly OffReplica[] = [],
): RingCopy {
  const version = copy.version + 1;
  const before = new Map(copy.stays.map((stay) => [stay.name, stay]));
  const stays = ready.map((replica): Stay => {
    const stay = before.get(replica.name);
    // Its weight may change as long as it stays; where it is does not.
    if (stay !== undefined) return { ...stay, weight: replica.weight, fullWeight: replica.fullWeight };
    return { id: `${version}/${replica.name}`, ...replica };
  });
  return { version, stays, off };
}
