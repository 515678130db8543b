import { expect, test } from 'bun:test';
import { Load } from '../../src/fleet/load.ts';

test('what is in flight counts in the sum it is in, from then on and until it is in another', () => {
  const [first, second] = [{ inFlight: 10 }, { inFlight: 0 }];
  const load = new Load();
  load.add(3);
  load.countIn(first);
  load.add(2);
  expect([load.inFlight, first.inFlight, second.inFlight]).toEqual([5, 15, 0]);
  load.countIn(second);
  load.add(-1);
  expect([load.inFlight, first.inFlight, second.inFlight]).toEqual([4, 10, 4]);
  load.countIn(undefined);
  load.add(7);
  expect([load.inFlight, first.inFlight, second.inFlight]).toEqual([11, 10, 0]);
});
