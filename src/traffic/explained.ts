import type { Explanation } from '../fleet/explain.ts';

/** By this field, with the value 1, a request asks for those below in its reply. It ends here: replicas do not see it. */
export const EXPLAIN = 'x-ringmaster-explain';

/** Replicas that a field lists at most. */
export const LISTED_MAX = 8;

/** Says why a request of that key, put to those of `except` before, goes where it goes just now. */
export type Explain = (key: string, except?: ReadonlySet<string>) => Explanation;

const FIELDS = {
  hash: 'x-ringmaster-key-hash',
  position: 'x-ringmaster-position',
  owner: 'x-ringmaster-owner',
  preference: 'x-ringmaster-preference',
  passedOver: 'x-ringmaster-passed-over',
} as const;

/** Names of the fields that tell it, in lower case. */
export const EXPLAINED: readonly string[] = Object.values(FIELDS);

/** The hash of a key as it is told: 8 hexadecimal digits. */
export function hashText(hash: number): string {
  return hash.toString(16).padStart(8, '0');
}

/**
 * What becomes of a key as fields of a reply, in their order: its hash as 8 hexadecimal digits; where that falls; who owns
 * it, empty where nobody does; who stands in for whom; and who was passed over, each with its reason as one token, empty
 * where nobody was. Of both lists the first {@link LISTED_MAX}.
 */
export function explainedFields(found: Explanation): readonly (readonly [name: string, value: string])[] {
  const { hash, position, owner, preference, passedOver } = found;
  const passed = passedOver.slice(0, LISTED_MAX);
  return [
    [FIELDS.hash, hashText(hash)],
    [FIELDS.position, String(position)],
    [FIELDS.owner, owner ?? ''],
    [FIELDS.preference, preference.slice(0, LISTED_MAX).join(', ')],
    [
      FIELDS.passedOver,
      passed.map(({ replica, reason }) => `${replica};reason=${reason.replaceAll(' ', '-')}`).join(', '),
    ],
  ];
}

/** Puts them into the head of a reply, if any, in the place of a replica's own of those names: nobody else is to speak for us. */
export function setExplained(headers: Headers, found: Explanation | undefined): void {
  for (const name of EXPLAINED) headers.delete(name);
  if (found === undefined) return;
  for (const [name, value] of explainedFields(found)) headers.set(name, value);
}
