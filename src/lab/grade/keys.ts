/** The points on which server answers for which key, and whether one answers at all. */
import type { Exchange } from '../exchange.ts';
import { randomIds } from '../ids.ts';
import { balanceOf } from '../statistics.ts';
import { joined, parted, unlisted, unremovable, withTwo } from './changes.ts';
import {
  isByName,
  movesFromOld,
  movesToNew,
  repeatOf,
  sightings,
  surelyAppeared,
  unmatched,
  type Moves,
  type Told,
} from './identity.ts';
import { notThere, notTried, pass, type Outcome } from './outcome.ts';
import { greeterOf } from '../contract.ts';
import { told } from './replies.ts';
import { CONCURRENCY, type Scene } from './scene.ts';

/** Ids whose owners are compared before and after a change. */
const SAMPLE = 120;
const SAMPLE_SEED = 7;
/** Ids of which /map_request is asked. */
const MAPPED_IDS = 30;
/**
 * Keys that may move between servers that stay: none do in consistent hashing, but where virtual servers that meet give
 * way to each other (linear probing), and in tables that are filled anew, a few do. Of a modulo it is a third and more.
 */
const NEEDLESS_MOVES_MAX_SHARE = 0.1;
/** Different ones. */
const UNDER_LOAD_IDS = 10_000;
/** How often, and how far apart, it is seen whether servers that joined before are ready. */
const SETTLE_ROUNDS_MAX = 6;
const SETTLE_PAUSE_MS = 500;
/** Requests that come after it has joined. */
const UNDER_LOAD_AFTER_MIN = 200;

export async function homeGreets(scene: Scene): Promise<Outcome> {
  const names = await scene.names();
  if (names?.length === 0) return notTried('there is no server to answer');
  const came = await scene.call('/home?id=123456');
  const name = came.ok && came.status === 200 ? greeterOf(came.text) : undefined;
  return name === undefined ? ungreeted(scene, came) : pass(`answered by ${name}`);
}

function ungreeted(scene: Scene, came: Exchange): Outcome {
  return scene.fail(`no greeting: ${told(came)}`, { shows: 'greet' });
}

/** Owners of the sample; an Outcome where they can't be known. */
async function ownersOf(scene: Scene): Promise<readonly string[] | Outcome> {
  if (scene.owners !== undefined) return scene.owners;
  const came = await scene.greeters(randomIds(SAMPLE, SAMPLE_SEED));
  if (!Array.isArray(came)) return ungreeted(scene, came);
  scene.owners = came;
  return came;
}

export async function sameIdSameServer(scene: Scene): Promise<Outcome> {
  scene.sameId = await repeats(scene);
  return scene.sameId;
}

async function repeats(scene: Scene): Promise<Outcome> {
  const ids = randomIds(SAMPLE, SAMPLE_SEED);
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
  const before = await ownersOf(scene);
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
  const after = await ownersOf(scene);
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
    const line = `with ${members.length} servers ${percent(found.moved / SAMPLE)} moved (1/N is ${percent(1 / members.length)}), ${needlessText(found)}`;
    if (isTooMuch(found)) return scene.fail(line, NEEDS_CONSISTENCY);
    seen.push(line);
    moves += found.moved;
    before = after;
  }
  // Probing may leave a new server little, but of two that are asked for something some key has to be.
  return moves > 0
    ? pass(seen.join('; '))
    : scene.fail(`no key at all went to a new server: ${seen.join('; ')}`, NEEDS_CONSISTENCY);
}

export async function rmMoves(scene: Scene, names: readonly string[]): Promise<Outcome> {
  const fresh = scene.freshNames(2);
  const [name = ''] = fresh;
  const unready = unremovable(scene) ?? (await joined(scene, fresh));
  if (unready !== undefined) return unready;
  const before = await ownersOf(scene);
  if (!isOwners(before)) return before;
  const stays = await parted(scene, [name]);
  if (stays !== undefined) return stays;
  const after = await ownersOf(scene);
  if (!isOwners(after)) return after;
  const byName = isByName([...before, ...after], [...names, ...fresh]);
  const found = movesFromOld(before, after, { name, byName });
  if (!isMoves(found)) return notTried(found);
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

export async function addUnderLoad(scene: Scene): Promise<Outcome> {
  const names = await scene.names();
  if (names === undefined) return unlisted(scene);
  if (names.length === 0) return notTried('there is no server to answer before one joins');
  // What fails already is no fault of who joins, unless it was the last one to join, which is ready in a moment.
  const before = await settled(scene);
  if (!Array.isArray(before)) {
    const blamed = scene.blamed('greet');
    return notTried(
      blamed === undefined
        ? `requests fail before a server joins: ${told(before)}`
        : `depends on '${blamed}', which failed`,
    );
  }
  const ids = randomIds(UNDER_LOAD_IDS, SAMPLE_SEED);
  const state = { sent: 0, end: Infinity };
  const failures: Exchange[] = [];
  const worker = async (): Promise<void> => {
    while (failures.length === 0 && state.sent < state.end) {
      const id = ids[state.sent++ % ids.length];
      const came = await scene.greeter(id ?? 0);
      if (typeof came !== 'string') failures.push(came);
    }
  };
  const join = async (): Promise<Outcome | undefined> => {
    const unready = await joined(scene, scene.freshNames(1));
    state.end = state.sent + UNDER_LOAD_AFTER_MIN;
    return unready;
  };
  const [unready] = await Promise.all([join(), ...Array.from({ length: CONCURRENCY }, worker)]);
  const [failure] = failures;
  if (failure !== undefined)
    return scene.fail(`request ${state.sent} failed: ${told(failure)}`, { shows: 'greet' });
  return unready ?? pass(`${state.sent} requests, all answered`);
}

/** Who answers for each of the ids, once all are answered; an Exchange where they still are not after a while. */
async function settled(scene: Scene): Promise<string[] | Exchange> {
  for (let round = 1; ; round++) {
    const came = await scene.greeters(randomIds(SAMPLE, SAMPLE_SEED));
    if (Array.isArray(came) || round === SETTLE_ROUNDS_MAX) return came;
    await new Promise((resolve) => {
      setTimeout(resolve, SETTLE_PAUSE_MS);
    });
  }
}

function isOwners(found: readonly string[] | Outcome): found is readonly string[] {
  return Array.isArray(found);
}

function isMoves(told: Told): told is Moves {
  return typeof told !== 'string';
}

function isTooMuch({ needless }: Moves): boolean {
  return needless / SAMPLE > NEEDLESS_MOVES_MAX_SHARE;
}

/** A few are no fault, and yet worth to know. */
function needlessText(moves: Moves): string {
  const few = moves.needless > 0 && !isTooMuch(moves);
  return `${moves.needless} of ${SAMPLE} keys moved between servers that stay${few ? ', as probing may have it' : ''}`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
