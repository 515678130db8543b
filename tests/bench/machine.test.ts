import { expect, test } from 'bun:test';
import { parseCoreList, partCores } from './machine.ts';

test.each([
  ['0', [0]],
  ['0-3', [0, 1, 2, 3]],
  ['1,4-5,9', [1, 4, 5, 9]],
])('the list %j', (text, cores) => {
  expect(parseCoreList(text)).toEqual(cores);
});

test.each([
  [[0, 1], { measured: '0', others: '1' }],
  [[2, 3, 7], { measured: '2', others: '3,7' }],
  [[0], undefined],
  [[], undefined],
])('the cores %p are parted as %p', (allowed, cores) => {
  expect(partCores(allowed)).toEqual(cores);
});
