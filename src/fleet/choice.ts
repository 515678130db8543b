import type { Placement } from '../ring/placement.ts';

/** The first replica in the key's failover order that is not in `except`; undefined when none is left. */
export function chosen(
  placement: Placement,
  key: string,
  except: ReadonlySet<string> | undefined,
): string | undefined {
  const owner = placement.owner(key);
  // The order costs much more than its first, and nearly every request needs no more than that.
  if (owner === undefined || except === undefined || !except.has(owner)) return owner;
  return placement.preference(key).find((name) => !except.has(name));
}
