import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { boundOf } from '../../src/ring/bounded.ts';

const property = { seed: 20260714, numRuns: 1000 };

test.each([
  // c, m, w, W, bound
  [1.25, 0, 1, 4, 0],
  [1.25, 1, 1, 4, 1],
  [1.25, 4, 1, 4, 2],
  [1.25, 16, 1, 4, 5],
  [1.25, 17, 1, 4, 6],
  [2, 100, 1, 1, 200],
  [1.25, 16, 3, 4, 15],
  // In floating point these products are a little above a whole number.
  [1.1, 10, 3, 11, 3],
  [1.1, 100, 1, 10, 11],
  [1.4, 5, 1, 7, 1],
  [1.1, 1e9, 3, 3.3, 1e9],
  // And this one a little below.
  [1.15, 100, 1, 1, 115],
  // A replica that starts slowly has room for one, however little its weight is.
  [1.25, 1, 1e-9, 1000, 1],
  [1.25, 10_000_000, 0.3, 1 + 0.1 + 0.2, 2_884_616],
])('with a factor of %d and %d in flight, weight %d of %d may have %d', (c, m, w, sum, bound) => {
  expect(boundOf({ loadFactor: c, inFlight: m, weight: w, weightSum: sum })).toBe(bound);
});

const anyWeights = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0.001, max: 1, noNaN: true })),
  {
    minLength: 1,
    maxLength: 200,
  },
);
const anyFactor = fc.oneof(fc.constantFrom(1, 1.1, 1.25, 2), fc.double({ min: 1, max: 10, noNaN: true }));
const anyInFlight = fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 10_000_000 }));

test('the bounds in sum have room for all that is in flight: there is always a replica below its own', () => {
  fc.assert(
    fc.property(anyWeights, anyFactor, anyInFlight, (weights, loadFactor, inFlight) => {
      const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
      const room = weights.reduce(
        (sum, weight) => sum + boundOf({ loadFactor, inFlight, weight, weightSum }),
        0,
      );
      expect(room).toBeGreaterThanOrEqual(inFlight);
    }),
    property,
  );
});

test('it is the least whole number not below the quotient, where that is worked out with whole numbers', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 1000 }),
      fc.nat({ max: 100_000 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 0, max: 10_000 }),
      (percent, inFlight, weight, others) => {
        const [product, divisor] = [percent * inFlight * weight, 100 * (weight + others)];
        const exact = (product - (product % divisor)) / divisor + (product % divisor === 0 ? 0 : 1);
        const load = { loadFactor: percent / 100, inFlight, weight, weightSum: weight + others };
        expect(boundOf(load)).toBe(exact);
      },
    ),
    property,
  );
});

test('it grows with what is in flight and with the weight', () => {
  fc.assert(
    fc.property(
      anyFactor,
      anyInFlight,
      fc.nat({ max: 100 }),
      fc.nat({ max: 100 }),
      (loadFactor, inFlight, a, b) => {
        const at = (more: number, weight: number): number =>
          boundOf({ loadFactor, inFlight: inFlight + more, weight, weightSum: 250 });
        expect(at(a, 1 + b)).toBeGreaterThanOrEqual(at(0, 1 + b));
        expect(at(0, 1 + a + b)).toBeGreaterThanOrEqual(at(0, 1 + a));
      },
    ),
    property,
  );
});
