import { NAME_PATTERN } from '../../config.ts';
import type { Peer, Roster, Seat } from '../roster.ts';
import { weightOf, type Mark } from '../runtime.ts';

type Labels = Readonly<Record<string, string>>;

const REVISION = 'revision';
const SEAT = 'seat.';
/**
 * Apart from the seat: a Ringmaster that knows of no weights reads over it, and would take a longer seat for none, and what has
 * none for nobody's.
 */
const WEIGHT = 'weight.';
const PEER = 'peer.';
const NAME = new RegExp(NAME_PATTERN);
const MARKS: ReadonlySet<unknown> = new Set<Mark>(['joining', 'member', 'leaving first', 'leaving']);

/** The roster as labels: of all that the Swarm keeps, what can be changed in one step without anything made anew. */
export function encodeRoster({ revision, seats, ringmasters }: Roster): Labels {
  return Object.fromEntries([
    [REVISION, String(revision)],
    ...seats.map(({ name, order, join, mark, by }) => [SEAT + name, JSON.stringify([order, join, mark, by])]),
    ...seats.flatMap(({ name, weight = 1 }) => (weight === 1 ? [] : [[WEIGHT + name, String(weight)]])),
    ...Object.entries(ringmasters).map(([key, { run, url }]) => [PEER + key, JSON.stringify([run, url])]),
  ]);
}

/** What somebody else has written there by hand is not taken for a seat or a Ringmaster, and goes with the next change. */
export function decodeRoster(labels: Labels): Roster {
  const entries = Object.entries(labels);
  const revision = Number(labels[REVISION]);
  return {
    revision: Number.isSafeInteger(revision) ? revision : 0,
    seats: entries.flatMap(([label, value]) => seatOf(label, value, labels)),
    ringmasters: Object.fromEntries(entries.flatMap(([label, value]) => peerOf(label, value))),
  };
}

function seatOf(label: string, value: string, labels: Labels): Seat[] {
  if (!label.startsWith(SEAT)) return [];
  const name = label.slice(SEAT.length);
  const fields = fieldsOf(value, 4);
  if (fields === undefined || !NAME.test(name)) return [];
  const [order, join, mark, by] = fields;
  if (!Number.isSafeInteger(order) || typeof join !== 'string' || typeof by !== 'string' || !MARKS.has(mark))
    return [];
  const weight = weightOf(labels[WEIGHT + name]) ?? 1;
  const seat: Seat = { name, order: order as number, join, mark: mark as Mark, by };
  return [weight === 1 ? seat : { ...seat, weight }];
}

function peerOf(label: string, value: string): [string, Peer][] {
  if (!label.startsWith(PEER)) return [];
  const [run, url] = fieldsOf(value, 2) ?? [];
  return typeof run === 'string' && typeof url === 'string' ? [[label.slice(PEER.length), { run, url }]] : [];
}

function fieldsOf(value: string, count: number): readonly unknown[] | undefined {
  try {
    const fields: unknown = JSON.parse(value);
    return Array.isArray(fields) && fields.length === count ? fields : undefined;
  } catch {
    return undefined;
  }
}
