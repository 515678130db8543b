/** The points on which server answers for which key, and whether one answers at all. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exchange } from '../exchange.ts';
import { randomIds } from '../ids.ts';
import { balanceOf } from '../statistics.ts';
import { joined, parted, unlisted, unremovable, withTwo } from './changes.ts';
import {
  appeared,
  isByName,
  movesFromOld,
  movesToNew,
  repeatOf,
  sightings,
  surelyAppeared,
  unmatched,
  type Moves,
  type Told,
} from './greeters.ts';
import { notThere, notTried, pass, type Outcome } from './outcome.ts';
import { told } from './replies.ts';
import { CONCURRENCY, type Scene, type Unanswered } from './scene.ts';

/** Ids whose owners are compared before and after a change. */
const SAMPLE = 120;
const SAMPLE_SEED = 7;
/** Ids of which /map_request is asked. */
const MAPPED_IDS = 30;
/**
 * Of the keys that should stay, those that may move all the same: none do in consistent hashing, but where virtual servers
 * that meet give way to each other (linear probing), and in tables that are filled anew, some do: with the assignment's
 * functions at most 0.29, of 588 fleets. With a modulo it is a half and more.
 */
const NEEDLESS_MOVES_MAX_SHARE = 1 / 3;
/** Servers of ours that are added after the one that is removed. */
const LATER_SERVERS = 3;
/**
 * Of the keys of those later servers, those that may move. Where servers are numbered by their place in the list, all
 * later ones lose their keys, and others may lose none: with the assignment's functions, and 3 to 8 servers found, at
 * least 0.83 of them; at most 0.57 where the table is filled anew with the same numbers.
 */
const LATER_MOVES_MAX_SHARE = 0.7;
/** Keys of later servers, below which their share says nothing. */
const LATER_KEYS_MIN = 5;
/** Servers whose names end in the same digit, of which each has to get keys. */
const ALIKE_SERVERS = 4;
/**
 * Of the sample, what a server has to get to count as one that gets keys, and how many of them have to. With the
 * assignment's functions, and where points are drawn, four of 12 servers always do better (1192 fleets); where the last
 * digit of the name is taken for the number of the server 4 of 5 fleets do not.
 */
const ALIKE_SHARE_MIN = 4 / SAMPLE;
const ALIKE_SERVERS_MIN = 2;
/** With more of them shares are so small that chance may make them nothing. */
const ALIKE_FLEET_MAX = 12;
/** With other names each: a ring of few points may leave them little once. */
const ALIKE_TRIES = 2;
/** The one that is asked first. */
const FIRST_ID = 123_456;
/** How often in a row an id is asked, with no other request at the same time, to see whether it keeps to a server. */
const ALONE_REPEATS = 3;
/**
 * Requests of two samples that went astray although ids keep to their servers when asked alone: fewer may be draws of
 * which one server gets nearly all, so that it got all of those that were asked alone.
 */
const ASTRAY_MIN = 10;
/** Different ones. */
const UNDER_LOAD_IDS = 10_000;
/** How often, and how far apart, it is seen whether servers that joined before are ready. */
const SETTLE_ROUNDS_MAX = 14;
const SETTLE_PAUSE_MS = 200;
/**
 * Requests without a pause; those after them come with one. Each takes a connection of its own, and so a port, which is not
 * free again for a minute: where a change takes long there would be none left, and what fails then is our fault.
 */
const UNDER_LOAD_FAST_MAX = 1000;
const UNDER_LOAD_PAUSE_MS = 20;
/** Requests that come after it has joined or left. */
const UNDER_LOAD_AFTER_MIN = 200;
/** Requests that may be lost with a server that leaves: those that it was about to answer. */
const LEAVE_FAILURES_MAX = CONCURRENCY;

export async function homeGreets(scene: Scene): Promise<Outcome> {
  const names = await scene.names();
  if (names?.length === 0) return notTried('there is no server to answer');
  const came = await scene.greeter(FIRST_ID);
  if (typeof came === 'string') return pass(`answered by ${came}`);
  // Where only some ids are answered it is the fault of another point.
  const others = came.ok
    ? await scene.ask(sampleIds(), (some) =>
        some.some((one) => typeof one === 'string' || isWithoutReply(one)),
      )
    : [];
  const other = others.find((one) => typeof one === 'string');
  return other === undefined
    ? scene.fail(`no greeting: ${told(came)}`, { shows: 'greet' })
    : pass(`answered by ${String(other)}, but not for id ${FIRST_ID}`);
}

/** Of any id, whichever server has it. */
export async function everyIdAnswered(scene: Scene): Promise<Outcome> {
  const fault = { needs: ['greet'], shows: 'answer every id' } as const;
  if (scene.blamed('greet') !== undefined) return scene.fail('no greeting', fault);
  const names = await scene.names();
  if (names?.length === 0) return notTried('there is no server to answer');
  const ids = sampleIds();
  // Who has waited for one reply in vain is not made to wait for all.
  const came = await scene.ask(ids, (some) => some.some(isWithoutReply));
  const answered = came.filter((one) => typeof one === 'string');
  const at = came.findIndex((one) => typeof one !== 'string');
  const silent = came[at];
  if (silent !== undefined && typeof silent !== 'string')
    return scene.fail(
      `id ${ids[at]}: ${told(silent)}; ${answered.length} of ${came.length} ids were answered`,
      fault,
    );
  scene.owners = answered;
  return pass(`${came.length} ids, all answered`);
}

function isWithoutReply(came: string | Exchange): boolean {
  return typeof came !== 'string' && !came.ok;
}

function sampleIds(): number[] {
  return randomIds(SAMPLE, SAMPLE_SEED);
}

/** An id that is not answered, which others are. */
function ungreeted(scene: Scene, { id, came }: Unanswered): Outcome {
  return scene.fail(`id ${id}: no greeting: ${told(came)}`, {
    needs: ['answer every id', 'be ready once added', 'leave removed servers alone'],
    shows: 'greet',
  });
}

/** An id that is not answered any more after servers were removed. */
function orphaned(scene: Scene, unanswered: Unanswered): Outcome {
  const { gone } = scene;
  const { id, came } = unanswered;
  const text = told(came);
  const [name] = gone.filter((one) => text.includes(one)).toSorted((one, other) => other.length - one.length);
  const last = name ?? gone.at(-1);
  if (last === undefined) return ungreeted(scene, unanswered);
  const answer = `id ${id} is answered with ${text}`;
  return scene.fail(
    name === undefined
      ? `after /rm of servers, the last of them ${last}, ${answer}: are removed servers still on the ring?`
      : `after /rm of ${name}, ${answer}: is ${name} still on the ring?`,
    { needs: ['greet', 'answer every id'], shows: 'leave removed servers alone' },
  );
}

/** Owners of the sample, or who does not answer. */
async function sampled(scene: Scene): Promise<readonly string[] | Unanswered> {
  if (scene.owners !== undefined) return scene.owners;
  // What is known to be broken is not waited for.
  const known = (['greet', 'answer every id', 'leave removed servers alone'] as const).find(
    (ability) => scene.blamed(ability) !== undefined,
  );
  const came =
    scene.hasAdded && known === undefined ? await settled(scene) : await scene.greeters(sampleIds());
  if (Array.isArray(came)) scene.owners = came;
  return came;
}

/** Owners of the sample; an Outcome where they can't be known. */
async function ownersOf(scene: Scene): Promise<readonly string[] | Outcome> {
  const came = await sampled(scene);
  return isAnswered(came) ? came : ungreeted(scene, came);
}

/** The same, where what is not answered is the fault of a removal. */
async function ownersAfterRemoval(scene: Scene): Promise<readonly string[] | Outcome> {
  const came = await sampled(scene);
  return isAnswered(came) ? came : orphaned(scene, came);
}

export async function sameIdSameServer(scene: Scene): Promise<Outcome> {
  scene.sameId = await repeats(scene);
  return scene.sameId;
}

async function repeats(scene: Scene): Promise<Outcome> {
  const ids = sampleIds();
  const first = await ownersOf(scene);
  if (!isOwners(first)) return first;
  // In another order: else who sends requests to the servers in turn would seem to keep to ids.
  const order = ids.map((_, i) => i).toSorted((a, b) => (ids[a] ?? 0) - (ids[b] ?? 0));
  const again = await scene.greeters(order.map((i) => ids[i] ?? 0));
  if (!Array.isArray(again)) return ungreeted(scene, again);
  const second = first.map(() => '');
  for (const [at, i] of order.entries()) second[i] = again[at] ?? '';
  const repeat = repeatOf(first, second);
  if (repeat === 'same') return pass(`${SAMPLE} ids, each asked twice, each by one server`);
  const alone = await ownersAlone(scene, ids);
  const astrayIn = (owners: readonly string[]): number =>
    alone === undefined ? 0 : owners.filter((one, i) => one !== alone[i]).length;
  if (astrayIn(first) + astrayIn(second) >= ASTRAY_MIN)
    return scene.fail(
      `the same id goes to one server when asked alone, and to several when ${CONCURRENCY} requests come at once: look for a variable that requests share`,
      { shows: 'same id, same server' },
    );
  const astray = ids.findIndex((_, i) => first[i] !== second[i]);
  const id = ids[astray] ?? 0;
  if (repeat === 'some' || (await scene.mapped(id)) !== undefined)
    return scene.fail(`id ${id} went to ${first[astray]}, and then to ${second[astray]}`, {
      shows: 'same id, same server',
    });
  return notTried(
    'it draws an id of its own for each request, as the assignment lets it: from outside nobody sees which key went where',
  );
}

/** Owners of ids that are asked one after the other; undefined where one does not keep to its server. */
async function ownersAlone(scene: Scene, ids: readonly number[]): Promise<string[] | undefined> {
  const owners: string[] = [];
  for (const id of ids) {
    const owner = await scene.greeter(id);
    if (typeof owner !== 'string') return undefined;
    for (let repeat = 1; repeat < ALONE_REPEATS; repeat++)
      if ((await scene.greeter(id)) !== owner) return undefined;
    owners.push(owner);
  }
  return owners;
}

/** Only where the id that is sent decides. */
export function asksIds(
  scene: Scene,
  act: (scene: Scene, names: readonly string[]) => Promise<Outcome>,
): Promise<Outcome> {
  const { sameId } = scene;
  if (sameId?.mark === 'pass') return withTwo(scene, act);
  const why = sameId?.mark === 'fail' ? "depends on 'same-id', which failed" : sameId?.came;
  return Promise.resolve(notTried(why ?? "depends on 'same-id'"));
}

export async function greetersListed(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const owners = await ownersOf(scene);
  if (!isOwners(owners)) return owners;
  const greeters = [...sightings(owners).keys()];
  const { strangers, free } = unmatched(greeters, names);
  // Where an id always gets to the same greeter it is no worker of many that greets, and there are as many servers.
  const isSure = strangers.length < greeters.length || scene.sameId?.mark === 'pass';
  if (strangers.length > free.length)
    return isSure
      ? scene.fail(`there answered ${greeters.join(', ')}, and /rep lists ${names.join(', ')}`, {
          shows: 'be listed',
        })
      : notTried(`${greeters.length} greeters for ${names.length} servers: which is which can not be told`);
  return strangers.length === 0
    ? pass(`${greeters.join(', ')}, as in /rep`)
    : pass(`${strangers.join(', ')}, which /rep lists under other names`);
}

export async function idsSpread(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const owners = await ownersOf(scene);
  if (!isOwners(owners)) return owners;
  const counts = sightings(owners);
  if (counts.size < 2)
    return scene.fail(`${SAMPLE} ids were all answered by ${owners[0]}`, { shows: 'spread ids' });
  if (counts.size > names.length) return notTried(`${counts.size} greeters for ${names.length} servers`);
  const silent = names.length - counts.size;
  const { largestOverMean } = balanceOf([...counts.values(), ...Array.from({ length: silent }, () => 0)]);
  const shares = [...counts]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => `${name} ${percent(count / SAMPLE)}`);
  const nothing = silent === 0 ? '' : `, ${silent} others nothing`;
  return pass(`${shares.join(', ')}${nothing}; the largest is ${largestOverMean.toFixed(2)} times the mean`);
}

export async function mapAgrees(scene: Scene): Promise<Outcome> {
  const ids = randomIds(MAPPED_IDS, SAMPLE_SEED);
  if ((await scene.mapped(ids[0] ?? 0)) === undefined)
    return notThere('there is no /map_request, and none is asked for');
  return asksIds(scene, async (_, names) => {
    const owners = await scene.greeters(ids);
    if (!Array.isArray(owners)) return ungreeted(scene, owners);
    const byName = isByName(owners, names);
    // Where servers greet under other names, each of them has to go with one that is mapped.
    const pairs = [new Map<string, string>(), new Map<string, string>()] as const;
    for (const [i, id] of ids.entries()) {
      const [mapped, owner = ''] = [await scene.mapped(id), owners[i]];
      if (mapped === undefined) return scene.fail(`id ${id}: /map_request names nobody, and did so before`);
      const [ownerThen, mappedThen] = [pairs[0].get(mapped) ?? owner, pairs[1].get(owner) ?? mapped];
      if (byName ? mapped !== owner : ownerThen !== owner || mappedThen !== mapped)
        return scene.fail(`id ${id}: /map_request says ${mapped}, and /home was ${owner}`, {
          needs: ['be listed'],
        });
      pairs[0].set(mapped, owner);
      pairs[1].set(owner, mapped);
    }
    return pass(`${MAPPED_IDS} ids, the same server each`);
  });
}

export async function removedIsSilent(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const before = await ownersAfterRemoval(scene);
  if (!isOwners(before)) return before;
  // Two: of one alone chance, or a poor hash function, may keep all requests away.
  const fresh = scene.freshNames(2);
  const unready = unremovable(scene) ?? (await joined(scene, fresh));
  if (unready !== undefined) return unready;
  const between = await ownersOf(scene);
  if (!isOwners(between)) return between;
  const newcomers = isByName(between, [...names, ...fresh])
    ? fresh.filter((name) => between.includes(name))
    : surelyAppeared(before, between);
  const stays = await parted(scene, fresh);
  if (stays !== undefined) return stays;
  const after = await ownersAfterRemoval(scene);
  if (!isOwners(after)) return after;
  const counts = sightings(after);
  const left = newcomers.filter((one) => counts.has(one));
  if (newcomers.length > fresh.length)
    return notTried(`of ${fresh.length} servers that came ${newcomers.length} new greeters came`);
  if (left.length > 0)
    return scene.fail(
      left
        .map((one) => `${one} was removed, and answers ${counts.get(one)} of ${SAMPLE} requests`)
        .join(', '),
      { shows: 'leave removed servers alone' },
    );
  return newcomers.length === 0
    ? notTried('of the servers that were added and removed none can be told by its greeting')
    : pass(`${newcomers.join(' and ')} answered, and after /rm not any more`);
}

const NEEDS_CONSISTENCY = {
  shows: 'leave keys where they are',
  needs: ['leave removed servers alone', 'spread ids'],
} as const;

export async function addMoves(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const seen: string[] = [];
  let moves = 0;
  const members = [...names];
  let before = await ownersOf(scene);
  // One after the other: from 2 to 4 servers even a modulo moves keys to the new ones only.
  for (const fresh of scene.freshNames(2)) {
    if (!isOwners(before)) return before;
    const unready = await joined(scene, [fresh]);
    if (unready !== undefined) return unready;
    members.push(fresh);
    const after = await ownersOf(scene);
    if (!isOwners(after)) return after;
    const found = movesToNew(before, after, {
      name: fresh,
      byName: isByName([...before, ...after], members),
    });
    if (!isMoves(found)) return notTried(found);
    const line = `with ${members.length} servers ${percent(found.moved / SAMPLE)} of the keys moved (1/N is ${percent(1 / members.length)}), ${needlessText(found)}`;
    if (isTooMuch(found)) return scene.fail(line, NEEDS_CONSISTENCY);
    seen.push(line);
    moves += found.moved;
    before = after;
  }
  // Probing may leave a new server little, but of two that are asked for something some key has to be.
  return moves > 0
    ? pass(seen.join('; '))
    : scene.fail(
        `the new servers got no key at all: are old answers cached, or are they not on the ring? ${seen.join('; ')}`,
        NEEDS_CONSISTENCY,
      );
}

export async function rmMoves(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const [name = '', ...later] = scene.freshNames(1 + LATER_SERVERS);
  // Others come after the one that leaves: where servers are numbered by their place in the list, they move up.
  const unready = unremovable(scene) ?? (await joined(scene, [name]));
  if (unready !== undefined) return unready;
  const without = await ownersOf(scene);
  if (!isOwners(without)) return without;
  const wrong = await joined(scene, later);
  if (wrong !== undefined) return wrong;
  const before = await ownersOf(scene);
  if (!isOwners(before)) return before;
  const stays = await parted(scene, [name]);
  if (stays !== undefined) return stays;
  const after = await ownersOf(scene);
  if (!isOwners(after)) return after;
  const byName = isByName([...without, ...before, ...after], [...names, name, ...later]);
  const found = movesFromOld(before, after, { name, byName });
  if (!isMoves(found)) return notTried(found);
  const removed = new Set(byName ? [name] : appeared(after, before));
  const ofLater = before.flatMap((one, i) => (one === without[i] || removed.has(one) ? [] : [i]));
  const lost = ofLater.filter((i) => after[i] !== before[i]).length;
  if (ofLater.length >= LATER_KEYS_MIN && lost / ofLater.length > LATER_MOVES_MAX_SHARE)
    return scene.fail(
      `${lost} of the ${ofLater.length} keys of servers that were added after the removed one moved, and should stay: does the ring number servers by their place in the list?`,
      NEEDS_CONSISTENCY,
    );
  return isTooMuch(found) ? scene.fail(needlessText(found), NEEDS_CONSISTENCY) : pass(needlessText(found));
}

export async function keysReturn(scene: Scene): Promise<Outcome> {
  const before = await ownersOf(scene);
  if (!isOwners(before)) return before;
  const fresh = scene.freshNames(1);
  const wrong = unremovable(scene) ?? (await joined(scene, fresh)) ?? (await parted(scene, fresh));
  if (wrong !== undefined) return wrong;
  const after = await ownersOf(scene);
  if (!isOwners(after)) return after;
  const away = after.filter((owner, i) => owner !== before[i]).length;
  if (away === 0) return pass(`all ${SAMPLE} keys are back`);
  return scene.fail(`${away} of ${SAMPLE} keys are elsewhere`, {
    needs: ['leave keys where they are', 'leave removed servers alone'],
  });
}

/** Names that end alike are other names all the same. */
export async function alikeGetKeys(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const fleet = names.length + ALIKE_SERVERS;
  if (fleet > ALIKE_FLEET_MAX) return notTried(`with ${fleet} servers it can not be told from chance`);
  let richest = 0;
  for (let round = 1; ; round++) {
    const before = await ownersOf(scene);
    if (!isOwners(before)) return before;
    // A multiple of ten apart, so that all end in the same digit.
    const fresh = scene.freshNames(ALIKE_SERVERS, 10);
    const unready = unremovable(scene) ?? (await joined(scene, fresh));
    if (unready !== undefined) return unready;
    const after = await ownersOf(scene);
    if (!isOwners(after)) return after;
    const newcomers = appeared(before, after);
    if (newcomers.length > ALIKE_SERVERS)
      return notTried(`of ${ALIKE_SERVERS} servers that came ${newcomers.length} new greeters came`);
    const counts = sightings(after);
    const rich = newcomers.filter((one) => (counts.get(one) ?? 0) >= ALIKE_SHARE_MIN * SAMPLE).length;
    if (rich >= ALIKE_SERVERS_MIN) return pass(`${fresh.join(', ')}: ${newcomers.length} of them got keys`);
    richest = Math.max(richest, rich);
    // Where new servers get nothing whatever their names, names are not to blame.
    if (round === ALIKE_TRIES && richest === 0) return notTried('new servers get next to no keys');
    if (round === ALIKE_TRIES)
      return scene.fail(
        `of ${fresh.join(', ')} only ${rich} got more than a few keys, and so it was with others: is the number of a server only the last digit of its name?`,
        { needs: ['spread ids', 'leave keys where they are', 'leave removed servers alone'] },
      );
    const stays = await parted(scene, fresh);
    if (stays !== undefined) return stays;
  }
}

export async function addUnderLoad(scene: Scene): Promise<Outcome> {
  const names = await scene.names();
  if (names === undefined) return unlisted(scene);
  if (names.length === 0) return notTried('there is no server to answer before one joins');
  const unanswering = knownUnanswering(scene);
  if (unanswering !== undefined) return unanswering;
  // What fails already is no fault of who joins, unless it was the last one to join, which is ready in a moment.
  const before = await settled(scene);
  if (!Array.isArray(before)) return notTried(`requests fail before a server joins: ${told(before.came)}`);
  const { sent, failures, wrong } = await underLoad(scene, 0, () => joined(scene, scene.freshNames(1)));
  const [failure] = failures;
  if (failure !== undefined)
    return scene.fail(`request ${sent} failed: ${told(failure)}`, { shows: 'be ready once added' });
  return wrong ?? pass(`${sent} requests, all answered`);
}

export async function rmUnderLoad(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const unanswering = knownUnanswering(scene);
  if (unanswering !== undefined) return unanswering;
  if (names.length === 0) return notTried('there is no server to answer');
  const fresh = scene.freshNames(2);
  const unready = unremovable(scene) ?? (await joined(scene, fresh));
  if (unready !== undefined) return unready;
  const before = await ownersOf(scene);
  if (!isOwners(before)) return before;
  const { sent, failures, wrong } = await underLoad(scene, LEAVE_FAILURES_MAX, () => parted(scene, fresh));
  const [failure] = failures;
  if (failure !== undefined && failures.length > LEAVE_FAILURES_MAX)
    return scene.fail(
      `${failures.length} of ${sent} requests failed while servers left, the first with ${told(failure)}: a server has to leave the ring before it is stopped`,
      { needs: ['leave removed servers alone'] },
    );
  const few =
    failures.length === 0
      ? 'all answered'
      : `${failures.length} failed, which servers that left may have been about to answer`;
  return wrong ?? pass(`${sent} requests, ${few}`);
}

/** Where it is known that requests fail without any change; undefined: it is not. */
function knownUnanswering(scene: Scene): Outcome | undefined {
  const blamed = scene.blamed('greet') ?? scene.blamed('answer every id');
  return blamed === undefined ? undefined : notTried(`depends on '${blamed}', which failed`);
}

interface Load {
  readonly sent: number;
  readonly failures: readonly Exchange[];
  /** What came of the change, where it did not work. */
  readonly wrong: Outcome | undefined;
}

/** Sends requests while servers change, and some more; it stops sending at one failure more than may be. */
async function underLoad(
  scene: Scene,
  failuresMax: number,
  change: () => Promise<Outcome | undefined>,
): Promise<Load> {
  const ids = randomIds(UNDER_LOAD_IDS, SAMPLE_SEED);
  const state = { sent: 0, end: Infinity };
  const failures: Exchange[] = [];
  const worker = async (): Promise<void> => {
    while (failures.length <= failuresMax && state.sent < state.end) {
      const id = ids[state.sent++ % ids.length];
      const came = await scene.greeter(id ?? 0);
      if (typeof came !== 'string') failures.push(came);
      if (state.sent > UNDER_LOAD_FAST_MAX) await sleep(UNDER_LOAD_PAUSE_MS);
    }
  };
  const changing = async (): Promise<Outcome | undefined> => {
    const wrong = await change();
    state.end = state.sent + UNDER_LOAD_AFTER_MIN;
    return wrong;
  };
  const [wrong] = await Promise.all([changing(), ...Array.from({ length: CONCURRENCY }, worker)]);
  return { sent: state.sent, failures, wrong };
}

/** Who answers for each of the ids, once all are answered, or one that is still not answered after a while. */
async function settled(scene: Scene): Promise<string[] | Unanswered> {
  for (let round = 1; ; round++) {
    const found = await scene.greeters(sampleIds());
    if (Array.isArray(found) || round === SETTLE_ROUNDS_MAX) return found;
    if (!found.came.ok && found.came.timedOut) return found;
    await sleep(SETTLE_PAUSE_MS);
  }
}

function isAnswered(found: readonly string[] | Unanswered): found is readonly string[] {
  return Array.isArray(found);
}

function isOwners(found: readonly string[] | Outcome): found is readonly string[] {
  return Array.isArray(found);
}

function isMoves(told: Told): told is Moves {
  return typeof told !== 'string';
}

function isTooMuch({ needless, staying }: Moves): boolean {
  return staying > 0 && needless / staying > NEEDLESS_MOVES_MAX_SHARE;
}

/** A few are no fault, and yet worth to know. */
function needlessText(moves: Moves): string {
  const few = moves.needless > 0 && !isTooMuch(moves);
  return `${moves.needless} of the ${moves.staying} keys that should stay moved${few ? ', as probing may have it' : ''}`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
