import { expect, test } from 'bun:test';
import { Chance } from './chance.ts';

test('the same seed makes the same choices, another one others', () => {
  const choices = (seed: number): number[] => {
    const chance = new Chance(seed);
    return Array.from({ length: 20 }, () => chance.below(1000));
  };
  expect(choices(7)).toEqual(choices(7));
  expect(choices(7)).not.toEqual(choices(8));
});

test('choices are spread over all there is', () => {
  const chance = new Chance(1);
  const counts = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 10_000; i++) counts[chance.below(10)]!++;
  for (const count of counts) {
    expect(count).toBeGreaterThan(850);
    expect(count).toBeLessThan(1150);
  }
});
