import { failureOf, greeterOf, membersOf, TOO_MANY_NAMES_ADD, TOO_MANY_NAMES_RM } from '../contract.ts';
import type { Exchange } from '../exchange.ts';
import { randomIds } from '../ids.ts';
import { balanceOf, countsOf } from '../statistics.ts';
import type { Scene } from './scene.ts';

export type Mark = 'pass' | 'fail' | 'not tried';

export interface Outcome {
  readonly mark: Mark;
  /** What came, in one line. May hold text of the server, not yet made safe to print. */
  readonly came: string;
}

/** One thing that the contract asks for. */
export interface Point {
  readonly id: string;
  readonly asks: string;
  readonly why: string;
  readonly run: (scene: Scene) => Promise<Outcome>;
}

/** Ids whose owners are compared before and after a change. */
const SAMPLE = 300;
const SAMPLE_SEED = 7;
/** Names that one point takes for servers of its own. */
const FRESH_NAMES_MAX = 2;
/** Ids that are each asked for so many times, to see whether the same server answers. */
const SAME_IDS = 5;
const SAME_TIMES = 6;
/**
 * Keys that may move between servers that stay: none do in consistent hashing, but where virtual servers that meet give
 * way to each other (linear probing), and in tables that are filled anew, a few do. Of a modulo it is a third and more.
 */
const NEEDLESS_MOVES_MAX_SHARE = 0.1;
/** Requests while a server joins. */
const UNDER_LOAD_CONCURRENCY = 8;
const UNDER_LOAD_REQUESTS_MAX = 10_000;
const UNDER_LOAD_REQUESTS_MIN = 200;

const pass = (came: string): Outcome => ({ mark: 'pass', came });
const fail = (came: string): Outcome => ({ mark: 'fail', came });
const notTried = (came: string): Outcome => ({ mark: 'not tried', came });

/** In the order in which they are tried: what only reads comes first, so that it sees the fleet as it was. */
export const POINTS: readonly Point[] = [
  {
    id: 'rep',
    asks: 'GET /rep lists the servers, with N as their number',
    why: 'Everything else is checked by it: who is in, and whether a call has changed that.',
    run: (scene) => Promise.resolve(listed(scene.rep)),
  },
  {
    id: 'home',
    asks: 'GET /home answers "Hello from Server: NAME", status successful, through the balancer',
    why: 'A balancer that does not hand requests on balances nothing; NAME tells which server did the work.',
    run: homeGreets,
  },
  {
    id: 'heartbeat',
    asks: 'GET /heartbeat answers 200',
    why: 'It is how a balancer learns that a server is dead, and how you learn it of the balancer.',
    run: async (scene) => {
      const came = await scene.call('/heartbeat');
      return came.ok && came.status === 200 ? pass('200') : fail(told(came));
    },
  },
  {
    id: 'same-id',
    asks: 'Requests with the same id go to the same server',
    why: 'It is what hashing is for: a server that sees a key again has its data at hand.',
    run: (scene) => withTwo(scene, sameIdSameServer),
  },
  {
    id: 'spread',
    asks: 'Different ids go to different servers',
    why: 'If one server gets everything, the others cost money and do nothing.',
    run: (scene) => withTwo(scene, idsSpread),
  },
  {
    id: 'map-request',
    asks: 'GET /map_request?id=42, where there is one, names the server that answers /home?id=42',
    why: 'An extension that is not asked of everyone; one that says something else than what happens misleads.',
    run: (scene) => asksIds(scene, mapAgrees),
  },
  {
    id: 'unknown-path',
    asks: 'GET of a path that nobody has answers 4xx',
    why: 'A 200 or 500 for what does not exist hides mistakes of the caller.',
    run: async (scene) => {
      const came = await scene.call('/no-such-endpoint');
      if (came.ok && came.status >= 400) scene.note('GET /no-such-endpoint', came);
      return came.ok && isClientError(came.status) ? pass(String(came.status)) : fail(told(came));
    },
  },
  {
    id: 'add-names',
    asks: 'POST /add with n=2 and two hostnames adds these two',
    why: 'Scaling out by hand, with names that you know.',
    run: (scene) => adds(scene, 2, 2),
  },
  {
    id: 'add-fewer-names',
    asks: 'POST /add with n=2 and one hostname adds it, and one with a name that is made up',
    why: 'The assignment lets hostnames be fewer than n: the rest are for the balancer to name.',
    run: (scene) => adds(scene, 2, 1),
  },
  {
    id: 'add-no-names',
    asks: 'POST /add with n=1 and no hostnames adds one with a name that is made up',
    why: 'Most who scale do not care for names.',
    run: (scene) => adds(scene, 1, 0),
  },
  {
    id: 'add-too-many-names',
    asks: `POST /add with more hostnames than n answers 400 "${TOO_MANY_NAMES_ADD}", and adds none`,
    why: 'It is not clear which of the names are meant, so that none may be taken; the text is part of the contract.',
    run: (scene) =>
      refuses(scene, {
        method: 'add',
        bodies: [{ n: 1, hostnames: scene.freshNames(2) }],
        text: TOO_MANY_NAMES_ADD,
      }),
  },
  {
    id: 'add-bad-n',
    asks: 'POST /add without n, with n=-1 and with n="two" answers 4xx, and adds none',
    why: 'What is not understood must not be guessed: the caller has made a mistake and has to be told.',
    run: (scene) => refuses(scene, { method: 'add', bodies: BAD_COUNTS }),
  },
  {
    id: 'add-duplicates',
    asks: 'POST /add with a name twice, or with one that is taken, answers 4xx, and adds none',
    why: 'Two servers of one name can not be told apart, neither by you nor by the hash function.',
    run: (scene) => {
      const [fresh = ''] = scene.freshNames(1);
      const taken = scene.found?.[0];
      return refuses(scene, {
        method: 'add',
        bodies: [
          { n: 2, hostnames: [fresh, fresh] },
          ...(taken === undefined ? [] : [{ n: 1, hostnames: [taken] }]),
        ],
      });
    },
  },
  {
    id: 'rm-names',
    asks: 'DELETE /rm with n=1 and its hostname removes that one, and no other',
    why: 'Who takes a machine out of service means that machine.',
    run: (scene) => removes(scene, 1),
  },
  {
    id: 'rm-no-names',
    asks: 'DELETE /rm with n=1 and no hostnames removes one',
    why: 'Scaling in, where it does not matter which one goes.',
    run: (scene) => removes(scene, 0),
  },
  {
    id: 'rm-too-many-names',
    asks: `DELETE /rm with more hostnames than n answers 400 "${TOO_MANY_NAMES_RM}", and removes none`,
    why: 'It is not clear which of the names are meant; the text is part of the contract.',
    run: (scene) =>
      withTwo(scene, async (names) =>
        refuses(scene, {
          method: 'rm',
          bodies: [{ n: 1, hostnames: names.slice(0, 2) }],
          text: TOO_MANY_NAMES_RM,
        }),
      ),
  },
  {
    id: 'rm-bad-n',
    asks: 'DELETE /rm without n, with n=-1 and with n="two" answers 4xx, and removes none',
    why: 'A guess here takes servers away.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: BAD_COUNTS }),
  },
  {
    id: 'rm-unknown',
    asks: 'DELETE /rm of a name that nobody has answers 4xx, and removes none',
    why: 'Who misspells a name must not lose another server.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: [{ n: 1, hostnames: scene.freshNames(1) }] }),
  },
  {
    id: 'rm-too-many',
    asks: 'DELETE /rm of more servers than there are answers 4xx, and removes none',
    why: 'All or nothing: half of a change is a state that nobody asked for.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: [{ n: (scene.found?.length ?? 0) + 1 }] }),
  },
  {
    id: 'add-moves',
    asks: 'After /add of one, keys move only to the new server, about 1 in N + 1 of them',
    why: 'It is what consistent hashing is for: with a modulo nearly all keys move, and every cache is cold at once.',
    run: (scene) => asksIds(scene, addMoves),
  },
  {
    id: 'rm-moves',
    asks: 'After /rm of one, the keys of those that stay do not move',
    why: 'Only who has lost its server has to find another.',
    run: (scene) => asksIds(scene, rmMoves),
  },
  {
    id: 'keys-return',
    asks: 'After /add and /rm of the same server every key is back where it was',
    why: 'The map depends on who is in, and not on what happened before: two balancers then agree.',
    run: (scene) => asksIds(scene, keysReturn),
  },
  {
    id: 'add-under-load',
    asks: 'Requests that come while a server joins are all answered',
    why: 'A server may get its first request only when it listens.',
    run: addUnderLoad,
  },
  {
    id: 'errors',
    asks: 'Every error is JSON with "status":"failure" and a message',
    why: 'Programs read errors too; a page of HTML or a stack trace tells them nothing.',
    run: (scene) => Promise.resolve(errorsAreJson(scene)),
  },
];

const BAD_COUNTS = [{ hostnames: [] }, { n: -1 }, { n: 'two' }];

function listed(came: Exchange): Outcome {
  const members = came.ok && came.status === 200 ? membersOf(came.text) : undefined;
  if (members === undefined) return fail(`no list of servers: ${told(came)}`);
  const { count, names } = members;
  if (count !== names.length) return fail(`N is ${count}, with ${names.length} replicas listed`);
  if (new Set(names).size !== names.length) return fail(`a name comes twice: ${names.join(', ')}`);
  return pass(`N is ${count}: ${names.join(', ')}`);
}

async function homeGreets(scene: Scene): Promise<Outcome> {
  const names = await scene.names();
  if (names?.length === 0) return notTried('there is no server to answer');
  const came = await scene.call('/home?id=123456');
  const name = came.ok && came.status === 200 ? greeterOf(came.text) : undefined;
  if (name === undefined) return fail(told(came));
  if (names !== undefined && !names.includes(name))
    return fail(`answered by ${name}, which /rep does not list`);
  return pass(`answered by ${name}`);
}

async function sameIdSameServer(_: readonly string[], scene: Scene): Promise<Outcome> {
  for (const id of randomIds(SAME_IDS, SAMPLE_SEED)) {
    const came = await scene.greeters(Array.from({ length: SAME_TIMES }, () => id));
    if (!Array.isArray(came)) return fail(`no greeting: ${told(came)}`);
    const servers = [...new Set(came)];
    if (servers.length === 1) continue;
    if ((await scene.mapped(id)) !== undefined) return fail(`id ${id} went to ${servers.join(' and ')}`);
    return notTried(OWN_IDS);
  }
  return pass(`${SAME_IDS} ids, each asked ${SAME_TIMES} times, each by one server`);
}

const OWN_IDS =
  'it draws an id of its own for each request, as the assignment lets it: from outside nobody sees which key went where';

async function idsSpread(names: readonly string[], scene: Scene): Promise<Outcome> {
  const came = await scene.greeters(randomIds(SAMPLE, SAMPLE_SEED));
  if (!Array.isArray(came)) return fail(`no greeting: ${told(came)}`);
  const counts = countsOf(came, names);
  const most = balanceOf(counts);
  const shares = names.map((name, i) => `${name} ${percent((counts[i] ?? 0) / SAMPLE)}`).join(', ');
  const reached = new Set(came).size;
  if (reached < 2) return fail(`${SAMPLE} ids all went to ${came[0]}`);
  return pass(`${shares}; the largest is ${most.largestOverMean.toFixed(2)} times the mean`);
}

async function mapAgrees(scene: Scene): Promise<Outcome> {
  for (const id of randomIds(SAME_IDS, SAMPLE_SEED)) {
    const mapped = await scene.mapped(id);
    if (mapped === undefined) return notTried('there is no /map_request, and none is asked for');
    const came = await scene.greeter(id);
    if (came !== mapped)
      return fail(
        `id ${id}: /map_request says ${mapped}, and /home ${typeof came === 'string' ? `was ${came}` : told(came)}`,
      );
  }
  return pass(`${SAME_IDS} ids, the same server each`);
}

/** /add of n, of which some with names. */
async function adds(scene: Scene, n: number, named: number): Promise<Outcome> {
  const before = await scene.names();
  if (before === undefined) return notTried(NO_REP);
  const hostnames = scene.freshNames(named);
  const came = await scene.add(named === 0 ? { n } : { n, hostnames });
  const now = await scene.names();
  const wrong = changedWrong(came, now);
  if (wrong !== undefined || now === undefined) return fail(wrong ?? NO_REP);
  if (now.length !== before.length + n) return fail(`N was ${before.length} and is ${now.length}`);
  const absent = [...before, ...hostnames].filter((name) => !now.includes(name));
  if (absent.length > 0) return fail(`/rep does not list ${absent.join(', ')}`);
  return pass(
    `N was ${before.length} and is ${now.length}: ${now.filter((name) => !before.includes(name)).join(', ')}`,
  );
}

/** /rm of one, with its name or without, after it was added. */
async function removes(scene: Scene, named: number): Promise<Outcome> {
  const [fresh = ''] = scene.freshNames(1);
  await scene.add({ n: 1, hostnames: [fresh] });
  const before = await scene.names();
  if (before?.includes(fresh) !== true) return notTried(NO_ADD);
  const came = await scene.remove(named === 0 ? { n: 1 } : { n: 1, hostnames: [fresh] });
  const now = await scene.names();
  const wrong = changedWrong(came, now);
  if (wrong !== undefined || now === undefined) return fail(wrong ?? NO_REP);
  const gone = before.filter((name) => !now.includes(name));
  if (now.length !== before.length - 1 || gone.length !== 1)
    return fail(`N was ${before.length} and is ${now.length}, without ${gone.join(', ') || 'nobody'}`);
  if (named > 0 && gone[0] !== fresh) return fail(`${fresh} was to go, and ${gone[0]} went`);
  return pass(`N was ${before.length} and is ${now.length}: ${gone[0]} is gone`);
}

const NO_REP = 'GET /rep does not say which servers there are';
const NO_ADD = 'POST /add of the servers that this takes did not work';

/** What is wrong with the reply to a change that was to succeed; undefined: nothing. */
function changedWrong(came: Exchange, now: readonly string[] | undefined): string | undefined {
  if (!came.ok || came.status !== 200) return told(came);
  const members = membersOf(came.text);
  if (members === undefined) return `the reply has no N and replicas: ${told(came)}`;
  if (now === undefined) return NO_REP;
  return members.count === now.length
    ? undefined
    : `the reply says N=${members.count}, and /rep lists ${now.length}`;
}

interface Wrong {
  readonly method: 'add' | 'rm';
  readonly bodies: readonly object[];
  /** The message that has to come, with 400; undefined: any, with any 4xx. */
  readonly text?: string;
}

/** Calls that have to be refused, and to change nothing. */
async function refuses(scene: Scene, { method, bodies, text }: Wrong): Promise<Outcome> {
  const statuses: number[] = [];
  for (const body of bodies) {
    const before = await scene.names();
    if (before === undefined) return notTried(NO_REP);
    const what = `${method === 'add' ? 'POST /add' : 'DELETE /rm'} ${JSON.stringify(body)}`;
    const came = await (method === 'add' ? scene.add(body) : scene.remove(body));
    const now = await scene.names();
    if (came.ok && came.status >= 400) scene.note(what, came);
    if (!came.ok || !isClientError(came.status)) return fail(`${what}: ${told(came)}`);
    if (now?.join('\n') !== before.join('\n')) return fail(`${what} was refused, but changed who is in`);
    if (text !== undefined && came.status !== 400) return fail(`${what}: ${came.status} instead of 400`);
    if (text !== undefined && !says(came.text, text)) return fail(`${what}: another text: ${told(came)}`);
    statuses.push(came.status);
  }
  return pass(`${statuses.join(', ')}, and the same servers`);
}

function says(reply: string, text: string): boolean {
  const message = failureOf(reply);
  // What the reply is made of is another point.
  return message === undefined ? reply.includes(text) : message.trim() === text;
}

/** With at least two servers, of which some are added where there are fewer. */
async function withTwo(
  scene: Scene,
  act: (names: readonly string[], scene: Scene) => Promise<Outcome>,
): Promise<Outcome> {
  const before = await scene.names();
  if (before === undefined) return notTried(NO_REP);
  const missing = Math.max(0, 2 - before.length);
  const hostnames = scene.freshNames(FRESH_NAMES_MAX + missing).slice(FRESH_NAMES_MAX);
  if (missing > 0) await scene.add({ n: missing, hostnames });
  const names = missing > 0 ? await scene.names() : before;
  return names === undefined || names.length < 2 ? notTried(NO_ADD) : act(names, scene);
}

/** Owners of the sample; an Outcome where they can't be known. */
async function ownersOf(scene: Scene): Promise<string[] | Outcome> {
  const came = await scene.greeters(randomIds(SAMPLE, SAMPLE_SEED));
  return Array.isArray(came) ? came : fail(`no greeting: ${told(came)}`);
}

/** Only where the id that is sent decides. */
function asksIds(scene: Scene, act: (scene: Scene) => Promise<Outcome>): Promise<Outcome> {
  return withTwo(scene, async (names) => {
    const same = await sameIdSameServer(names, scene);
    if (same.mark === 'pass') return act(scene);
    return notTried(same.mark === 'fail' ? 'the same id does not go to the same server' : same.came);
  });
}

async function addMoves(scene: Scene): Promise<Outcome> {
  const seen: string[] = [];
  let moves = 0;
  let before = await ownersOf(scene);
  // One after the other: from 2 to 4 servers even a modulo moves keys to the new ones only.
  for (const fresh of scene.freshNames(2)) {
    if (!Array.isArray(before)) return before;
    await scene.add({ n: 1, hostnames: [fresh] });
    const names = await scene.names();
    if (names?.includes(fresh) !== true) return notTried(NO_ADD);
    const after = await ownersOf(scene);
    if (!Array.isArray(after)) return after;
    const moved = after.filter((owner, i) => owner !== (before as readonly string[])[i]);
    const needless = moved.filter((owner) => owner !== fresh).length;
    const line = `with ${names.length} servers ${percent(moved.length / SAMPLE)} moved (1/N is ${percent(1 / names.length)}), ${needlessText(needless)}`;
    if (needless / SAMPLE > NEEDLESS_MOVES_MAX_SHARE) return fail(line);
    seen.push(line);
    moves += moved.length;
    before = after;
  }
  // Probing may leave a new server little, but of two that are asked for something some key has to be.
  if (moves > 0) return pass(seen.join('; '));
  if (Array.isArray(before) && new Set(before).size === 1)
    return notTried('all keys go to one server, whoever joins');
  return fail(`no key at all went to a new server: ${seen.join('; ')}`);
}

async function rmMoves(scene: Scene): Promise<Outcome> {
  const [first = '', second = ''] = scene.freshNames(2);
  await scene.add({ n: 2, hostnames: [first, second] });
  if ((await scene.names())?.includes(second) !== true) return notTried(NO_ADD);
  const before = await ownersOf(scene);
  if (!Array.isArray(before)) return before;
  await scene.remove({ n: 1, hostnames: [first] });
  if ((await scene.names())?.includes(first) !== false)
    return notTried('DELETE /rm of one by name did not work');
  const after = await ownersOf(scene);
  if (!Array.isArray(after)) return after;
  const needless = before.filter((owner, i) => owner !== first && owner !== after[i]).length;
  const line = needlessText(needless);
  return needless / SAMPLE > NEEDLESS_MOVES_MAX_SHARE ? fail(line) : pass(line);
}

async function keysReturn(scene: Scene): Promise<Outcome> {
  const before = await ownersOf(scene);
  if (!Array.isArray(before)) return before;
  const [fresh = ''] = scene.freshNames(1);
  await scene.add({ n: 1, hostnames: [fresh] });
  if ((await scene.names())?.includes(fresh) !== true) return notTried(NO_ADD);
  await scene.remove({ n: 1, hostnames: [fresh] });
  if ((await scene.names())?.includes(fresh) !== false)
    return notTried('DELETE /rm of one by name did not work');
  const after = await ownersOf(scene);
  if (!Array.isArray(after)) return after;
  const away = after.filter((owner, i) => owner !== before[i]).length;
  return away === 0 ? pass(`all ${SAMPLE} keys are back`) : fail(`${away} of ${SAMPLE} keys are elsewhere`);
}

async function addUnderLoad(scene: Scene): Promise<Outcome> {
  const ids = randomIds(UNDER_LOAD_REQUESTS_MAX, SAMPLE_SEED);
  const [fresh = ''] = scene.freshNames(1);
  const state = { sent: 0, joined: false };
  const failures: Exchange[] = [];
  const worker = async (): Promise<void> => {
    while (failures.length === 0 && (!state.joined || state.sent < UNDER_LOAD_REQUESTS_MIN)) {
      const id = ids[state.sent++];
      if (id === undefined) return;
      const came = await scene.greeter(id);
      if (typeof came !== 'string') failures.push(came);
    }
  };
  const join = async (): Promise<void> => {
    await scene.add({ n: 1, hostnames: [fresh] });
    state.joined = true;
  };
  await Promise.all([join(), ...Array.from({ length: UNDER_LOAD_CONCURRENCY }, worker)]);
  const [failure] = failures;
  if (failure !== undefined) return fail(`request ${state.sent} failed: ${told(failure)}`);
  if ((await scene.names())?.includes(fresh) !== true) return notTried(NO_ADD);
  return pass(`${Math.min(state.sent, ids.length)} requests, all answered`);
}

function errorsAreJson({ refused }: Scene): Outcome {
  if (refused.length === 0) return notTried('no call was refused');
  const bad = refused.find(({ text }) => failureOf(text) === undefined);
  return bad === undefined
    ? pass(`${refused.length} errors, all of that form`)
    : fail(`${bad.what}: ${bad.text || 'an empty body'}`);
}

/** A few are no fault, and yet worth to know. */
function needlessText(needless: number): string {
  const few = needless > 0 && needless / SAMPLE <= NEEDLESS_MOVES_MAX_SHARE;
  return `${needless} of ${SAMPLE} keys moved between servers that stay${few ? ', as probing may have it' : ''}`;
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}

function told(came: Exchange): string {
  return came.ok ? `${came.status} ${came.text}` : came.why;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
