import { describe, expect, test } from 'bun:test';
import { happening, Journal, JOURNAL_MAX, type Happening } from '../../src/fleet/journal.ts';
import type { ReplicaEvent, ReplicaState } from '../../src/fleet/state.ts';
import { endRigs, Rig } from './rig.ts';

endRigs();

describe('the journal', () => {
  test('gives what came after an entry, and forgets the oldest first', () => {
    let nowMs = 0;
    const journal = new Journal(() => ++nowMs);
    expect(journal.since(0)).toEqual([]);
    for (let i = 1; i <= JOURNAL_MAX + 10; i++) journal.record(`r${i}`, 'joined', 'x');
    expect(journal.seq).toBe(JOURNAL_MAX + 10);
    expect(journal.since(0)).toHaveLength(JOURNAL_MAX);
    expect(journal.since(0)[0]).toEqual({ seq: 11, atMs: 11, replica: 'r11', what: 'joined', why: 'x' });
    expect(journal.since(JOURNAL_MAX + 8).map(({ replica }) => replica)).toEqual(['r509', 'r510']);
    expect(journal.since(JOURNAL_MAX + 10)).toEqual([]);
    expect(journal.count('joined')).toBe(JOURNAL_MAX + 10);
    expect(journal.count('left')).toBe(0);
  });

  test('tells those who listen, until they do not', () => {
    const journal = new Journal(() => 0);
    let heard = 0;
    const unlisten = journal.listen(() => heard++);
    journal.record('a', 'joined', '');
    unlisten();
    journal.record('a', 'left', '');
    expect(heard).toBe(1);
  });
});

describe('a step of the state table is called', () => {
  const NEW = { isNew: true, isRenewed: false };
  const SAME = { isNew: false, isRenewed: false };
  const RENEWED = { isNew: false, isRenewed: true };

  test.each<[ReplicaEvent, ReplicaState, { isNew: boolean; isRenewed: boolean }, Happening]>([
    ['answered', 'starting', NEW, 'joined'],
    ['answered', 'ejected', NEW, 'joined'],
    ['answered', 'starting', RENEWED, 'healed'],
    ['answered', 'ejected', SAME, 'back'],
    ['answered', 'ejected', RENEWED, 'healed'],
    ['missed', 'ready', SAME, 'ejected'],
    ['died', 'ready', SAME, 'died'],
    ['restarted', 'waiting', SAME, 'restarting'],
    ['found', 'waiting', SAME, 'restarting'],
    ['left', 'ready', SAME, 'draining'],
    ['removed', 'draining', SAME, 'left'],
    ['stayed', 'draining', SAME, 'stayed'],
  ])('%s, from %s, %o: %s', (event, from, member, what) => {
    expect(happening(event, from, member)).toBe(what);
  });
});

test('a fleet keeps a journal of all that happens to its replicas, with its cause', async () => {
  const rig = new Rig();
  await rig.open();
  const { journal } = rig.fleet;
  const since = (seq: number): string[] =>
    journal.since(seq).map(({ replica, what, why }) => `${replica} ${what}: ${why}`);
  expect(since(0)).toEqual([1, 2, 3].map((i) => `server-${i} joined: among the first`));
  let before = journal.seq;
  rig.engine.kill('server-2');
  await rig.clock.advance(2000);
  expect(since(before)).toEqual([
    'server-2 died: its instance ended',
    'server-2 restarting: a new instance is started',
    'server-2 healed: its new instance answers',
  ]);
  before = journal.seq;
  await rig.remove(1, 'server-2');
  expect(since(before)).toEqual([
    'server-2 draining: is being removed',
    'server-2 left: is drained and gone',
  ]);
  before = journal.seq;
  rig.engine.gone = true;
  await rig.clock.advance(10_000);
  rig.engine.gone = false;
  await rig.clock.advance(10_000);
  expect(since(before)).toEqual([' engine away: connection refused', ' engine back: answers again']);
  expect(journal.since(before).map(({ seq }) => seq)).toEqual([before + 1, before + 2]);
});

test('those that are being added are seen before they are members, and tell since when and why', async () => {
  const rig = new Rig();
  await rig.open();
  const adding = rig.fleet.add({ n: 1, hostnames: ['a'] });
  await rig.clock.advance(0);
  const [a] = rig.fleet.everyone().slice(-1);
  expect(a).toMatchObject({ name: 'a', state: 'starting', why: 'is being added' });
  expect(rig.fleet.names()).not.toContain('a');
  await rig.clock.until(adding);
  expect(rig.fleet.everyone()).toHaveLength(4);
  expect(rig.view('a')).toMatchObject({ state: 'ready', why: 'was added', missed: 0 });
});
