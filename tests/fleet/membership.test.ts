import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  UnknownReplica,
  type FleetError,
} from '../../src/fleet/errors.ts';
import { checkJoin, checkLeave, joining, leaving, NAME_PATTERN } from '../../src/fleet/membership.ts';

const SEED = 20260104;
const MAX = 64;

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
      expect(() => check({ n, hostnames })).not.toThrow();
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
      expect(thrown(() => check({ n, hostnames }))).toMatchObject({ status: 400 });
    });
  }

  test('more names than replicas are refused in the words that clients of this API expect', () => {
    const change = { n: 1, hostnames: ['a', 'b'] };
    expect(thrown(() => checkJoin(change)).message).toBe(
      'Length of hostname list is more than newly added instances',
    );
    expect(thrown(() => checkLeave(change)).message).toBe(
      'Length of hostname list is more than removable instances',
    );
  });

  test('no text of a caller is in the message about a name that is not allowed', () => {
    expect(thrown(() => checkJoin({ n: 1, hostnames: ['<script>'] })).message).not.toContain('script');
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
    expect(joining(taken, { n, hostnames }, MAX)).toEqual(expected);
  });

  test('one that is taken is refused with 409, without regard to case', () => {
    for (const name of ['a', 'A']) {
      const error = thrown(() => joining(['x', 'a'], { n: 2, hostnames: ['b', name] }, MAX));
      expect(error).toBeInstanceOf(NameTaken);
      expect(error.status).toBe(409);
      expect(error.message).toContain(`Hostname ${name} is taken`);
    }
  });

  test('up to the limit they are given, beyond it refused with 413', () => {
    expect(joining(['a'], { n: 2, hostnames: [] }, 3)).toHaveLength(2);
    const error = thrown(() => joining(['a'], { n: 3, hostnames: [] }, 3));
    expect(error).toBeInstanceOf(TooManyReplicas);
    expect(error.status).toBe(413);
  });

  test('are n, all new, those asked for first, and all allowed', () => {
    fc.assert(
      fc.property(memberships, fc.integer({ min: 1, max: 12 }), names, (taken, n, wished) => {
        const used = new Set(taken.map(fold));
        const hostnames = wished.filter((name) => !used.has(fold(name))).slice(0, n);
        const joined = joining(taken, { n, hostnames }, MAX);
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
    expect(leaving(members, { n, hostnames })).toEqual(expected);
  });

  test('one that is no member is refused with 404', () => {
    const error = thrown(() => leaving(['a'], { n: 2, hostnames: ['a', 'b'] }));
    expect(error).toBeInstanceOf(UnknownReplica);
    expect(error.status).toBe(404);
  });

  test('more than there are are refused with 400', () => {
    const error = thrown(() => leaving(['a'], { n: 2, hostnames: [] }));
    expect(error).toBeInstanceOf(InvalidChange);
    expect(error.status).toBe(400);
  });

  test('are n different members, those asked for among them, the others the newest', () => {
    fc.assert(
      fc.property(memberships, fc.nat(), fc.nat(), (members, few, many) => {
        if (members.length === 0) return;
        const n = 1 + (many % members.length);
        const hostnames = members.slice(0, few % (n + 1)).map((name) => name.toUpperCase());
        const left = leaving(members, { n, hostnames });
        expect(new Set(left).size).toBe(n);
        expect(left.slice(0, hostnames.length)).toEqual(members.slice(0, hostnames.length));
        const others = members.slice(hostnames.length).toReversed();
        expect(left.slice(hostnames.length)).toEqual(others.slice(0, n - hostnames.length));
      }),
      { seed: SEED, numRuns: 300 },
    );
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
