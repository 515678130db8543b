// @ts-check
import { list } from './format.js';

/** @typedef {import('../snapshot.ts').EventSnapshot} EventSnapshot */
/** @typedef {EventSnapshot['what']} Happening */

/** What happens to several within this time, for one reason, is told as one. */
const TOGETHER_MS = 2000;

/** Names that a group shows before it only counts. */
export const NAMES_SHOWN = 4;

/** What is read out to who can't see the page; the rest would only be noise. @type {ReadonlySet<Happening>} */
const READ_OUT = new Set(['ejected', 'died', 'healed', 'joined', 'left', 'engine away', 'engine back']);

/** @type {Readonly<Record<string, 'good' | 'bad' | 'calm'>>} */
const TONES = {
  joined: 'good',
  healed: 'good',
  back: 'good',
  'engine back': 'good',
  ejected: 'bad',
  died: 'bad',
  stayed: 'bad',
  'engine away': 'bad',
};

/** @param {string} what */
export function toneOf(what) {
  return Object.hasOwn(TONES, what) ? (TONES[what] ?? 'calm') : 'calm';
}

/**
 * Events that belong together: the same with several replicas, at about one time.
 *
 * @typedef {{ seq: number, at: number, what: Happening, why: string, replicas: string[] }} Group `seq` and `at` are those of its first
 */

/**
 * @param {readonly EventSnapshot[]} events oldest first
 * @returns {Group[]} newest first
 */
export function grouped(events) {
  /** @type {Group[]} */
  const groups = [];
  let lastAt = -Infinity;
  for (const { seq, at, what, why, replica } of events) {
    const last = groups.at(-1);
    const joins =
      last !== undefined &&
      last.what === what &&
      last.why === why &&
      replica !== '' &&
      at - lastAt <= TOGETHER_MS &&
      !last.replicas.includes(replica);
    if (joins) last.replicas.push(replica);
    else groups.push({ seq, at, what, why, replicas: replica === '' ? [] : [replica] });
    lastAt = at;
  }
  return groups.toReversed();
}

/** Who it happened to, in words. @param {Group} group */
export function whoOf({ replicas, what }) {
  if (replicas.length === 0) return what.startsWith('engine') ? 'Engine' : 'Ringmaster';
  return list(replicas, NAMES_SHOWN);
}

/** What happened, without who. @param {Happening} what */
export function verbOf(what) {
  return what === 'engine away' ? 'away' : what === 'engine back' ? 'back' : what;
}

/** Reasons that are the event in other words. */
const SAYS_NO_MORE = new Set([
  'draining: is being removed',
  'left: is drained and gone',
  'restarting: a new instance is started',
]);

/** Why, where that says more than what did. @param {{ what: string, why: string }} event */
export function reasonOf({ what, why }) {
  return why === what || SAYS_NO_MORE.has(`${what}: ${why}`) ? '' : why;
}

/** What of these events is to be read out; empty for nothing. @param {readonly EventSnapshot[]} events oldest first */
export function announcement(events) {
  return grouped(events.filter(({ what }) => READ_OUT.has(what)))
    .toReversed()
    .map((group) => `${whoOf(group)} ${verbOf(group.what)}`)
    .join('. ');
}
