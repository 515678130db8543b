import { mix32 } from '../ring/hash.ts';

/** Ids have six digits, as the assignment says. */
const ID_MIN = 100_000;
const ID_MAX = 999_999;

/** Step of the counter that is mixed: 2^32 over the golden ratio, odd, so that it visits every 32-bit number. */
const STEP = 0x9e3779b9;
const WORDS = 2 ** 32;

/**
 * Random ids of requests, the same for the same seed: a counter whose values are mixed, as in SplitMix (Steele, Lea,
 * Flood 2014, section 3). O(count).
 *
 * @param seed an integer, taken modulo 2^32
 * @returns integers from 100000 to 999999; one may come more than once, as ids of real requests do
 */
export function randomIds(count: number, seed: number): number[] {
  const span = ID_MAX - ID_MIN + 1;
  const start = mix32(seed);
  return Array.from({ length: count }, (_, i) => {
    const word = mix32(start + Math.imul(i + 1, STEP));
    return ID_MIN + Math.floor((word / WORDS) * span);
  });
}
