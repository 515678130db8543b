import { describe, expect, test } from 'bun:test';
import {
  movesFromOld,
  movesToNew,
  repeatOf,
  surelyAppeared,
  unmatched,
} from '../../../src/lab/grade/greeters.ts';
import { Blame } from '../../../src/lab/grade/outcome.ts';
import { mix32 } from '../../../src/ring/hash.ts';

describe('who greets and who is listed', () => {
  test.each([
    ['the same texts', ['a', 'b'], ['a', 'b'], [], []],
    ['numbers', ['1', '2'], ['Server 1', 'Server 2'], [], []],
    ['zeros in front', ['server-01'], ['Server 1'], [], []],
    ['letters', ['alpha-x'], ['Alpha X'], [], []],
    ['one that is not listed', ['a', 'z'], ['a'], ['z'], []],
    ['one that is silent', ['a'], ['a', 'b'], [], ['b']],
    ["a number that two have is nobody's", ['1'], ['A 1', 'B 1'], ['1'], ['A 1', 'B 1']],
    [
      'a container whose id ends in a number is not that number',
      ['3f9a1'],
      ['Server 1'],
      ['3f9a1'],
      ['Server 1'],
    ],
    ['nobody', [], [], [], []],
  ] as const)('%s', (_, greeters, names, strangers, free) => {
    expect(unmatched(greeters, names)).toEqual({ strangers: [...strangers], free: [...free] });
  });

  test('who is seen once may have been hidden by chance before', () => {
    expect(surelyAppeared(['a'], ['a', 'b', 'c', 'c', 'c'])).toEqual(['c']);
  });
});

describe('the same ids asked twice', () => {
  const draws = (seed: number, servers: number): string[] =>
    Array.from({ length: 200 }, (_, i) => `s${mix32(seed * 1000 + i) % servers}`);

  test('always the same are the same', () => {
    expect(repeatOf(draws(1, 3), draws(1, 3))).toBe('same');
  });

  test('two draws are chance, however uneven the shares', () => {
    for (let seed = 1; seed < 200; seed++) {
      expect(repeatOf(draws(seed, 3), draws(seed + 500, 3))).toBe('chance');
      const skewed = (one: number): string[] =>
        draws(one, 100).map((name) => (Number(name.slice(1)) < 84 ? 'big' : (name.at(-1) ?? '')));
      expect(repeatOf(skewed(seed), skewed(seed + 500))).toBe('chance');
    }
  });

  test('ids that count most of the time are neither', () => {
    const first = draws(1, 3);
    expect(
      repeatOf(
        first,
        first.map((one, i) => (i % 4 === 0 ? `s${i % 3}` : one)),
      ),
    ).toBe('some');
  });
});

describe('moves', () => {
  const named = { name: 'n', byName: true };
  const unnamed = { name: 'n', byName: false };
  test.each([
    ['to the new one by name', 'aabb', 'anbb', named, { moved: 1, needless: 0, staying: 3 }],
    ['between others', 'aabb', 'babb', named, { moved: 1, needless: 1, staying: 4 }],
    ['to the only one that is new', 'aabb', 'axxb', unnamed, { moved: 2, needless: 0, staying: 2 }],
    ['to the new one and between others', 'aabb', 'bxab', unnamed, { moved: 3, needless: 2, staying: 3 }],
    ['none', 'aabb', 'aabb', unnamed, { moved: 0, needless: 0, staying: 4 }],
    [
      'to one that was there, as which the new one may greet',
      'aabb',
      'abbb',
      unnamed,
      'all keys that moved are of b, which two servers may call themselves',
    ],
    [
      'to several that are new',
      'aabb',
      'xybb',
      unnamed,
      'of one server that changed 2 greeters came or went: x, y',
    ],
  ] as const)('%s', (_, before, after, change, told) => {
    expect(movesToNew([...before], [...after], change)).toEqual(told);
    // Who leaves gives back what who came had taken.
    expect(movesFromOld([...after], [...before], change)).toEqual(told);
  });
});

describe('blame', () => {
  test('the first point that finds a fault fails, and the others depend on it', () => {
    const blame = new Blame();
    blame.turnTo('first');
    expect(blame.fail('broken', { shows: 'add by name' })).toEqual({ mark: 'fail', came: 'broken' });
    expect(blame.of('add by name')).toBeUndefined();
    blame.turnTo('second');
    expect(blame.of('add by name')).toBe('first');
    const depends = { mark: 'not tried', came: "depends on 'first', which failed" } as const;
    expect(blame.fail('broken again', { shows: 'add by name' })).toEqual(depends);
    expect(blame.fail('other', { shows: 'greet', needs: ['add by name'] })).toEqual(depends);
    expect(blame.fail('its own', { shows: 'greet' }).mark).toBe('fail');
  });
});
