import { describe, expect, test } from 'bun:test';
import { orderOf } from './order.ts';

describe('what a soak is asked for', () => {
  test.each([
    [[], { minutes: 10, runtime: undefined, workers: 2, seed: undefined }],
    [['1'], { minutes: 1 }],
    [['0.25'], { minutes: 0.25 }],
    [['--runtime', 'docker', '3'], { minutes: 3, runtime: 'docker' }],
    [
      ['3', '--runtime', 'process', '--workers', '1', '--seed', '0'],
      { runtime: 'process', workers: 1, seed: 0 },
    ],
    [['--seed', '4294967295'], { seed: 4_294_967_295 }],
  ])('%j', (args, expected) => {
    expect(orderOf(args)).toMatchObject(expected);
  });

  test.each([
    [['0']],
    [['-1']],
    [['ten']],
    [['1', '2']],
    [['1e9']],
    [['99999']],
    [['--runtime', 'static']],
    [['--runtime']],
    [['--workers', '0']],
    [['--workers', '1.5']],
    [['--seed', '4294967296']],
    [['--seed', 'x']],
    [['--other', '1']],
  ])('%j is refused', (args) => {
    expect(() => orderOf(args)).toThrow();
  });
});
