/** The points on what `/add` and `/rm` do to the list of servers. */
import { membersOf, type Members } from '../contract.ts';
import type { Exchange } from '../exchange.ts';
import { pass, type Fault, type Outcome } from './outcome.ts';
import { isClientError, says, saysFailure, told } from './replies.ts';
import { UNAUTHORIZED, type Method, type Scene } from './scene.ts';

/** What is no number of servers. */
export const BAD_COUNTS = [{ hostnames: [] }, { n: -1, hostnames: [] }, { n: 'two', hostnames: [] }] as const;

/** Broken off in the midst of a list. */
const BAD_JSON = '{"n": 1, "hostnames": [';

const CALLS = { add: 'POST /add', rm: 'DELETE /rm' } as const;

/** Where `/rep` does not say who is in. */
export function unlisted(scene: Scene): Outcome {
  return scene.fail('GET /rep does not say which servers there are', { shows: 'list servers' });
}

/** Where `/rep` does not say who is in after a call, which may have ended the balancer. */
async function unlistedAfter(scene: Scene, what: string, came: Exchange): Promise<Outcome> {
  const { ok } = await scene.call('/rep');
  return ok ? unlisted(scene) : scene.fail(`${what}: ${told(came)}, and after it nothing answers`);
}

function callText(method: Method, body: object): string {
  return `${CALLS[method]} ${JSON.stringify(body)}`;
}

/** A change that was tried, and who was in before and after it. */
interface Change {
  readonly what: string;
  readonly came: Exchange;
  readonly before: readonly string[];
  readonly after: Members;
}

/** Makes a change, with who is in before and after it; an Outcome where `/rep` does not say. */
async function changed(
  scene: Scene,
  method: Method,
  body: object,
  send = (): Promise<Exchange> => scene.change(method, body),
): Promise<Change | Outcome> {
  const before = await scene.names();
  if (before === undefined) return unlisted(scene);
  const came = await send();
  const what = callText(method, body);
  const after = await scene.members();
  return after === undefined ? unlistedAfter(scene, what, came) : { what, came, before, after };
}

function isOutcome(found: Change | Outcome): found is Outcome {
  return 'mark' in found;
}

/** /add of n, of which some with names. */
export async function adds(scene: Scene, n: number, named: number, fault: Fault): Promise<Outcome> {
  const hostnames = scene.freshNames(named);
  const change = await (named === 0 ? nameless(scene, 'add', n) : changed(scene, 'add', { n, hostnames }));
  if (isOutcome(change)) return change;
  const { came, before, after } = change;
  const now = after.names;
  const absent = [...before, ...hostnames].filter((name) => !now.includes(name));
  if (now.length !== before.length + n || absent.length > 0)
    return scene.fail(`${unmoved(before, now, absent)}; the reply is ${told(came)}`, fault);
  if (new Set(now).size < now.length) return scene.fail(`a name comes twice: ${now.join(', ')}`, fault);
  const added = now.filter((name) => !before.includes(name));
  return replied(scene, change, added.join(', '));
}

function unmoved(before: readonly string[], now: readonly string[], absent: readonly string[]): string {
  const count = `/rep listed ${before.length} servers and lists ${now.length}`;
  return absent.length === 0 ? count : `${count}, without ${absent.join(', ')}`;
}

/** /rm of one, with its name or without, after it was added. */
export async function removes(scene: Scene, named: 0 | 1): Promise<Outcome> {
  const [fresh = ''] = scene.freshNames(1);
  const unready = await joined(scene, [fresh]);
  if (unready !== undefined) return unready;
  const fault: Fault =
    named === 1 ? { shows: 'remove by name' } : { needs: ['remove by name'], shows: 'choose who leaves' };
  const change = await (named === 1
    ? changed(scene, 'rm', { n: 1, hostnames: [fresh] })
    : nameless(scene, 'rm', 1));
  if (isOutcome(change)) return change;
  const { came, before, after } = change;
  const now = after.names;
  const gone = before.filter((name) => !now.includes(name));
  if (now.length !== before.length - 1 || gone.length !== 1)
    return scene.fail(`${leftText(before, now)}; the reply is ${told(came)}`, fault);
  if (named > 0 && gone[0] !== fresh) return scene.fail(`${fresh} was to go, and ${gone[0]} went`, fault);
  return replied(scene, change, `${gone[0]} is gone`);
}

function leftText(before: readonly string[], now: readonly string[]): string {
  const gone = before.filter((name) => !now.includes(name)).join(', ') || 'none';
  return `/rep listed ${before.length} servers and lists ${now.length}; gone: ${gone}`;
}

/** /rm of two, of which one has its name given, after two were added. */
export async function removesFewer(scene: Scene): Promise<Outcome> {
  const unready = unremovable(scene);
  if (unready !== undefined) return unready;
  const fresh = scene.freshNames(2);
  const stays = await joined(scene, fresh);
  if (stays !== undefined) return stays;
  const change = await changed(scene, 'rm', { n: 2, hostnames: fresh.slice(0, 1) });
  if (isOutcome(change)) return change;
  const { what, came, before, after } = change;
  const now = after.names;
  const gone = before.filter((name) => !now.includes(name));
  if (now.length !== before.length - 2 || gone.length !== 2 || !gone.includes(fresh[0] ?? ''))
    return scene.fail(`${what}: ${leftText(before, now)}; the reply is ${told(came)}`, {
      needs: ['remove by name', 'choose who leaves'],
    });
  return replied(scene, change, `${gone.join(', ')} are gone`);
}

/** A call of which the list of names is left out, or where that is refused, empty: the assignment allows both readings. */
function nameless(scene: Scene, method: Method, n: number): Promise<Change | Outcome> {
  return changed(scene, method, { n }, () => callNameless(scene, method, n));
}

async function callNameless(scene: Scene, method: Method, n: number): Promise<Exchange> {
  const came = await scene.change(method, { n });
  const isRefused = came.ok && came.status >= 400 && came.status !== UNAUTHORIZED;
  return isRefused ? scene.change(method, { n, hostnames: [] }) : came;
}

/** A change that was made: passed where the reply tells it. */
function replied(scene: Scene, change: Change, who: string): Outcome {
  const flaw = flawOf(scene, change);
  const line = `N was ${change.before.length} and is ${change.after.names.length}: ${who}`;
  if (flaw === undefined) return pass(line);
  const blamed = scene.blamed('reply to a change');
  return blamed === undefined
    ? scene.fail(flaw, { shows: 'reply to a change' })
    : pass(`${line}; with the fault of '${blamed}': ${flaw}`);
}

/** What is wrong with the reply to a change that was made; undefined: nothing. What is wrong with `/rep` is not told again. */
function flawOf(scene: Scene, { came, after: now, before }: Change): string | undefined {
  if (!came.ok || came.status !== 200) return `the change was made, but the reply is ${told(came)}`;
  const members = membersOf(came.text);
  if (members === undefined)
    return `the change was made, but the reply does not list the servers: ${told(came)}`;
  const listed = (names: readonly string[]): string => names.toSorted().join(', ');
  if (listed(members.names) !== listed(now.names))
    return listed(members.names) === listed(before)
      ? `the change was made, but the reply lists the servers from before it: ${listed(before)}`
      : `the change was made, but the reply lists ${listed(members.names)}, and /rep lists ${listed(now.names)}`;
  if (scene.blamed('count servers') !== undefined) return undefined;
  if (members.flaw !== undefined) return `${members.flaw}: ${told(came)}`;
  if (members.count !== now.names.length)
    return `the reply says N=${members.count}, and /rep lists ${now.names.length}`;
  return now.count === now.names.length
    ? undefined
    : `/rep says N=${now.count} after it, and lists ${now.names.length}`;
}

/** Adds servers of these names that a point needs; an Outcome where that does not work. */
export async function joined(scene: Scene, hostnames: readonly string[]): Promise<Outcome | undefined> {
  const body = { n: hostnames.length, hostnames };
  const came = await scene.change('add', body);
  const now = await scene.names();
  if (now === undefined) return unlistedAfter(scene, callText('add', body), came);
  if (hostnames.every((name) => now.includes(name))) return undefined;
  return scene.fail(`${callText('add', body)} did not add: ${told(came)}`, { shows: 'add by name' });
}

/** Where it is known that no server can be removed, so that none should be added for it; undefined: it is not. */
export function unremovable(scene: Scene): Outcome | undefined {
  return scene.blamed('remove by name') === undefined
    ? undefined
    : scene.fail('no server can be removed by its name', { needs: ['remove by name'] });
}

/** Removes servers of these names, as a point needs it; an Outcome where that does not work. */
export async function parted(scene: Scene, hostnames: readonly string[]): Promise<Outcome | undefined> {
  const change = await changed(scene, 'rm', { n: hostnames.length, hostnames });
  if (isOutcome(change)) return change;
  const { what, came, before, after } = change;
  const now = after.names;
  const isDone =
    now.length === before.length - hostnames.length && hostnames.every((name) => !now.includes(name));
  return isDone
    ? undefined
    : scene.fail(`${what} did not remove: ${told(came)}`, { shows: 'remove by name' });
}

/** With at least two servers, of which some are added where there are fewer. */
export async function withTwo(
  scene: Scene,
  act: (scene: Scene, names: readonly string[]) => Promise<Outcome>,
): Promise<Outcome> {
  const before = await scene.names();
  if (before === undefined) return unlisted(scene);
  const missing = Math.max(0, 2 - before.length);
  if (missing === 0) return act(scene, before);
  const hostnames = scene.freshNames(missing);
  return (await joined(scene, hostnames)) ?? act(scene, [...before, ...hostnames]);
}

interface Wrong {
  readonly method: Method;
  readonly bodies: readonly object[];
  /** The message that has to come, with 400; undefined: any, with any 4xx. */
  readonly text?: string;
}

/** Calls that have to be refused, and to change nothing. */
export async function refuses(scene: Scene, { method, bodies, text }: Wrong): Promise<Outcome> {
  const statuses: number[] = [];
  for (const body of bodies) {
    const { came, what, before, now } = await tried(scene, method, body);
    if (before === undefined) return unlisted(scene);
    if (now === undefined) return unlistedAfter(scene, what, came);
    const wrong = notRefused(scene, { came, what, before, now });
    if (wrong !== undefined) return wrong;
    if (!came.ok) continue;
    if (text !== undefined && came.status !== 400)
      return scene.fail(`${what}: ${came.status} instead of 400`);
    if (text !== undefined && !says(came.text, text))
      return scene.fail(`${what}: another text: ${told(came)}`);
    statuses.push(came.status);
  }
  return pass(`${statuses.join(', ')}, and the same servers`);
}

interface Tried {
  readonly came: Exchange;
  readonly what: string;
  readonly before: readonly string[] | undefined;
  readonly now: readonly string[] | undefined;
}

async function tried(scene: Scene, method: Method, body: object): Promise<Tried> {
  const before = await scene.names();
  const came = await scene.change(method, body);
  const what = callText(method, body);
  const now = await scene.names();
  if (came.ok && came.status >= 400) scene.note(what, came);
  return { came, what, before, now };
}

/** What is wrong where a call was to be refused; undefined: it was refused, and nothing has changed. */
function notRefused(scene: Scene, { came, what, before, now }: Tried): Outcome | undefined {
  const isSame = now?.join('\n') === before?.join('\n');
  if (came.ok && isClientError(came.status))
    return isSame ? undefined : scene.fail(`${what} was refused, but changed who is in`);
  const changed = isSame ? '' : ', and who is in has changed';
  return scene.fail(
    `${what}: ${told(came)}${changed}`,
    isSame && saysFailure(came) ? { shows: 'refuse by status' } : {},
  );
}

/** /add of names that would be there twice: refused, or given other names, since names are only preferred. */
export async function addsNoTwins(scene: Scene): Promise<Outcome> {
  const [fresh = ''] = scene.freshNames(1);
  const [taken] = (await scene.names()) ?? [];
  const bodies = [
    { n: 2, hostnames: [fresh, fresh] },
    ...(taken === undefined ? [] : [{ n: 1, hostnames: [taken] }]),
  ];
  const lines: string[] = [];
  for (const body of bodies) {
    const { came, what, before, now } = await tried(scene, 'add', body);
    if (before === undefined) return unlisted(scene);
    if (now === undefined) return unlistedAfter(scene, what, came);
    if (came.ok && came.status === 200 && !saysFailure(came)) {
      const grown = now.length - before.length;
      if (new Set(now).size < now.length) return scene.fail(`${what}: /rep lists ${now.join(', ')}`);
      if (grown !== body.n) return scene.fail(`${what}: 200, and ${grown} came`);
      lines.push(`${now.filter((name) => !before.includes(name)).join(', ')} came`);
      continue;
    }
    const wrong = notRefused(scene, { came, what, before, now });
    if (wrong !== undefined) return wrong;
    lines.push(came.ok ? String(came.status) : '');
  }
  return pass(`${lines.join(', ')}, and no name twice`);
}

export async function namesMadeUp(scene: Scene): Promise<Outcome> {
  const needs = { needs: ['add by name', 'make up names'] } as const;
  const unready = unremovable(scene);
  if (unready !== undefined) return unready;
  const before = await scene.names();
  if (before === undefined) return unlisted(scene);
  await callNameless(scene, 'add', 2);
  const two = await scene.names();
  if (two === undefined) return unlisted(scene);
  const made = two.filter((name) => !before.includes(name));
  if (two.length !== before.length + 2 || new Set(made).size !== 2)
    return scene.fail(`of two that were added /rep lists ${made.join(', ') || 'none'}`, needs);
  const [first = '', second = ''] = made;
  const stays = await parted(scene, [first]);
  if (stays !== undefined) return stays;
  const came = await callNameless(scene, 'add', 1);
  const now = await scene.names();
  if (now === undefined) return unlisted(scene);
  const again = now.filter((name) => name === second).length;
  if (now.length !== before.length + 2 || new Set(now).size !== now.length)
    return scene.fail(
      `${first} and ${second} were made up, ${first} was removed, and one more added: ${again > 1 ? `${second} is there twice` : `/rep lists ${now.join(', ')}; the reply is ${told(came)}`}`,
      needs,
    );
  return pass(
    `${first}, ${second}, and then ${now.filter((name) => !two.includes(name)).join(', ') || first}`,
  );
}

export async function survivesBadJson(scene: Scene): Promise<Outcome> {
  const statuses: number[] = [];
  for (const method of ['add', 'rm'] as const) {
    const before = await scene.names();
    const came = await scene.change(method, BAD_JSON);
    const after = await scene.call('/rep');
    const what = `${CALLS[method]} ${BAD_JSON}`;
    if (!after.ok) return scene.fail(`${what}: ${told(came)}, and after it nothing answers`);
    const wrong = notRefused(scene, { came, what, before, now: await scene.names() });
    if (wrong !== undefined) return wrong;
    if (came.ok) statuses.push(came.status);
  }
  return pass(`${statuses.join(', ')}, and it goes on`);
}
