import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { NAME_PATTERN } from '../../src/config.ts';
import {
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  UnknownReplica,
  type FleetError,
} from '../../src/fleet/errors.ts';
import {
  checkJoin,
  checkLeave,
  joining,
  leaving,
  planned,
  type Weighted,
} from '../../src/fleet/membership.ts';
import { COURSE_REPLICAS_MAX } from '../../src/ring/course.ts';
import { startedNaming as naming } from '../../src/runtime/naming.ts';
import { StaticRuntime } from '../../src/runtime/static/static.ts';

const SEED = 20260104;
const LIMITS = { maxReplicas: 64, naming, hash: 'ring' as const };

describe('the check of a change', () => {
  for (const [verb, check] of [
    ['join', checkJoin],
    ['leave', checkLeave],
  ] as const) {
    test.each([
      [1, []],
      [2, ['a']],
      [2, ['a', 'b']],
      [Number.MAX_SAFE_INTEGER, []],
      [1, ['x'.repeat(63)]],
      [1, ['0_.-']],
    ])(`${verb} of %p with %p is in order`, (n, hostnames) => {
      expect(() => check({ n, hostnames }, naming)).not.toThrow();
    });

    test.each([
      [0, []],
      [-1, []],
      [1.5, []],
      [Number.NaN, []],
      [Number.POSITIVE_INFINITY, []],
      [2 ** 53, []],
      [1, ['']],
      [1, ['-a']],
      [1, ['.a']],
      [1, ['_a']],
      [1, ['a b']],
      [1, ['a/b']],
      [1, ['a\n']],
      [1, ['x'.repeat(64)]],
      [1, ['ä']],
      // Kelvin sign: lower case k, and not ASCII.
      [1, ['\u212A']],
      [2, ['a', 'a']],
      [2, ['a', 'A']],
    ])(`${verb} of %p with %p is refused with 400`, (n, hostnames) => {
      expect(thrown(() => check({ n, hostnames }, naming))).toMatchObject({ status: 400 });
    });
  }

  test('more names than replicas are refused in the words that clients of this API expect', () => {
    const change = { n: 1, hostnames: ['a', 'b'] };
    expect(thrown(() => checkJoin(change, naming)).message).toBe(
      'Length of hostname list is more than newly added instances',
    );
    expect(thrown(() => checkLeave(change, naming)).message).toBe(
      'Length of hostname list is more than removable instances',
    );
  });

  test('no text of a caller is in the message about a name that is not allowed', () => {
    expect(thrown(() => checkJoin({ n: 1, hostnames: ['<script>'] }, naming)).message).not.toContain(
      'script',
    );
  });
});

describe('the names of a join', () => {
  test.each([
    [[], 3, [], ['server-1', 'server-2', 'server-3']],
    [['server-1', 'server-3'], 2, [], ['server-2', 'server-4']],
    [['SERVER-1'], 1, [], ['server-2']],
    [[], 3, ['b', 'a'], ['b', 'a', 'server-1']],
    [[], 3, ['server-2'], ['server-2', 'server-1', 'server-3']],
    [[], 2, ['Server-1'], ['Server-1', 'server-2']],
  ])('to %p, %p more with %p are %p', (taken, n, hostnames, expected) => {
    expect(joining(taken, { n, hostnames }, LIMITS)).toEqual(expected);
  });

  test('one that is taken is refused with 409, without regard to case', () => {
    for (const name of ['a', 'A']) {
      const error = thrown(() => joining(['x', 'a'], { n: 2, hostnames: ['b', name] }, LIMITS));
      expect(error).toBeInstanceOf(NameTaken);
      expect(error.status).toBe(409);
      expect(error.message).toContain(`Hostname ${name} is taken`);
    }
  });

  test('up to the limit they are given, beyond it refused with 413', () => {
    expect(joining(['a'], { n: 2, hostnames: [] }, { maxReplicas: 3, naming })).toHaveLength(2);
    const error = thrown(() => joining(['a'], { n: 3, hostnames: [] }, { maxReplicas: 3, naming }));
    expect(error).toBeInstanceOf(TooManyReplicas);
    expect(error.status).toBe(413);
  });

  test('are n, all new, those asked for first, and all allowed', () => {
    fc.assert(
      fc.property(memberships, fc.integer({ min: 1, max: 12 }), names, (taken, n, wished) => {
        const used = new Set(taken.map(fold));
        const hostnames = wished.filter((name) => !used.has(fold(name))).slice(0, n);
        const joined = joining(taken, { n, hostnames }, LIMITS);
        expect(joined).toHaveLength(n);
        expect(joined.slice(0, hostnames.length)).toEqual(hostnames);
        expect(new Set([...taken, ...joined].map(fold)).size).toBe(taken.length + n);
        for (const name of joined) expect(name).toMatch(new RegExp(NAME_PATTERN));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('the names of a leave', () => {
  test.each([
    [['a', 'b', 'c'], 1, [], ['c']],
    [['a', 'b', 'c'], 2, [], ['c', 'b']],
    [['a', 'b', 'c'], 3, [], ['c', 'b', 'a']],
    [['a', 'b', 'c'], 1, ['a'], ['a']],
    [['a', 'b', 'c'], 2, ['c'], ['c', 'b']],
    [['a', 'b', 'c'], 2, ['A'], ['a', 'c']],
  ])('from %p, %p with %p are %p', (members, n, hostnames, expected) => {
    expect(leaving(members, { n, hostnames }, naming)).toEqual(expected);
  });

  test('one that is no member is refused with 404', () => {
    const error = thrown(() => leaving(['a'], { n: 2, hostnames: ['a', 'b'] }, naming));
    expect(error).toBeInstanceOf(UnknownReplica);
    expect(error.status).toBe(404);
  });

  test('more than there are are refused with 400', () => {
    const error = thrown(() => leaving(['a'], { n: 2, hostnames: [] }, naming));
    expect(error).toBeInstanceOf(InvalidChange);
    expect(error.status).toBe(400);
  });

  test('are n different members, those asked for among them, the others the newest', () => {
    fc.assert(
      fc.property(memberships, fc.nat(), fc.nat(), (members, few, many) => {
        if (members.length === 0) return;
        const n = 1 + (many % members.length);
        const hostnames = members.slice(0, few % (n + 1)).map((name) => name.toUpperCase());
        const left = leaving(members, { n, hostnames }, naming);
        expect(new Set(left).size).toBe(n);
        expect(left.slice(0, hostnames.length)).toEqual(members.slice(0, hostnames.length));
        const others = members.slice(hostnames.length).toReversed();
        expect(left.slice(hostnames.length)).toEqual(others.slice(0, n - hostnames.length));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

/** Members of weight 1, in joining order. */
function sitesOf(names: readonly string[]): Weighted[] {
  return names.map((name) => ({ name, weight: 1 }));
}

describe('a plan', () => {
  const members = ['a', 'server-1', 'b'];
  const some = (n: number, ...hostnames: string[]) => ({ n, hostnames });

  test.each([
    [{}, [], [], ['a', 'server-1', 'b']],
    [{ join: some(2, 'c') }, ['c', 'server-2'], [], ['a', 'server-1', 'b', 'c', 'server-2']],
    [{ leave: some(2, 'a') }, [], ['a', 'b'], ['server-1']],
    [{ join: some(1, 'c'), leave: some(1, 'A') }, ['c'], ['a'], ['server-1', 'b', 'c']],
    // Whose name is free by then may be given again.
    [{ join: some(1), leave: some(1, 'server-1') }, ['server-1'], ['server-1'], ['a', 'b', 'server-1']],
  ])('with %j is of who joins, who leaves and who is there then', (proposal, joins, leaves, after) => {
    expect(planned(sitesOf(members), proposal, LIMITS)).toEqual({
      joining: joins,
      leaving: leaves,
      before: sitesOf(members),
      after: sitesOf(after),
      hash: { before: 'ring', after: 'ring' },
    });
  });

  test('for another way to place keys has the weights that it can have', () => {
    const heavy = [
      { name: 'a', weight: 3 },
      { name: 'b', weight: 1 },
    ];
    const maglev = planned(heavy, { hash: 'maglev' }, LIMITS);
    expect([maglev.hash, maglev.after]).toEqual([{ before: 'ring', after: 'maglev' }, maglev.before]);
    const course = planned(heavy, { hash: 'course' }, LIMITS);
    expect(course.before.map(({ weight }) => weight)).toEqual([3, 1]);
    expect(course.after.map(({ weight }) => weight)).toEqual([1, 1]);
    expect(thrown(() => planned(heavy, { hash: 'course', weigh: { a: 2 } }, LIMITS)).message).toContain(
      'every weight is 1',
    );
    // The other way, weights are possible again.
    const fromCourse = { ...LIMITS, hash: 'course' } as const;
    expect(planned(sitesOf(['a']), { hash: 'ring', weigh: { a: 2 } }, fromCourse).after[0]?.weight).toBe(2);
    const many = sitesOf(Array.from({ length: COURSE_REPLICAS_MAX + 1 }, (_, i) => `s${i}`));
    const limits = { ...LIMITS, maxReplicas: 100 };
    expect(thrown(() => planned(many, { hash: 'course' }, limits)).status).toBe(400);
    expect(planned(many, { hash: 'course', leave: some(1) }, limits).after).toHaveLength(COURSE_REPLICAS_MAX);
  });

  test.each([
    ['a name that is none', { join: some(1, '-') }, 400],
    ['a name that is none, to leave', { leave: some(1, '-') }, 400],
    ['a name twice', { join: some(2, 'c', 'C') }, 400],
    ['a name twice, to leave', { leave: some(2, 'a', 'A') }, 400],
    ['one that is to join and to leave', { join: some(1, 'A'), leave: some(2, 'b', 'a') }, 400],
    ['more names than replicas', { join: some(1, 'c', 'd') }, 400],
    ['more to leave than there are', { leave: some(4) }, 400],
    ['one that is there', { join: some(1, 'A') }, 409],
    ['one that is not', { leave: some(1, 'c') }, 404],
    ['more than there may be', { join: some(2) }, 413],
    ['more than there may be, after one has left', { join: some(3), leave: some(1) }, 413],
  ])('with %s is refused, as the change would be', (_, proposal, status) => {
    expect(thrown(() => planned(sitesOf(members), proposal, { ...LIMITS, maxReplicas: 4 })).status).toBe(
      status as never,
    );
  });

  test('lets who leaves make room for who joins', () => {
    const full = { ...LIMITS, maxReplicas: 3 };
    expect(planned(sitesOf(members), { join: some(1, 'c'), leave: some(1, 'a') }, full).after).toHaveLength(
      3,
    );
    expect(thrown(() => planned(sitesOf(members), { join: some(1, 'c') }, full))).toBeInstanceOf(
      TooManyReplicas,
    );
  });

  test('is just what joins and leaves come to', () => {
    fc.assert(
      fc.property(memberships, fc.integer({ min: 1, max: 6 }), (there, n) => {
        const join = some(n);
        expect(planned(sitesOf(there), { join }, LIMITS).joining).toEqual(joining(there, join, LIMITS));
        if (there.length < n) return;
        expect(planned(sitesOf(there), { leave: join }, LIMITS).leaving).toEqual(
          leaving(there, join, naming),
        );
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

describe('where names stand for servers', () => {
  // Nothing is started: the name alone says which server is meant.
  const { naming: servers } = new StaticRuntime([
    { name: 'a', host: '10.0.0.1', port: 80 },
    { name: 'b', host: 'host.example', port: 81 },
  ]);
  const limits = { maxReplicas: 64, naming: servers };

  test.each([
    [1, ['a']],
    [2, ['B', 'other.example:80']],
    [3, ['10.0.0.2:80', '[::1]:80', 'h:1']],
  ])('a join of %p with %p is in order, and takes just these', (n, hostnames) => {
    expect(() => checkJoin({ n, hostnames }, servers)).not.toThrow();
    expect(joining([], { n, hostnames }, limits)).toEqual(hostnames);
  });

  test.each([
    ['no name', 1, [], 'send as many hostnames as n says. A hostname is host:port'],
    ['one name for two', 2, ['h:1'], 'send as many hostnames as n says. A hostname is host:port'],
    ['a name that UPSTREAMS does not have', 1, ['c'], 'A hostname is host:port'],
    ['a port of 0', 1, ['h:0'], 'A hostname is host:port'],
    ['the same address twice', 2, ['h:1', 'H:01'], 'Hostname H:01 is there twice: names must differ'],
    ['two names of one server', 2, ['a', '10.0.0.1:80'], 'Hostname 10.0.0.1:80 is there twice'],
  ])('a join with %s is refused with 400', (_, n, hostnames, message) => {
    const error = thrown(() => checkJoin({ n, hostnames }, servers));
    expect(error).toBeInstanceOf(InvalidChange);
    expect(error.message).toContain(message);
  });

  test.each([
    ['a', 'A', 'choose a name that /rep does not list'],
    ['h:1', 'H:1', 'choose a name that /rep does not list'],
    ['a', '10.0.0.1:80', '/rep lists the same server as a'],
    ['10.0.0.1:80', 'a', '/rep lists the same server as 10.0.0.1:80'],
    ['host.example:81', 'b', '/rep lists the same server as host.example:81'],
  ])('beside %s there is no room for %s', (member, name, message) => {
    const error = thrown(() => joining([member], { n: 2, hostnames: ['h:2', name] }, limits));
    expect(error).toBeInstanceOf(NameTaken);
    expect(error.message).toBe(`Hostname ${name} is taken: ${message}`);
  });

  test('a leave takes either name of a server', () => {
    const members = ['a', 'h:1', 'h:2'];
    const wish = { n: 2, hostnames: ['10.0.0.1:80', 'H:1'] };
    expect(() => checkLeave(wish, servers)).not.toThrow();
    expect(leaving(members, wish, servers)).toEqual(['a', 'h:1']);
    expect(leaving(members, { n: 2, hostnames: [] }, servers)).toEqual(['h:2', 'h:1']);
  });

  test('one server can not join by one name and leave by another', () => {
    const proposal = { join: { n: 1, hostnames: ['10.0.0.1:80'] }, leave: { n: 1, hostnames: ['a'] } };
    expect(thrown(() => planned(sitesOf(['a']), proposal, { ...limits, hash: 'ring' })).message).toBe(
      'Hostname a is to join and to leave: it can be in one list only',
    );
  });

  test('a leave of what looks like a name but is none of a server is refused as unknown, the rest as no name', () => {
    for (const name of ['server-1', 'b', 'h:3']) {
      const wish = { n: 1, hostnames: [name] };
      expect(() => checkLeave(wish, servers)).not.toThrow();
      expect(thrown(() => leaving(['a'], wish, servers))).toBeInstanceOf(UnknownReplica);
    }
    for (const name of ['', 'a b', 'h:99999', '-a', 'http://h:1'])
      expect(thrown(() => checkLeave({ n: 1, hostnames: [name] }, servers))).toBeInstanceOf(InvalidChange);
  });
});

const name = fc.oneof(
  fc.stringMatching(new RegExp(NAME_PATTERN)),
  fc.integer({ min: 1, max: 9 }).map((i) => `server-${i}`),
  fc.integer({ min: 1, max: 9 }).map((i) => `Server-${i}`),
);
const names = fc.uniqueArray(name, { maxLength: 8, selector: fold });
const memberships = fc.uniqueArray(name, { maxLength: 20, selector: fold });

function fold(text: string): string {
  return text.toLowerCase();
}

function thrown(act: () => unknown): FleetError {
  try {
    act();
  } catch (error) {
    return error as FleetError;
  }
  throw new Error('it was not refused');
}
