/** What the bound of one replica depends on. */
export interface Demand {
  /** how much above its due share a replica may be loaded: c, above 1; with 1 nothing would be left to choose */
  readonly loadFactor: number;
  /** requests in flight on all replicas, the one to be placed included: m, a whole number from 0 */
  readonly inFlight: number;
  /** the replica's own weight, above 0 */
  readonly weight: number;
  /** the weights of all replicas that can take requests, in sum, the replica's own included */
  readonly weightSum: number;
}

/**
 * By how much, as a part of the product, one may miss a whole number and still be it: four operations err by 2^-51 at
 * most, a sum of thousands of weights by no more than this. Far below 1/m for any m that a machine can have in flight,
 * and so too little for the bounds in sum to fall short of m.
 */
const ROUNDING = 2 ** -40;

/**
 * How many requests in flight a replica may have, the one to be placed included: ceil(c m w / W) (Mirrokni, Thorup and
 * Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018, §1: ceil(c m / n), here by weight). A request goes
 * to the first replica of its key's preference that has fewer.
 *
 * In sum the bounds are at least c m, more than all but the new one use: so there is always a replica below its own.
 * As the paper has it one that joins or leaves moves an expected O(1/(c - 1)^2) requests per request that has to move,
 * for c up to 2.
 *
 * What would be a whole number in exact arithmetic is one here: 1.1 * 10 * 3 / 11 is 3, not 4 because the product is
 * 3.0000000000000004. O(1).
 *
 * @returns a whole number; 1 or more where something is in flight
 */
export function boundOf({ loadFactor, inFlight, weight, weightSum }: Demand): number {
  const load = (loadFactor * inFlight * weight) / weightSum;
  const whole = Math.round(load);
  return Math.abs(load - whole) <= load * ROUNDING ? whole : Math.ceil(load);
}
