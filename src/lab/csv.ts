import { balanceOf, evenShares, expectedDeviation } from './statistics.ts';
import type { LiveResult, Measured, Results } from './results.ts';

type Cell = string | number | undefined;

/** Lines in the form of RFC 4180: CRLF at each end, quotes where a comma, a quote or a line break needs them. */
export function csvOf(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [head, ...rows].map((row) => `${row.map(cellOf).join(',')}\r\n`).join('');
}

function cellOf(cell: Cell): string {
  // Digits beyond these are noise of the arithmetic.
  const text = typeof cell === 'number' ? String(Number(cell.toPrecision(8))) : (cell ?? '');
  // A spreadsheet takes a text that begins so for a formula (OWASP, CSV Injection).
  const safe = typeof cell === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Names and texts of the files beside the report, one for each table that is worth computing with. */
export function filesOf(results: Results): readonly (readonly [string, string])[] {
  const { live } = results;
  return [
    ['a1-requests-per-server.csv', perServer(live.map((one) => [one, one.even] as const))],
    ['a2-growing.csv', growing(live)],
    [
      'a2-requests-per-server.csv',
      perServer(live.flatMap((one) => one.grown.map((grown) => [one, grown] as const))),
    ],
    ['a3-endpoints.csv', endpoints(live)],
    ['a3-kills.csv', kills(live)],
    ['a4-hash-functions.csv', hashFunctions(results)],
    ['diagnosis-servers.csv', anatomies(results)],
    ['diagnosis-cures.csv', cures(results)],
  ];
}

function perServer(measured: readonly (readonly [LiveResult, Measured])[]): string {
  return csvOf(
    ['algorithm', 'replicas', 'server', 'requests', 'share_by_map'],
    measured.flatMap(([{ algorithm }, { names, counts, shares }]) =>
      names.map((name, i) => [algorithm, names.length, name, counts[i], shares[i]]),
    ),
  );
}

function growing(live: readonly LiveResult[]): string {
  return csvOf(
    [
      'algorithm',
      'replicas',
      'mean',
      'deviation',
      'deviation_by_chance',
      'deviation_by_map',
      'largest_over_mean',
      'moved',
      'moved_due',
      'failed',
      'astray',
      'elapsed_ms',
    ],
    live.flatMap(({ algorithm, grown }) =>
      grown.map(({ names, counts, shares, moved, failed, astray, elapsedMs }) => {
        const { mean, deviation, largestOverMean } = balanceOf(counts);
        const total = mean * names.length;
        return [
          algorithm,
          names.length,
          mean,
          deviation,
          expectedDeviation(total, evenShares(names.length)),
          expectedDeviation(total, shares),
          largestOverMean,
          moved,
          moved === undefined ? undefined : 1 / names.length,
          failed,
          astray,
          elapsedMs,
        ];
      }),
    ),
  );
}

function endpoints(live: readonly LiveResult[]): string {
  return csvOf(
    ['algorithm', 'point', 'asks', 'came', 'mark'],
    live.flatMap(({ algorithm, endpoints: { points } }) =>
      points.map(({ id, asks, came, mark }) => [algorithm, id, asks, came, mark]),
    ),
  );
}

function kills(live: readonly LiveResult[]): string {
  return csvOf(
    ['algorithm', 'runtime', 'server', 'noticed_ms', 'healed_ms', 'answers_ms', 'requests', 'failed'],
    live.flatMap(({ algorithm, runtime, kills: each }) =>
      each.map(({ victim, noticedMs, healedMs, answersMs, sent, failed }) => [
        algorithm,
        runtime,
        victim,
        noticedMs,
        healedMs,
        answersMs,
        sent,
        failed,
      ]),
    ),
  );
}

function hashFunctions({ variants }: Results): string {
  return csvOf(
    ['variant', 'servers', 'server', 'requests'],
    variants.flatMap(({ id, placed }) =>
      placed.flatMap(({ servers, counts }) =>
        (counts ?? []).map((count, i) => [id, servers, `server-${i + 1}`, count]),
      ),
    ),
  );
}

function anatomies({ diagnosis }: Results): string {
  return csvOf(
    ['servers', 'server', 'share', 'longest_gap_slots', 'longest_gap_owner', 'reached_in_gap', 'colliding'],
    diagnosis.anatomies.flatMap(({ servers, shares, gap, reachedInGap, colliding }) =>
      shares.map((share, i) => [
        servers,
        `server-${i + 1}`,
        share,
        gap.length,
        gap.owner,
        reachedInGap,
        colliding,
      ]),
    ),
  );
}

function cures({ diagnosis }: Results): string {
  return csvOf(
    ['servers', 'hash_functions', 'virtual_servers', 'slots', 'largest_over_mean', 'deviation_over_mean'],
    [...diagnosis.cures, ...diagnosis.byServers].map(({ servers, hash, virtuals, slots, balance }) => [
      servers,
      hash,
      virtuals,
      slots,
      balance?.largestOverMean,
      balance && balance.deviation / balance.mean,
    ]),
  );
}
