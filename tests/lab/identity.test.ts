import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { parseConfig } from '../../src/config.ts';
import {
  clusterOf,
  labOf,
  ownIdentity,
  ownView,
  sightIn,
  sortClusters,
  standingOf,
  type LabIdentity,
  type Sight,
} from '../../src/lab/identity.ts';
import { LAB_ALGORITHMS } from '../../src/lab/options.ts';
import { eventually } from '../spawned.ts';

const PID_MAX = 4_194_304;
const LAB: LabIdentity = { pid: 77, scope: 'abc123', birth: '0zz' };
const chars = (alphabet: string, length: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { minLength: length, maxLength: length }).map((all) => all.join(''));
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** A process as proc(5) writes it, of which the name can be anything. */
function statOf({ name = 'bun', state = 'S', startTicks = '4711' } = {}): string {
  const before = Array.from({ length: 18 }, (_, i) => String(i + 1));
  return `77 (${name}) ${state} ${before.join(' ')} ${startTicks} 0 0\n`;
}

describe('a lab in the name of its clusters', () => {
  test('is found again in each, which Ringmaster takes, and which tells labs apart', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: PID_MAX }),
        chars(DIGITS, 6),
        chars(DIGITS, 3),
        fc.constantFrom(...LAB_ALGORITHMS),
        (pid, scope, birth, algorithm) => {
          const cluster = clusterOf({ pid, scope, birth }, algorithm);
          expect(labOf(cluster)).toEqual({ pid, scope, birth });
          expect(parseConfig({ CLUSTER: cluster }).cluster).toBe(cluster);
        },
      ),
      { seed: 7 },
    );
  });

  test.each([
    'ringmaster',
    'lab',
    'lab-ring',
    'lab-77-ring',
    'lab-0-abc1230zz-ring',
    'lab-77-abc1230z-ring',
    'lab-77-abc1230zzz-ring',
    'my-lab-77-abc1230zz-ring',
    'lab-77-abc1230zz-ring-2',
    'lab-77-abc1230zz-',
  ])('%s is of none', (cluster) => {
    expect(labOf(cluster)).toBeUndefined();
  });
});

describe('whether a lab still runs', () => {
  test.each<[string, string, Sight, 'alive' | 'dead' | 'unknown']>([
    ['nobody has its process id', 'abc123', 'nobody', 'dead'],
    ['a process has its id that was started at another time', 'abc123', { birth: '1zz' }, 'dead'],
    ['the process of its id was started when it was', 'abc123', { birth: '0zz' }, 'alive'],
    ['of the process of its id no more can be seen', 'abc123', 'hidden', 'unknown'],
    ['it is elsewhere, and nobody here has its id', 'xyz123', 'nobody', 'unknown'],
    ['it is elsewhere, and one here is of its id and age', 'xyz123', { birth: '0zz' }, 'unknown'],
  ])('%s', (_, scope, sight, standing) => {
    expect(standingOf(LAB, { scope, at: () => sight })).toBe(standing);
  });

  test('is unknown where a lab could not say where it is, even to one that can not either', () => {
    expect(standingOf({ ...LAB, scope: '______' }, { scope: '______', at: () => 'nobody' })).toBe('unknown');
  });

  test('of all clusters of an engine those of others are left out', () => {
    const of = (pid: number, scope = 'abc123'): string => clusterOf({ pid, scope, birth: '0zz' }, 'ring');
    const clusters = ['ringmaster', 'lab-5-ring', of(1), of(2), of(3), of(4, 'other1')];
    const seen = new Map<number, Sight>([
      [1, { birth: '0zz' }],
      [3, { birth: 'new' }],
    ]);
    expect(sortClusters(clusters, { scope: 'abc123', at: (pid) => seen.get(pid) ?? 'nobody' })).toEqual({
      dead: [of(2), of(3)],
      unknown: [of(4, 'other1')],
    });
  });
});

describe('what /proc says of a process', () => {
  test('is when it was started, whatever it is called', () => {
    const plain = sightIn(statOf());
    expect(plain).toEqual({ birth: expect.stringMatching(/^[0-9a-z]{3}$/) });
    expect(sightIn(statOf({ name: 'a) Z 1 2 (b' }))).toEqual(plain);
    expect(sightIn(statOf({ startTicks: '4712' }))).not.toEqual(plain);
  });

  test.each(['Z', 'X'])('is nobody where it has ended and is only not forgotten (%s)', (state) => {
    expect(sightIn(statOf({ state }))).toBe('nobody');
  });

  test('is nothing where it is cut short', () => {
    expect(sightIn('')).toBe('hidden');
    expect(sightIn('77 (bun) S 1 2')).toBe('hidden');
  });

  // Elsewhere there is no /proc, and then nothing is certain.
  const isLinux = process.platform === 'linux';

  test('tells this process from all others', async () => {
    const own = ownIdentity();
    expect(own.pid).toBe(process.pid);
    expect(standingOf(own, ownView())).toBe(isLinux ? 'alive' : 'unknown');
    const other = { ...own, birth: own.birth === '000' ? '001' : '000' };
    expect(standingOf(other, ownView())).toBe(isLinux ? 'dead' : 'unknown');
    const ended = Bun.spawn(['true']);
    await ended.exited;
    expect(standingOf({ ...own, pid: ended.pid }, ownView())).toBe(isLinux ? 'dead' : 'unknown');
  });

  test('a child that was killed is nobody as soon as it has ended', async () => {
    // Its parent sleeps and does not take note of its end.
    const parent = Bun.spawn(['sh', '-c', 'sleep 600 & echo $!; kill -9 $!; exec sleep 600'], {
      stdout: 'pipe',
    });
    const { value } = await parent.stdout.getReader().read();
    const pid = Number(Buffer.from(value ?? []).toString());
    const expected = isLinux ? 'nobody' : 'hidden';
    await eventually(() => ownView().at(pid) === expected);
    if (isLinux) expect(readFileSync(`/proc/${pid}/stat`, 'latin1')).toContain(') Z ');
    expect(ownView().at(pid)).toBe(expected);
    parent.kill('SIGKILL');
    await parent.exited;
  });
});
