import { hash32 } from './hash.ts';

/** Keys that are counted at a time: so a count errs by 1/1024 of all requests at most. Some 150 KiB with usual keys. */
export const KEYS_COUNTED_MAX = 1024;

/** A longer key is kept by its beginning and a hash of the whole: what a client sends is not kept at any length. */
export const KEY_LENGTH_MAX = 128;

const CUT_PREFIX_LENGTH = KEY_LENGTH_MAX - 16;

/** A second seed for keys that agree in the first hash; both together are 64 bits. */
const SECOND_SEED = 0x5bd1e995;

/** A key and how often it came. */
export interface HeavyHitter {
  /** the key; if it is longer than {@link KEY_LENGTH_MAX}, its beginning, an ellipsis and a hash of the whole */
  readonly key: string;
  /** how often it came: never less than it did, and never more than it did plus `error` */
  readonly count: number;
  /** how much of the count may be that of keys which were counted in its place before, from 0 */
  readonly error: number;
}

/**
 * The keys that come most often, in bounded memory: Space-Saving (Metwally, Agrawal and El Abbadi, "Efficient Computation
 * of Frequent and Top-k Elements in Data Streams", ICDT 2005, §3). A key that is not counted when all counters are taken
 * takes over the one with the smallest count, and that count as its error.
 *
 * With m counters and n counted in all, an error is n/m at most, and every key that came more often than n/m has a
 * counter.
 *
 * The paper keeps counters in a list of buckets of equal count, which makes one more an O(1); but after {@link scale}
 * counts are no whole numbers, and a bucket would hold one counter each. Here a heap finds the smallest, and is put in
 * order only when it is asked: as counts only grow, one that has grown since it was filed is found too early and never too
 * late. So a key that has a counter costs O(1), and one that has none an amortised O(log m).
 */
export class HeavyHitters {
  /** how many counters there are, 1 or more */
  readonly keysMax: number;

  readonly #counterOf = new Map<string, number>();
  // By counter.
  readonly #keys: string[] = [];
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  /** the count by which a counter was filed in the heap: its count, or less */
  readonly #filed: Float64Array;
  /** counters, the smallest by `#filed` first: the children of the one at i are at 2i + 1 and 2i + 2 */
  readonly #heap: Int32Array;
  #total = 0;

  /**
   * O(keysMax).
   *
   * @param keysMax how many keys are counted at a time, a whole number from 1
   * @throws RangeError if it is none
   */
  constructor(keysMax: number = KEYS_COUNTED_MAX) {
    if (!Number.isInteger(keysMax) || keysMax < 1)
      throw new RangeError(`The number of keys to count is a whole number from 1, not ${keysMax}`);
    this.keysMax = keysMax;
    this.#counts = new Float64Array(keysMax);
    this.#errors = new Float64Array(keysMax);
    this.#filed = new Float64Array(keysMax);
    this.#heap = new Int32Array(keysMax);
  }

  /** What was counted in all, the keys that have no counter included; scaled with the counts. O(1). */
  get total(): number {
    return this.#total;
  }

  /** How many keys have a counter, in [0, keysMax]. O(1). */
  get size(): number {
    return this.#keys.length;
  }

  /**
   * Counts a key. O(1) if it has a counter, else an amortised O(log keysMax); for a key above {@link KEY_LENGTH_MAX}, O(its
   * length).
   *
   * @param times how often it came, above 0
   * @throws RangeError if that is no number above 0; then nothing is counted
   */
  add(key: string, times = 1): void {
    if (!(times > 0 && times < Infinity))
      throw new RangeError(`A key is counted a number of times above 0, not ${times}`);
    const kept = keptAs(key);
    this.#total += times;
    const counter = this.#counterOf.get(kept);
    if (counter !== undefined) this.#counts[counter]! += times;
    else if (this.#keys.length < this.keysMax) this.#append(kept, times, 0);
    else this.#takeOver(kept, times);
  }

  /**
   * The keys that came most often: largest count first, of equal counts the smaller error, then by key. O(m log m) for m
   * counters.
   *
   * @param limit how many at most, 0 or more; all of them by default
   */
  top(limit: number = this.keysMax): HeavyHitter[] {
    return this.#keys
      .map((key, i) => ({ key, count: this.#counts[i]!, error: this.#errors[i]! }))
      .sort(byCount)
      .slice(0, limit);
  }

  /**
   * Multiplies all counts, errors and the total, so that what comes later counts more: halved every minute, a count is an
   * exponentially decaying one. Nothing that is promised of counts changes, as all change by the same factor. O(keysMax).
   *
   * @param factor in [0, 1]; with 0 all is forgotten
   * @throws RangeError if it is not; then nothing changes
   */
  scale(factor: number): void {
    if (!(factor >= 0 && factor <= 1)) throw new RangeError(`Counts are scaled by 0 to 1, not by ${factor}`);
    if (factor === 0) return this.#clear();
    this.#total *= factor;
    for (let i = 0; i < this.#keys.length; i++) {
      this.#counts[i]! *= factor;
      this.#errors[i]! *= factor;
      this.#filed[i]! *= factor;
    }
  }

  #clear(): void {
    this.#total = 0;
    this.#keys.length = 0;
    this.#counterOf.clear();
  }

  #append(key: string, count: number, error: number): void {
    const counter = this.#keys.length;
    this.#keys.push(key);
    this.#counterOf.set(key, counter);
    this.#counts[counter] = count;
    this.#errors[counter] = error;
    this.#filed[counter] = count;
    this.#siftUp(counter, counter);
  }

  #takeOver(key: string, times: number): void {
    let counter = this.#heap[0]!;
    while (this.#filed[counter]! < this.#counts[counter]!) {
      this.#filed[counter] = this.#counts[counter]!;
      this.#siftDown(counter);
      counter = this.#heap[0]!;
    }
    this.#counterOf.delete(this.#keys[counter]!);
    this.#counterOf.set(key, counter);
    this.#keys[counter] = key;
    this.#errors[counter] = this.#counts[counter]!;
    // Filed as before, and put in its place when it is next found to be first.
    this.#counts[counter]! += times;
  }

  /** Moves a counter up from a free place of the heap. */
  #siftUp(counter: number, place: number): void {
    const filed = this.#filed[counter]!;
    let at = place;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#filed[this.#heap[parent]!]! <= filed) break;
      this.#heap[at] = this.#heap[parent]!;
      at = parent;
    }
    this.#heap[at] = counter;
  }

  /** Moves a counter down from the top of the heap, which has to be full. */
  #siftDown(counter: number): void {
    const filed = this.#filed[counter]!;
    const size = this.keysMax;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#filed[this.#heap[child + 1]!]! < this.#filed[this.#heap[child]!]!)
        child++;
      if (this.#filed[this.#heap[child]!]! >= filed) break;
      this.#heap[at] = this.#heap[child]!;
      at = child;
    }
    this.#heap[at] = counter;
  }
}

function byCount(a: HeavyHitter, b: HeavyHitter): number {
  return b.count - a.count || a.error - b.error || (a.key < b.key ? -1 : 1);
}

/** What is kept of a key, by which {@link HeavyHitters} tells of it. O(1), or O(length) where it is longer than {@link KEY_LENGTH_MAX}. */
export function keptAs(key: string): string {
  return key.length > KEY_LENGTH_MAX ? cutOf(key) : key;
}

/** One character longer than any key that is kept whole, so that it is none of these. */
function cutOf(key: string): string {
  const digits = [hash32(key), hash32(key, SECOND_SEED)].map((hash) => hash.toString(16).padStart(8, '0'));
  return `${key.slice(0, CUT_PREFIX_LENGTH)}…${digits.join('')}`.toWellFormed();
}
