import type { Tally } from '../../src/traffic/tally.ts';

/** What was counted of a replica: how many requests ended in which status, and what has a place of its own. */
export function counted({ tally: all }: { readonly tally: Tally }, replica: string): Record<string, number> {
  const tally = all.find(replica);
  if (tally === undefined) return {};
  const { retries, failovers, broken } = tally;
  const codes = [...tally.codes].flatMap((requests, code) => (requests > 0 ? [[code, requests]] : []));
  const others = Object.entries({ retries, failovers, broken }).filter(([, count]) => count > 0);
  return Object.fromEntries([...codes, ...others]);
}
