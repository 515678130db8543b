/** The ways in which the same bytes can arrive: whole, in two reads, one by one. */
import { turn } from './client.ts';

/** A way to send some bytes: its name, and the pieces. */
export type Way = readonly [name: string, pieces: readonly Uint8Array[]];

/** More offsets than that are sampled. */
const OFFSETS_MAX = 300;
/** Longer ones are not sent byte by byte. */
const SINGLES_MAX_BYTES = 2000;
const AT_ONCE = 64;

export function waysOf(text: string): Way[] {
  const bytes = Buffer.from(text, 'latin1');
  const step = Math.max(1, Math.ceil(bytes.byteLength / OFFSETS_MAX));
  const ways: Way[] = [['whole', [bytes]]];
  for (let at = 1; at < bytes.byteLength; at += step)
    ways.push([`split at ${at}`, [bytes.subarray(0, at), bytes.subarray(at)]]);
  if (bytes.byteLength <= SINGLES_MAX_BYTES)
    ways.push(['byte by byte', Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))]);
  return ways;
}

/** Runs them, some at once; what goes wrong says in which way. */
export async function each(
  ways: readonly Way[],
  run: (pieces: readonly Uint8Array[]) => Promise<void>,
): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    for (let way = ways[next++]; way !== undefined; way = ways[next++])
      try {
        await run(way[1]);
      } catch (error) {
        throw new Error(`${way[0]}: ${error instanceof Error ? error.message : error}`, { cause: error });
      }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Writes all pieces so that each is read by itself, whatever is answered meanwhile. */
export async function sendAll(
  to: { write(bytes: Uint8Array): void },
  pieces: readonly Uint8Array[],
): Promise<void> {
  for (const piece of pieces) {
    to.write(piece);
    await turn();
  }
}
