import { describe, expect, test } from 'bun:test';
import { hotReply } from '../../src/api/hot.ts';
import { parseConfig } from '../../src/config.ts';
import { Choosing } from '../fleet/choosing.ts';

const NAMES = ['a', 'b', 'c'];
const LONG = 'x'.repeat(129);

function replyOf(choosing: Choosing, env: Readonly<Record<string, string>> = {}) {
  const { chooser } = choosing;
  return hotReply({ report: chooser.hot(), placement: chooser.placement, config: parseConfig(env) });
}

describe('GET /hot', () => {
  test('has the largest keys and what each replica got, as parts of all requests', () => {
    const choosing = new Choosing({}, NAMES);
    choosing.ask('x', 60);
    choosing.ask('y', 30);
    choosing.ask('drawn', 10, false);
    const owner = (key: string): string => choosing.chooser.placement.owner(key) as string;
    const hash = (key: string): string => choosing.chooser.placement.hash(key).toString(16).padStart(8, '0');
    const got = (name: string, keys: Readonly<Record<string, number>>): number =>
      Object.entries(keys).reduce((sum, [key, share]) => sum + (owner(key) === name ? share : 0), 0);
    const largest = (name: string): number =>
      Math.max(0, ...(['x', 'y'] as const).map((key) => (owner(key) === name ? { x: 0.6, y: 0.3 }[key] : 0)));
    expect(replyOf(choosing)).toEqual({
      requests: 100,
      at_home: 1,
      half_life_ms: 60_000,
      keys: [
        { key: 'x', hash: hash('x'), share: 0.6, error: 0, replica: owner('x') },
        { key: 'y', hash: hash('y'), share: 0.3, error: 0, replica: owner('y') },
      ],
      replicas: NAMES.map((name) => ({
        name,
        share: expect.closeTo(got(name, { x: 0.6, y: 0.3, drawn: 0.1 }), 6),
        home_share: expect.closeTo(got(name, { x: 0.6, y: 0.3, drawn: 0.1 }), 6),
        largest_key_share: largest(name),
      })),
      spread: { over: 1, from_share: 0.1 },
    });
  });

  test('says nothing of what was not', () => {
    expect(replyOf(new Choosing({}, []))).toMatchObject({
      requests: 0,
      at_home: null,
      keys: [],
      replicas: [],
    });
  });

  test('lists no more than 50 keys, and none that came as often as any other', () => {
    const choosing = new Choosing({}, NAMES);
    for (let i = 0; i < 60; i++) choosing.ask(`often-${i}`, 10);
    expect(replyOf(choosing).keys).toHaveLength(50);
    const even = new Choosing({}, NAMES);
    for (let i = 0; i < 6000; i++) even.ask(`${i}`, 1);
    expect(replyOf(even).keys).toEqual([]);
  });

  test('says over whom a key is spread, and what that makes of the shares', () => {
    const choosing = new Choosing({ hotKeySpread: 2, hotKeyShare: 0.3 }, NAMES);
    choosing.ask('x', 1024);
    choosing.ask('x', 1024);
    const order = choosing.chooser.placement.preference('x', 2);
    const { keys, replicas, at_home, spread } = replyOf(choosing, {
      HOT_KEY_SPREAD: '2',
      HOT_KEY_SHARE: '0.3',
    });
    expect(keys).toMatchObject([{ key: 'x', replica: order[0] as string, spread_over: order }]);
    expect(at_home).toBeCloseTo(0.75, 2);
    const of = (name = '') => replicas.find((each) => each.name === name);
    expect(of(order[0])?.share).toBeCloseTo(0.75, 2);
    expect([of(order[0])?.home_share, of(order[1])?.home_share]).toEqual([1, 0]);
    expect(of(order[1])?.share).toBeCloseTo(0.25, 2);
    expect(spread).toEqual({ over: 2, from_share: 0.3 });
  });

  test.each([
    ['query:id', false],
    ['path', false],
    ['ip', true],
    ['header:x-user', true],
    ['cookie:session', true],
    ['query:id,cookie:session', true],
  ])('of keys by %s: whether the text is hidden is %p', (hashKey, hidden) => {
    const choosing = new Choosing({}, NAMES);
    choosing.ask('secret-one', 20);
    choosing.ask(LONG, 10);
    const reply = replyOf(choosing, { HASH_KEY: hashKey });
    expect(reply.keys.map(({ key }) => key)).toEqual([hidden ? null : 'secret-one', null]);
    for (const { hash, replica } of reply.keys)
      expect([hash, replica]).toEqual([expect.stringMatching(/^[0-9a-f]{8}$/), expect.any(String)]);
    expect(JSON.stringify(reply)).not.toContain('xxx');
    expect(JSON.stringify(reply).includes('secret-one')).toBe(!hidden);
  });
});
